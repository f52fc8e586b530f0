//! How much address space a process has.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The system's account of this process, opened once: a confined process opens nothing.
pub(super) struct Account {
    file: File,
    page: u64,
}

impl Account {
    pub(super) fn open() -> io::Result<Self> {
        // The size of a page is in a file too, where the C library does not tell it.
        Ok(Self { file: File::open("/proc/self/statm")?, page: page_size() })
    }

    /// The address space in use, in bytes; zero if unknown.
    pub(super) fn address_space(&self) -> u64 {
        let mut text = [0; 128];
        let length = self.file.read_at(&mut text, 0).unwrap_or_default();
        pages(&text[..length]) * self.page
    }
}

/// The address space that another process uses, in bytes; `None` if it has ended.
pub(super) fn of(process: u32) -> Option<u64> {
    let text = std::fs::read(format!("/proc/{process}/statm")).ok()?;
    Some(pages(&text) * page_size()).filter(|bytes| *bytes > 0)
}

fn page_size() -> u64 {
    u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

fn pages(text: &[u8]) -> u64 {
    let first = text.split(u8::is_ascii_whitespace).next().and_then(|word| str::from_utf8(word).ok());
    first.and_then(|word| word.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_address_space_in_use_is_known_from_inside_and_from_outside() {
        let inside = Account::open().unwrap().address_space();
        assert!(inside > 1 << 20, "{inside}");
        assert!(of(std::process::id()).unwrap() > 1 << 20);
        assert_eq!(of(u32::MAX), None);
    }
}
