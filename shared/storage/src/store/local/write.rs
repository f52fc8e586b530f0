//! Everything that changes a directory: put, remove, delete, sweep.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};

use super::directory::{Root, enter, open_file, sync};
use super::inspect::Verdicts;
use crate::artifact::{Content, Digest, Revision, pack};
use crate::store::key::file_name;
use crate::store::{Key, StoreError, Stored, Swept};

/// End of a temporary file's name; the Go implementation's sweep knows it too.
const TEMPORARY: &str = ".tar.gz.tmp";
/// Mode of an artifact.
const FILE_MODE: u32 = 0o644;
/// A temporary file that a sweep takes for dead in the instant before its lock is held is written anew this often.
const ATTEMPTS: usize = 3;

/// See [`crate::store::Store::put`].
pub(super) fn put(root: &Root, verdicts: &Verdicts, key: &Key, content: &Content) -> Result<Stored, StoreError> {
    let revision = content.revision();
    let failed = |error| StoreError::new("writing", root.shown(&key.path(revision)), error);
    let folder = root.folder_or_create(key).map_err(failed)?;
    let name = file_name(revision);
    if let Some(found) = adopt(&folder, &name, verdicts, revision).map_err(failed)? {
        return Ok(found);
    }
    let bytes = pack(content.entries()).map_err(failed)?;
    let digest = Digest::of(&bytes);
    let file = write_durably(&folder, &name, &bytes).map_err(failed)?;
    verdicts.record(&file, revision, digest.clone()).map_err(failed)?;
    Ok(Stored { digest, size: bytes.len() as u64, written: true })
}

/// Takes over a file that is there, if its content is right. It may have been written by a process that died before it was
/// durable, so it is made so now.
fn adopt(folder: &Dir, name: &str, verdicts: &Verdicts, revision: &Revision) -> io::Result<Option<Stored>> {
    let Some(mut file) = open_file(folder, name)? else { return Ok(None) };
    let judged = verdicts.judge(&mut file, revision);
    let (verdict, identity, read) = match judged {
        Ok(judged) => judged,
        // A file that cannot be read, or is too large to be one of ours, is replaced.
        Err(error) => {
            tracing::warn!(file = name, %error, "replacing an artifact that cannot be read");
            return Ok(None);
        }
    };
    if let Some(cause) = &verdict.damage {
        tracing::warn!(file = name, %cause, "replacing a damaged artifact");
        return Ok(None);
    }
    if read.is_some() {
        file.sync_all()?;
        sync(folder)?;
    }
    Ok(Some(Stored { digest: verdict.digest.clone(), size: identity.size(), written: false }))
}

fn write_durably(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<File> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..ATTEMPTS {
        let temporary = temporary_name(name);
        match write_once(folder, name, &temporary, bytes) {
            Ok(file) => return Ok(file),
            Err(error) => {
                // The cause is what counts; a left-over goes with the next sweep.
                let _ = folder.remove_file(&temporary);
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(error);
                }
                last = error;
            }
        }
    }
    Err(last)
}

fn write_once(folder: &Dir, name: &str, temporary: &str, bytes: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    let mut file = folder.open_with(temporary, &options)?.into_std();
    // A file system without locks is no reason not to write: there the sweep goes by age.
    let _ = file.try_lock();
    if file.metadata()?.nlink() == 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    replace(folder, temporary, name)?;
    sync(folder)?;
    Ok(file)
}

/// Gives the file its name, in place of whatever has it.
fn replace(folder: &Dir, temporary: &str, name: &str) -> io::Result<()> {
    match folder.rename(temporary, folder, name) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            let aside = format!("{name}.trash-{:016x}", rand::random::<u64>());
            tracing::warn!(file = name, %aside, "a directory has the name of an artifact; setting it aside");
            folder.rename(name, folder, &aside)?;
            folder.rename(temporary, folder, name)
        }
        other => other,
    }
}

fn temporary_name(name: &str) -> String {
    let stem = name.strip_suffix(".tar.gz").unwrap_or(name);
    format!("{stem}.{:016x}{TEMPORARY}", rand::random::<u64>())
}

/// See [`crate::store::Store::remove`].
pub(super) fn remove(root: &Root, key: &Key, revision: &Revision) -> Result<(), StoreError> {
    let failed = |error| StoreError::new("removing", root.shown(&key.path(revision)), error);
    let Some(folder) = root.folder(key).map_err(failed)? else { return Ok(()) };
    remove_file(&folder, &file_name(revision)).map_err(failed)
}

/// See [`crate::store::Store::delete`].
pub(super) fn delete(root: &Root, key: &Key) -> Result<(), StoreError> {
    let failed = |error| StoreError::new("deleting", root.shown(&key.to_string()), error);
    let Some(namespace) = enter(root.dir(), key.namespace()).map_err(failed)? else { return Ok(()) };
    match namespace.remove_dir_all(key.name()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    drop(namespace);
    // The last snippet of a namespace takes its folder along.
    match root.dir().remove_dir(key.namespace()) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(failed(error))
        }
        _ => Ok(()),
    }
}

/// See [`crate::store::Store::sweep`]. One file that cannot be removed does not keep the others.
pub(super) fn sweep(root: &Root, max_age: Duration) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let mut first_failure = None;
    let failed = |path: &str, error| StoreError::new("sweeping", root.shown(path), error);
    for namespace in names(root.dir()).map_err(|error| failed("", error))? {
        let Some(dir) = enter(root.dir(), &namespace).map_err(|error| failed(&namespace, error))? else { continue };
        for name in names(&dir).map_err(|error| failed(&namespace, error))? {
            let Some(folder) = enter(&dir, &name).map_err(|error| failed(&name, error))? else { continue };
            for file in names(&folder).map_err(|error| failed(&name, error))? {
                if !file.ends_with(TEMPORARY) {
                    continue;
                }
                match remove_if_dead(&folder, &file, max_age) {
                    Ok(removed) => swept.removed += u64::from(removed),
                    Err(error) => {
                        let _ =
                            first_failure.get_or_insert_with(|| failed(&format!("{namespace}/{name}/{file}"), error));
                    }
                }
            }
        }
    }
    first_failure.map_or(Ok(swept), Err)
}

/// A temporary file whose lock can be had has no writer any more.
fn remove_if_dead(folder: &Dir, name: &str, max_age: Duration) -> io::Result<bool> {
    let Some(file) = open_file(folder, name)? else { return Ok(false) };
    let dead = match file.try_lock() {
        Ok(()) => true,
        Err(std::fs::TryLockError::WouldBlock) => false,
        Err(std::fs::TryLockError::Error(_)) => {
            let modified = file.metadata()?.modified()?;
            SystemTime::now().duration_since(modified).is_ok_and(|age| age >= max_age)
        }
    };
    if dead {
        remove_file(folder, name)?;
    }
    Ok(dead)
}

fn remove_file(folder: &Dir, name: &str) -> io::Result<()> {
    match folder.remove_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn names(dir: &Dir) -> io::Result<Vec<String>> {
    // A name that is no text is none of ours.
    dir.entries()?.map(|entry| Ok(entry?.file_name().into_string().ok())).filter_map(Result::transpose).collect()
}
