//! Unpacks a `.tar.gz` into memory, within the limits that consumers have. Pure.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::{ENTRY_LIMIT, Entries, TOTAL_LIMIT};

/// Inflated bytes that are read at most, headers and padding included.
const STREAM_LIMIT: u64 = 2 * TOTAL_LIMIT;

/// Why bytes are no artifact.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// gzip or tar reject the bytes.
    #[error("the archive is damaged")]
    Corrupt(#[source] io::Error),
    /// More than consumers extract; the rest was not read.
    #[error("the archive holds more than {0} bytes")]
    TooLarge(u64),
    /// Something other than a regular file, or a name twice.
    #[error("the archive holds `{name}`, which is {what}")]
    Unexpected {
        /// Name of the entry.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Unpacks an artifact of ours: regular files only, each name once.
///
/// # Errors
/// See [`UnpackError`]. Nothing is kept on error.
pub fn unpack(tarball: &[u8]) -> Result<Entries, UnpackError> {
    let mut archive = Archive::new(MultiGzDecoder::new(tarball).take(STREAM_LIMIT));
    let mut entries = Entries::new();
    let mut total = 0;
    for entry in archive.entries().map_err(UnpackError::Corrupt)? {
        let mut entry = entry.map_err(UnpackError::Corrupt)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !matches!(entry.header().entry_type(), EntryType::Regular) {
            return Err(UnpackError::Unexpected { name, what: "no regular file" });
        }
        let size = entry.size();
        total += size;
        if size > ENTRY_LIMIT {
            return Err(UnpackError::TooLarge(ENTRY_LIMIT));
        }
        if total > TOTAL_LIMIT {
            return Err(UnpackError::TooLarge(TOTAL_LIMIT));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        entry.read_to_end(&mut bytes).map_err(UnpackError::Corrupt)?;
        if entries.insert(name.clone(), bytes).is_some() {
            return Err(UnpackError::Unexpected { name, what: "there twice" });
        }
    }
    // The end of the gzip stream holds its checksum: whoever stops at the end of the tar never sees a torn tail.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(UnpackError::Corrupt)?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::pack;
    use super::*;

    fn tarball() -> Vec<u8> {
        pack(&Entries::from([("rendered.json".to_owned(), vec![b'x'; 4000])])).unwrap()
    }

    #[test]
    fn every_truncation_is_noticed() {
        let whole = tarball();
        for length in 0..whole.len() {
            assert!(unpack(&whole[..length]).is_err(), "the first {length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn no_changed_byte_changes_the_content_unnoticed() {
        let whole = tarball();
        let right = unpack(&whole).unwrap();
        let noticed = (0..whole.len()).filter(|position| {
            let mut damaged = whole.clone();
            damaged[*position] ^= 0x10;
            match unpack(&damaged) {
                // The time in the header and the padding after the last block say nothing of the content.
                Ok(entries) => {
                    assert!(entries == right, "byte {position}");
                    false
                }
                Err(_) => true,
            }
        });
        assert!(noticed.count() > whole.len() - 10);
    }

    #[test]
    fn a_link_is_refused() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "a", "/etc/passwd").unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::copy(&mut tar.into_inner().unwrap().as_slice(), &mut gzip).unwrap();
        let error = unpack(&gzip.finish().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "the archive holds `a`, which is no regular file");
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_inflated() {
        let bomb = Entries::from([("a".to_owned(), vec![0; usize::try_from(ENTRY_LIMIT).unwrap() + 1])]);
        assert!(matches!(unpack(&pack(&bomb).unwrap()), Err(UnpackError::TooLarge(ENTRY_LIMIT))));
    }
}
