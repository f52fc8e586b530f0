//! A cache of directories that are either complete or absent.
//!
//! An entry is made under a temporary name and renamed when it is whole. A lock beside it keeps two processes from
//! making the same entry at once; the second finds it made.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::progress::Progress;
use crate::environment;

/// What is to be found or made.
pub(super) struct Entry<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its version, for people.
    pub(super) version: &'a str,
    /// A hash of all that decides its content.
    pub(super) key: &'a str,
    /// What to call the time that making it takes when nothing else is cached.
    pub(super) first_time: &'a str,
}

/// The programs' part of the cache.
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the cache, making its directory.
    pub(super) fn open() -> Result<Self> {
        let root = directory()?.join("programs");
        fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
        Ok(Self { root })
    }

    /// The directory of an entry, made by `make` when it is not there.
    pub(super) fn entry(
        &self,
        wanted: &Entry<'_>,
        make: impl FnOnce(&Path, &Progress) -> Result<()>,
    ) -> Result<PathBuf> {
        let Entry { name, version, key, first_time } = wanted;
        let entry = self.root.join(format!("{name}-{version}-{key}"));
        if entry.is_dir() {
            return Ok(entry);
        }
        let _lock = lock(&entry.with_added_extension("lock"), name)?;
        if entry.is_dir() {
            return Ok(entry);
        }
        let partial = entry.with_added_extension("partial");
        remove(&partial)?;
        fs::create_dir(&partial).with_context(|| format!("making {}", partial.display()))?;
        let progress = Progress::start(format!("building {name} {version} (about {first_time} the first time)"));
        let made = make(&partial, &progress).with_context(|| format!("building {name} {version}")).and_then(|()| {
            fs::rename(&partial, &entry).with_context(|| format!("renaming {} into place", partial.display()))
        });
        match made {
            Ok(()) => {
                progress.done(&format!("built {name} {version}"));
                Ok(entry)
            }
            Err(error) => {
                progress.failed(&format!("building {name} {version}"));
                drop(fs::remove_dir_all(&partial));
                Err(error)
            }
        }
    }
}

/// The cache directory of this project.
pub(super) fn directory() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(cache) = set(environment::CACHE) {
        return Ok(cache.into());
    }
    let base = match set("XDG_CACHE_HOME") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(set("HOME").context("finding the cache directory: set HOME or JAAS_TEST_CACHE")?)
            .join(".cache"),
    };
    Ok(base.join("jaas"))
}

fn lock(path: &Path, name: &str) -> Result<File> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("opening the lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let waiting = Progress::start(format!("waiting for another process to build {name}"));
            file.lock().with_context(|| format!("locking {}", path.display()))?;
            waiting.done(&format!("waited for {name}"));
            Ok(file)
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {}", path.display())),
    }
}
