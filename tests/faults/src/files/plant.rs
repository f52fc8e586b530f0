//! What is put into the directory behind the store's back, and where.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::site::{Artifact, Site};

/// Name that a writer's temporary file has.
const TEMPORARY: &str = "0123456789abcdef";
/// Longer than any artifact may be; it takes no room.
const HUGE: u64 = 130 << 20;

/// Where something is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In place of the artifact.
    File,
    /// In place of its snippet's folder.
    Folder,
    /// In place of its namespace's folder.
    Namespace,
    /// Under the name of a temporary file of its writer.
    Temporary,
    /// In place of the owner mark.
    Mark,
    /// Under the name of a temporary file of the mark's writer.
    MarkTemporary,
}

impl Place {
    /// Path below the root.
    pub(super) fn path(self, artifact: &Artifact) -> String {
        match self {
            Self::File => artifact.path.clone(),
            Self::Folder => artifact.key.to_string(),
            Self::Namespace => artifact.key.namespace().to_owned(),
            Self::Temporary => format!("{}.{TEMPORARY}.tar.gz.tmp", artifact.path.trim_end_matches(".tar.gz")),
            Self::Mark => ".jaas-owner.json".to_owned(),
            Self::MarkTemporary => format!(".jaas-owner.json.{TEMPORARY}.tmp"),
        }
    }

    /// What is planted there; `length` is that of the artifact.
    pub(super) fn plants(self, length: usize) -> Vec<Plant> {
        let kinds = [
            Plant::LinkInside,
            Plant::LinkOutside,
            Plant::LinkDangling,
            Plant::LinkLoop,
            Plant::LinkPipe,
            Plant::LinkDevice,
            Plant::Pipe,
            Plant::Socket,
            Plant::CharacterDevice,
            Plant::BlockDevice,
        ];
        let mut plants = kinds.to_vec();
        match self {
            Self::File => {
                let offsets =
                    [0, 2, 3, 4, 9, 10, length / 3, length / 2, length - 9, length - 8, length - 4, length - 1];
                plants
                    .extend(offsets.iter().flat_map(|offset| [Plant::Flip(*offset, 0x01), Plant::Flip(*offset, 0x80)]));
                plants.extend([0, 1, 9, 10, length / 2, length - 8, length - 1].map(Plant::Cut));
                plants.extend([Plant::Tail(b"\0"), Plant::Tail(b"garbage"), Plant::Doubled, Plant::Sparse(5 << 20)]);
                plants.extend([Plant::Sparse(HUGE), Plant::Other, Plant::OtherInPlace, Plant::Text, Plant::Removed]);
                plants.extend([Plant::EmptyFolder, Plant::FullFolder, Plant::HardLink, Plant::HardLinkOther]);
            }
            Self::Folder | Self::Namespace => plants.extend([Plant::Text, Plant::Removed, Plant::EmptyFolder]),
            Self::Temporary | Self::MarkTemporary => {
                plants.extend([Plant::Text, Plant::EmptyFolder, Plant::FullFolder, Plant::HardLink]);
            }
            Self::Mark => {
                plants.extend([Plant::Cut(0), Plant::Cut(10), Plant::Text, Plant::Sparse(HUGE), Plant::EmptyFolder])
            }
        }
        plants
    }
}

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plant {
    /// Bits of the byte at this offset are changed.
    Flip(usize, u8),
    /// Only so many bytes are left.
    Cut(usize),
    /// Bytes are appended.
    Tail(&'static [u8]),
    /// Another artifact is appended.
    Doubled,
    /// Zeros that take no room are appended, up to this length.
    Sparse(u64),
    /// The bytes of another artifact, in another file.
    Other,
    /// The bytes of another artifact, in the same file.
    OtherInPlace,
    /// A file of some text.
    Text,
    /// Nothing.
    Removed,
    /// A link to the right thing at another place of the store.
    LinkInside,
    /// A link to the right thing outside.
    LinkOutside,
    /// A link to nothing, outside: whoever creates through it is seen.
    LinkDangling,
    /// A link to itself.
    LinkLoop,
    /// A link to a pipe that nobody writes to.
    LinkPipe,
    /// A link to a device without an end.
    LinkDevice,
    /// Another name of a right file outside.
    HardLink,
    /// Another name of a wrong file outside.
    HardLinkOther,
    /// A pipe that nobody writes to.
    Pipe,
    /// A socket that nobody listens at.
    Socket,
    /// A device without an end.
    CharacterDevice,
    /// A disk.
    BlockDevice,
    /// A folder without anything.
    EmptyFolder,
    /// A folder with a file.
    FullFolder,
}

impl Plant {
    /// Whether it is a link; what it leads to must never be seen.
    pub(super) fn is_link(self) -> bool {
        use Plant::{LinkDangling, LinkDevice, LinkInside, LinkLoop, LinkOutside, LinkPipe};
        matches!(self, LinkDangling | LinkDevice | LinkInside | LinkLoop | LinkOutside | LinkPipe)
    }

    /// Its name without the numbers.
    pub(super) fn kind(self) -> String {
        let mut name = format!("{self:?}");
        name.truncate(name.find('(').unwrap_or(name.len()));
        name
    }

    /// Whether it is a folder.
    pub(super) fn is_folder(self) -> bool {
        matches!(self, Self::EmptyFolder | Self::FullFolder)
    }

    /// Plants it. `other` is another artifact.
    ///
    /// # Errors
    /// When the system refuses it: devices need root.
    pub(super) fn apply(self, place: Place, site: &Site, artifact: &Artifact, other: &Artifact) -> Result<()> {
        let path = site.root().join(place.path(artifact));
        let applied = match self {
            Self::Flip(..) | Self::Cut(_) | Self::Tail(_) | Self::Doubled | Self::Sparse(_) | Self::OtherInPlace => {
                self.edit(&path, other)
            }
            _ => self.replace(&path, place, site, artifact, other),
        };
        applied.with_context(|| format!("planting {self:?} at {}", path.display()))
    }

    fn edit(self, path: &Path, other: &Artifact) -> Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(matches!(self, Self::Tail(_) | Self::Doubled))
            .write(true)
            .open(path)?;
        match self {
            Self::Flip(offset, bits) => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, offset as u64)?;
                file.write_all_at(&[byte[0] ^ bits], offset as u64)?;
            }
            Self::Cut(length) => file.set_len(length as u64)?,
            Self::Tail(bytes) => file.write_all(bytes)?,
            Self::Doubled => file.write_all(&other.packed)?,
            Self::Sparse(length) => file.set_len(length)?,
            _ => {
                file.set_len(other.packed.len() as u64)?;
                file.write_all_at(&other.packed, 0)?;
            }
        }
        Ok(())
    }

    fn replace(self, path: &Path, place: Place, site: &Site, artifact: &Artifact, other: &Artifact) -> Result<()> {
        // What was there goes where a link could lead to it.
        let moved = match self {
            Self::LinkInside => site.root().join("team-c"),
            _ => site.outside().join("moved"),
        };
        if super::site::exists(path) {
            fs::rename(path, &moved)?;
        } else {
            fs::write(&moved, b"half of a write")?;
        }
        let node = |kind, device| -> Result<()> { Ok(mknodat(CWD, path, kind, Mode::from_raw_mode(0o644), device)?) };
        match self {
            Self::Other => fs::write(path, &other.packed)?,
            Self::Text => fs::write(path, b"some text")?,
            Self::LinkInside | Self::LinkOutside => symlink(&moved, path)?,
            Self::LinkDangling => symlink(site.outside().join("nothing"), path)?,
            Self::LinkLoop => symlink(path, path)?,
            Self::LinkPipe => symlink(site.outside().join("pipe"), path)?,
            Self::LinkDevice => symlink("/dev/zero", path)?,
            Self::HardLink => fs::hard_link(site.copy_of(artifact), path)?,
            Self::HardLinkOther => fs::hard_link(site.copy_of(other), path)?,
            Self::Pipe => node(FileType::Fifo, 0)?,
            Self::Socket => node(FileType::Socket, 0)?,
            Self::CharacterDevice => node(FileType::CharacterDevice, makedev(1, 5))?,
            Self::BlockDevice => node(FileType::BlockDevice, makedev(7, 0))?,
            Self::EmptyFolder => fs::create_dir(path)?,
            Self::FullFolder => {
                fs::create_dir(path)?;
                fs::write(path.join(if place == Place::File { "file" } else { "file.tar.gz.tmp" }), b"some text")?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Ends whatever waits for a writer of a pipe, so that a thread that hangs does not outlive its case.
pub(super) fn release(paths: &[PathBuf]) {
    for path in paths {
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NONBLOCK;
        if let Ok(meta) = path.symlink_metadata()
            && std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type())
        {
            // To open it is all that is needed.
            drop(rustix::fs::open(path, flags, Mode::empty()));
        }
    }
}
