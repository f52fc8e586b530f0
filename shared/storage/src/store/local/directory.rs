//! Directories below the root, opened without following a link.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{OFlags, StatVfs};
use rustix::io::Errno;

use crate::store::error::bytes_shown;
use crate::store::{ErrorKind, Key, StoreError};

/// Mode of the root: artifacts may hold what not every user of the machine should read.
const ROOT_MODE: u32 = 0o750;
/// Mode of the folders below it.
const FOLDER_MODE: u32 = 0o755;
/// A folder that another writer removes while it is entered is made again this often.
const ATTEMPTS: usize = 5;

/// The root directory of a store.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    dir: RwLock<Arc<Dir>>,
    shown: String,
    /// Folders whose names this process made durable, with their inode numbers. A name that is merely found may be that of a writer
    /// who died before it was.
    durable: Mutex<HashMap<String, u64>>,
    /// Folders that puts are about to fill, and by how many. However empty, they are not removed.
    filling: Mutex<HashMap<String, usize>>,
}

/// Keeps the folders of a key from being removed as empty, for as long as it lives.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    root: &'a Root,
    folders: [String; 2],
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        let mut filling = self.root.filling.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in &self.folders {
            if let Some(count) = filling.get_mut(folder) {
                *count -= 1;
                if *count == 0 {
                    filling.remove(folder);
                }
            }
        }
    }
}

impl Root {
    /// Opens the directory, creating it where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let dir = open_root(path).map_err(|error| StoreError::new("opening", shown.clone(), error))?;
        let dir = RwLock::new(Arc::new(dir));
        Ok(Self { path: path.to_owned(), dir, shown, durable: Mutex::default(), filling: Mutex::default() })
    }

    /// The root itself.
    pub(super) fn dir(&self) -> Arc<Dir> {
        Arc::clone(&self.dir.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the directory anew if somebody removed it.
    pub(super) fn revive(&self) -> io::Result<()> {
        if self.dir().dir_metadata()?.nlink() > 0 {
            return Ok(());
        }
        tracing::warn!(path = %self.shown, "the store's directory was removed; making it anew");
        *self.dir.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(open_root(&self.path)?);
        Ok(())
    }

    /// `path` as a person finds it.
    pub(super) fn shown(&self, path: &str) -> String {
        format!("{}/{path}", self.shown.trim_end_matches('/'))
    }

    /// Space on the volume.
    pub(super) fn volume(&self) -> io::Result<StatVfs> {
        Ok(rustix::fs::fstatvfs(&*self.dir())?)
    }

    /// An error with the numbers that belong to it; `needed` is what was to be written.
    pub(super) fn failed(
        &self,
        operation: &'static str,
        path: &str,
        needed: Option<u64>,
        error: io::Error,
    ) -> StoreError {
        let error = StoreError::new(operation, self.shown(path), error);
        let detail = match error.kind {
            ErrorKind::Full => {
                let needed = needed.map_or_else(String::new, |bytes| format!("needs {}, ", bytes_shown(bytes)));
                self.volume().map_or(needed.clone(), |volume| {
                    let (free, total) = (volume.f_bavail * volume.f_frsize, volume.f_blocks * volume.f_frsize);
                    let (free, total) = (bytes_shown(free), bytes_shown(total));
                    format!("{needed}{free} free of {total}, {} inodes free", volume.f_favail)
                })
            }
            ErrorKind::Denied => {
                let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
                format!("running as user {} and group {}", user.as_raw(), group.as_raw())
            }
            _ => String::new(),
        };
        error.with_detail(detail)
    }

    /// The folder of a key, or `None` where there is none.
    pub(super) fn folder(&self, key: &Key) -> io::Result<Option<Dir>> {
        let Some(namespace) = enter(&self.dir(), key.namespace())? else { return Ok(None) };
        enter(&namespace, key.name())
    }

    /// The folder of a key, made where it is missing. Its name and that of its parent are durable when this returns.
    pub(super) fn folder_or_create(&self, key: &Key) -> io::Result<Dir> {
        self.revive()?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for _ in 0..ATTEMPTS {
            let root = self.dir();
            let entered = self
                .enter_or_create(&root, key.namespace(), key.namespace())
                .and_then(|namespace| self.enter_or_create(&namespace, key.name(), &key.to_string()));
            match entered {
                // Somebody emptied the namespace's folder and removed it between the two steps.
                Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    /// Announces a put, before it makes its folder.
    pub(super) fn fill(&self, key: &Key) -> Filling<'_> {
        let folders = [key.namespace().to_owned(), key.to_string()];
        let mut filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in &folders {
            *filling.entry(folder.clone()).or_default() += 1;
        }
        Filling { root: self, folders }
    }

    /// The folder of a key was removed, and its inode's number may come back.
    pub(super) fn removed(&self, key: &Key) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(&key.to_string());
    }

    /// Removes a folder if it is empty and no put is about to fill it; whether it did.
    pub(super) fn remove_if_empty(&self, parent: &Dir, name: &str, path: &str) -> io::Result<bool> {
        // Held until the folder is gone, so that a put that is announced later makes it anew.
        let filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        if filling.contains_key(path) {
            return Ok(false);
        }
        match parent.remove_dir(name) {
            Ok(()) => {
                self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty || is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn enter_or_create(&self, parent: &Dir, name: &str, path: &str) -> io::Result<Dir> {
        let mut builder = DirBuilder::new();
        builder.mode(FOLDER_MODE);
        let dir = match parent.open_dir_nofollow(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match parent.create_dir_with(name, &builder) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
                parent.open_dir_nofollow(name)?
            }
            other => other?,
        };
        let inode = dir.dir_metadata()?.ino();
        let known = self.durable.lock().unwrap_or_else(PoisonError::into_inner).get(path) == Some(&inode);
        if !known {
            sync(parent)?;
            self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), inode);
        }
        Ok(dir)
    }
}

fn open_root(path: &Path) -> io::Result<Dir> {
    if path.as_os_str().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty"));
    }
    match Dir::open_ambient_dir(path, ambient_authority()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
            let mut builder = std::fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), ROOT_MODE);
            builder.create(path)?;
            for parent in missing.iter().filter_map(|folder| folder.parent()) {
                // The parent of a relative path's first part is the working directory.
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                File::open(parent)?.sync_all()?;
            }
            Dir::open_ambient_dir(path, ambient_authority())
        }
        other => other,
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

/// Removes a file; a missing one is no error.
pub(super) fn remove_file(folder: &Dir, name: &str) -> io::Result<()> {
    match folder.remove_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
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
