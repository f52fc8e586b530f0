//! Headers that describe the entry after them: pax records and GNU's long names. Pure.

use tar::{EntryType, PaxExtensions};

use super::ArchiveError;

/// What is known of the next entry.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    long_name: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    pax: bool,
}

/// Whether an entry only describes the next one.
pub(super) fn is_one(kind: EntryType) -> bool {
    kind.is_gnu_longname() || kind.is_gnu_longlink() || is_pax(kind)
}

fn is_pax(kind: EntryType) -> bool {
    kind.is_pax_local_extensions() || kind.is_pax_global_extensions()
}

impl Extensions {
    /// Takes in one such header.
    pub(super) fn take_in(&mut self, kind: EntryType, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        if kind.is_gnu_longname() {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            let name: Vec<_> = bytes.into_iter().take(end).collect();
            if name.is_empty() {
                return Ok(());
            }
            return match self.long_name.replace(name) {
                None => Ok(()),
                Some(_) => Err(self.ambiguous("which has two long names")),
            };
        }
        if !is_pax(kind) {
            return Ok(());
        }
        if kind.is_pax_global_extensions() && (self.pax || self.long_name.is_some()) {
            return Err(self.ambiguous("whose own header and that for all entries are mixed up"));
        }
        if kind.is_pax_local_extensions() && std::mem::replace(&mut self.pax, true) {
            return Err(self.ambiguous("which has two pax headers"));
        }
        let (mut seen_path, mut seen_size) = (false, false);
        for record in PaxExtensions::new(&bytes) {
            let record = record.map_err(ArchiveError::Corrupt)?;
            let key = record.key_bytes();
            if key.contains(&0) || record.value_bytes().contains(&0) && !key.starts_with(b"SCHILY.xattr.") {
                return Err(self.ambiguous("whose own header holds a zero byte"));
            }
            let decides = matches!(key, b"path" | b"size") || key.starts_with(b"GNU.sparse.");
            if decides && kind.is_pax_global_extensions() {
                return Err(self.ambiguous("which only a header for all entries describes"));
            }
            let seen = match key {
                b"path" => &mut seen_path,
                b"size" => &mut seen_size,
                b"mtime" | b"atime" | b"ctime" | b"uid" | b"gid" if !is_number(record.value_bytes()) => {
                    return Err(self.ambiguous("one of whose numbers is none"));
                }
                key => {
                    self.sparse |= key.starts_with(b"GNU.sparse.");
                    continue;
                }
            };
            if std::mem::replace(seen, true) {
                return Err(self.ambiguous("which has two paths or sizes"));
            }
            // An empty value stands for none: what the entry's own header says counts.
            match (key, record.value_bytes()) {
                (_, b"") => {}
                (b"path", path) => self.path = Some(path.to_vec()),
                (_, size) => {
                    let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or_else(|| self.ambiguous("whose size is no number"))?);
                }
            }
        }
        Ok(())
    }

    /// The name that overrides that of the header.
    pub(super) fn name(&self) -> Option<&[u8]> {
        self.path.as_deref().or(self.long_name.as_deref())
    }

    /// Refuses what parsers read differently.
    pub(super) fn check(&self, name: &[u8], size: u64, kind: EntryType) -> Result<(), ArchiveError> {
        let refuse = |what| Err(ArchiveError::Ambiguous { name: shown(name), what });
        if self.sparse || kind.is_gnu_sparse() {
            return refuse("which is a sparse file");
        }
        // Some parsers read what follows such an entry as its content, and some as the next entry.
        let is_header_only = kind.is_hard_link()
            || kind.is_symlink()
            || kind.is_dir()
            || kind.is_character_special()
            || kind.is_block_special()
            || kind.is_fifo();
        if is_header_only && size > 0 {
            return refuse("which is no file but has content");
        }
        if name.ends_with(b"/") && size > 0 {
            return refuse("which is named like a folder but has content");
        }
        if self.path.is_some() && self.long_name.as_ref().is_some_and(|long| Some(long) != self.path.as_ref()) {
            return refuse("which has two names");
        }
        if self.size.is_some_and(|said| said != size) {
            return refuse("which has two sizes");
        }
        Ok(())
    }

    fn ambiguous(&self, what: &'static str) -> ArchiveError {
        ArchiveError::Ambiguous { name: shown(self.name().unwrap_or_default()), what }
    }
}

/// Whole or with a fraction, also negative; nothing stands for none.
fn is_number(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    value.is_empty() || parts.all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

/// The begin of a name, whatever it is made of.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(200)]).into_owned()
}
