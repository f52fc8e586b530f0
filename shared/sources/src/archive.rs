//! Takes the files out of a `.tar.gz`, in memory. Pure.
//!
//! Anybody may have made the archive, so everything is bounded and nothing is trusted: extension headers are read here, since a
//! reader that joins them by itself would hold whatever length they claim. Where two parsers could see two different archives, it is
//! refused. Formats: POSIX.1-2017 `pax` (pubs.opengroup.org, "pax Interchange Format"), and GNU's long names.

mod capped;
mod extension;
mod name;

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType, Header};

use self::capped::Capped;
use self::extension::Extensions;
pub use self::name::{is_safe as is_safe_name, normal as normal_name};
use crate::folder::Folder;

/// Files by their name, as seen from the folder that was asked for.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Bytes of a block, which everything in a tar is a multiple of.
const BLOCK: u64 = 512;

/// What an archive may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Inflated bytes that are read, headers and skipped files included.
    pub stream: u64,
    /// Bytes of all files that are taken, and of their names.
    pub total: u64,
    /// Bytes of the name of one file that is taken.
    pub name: u64,
    /// Bytes of one file that is taken.
    pub file: u64,
    /// Entries, skipped ones and extension headers included.
    pub entries: u64,
    /// Bytes of one extension header, which holds a name.
    pub extension: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stream: 512 << 20, total: 64 << 20, name: 4096, file: 16 << 20, entries: 200_000, extension: 64 << 10 }
    }
}

/// Why the files cannot be taken. The bytes are what their digest says, so the same archive fails again.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// gzip or tar reject the bytes.
    #[error("the archive is damaged: {0}")]
    Corrupt(io::Error),
    /// It holds more than is taken from anybody.
    #[error("the archive {what} of {limit} {unit}; name a folder of it in sourceRef.path, or publish less")]
    TooLarge {
        /// What was exceeded.
        what: &'static str,
        /// By how much at most.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// One name for two files, or something that parsers read differently.
    #[error("the archive holds `{name}`, {what}")]
    Ambiguous {
        /// Name of the entry.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Takes the files below `folder` out of an archive. Only regular files with safe names are taken; everything else is passed over.
///
/// # Errors
/// See [`ArchiveError`]. Nothing is kept on error.
pub fn read(archive: impl Read, folder: &Folder, limits: &Limits) -> Result<Files, ArchiveError> {
    let inflated = Capped::new(MultiGzDecoder::new(archive), limits.stream);
    let mut archive = Archive::new(inflated);
    let taken = take(&mut archive, folder, limits);
    // Why reading ended is known to the reader alone: the parser above wraps what it says.
    let mut rest = archive.into_inner();
    let too_large =
        || ArchiveError::TooLarge { what: "inflates to more than the limit", limit: limits.stream, unit: "bytes" };
    let files = taken.and_then(|files| end(&mut rest).map(|()| files));
    let files = files.map_err(|error| if rest.is_exceeded() { too_large() } else { error })?;
    // The end of the gzip stream holds its checksum.
    io::copy(&mut rest, &mut io::sink())
        .map_err(|error| if rest.is_exceeded() { too_large() } else { ArchiveError::Corrupt(error) })?;
    Ok(files)
}

/// An archive ends with two blocks of zeros, or just ends. Something after a single one is read by some parsers and not by others.
fn end(rest: &mut impl Read) -> Result<(), ArchiveError> {
    let mut block = Vec::new();
    rest.take(BLOCK).read_to_end(&mut block).map_err(ArchiveError::Corrupt)?;
    let is_end = block.is_empty() || (block.len() as u64 == BLOCK && block.iter().all(|byte| *byte == 0));
    if is_end { Ok(()) } else { Err(ArchiveError::Corrupt(io::Error::other("there is something after its end"))) }
}

fn take<R: Read>(archive: &mut Archive<R>, folder: &Folder, limits: &Limits) -> Result<Files, ArchiveError> {
    let mut files = Files::new();
    let (mut count, mut total) = (0, 0);
    let mut extensions = Extensions::default();
    for entry in archive.entries().map_err(ArchiveError::Corrupt)?.raw(true) {
        let mut entry = entry.map_err(ArchiveError::Corrupt)?;
        count += 1;
        if count > limits.entries {
            return Err(ArchiveError::TooLarge {
                what: "has more than the limit",
                limit: limits.entries,
                unit: "entries",
            });
        }
        numbers(entry.header())?;
        let kind = entry.header().entry_type();
        if extension::is_one(kind) {
            extensions.take_in(kind, extension_bytes(&mut entry, limits)?)?;
            continue;
        }
        let described = std::mem::take(&mut extensions);
        let name = described.name().map_or_else(|| entry.header().path_bytes().into_owned(), <[u8]>::to_vec);
        described.check(&name, entry.size(), kind)?;
        if !matches!(kind, EntryType::Regular) {
            continue;
        }
        let Some(name) = name::normal(&name) else { continue };
        let Some(wanted) = folder.strip(&name) else { continue };
        let (size, length) = (entry.size(), name.len() as u64);
        // The size is what the header says, which may be anything.
        total = size.saturating_add(length).saturating_add(total);
        for (size, limit, what) in [
            (length, limits.name, "has a name that is longer than the limit"),
            (size, limits.file, "has a file that is larger than the limit"),
            (total, limits.total, "has more in its files than the limit"),
        ] {
            if size > limit {
                return Err(ArchiveError::TooLarge { what, limit, unit: "bytes" });
            }
        }
        if files.contains_key(wanted) {
            return Err(ArchiveError::Ambiguous { name, what: "which is there twice" });
        }
        let wanted = wanted.to_owned();
        files.insert(wanted, whole(&mut entry, size)?);
    }
    Ok(files)
}

/// Numbers that nothing here needs. Other parsers stop at one that is none.
fn numbers(header: &Header) -> Result<(), ArchiveError> {
    let header = header.as_old();
    for field in [&header.mode[..], &header.uid, &header.gid, &header.mtime] {
        let is_binary = field.first().is_some_and(|byte| byte & 0x80 != 0);
        let mut digits = field.iter().filter(|byte| !matches!(byte, 0 | b' '));
        if !is_binary && !digits.all(|byte| (b'0'..=b'7').contains(byte)) {
            return Err(ArchiveError::Corrupt(io::Error::other("a number in a header is none")));
        }
    }
    Ok(())
}

fn extension_bytes<R: Read>(entry: &mut Entry<'_, R>, limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
    let (size, limit) = (entry.size(), limits.extension);
    if size > limit {
        return Err(ArchiveError::TooLarge {
            what: "has a header that is larger than the limit",
            limit,
            unit: "bytes",
        });
    }
    whole(entry, size)
}

/// Exactly `size` bytes, which the caller has judged.
fn whole<R: Read>(entry: &mut Entry<'_, R>, size: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(ArchiveError::Corrupt)?;
    if bytes.len() as u64 != size {
        return Err(ArchiveError::Corrupt(io::Error::new(io::ErrorKind::UnexpectedEof, "a file ends in the middle")));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "archive/tests.rs"]
mod tests;
