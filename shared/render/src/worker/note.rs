//! What a worker was doing last, readable after its death.
//!
//! The standard error of a worker is a file in memory that its parent holds too. Its first part is a note that the worker
//! overwrites with each file it loads, the rest takes whatever the process prints. Nobody has to read along, and nothing
//! is lost when the process is killed.

use std::cell::Cell;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

/// Where printed text starts, and the longest note.
const WORDS: u64 = 4 << 10;
/// How much printed text is kept, in bytes.
const WORDS_LENGTH: u64 = 4 << 10;
/// The longest file name that is kept, in bytes.
const NAME_LENGTH: usize = 1 << 10;
/// Length and mark before the name.
const HEADER: usize = 3;

/// Whether this process is a worker, whose standard error takes notes.
static TAKES_NOTES: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// An address near the start of this thread's stack; zero if unknown.
    static STACK_START: Cell<usize> = const { Cell::new(0) };
}

/// The parent's end.
pub(super) struct Pad(File);

/// The last note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The file that was loaded last, by the name that diagnostics show; `None` before the first one.
    pub(super) file: Option<String>,
    /// Whether the stack had outgrown its thread by then, where an overflow is a plain segmentation fault.
    pub(super) outgrown: bool,
}

impl Pad {
    /// A new pad, of a size that cannot be changed.
    pub(super) fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Some systems refuse memory that could be executed; those before Linux 6.3 do not know the flag.
        let pad = memfd_create("worker", flags | MemfdFlags::NOEXEC_SEAL).or_else(|_| memfd_create("worker", flags))?;
        ftruncate(&pad, WORDS + WORDS_LENGTH)?;
        fcntl_add_seals(&pad, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        let mut pad = File::from(pad);
        pad.seek(SeekFrom::Start(WORDS))?;
        Ok(Self(pad))
    }

    /// What becomes the standard error of the worker.
    pub(super) fn for_worker(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    /// The beginning of what the worker printed.
    pub(super) fn words(&self) -> String {
        let mut words = vec![0; usize::try_from(WORDS_LENGTH).unwrap_or_default()];
        let length = self.0.read_at(&mut words, WORDS).unwrap_or_default();
        words.truncate(length);
        words.retain(|byte| *byte != 0);
        String::from_utf8_lossy(&words).into_owned()
    }

    /// The last note.
    pub(super) fn note(&self) -> Note {
        let mut page = [0; HEADER + NAME_LENGTH];
        let read = self.0.read_at(&mut page, 0).unwrap_or_default();
        let length = usize::from(u16::from_le_bytes([page[1], page[2]])).min(read.saturating_sub(HEADER));
        let name = String::from_utf8_lossy(&page[HEADER..HEADER + length]).into_owned();
        Note { file: Some(name).filter(|name| !name.is_empty()), outgrown: page[0] == 1 }
    }
}

/// From now on this process leaves notes.
pub(super) fn take() {
    TAKES_NOTES.store(true, Ordering::Relaxed);
}

/// An evaluation starts on this thread.
pub(super) fn start() {
    let here = 0_u8;
    STACK_START.set(std::ptr::from_ref(&here).addr());
    write("", false);
}

/// A file is loaded. Does nothing outside of a worker.
pub(crate) fn loading(name: &dyn Display) {
    if TAKES_NOTES.load(Ordering::Relaxed) {
        let here = 0_u8;
        let depth = STACK_START.get().abs_diff(std::ptr::from_ref(&here).addr());
        write(&name.to_string(), u64::try_from(depth).is_ok_and(|depth| depth > super::STACK));
    }
}

fn write(name: &str, outgrown: bool) {
    let name = &name[..name.floor_char_boundary(NAME_LENGTH)];
    let length = u16::try_from(name.len()).unwrap_or_default().to_le_bytes();
    let page = [&[u8::from(outgrown)], &length[..], name.as_bytes()].concat();
    // A worker that was started by hand has another standard error, and nobody reads its notes.
    let _ = rustix::io::pwrite(io::stderr().as_fd(), &page, 0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn a_new_pad_says_nothing() {
        let pad = Pad::new().unwrap();
        assert_eq!((pad.words().as_str(), pad.note()), ("", Note::default()));
    }

    #[test]
    fn words_and_notes_do_not_meet_and_the_pad_never_grows() {
        let pad = Pad::new().unwrap();
        let mut worker = pad.for_worker().unwrap();
        worker.write_all(b"it panicked").unwrap();
        worker.write_at(b"\x01\x05\x00a.lib", 0).unwrap();
        assert_eq!(pad.words(), "it panicked");
        assert_eq!(pad.note(), Note { file: Some("a.lib".to_owned()), outgrown: true });
        let flood = vec![b'x'; 1 << 20];
        assert!(worker.write_all(&flood).is_err());
        assert!(pad.words().starts_with("it panicked"));
        assert_eq!(worker.metadata().unwrap().len(), WORDS + WORDS_LENGTH);
    }
}
