//! Directories below the root, opened without following a link.

use std::fs::File;
use std::io;
use std::path::Path;

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::store::{Key, StoreError};

/// Mode of the root: artifacts may hold what not every user of the machine should read.
const ROOT_MODE: u32 = 0o750;
/// Mode of the folders below it.
const FOLDER_MODE: u32 = 0o755;
/// A folder that another writer removes while it is entered is made again this often.
const ATTEMPTS: usize = 5;

/// The root directory of a store.
#[derive(Debug)]
pub(super) struct Root {
    dir: Dir,
    shown: String,
}

impl Root {
    /// Opens the directory, creating it where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let failed = |error| StoreError::new("opening", shown.clone(), error);
        if path.as_os_str().is_empty() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty")));
        }
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), ROOT_MODE);
        builder.create(path).map_err(failed)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)?;
        Ok(Self { dir, shown })
    }

    /// The root itself.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// `path` as a person finds it.
    pub(super) fn shown(&self, path: &str) -> String {
        format!("{}/{path}", self.shown.trim_end_matches('/'))
    }

    /// The folder of a key, or `None` where there is none.
    pub(super) fn folder(&self, key: &Key) -> io::Result<Option<Dir>> {
        let Some(namespace) = enter(&self.dir, key.namespace())? else { return Ok(None) };
        enter(&namespace, key.name())
    }

    /// The folder of a key, made where it is missing. New folders are durable when this returns.
    pub(super) fn folder_or_create(&self, key: &Key) -> io::Result<Dir> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for _ in 0..ATTEMPTS {
            let entered = enter_or_create(&self.dir, key.namespace())
                .and_then(|namespace| enter_or_create(&namespace, key.name()));
            match entered {
                // Somebody emptied the namespace's folder and removed it between the two steps.
                Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
                other => return other,
            }
        }
        Err(last)
    }
}

/// Opens a sub-directory. Something else of that name is treated as if it were not there.
pub(super) fn enter(parent: &Dir, name: &str) -> io::Result<Option<Dir>> {
    match parent.open_dir_nofollow(name) {
        Ok(dir) => Ok(Some(dir)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn enter_or_create(parent: &Dir, name: &str) -> io::Result<Dir> {
    match parent.open_dir_nofollow(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut builder = DirBuilder::new();
    builder.mode(FOLDER_MODE);
    match parent.create_dir_with(name, &builder) {
        Ok(()) => sync(parent)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    parent.open_dir_nofollow(name)
}

/// Opens a regular file for reading. Links are not followed and a fifo does not block; both count as absent.
pub(super) fn open_file(dir: &Dir, name: &str) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    options.follow(FollowSymlinks::No);
    let file = match dir.open_with(name, &options) {
        Ok(file) => file.into_std(),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Makes the names in a directory durable.
pub(super) fn sync(dir: &Dir) -> io::Result<()> {
    // The handle itself only names a place; what it names must be opened for reading before it can be synced.
    dir.open(".")?.sync_all()
}

/// Whether an error of opening means that there is nothing of the expected kind: no entry, a link, or a device without a reader.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error().is_some_and(|code| [Errno::LOOP, Errno::NXIO].map(Errno::raw_os_error).contains(&code))
}
