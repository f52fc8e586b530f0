// Evaluates with go-jsonnet, the reference that this project's renderer is compared with.
//
// Each line of standard input is a task, each line of standard output its answer, both JSON. A task is either a program with its
// files, or a folder whose program is rendered to a tarball again and again, timed.
package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/google/go-jsonnet"
)

type task struct {
	// The path of the program in files.
	Entry string `json:"entry"`
	// Bytes by path.
	Files map[string][]byte `json:"files"`
	Text  map[string]string `json:"text"`
	Code  map[string]string `json:"code"`
	Stack int               `json:"stack"`
	// Measures instead, when it is set.
	Measure *measure `json:"measure"`
}

type measure struct {
	Folder  string `json:"folder"`
	Tarball string `json:"tarball"`
	Rounds  int    `json:"rounds"`
}

type answer struct {
	Output []byte `json:"output"`
	Error  string `json:"error"`
	// One time for each round, in nanoseconds.
	Times []int64 `json:"times"`
}

// A tree of files in memory, with imports relative to the importing file.
type tree struct {
	files  map[string][]byte
	loaded map[string]jsonnet.Contents
}

func (t *tree) Import(from, imported string) (jsonnet.Contents, string, error) {
	found := path.Join(path.Dir(from), imported)
	if contents, ok := t.loaded[found]; ok {
		return contents, found, nil
	}
	content, ok := t.files[found]
	if !ok {
		return jsonnet.Contents{}, "", fmt.Errorf("no file %s", found)
	}
	contents := jsonnet.MakeContentsRaw(content)
	t.loaded[found] = contents
	return contents, found, nil
}

func evaluate(t *task) ([]byte, error) {
	vm := jsonnet.MakeVM()
	vm.Importer(&tree{files: t.Files, loaded: map[string]jsonnet.Contents{}})
	if t.Stack > 0 {
		vm.MaxStack = t.Stack
	}
	for name, text := range t.Text {
		vm.ExtVar(name, text)
	}
	for name, code := range t.Code {
		vm.ExtCode(name, code)
	}
	vm.SetTraceOut(discard{})
	output, err := vm.EvaluateFile(t.Entry)
	return []byte(output), err
}

type discard struct{}

func (discard) Write(bytes []byte) (int, error) { return len(bytes), nil }

// Guards against a panic of the interpreter, which its own command would report as an internal error.
func guarded(t *task) (result answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			result = answer{Error: fmt.Sprintf("panic: %v", panicked)}
		}
	}()
	if t.Measure != nil {
		return timed(t)
	}
	output, err := evaluate(t)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Output: output}
}

func timed(t *task) answer {
	var times []int64
	for range t.Measure.Rounds {
		begun := time.Now()
		if err := round(t); err != nil {
			return answer{Error: err.Error()}
		}
		times = append(times, time.Since(begun).Nanoseconds())
	}
	return answer{Times: times}
}

// From the files of a folder to a tarball.
func round(t *task) error {
	files := map[string][]byte{}
	err := filepath.WalkDir(t.Measure.Folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(t.Measure.Folder, name)
		if err != nil {
			return err
		}
		files[relative], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		return err
	}
	output, err := evaluate(&task{Entry: t.Entry, Files: files})
	if err != nil {
		return err
	}
	file, err := os.Create(t.Measure.Tarball)
	if err != nil {
		return err
	}
	defer file.Close()
	compressed := gzip.NewWriter(file)
	archive := tar.NewWriter(compressed)
	if err := archive.WriteHeader(&tar.Header{Name: "rendered.json", Mode: 0o644, Size: int64(len(output))}); err != nil {
		return err
	}
	if _, err := archive.Write(output); err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := json.NewEncoder(os.Stdout)
	tasks := json.NewDecoder(input)
	for {
		var next task
		if err := tasks.Decode(&next); err != nil {
			return
		}
		if err := output.Encode(guarded(&next)); err != nil {
			return
		}
	}
}
