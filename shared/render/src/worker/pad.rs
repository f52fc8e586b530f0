//! Memory that a worker shares with its parent: what it is doing, what it rendered, and what it printed.
//!
//! The standard error of a worker is a file in memory that its parent holds too. Its first part is a note that the worker
//! overwrites with each file it loads, the last one takes whatever the process prints. Nobody has to read along, and nothing
//! is lost when the process is killed. Between the two is the rendered text: a pipe would hand a megabyte over in sixteen
//! pieces, with a change of processes for each, and would have it copied twice more.

use std::cell::Cell;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::buffer::spare_capacity;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create};

/// Where rendered text starts, and the longest note.
const TEXT: u64 = 4 << 10;
/// How much of the memory for rendered text stays for the next one, in bytes: new pages take as long as the copy.
const KEPT: u64 = 2 << 20;
/// How much printed text is kept, in bytes.
const WORDS_LENGTH: u64 = 4 << 10;
/// The longest file name that is kept, in bytes.
const NAME_LENGTH: usize = 1 << 10;
/// Length and mark before the name.
const HEADER: usize = 3;

/// Whether this process is a worker, whose standard error is a pad.
static TAKES_NOTES: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// An address near the start of this thread's stack; zero if unknown.
    static STACK_START: Cell<usize> = const { Cell::new(0) };
}

/// The parent's end.
pub(super) struct Pad {
    file: File,
    /// Where printed text starts.
    words: u64,
}

/// The last note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// The file that was loaded last, by the name that diagnostics show; `None` before the first one.
    pub(super) file: Option<String>,
    /// Whether the stack had outgrown its thread by then, where an overflow is a plain segmentation fault.
    pub(super) outgrown: bool,
}

impl Pad {
    /// A new pad with room for so many bytes of rendered text, of a size that cannot be changed. It takes no memory until
    /// something is written.
    pub(super) fn new(text: u64) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Some systems refuse memory that could be executed; those before Linux 6.3 do not know the flag.
        let pad = memfd_create("worker", flags | MemfdFlags::NOEXEC_SEAL).or_else(|_| memfd_create("worker", flags))?;
        let words = TEXT + text;
        ftruncate(&pad, words + WORDS_LENGTH)?;
        fcntl_add_seals(&pad, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        let mut file = File::from(pad);
        file.seek(SeekFrom::Start(words))?;
        Ok(Self { file, words })
    }

    /// What becomes the standard error of the worker.
    pub(super) fn for_worker(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// The beginning of what the worker printed.
    pub(super) fn words(&self) -> String {
        let mut words = vec![0; usize::try_from(WORDS_LENGTH).unwrap_or_default()];
        let length = self.file.read_at(&mut words, self.words).unwrap_or_default();
        words.truncate(length);
        words.retain(|byte| *byte != 0);
        String::from_utf8_lossy(&words).into_owned()
    }

    /// The first bytes of the rendered text, as many as the worker says it wrote.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for more than there is room for.
    pub(super) fn text(&self, length: u64) -> io::Result<Vec<u8>> {
        if length > self.words - TEXT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut text = Vec::with_capacity(length);
        while text.len() < length {
            let offset = TEXT + u64::try_from(text.len()).map_err(io::Error::other)?;
            if rustix::io::pread(&self.file, spare_capacity(&mut text), offset)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        text.truncate(length);
        Ok(text)
    }

    /// Gives most of the memory back that rendered text takes, whatever the worker said that it wrote.
    ///
    /// # Errors
    /// Where the system cannot do that.
    pub(super) fn trim(&self) -> io::Result<()> {
        if self.file.metadata()?.blocks() * 512 > TEXT + KEPT + WORDS_LENGTH {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&self.file, flags, TEXT + KEPT, (self.words - TEXT).saturating_sub(KEPT))?;
        }
        Ok(())
    }

    /// The last note.
    pub(super) fn note(&self) -> Note {
        let mut page = [0; HEADER + NAME_LENGTH];
        let read = self.file.read_at(&mut page, 0).unwrap_or_default();
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

/// Leaves the text that was rendered.
///
/// # Errors
/// Where there is no pad, or no memory for it.
pub(super) fn leave(text: &[u8]) -> io::Result<()> {
    let stderr = io::stderr();
    let mut left = text;
    let mut offset = TEXT;
    while !left.is_empty() {
        let written = rustix::io::pwrite(stderr.as_fd(), left, offset)?;
        left = &left[written..];
        offset += u64::try_from(written).map_err(io::Error::other)?;
    }
    Ok(())
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
        let pad = Pad::new(0).unwrap();
        assert_eq!((pad.words().as_str(), pad.note()), ("", Note::default()));
        assert_eq!(pad.text(0).unwrap(), b"");
    }

    #[test]
    fn words_text_and_notes_do_not_meet_and_the_pad_never_grows() {
        let pad = Pad::new(5).unwrap();
        let mut worker = pad.for_worker().unwrap();
        worker.write_all(b"it panicked").unwrap();
        worker.write_at(b"\x01\x05\x00a.lib", 0).unwrap();
        worker.write_at(b"{\"a\"}", TEXT).unwrap();
        assert_eq!(pad.words(), "it panicked");
        assert_eq!(pad.note(), Note { file: Some("a.lib".to_owned()), outgrown: true });
        assert_eq!((pad.text(5).unwrap().as_slice(), pad.text(1).unwrap().as_slice()), (&b"{\"a\"}"[..], &b"{"[..]));
        assert_eq!(pad.text(6).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let flood = vec![b'x'; 1 << 20];
        assert!(worker.write_all(&flood).is_err());
        assert!(pad.words().starts_with("it panicked"));
        assert_eq!(pad.text(5).unwrap(), b"{\"a\"}");
        assert_eq!(worker.metadata().unwrap().len(), TEXT + 5 + WORDS_LENGTH);
    }

    #[test]
    fn most_of_the_memory_of_a_large_text_is_given_back() {
        let pad = Pad::new(64 << 20).unwrap();
        let worker = pad.for_worker().unwrap();
        let large = vec![b'x'; 32 << 20];
        let held = || worker.metadata().unwrap().blocks() * 512;
        for _ in 0..2 {
            worker.write_all_at(&large, TEXT).unwrap();
            assert!(held() >= 32 << 20);
            assert!(pad.text(32 << 20).unwrap() == large);
            pad.trim().unwrap();
            assert!(held() <= TEXT + KEPT + WORDS_LENGTH, "{} bytes", held());
        }
    }
}
