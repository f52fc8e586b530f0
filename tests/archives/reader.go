// Lists tar archives with Go's own reader: the other parser of the differential test.
//
// Standard input holds archives, each after its length as four bytes, big end first. For each, a line of JSON tells the entries and
// the error, if any.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
)

type entry struct {
	Name    []byte `json:"name"`
	Type    string `json:"type"`
	Content string `json:"content"`
}

type listing struct {
	Entries []entry `json:"entries"`
	Error   string  `json:"error"`
}

func list(archive []byte) (found listing) {
	found.Entries = []entry{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			found.Error = err.Error()
			return
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, reader); err != nil {
			found.Error = err.Error()
			return
		}
		found.Entries = append(found.Entries, entry{[]byte(header.Name), string(header.Typeflag), hex.EncodeToString(hash.Sum(nil))})
	}
}

func main() {
	input := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	lines := json.NewEncoder(output)
	for {
		var length uint32
		if err := binary.Read(input, binary.BigEndian, &length); err != nil {
			return
		}
		archive := make([]byte, length)
		if _, err := io.ReadFull(input, archive); err != nil {
			panic(err)
		}
		if err := lines.Encode(list(archive)); err != nil {
			panic(err)
		}
	}
}
