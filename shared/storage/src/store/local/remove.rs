//! Everything that takes something away: set aside, remove, delete, sweep.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use cap_std::fs::Dir;

use super::Inner;
use super::directory::{Root, enter, open_file, remove_file, sync};
use super::listing::{self, Walk};
use super::tally::charged;
use super::write::set_folder_aside;
use crate::artifact::Revision;
use crate::store::key::file_name;
use crate::store::listing::{ItemKind, trash_name};
use crate::store::{Item, Key, Removed, StoreError, Swept, TRASH_AGE};

/// See [`crate::store::Store::set_aside`].
pub(super) fn set_aside(root: &Root, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
    let failed = |error| root.failed("setting aside", &key.path(revision), None, error);
    let name = file_name(revision);
    let Some(aside) = trash_name(&name, run) else {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, format!("`{run}` cannot be part of a name"))));
    };
    let Some(folder) = root.folder(key).map_err(failed)? else { return Ok(false) };
    match folder.rename(&name, &folder, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(failed)?,
    }
    sync(&folder).map_err(failed)?;
    Ok(true)
}

/// See [`crate::store::Store::remove`].
pub(super) fn remove(inner: &Inner, key: &Key, revision: &Revision) -> Result<(), StoreError> {
    let failed = |error| inner.root.failed("removing", &key.path(revision), None, error);
    let Some(folder) = inner.root.folder(key).map_err(failed)? else { return Ok(()) };
    let name = file_name(revision);
    let taken = listing::charged_for(&folder, &name);
    match remove_file(&folder, &name) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => set_folder_aside(&folder, &name),
        other => other,
    }
    .map_err(failed)?;
    inner.tally.release(taken);
    drop(folder);
    prune_folders(&inner.root, key).map_err(failed)
}

/// See [`crate::store::Store::remove_if`]. Whoever else removes or replaces the file between the look and the removal is not noticed:
/// what may be put there has the same content.
pub(super) fn remove_if(inner: &Inner, item: &Item) -> Result<Removed, StoreError> {
    let root = &inner.root;
    let failed = |error| root.failed("removing", &item.path, None, error);
    let known = Item::of(&item.path, item.size);
    if !known.is_removable() {
        let odd = "it is neither an artifact nor a left-over of one";
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, odd)));
    }
    let Some((folder, name)) = place(inner, &known).map_err(failed)? else { return Ok(Removed::Missing) };
    let meta = match folder.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removed::Missing),
        other => other.map_err(failed)?,
    };
    if !meta.is_file() || listing::version(&meta) != item.version {
        return Ok(Removed::Changed);
    }
    // Where locks do not work, the writer may live.
    if known.kind == ItemKind::Temporary && !is_dead(&folder, name, Duration::MAX).map_err(failed)? {
        return Ok(Removed::Changed);
    }
    match folder.remove_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removed::Missing),
        other => other.map_err(failed)?,
    }
    inner.tally.release(charged(meta.len()));
    drop(folder);
    if let Some(key) = &known.key {
        prune_folders(root, key).map_err(failed)?;
    }
    Ok(Removed::Gone)
}

/// The folder and the name of a file.
fn place<'a>(inner: &Inner, item: &'a Item) -> io::Result<Option<(Dir, &'a str)>> {
    Ok(match &item.key {
        Some(key) => inner.root.folder(key)?.map(|folder| (folder, item.path.rsplit('/').next().unwrap_or_default())),
        None => Some((inner.root.dir().try_clone()?, item.path.as_str())),
    })
}

/// See [`crate::store::Store::delete`].
pub(super) fn delete(inner: &Inner, key: &Key) -> Result<(), StoreError> {
    let root = &inner.root;
    let failed = |error| root.failed("deleting", &key.to_string(), None, error);
    let Some(namespace) = enter(&root.dir(), key.namespace()).map_err(failed)? else { return Ok(()) };
    let taken = match enter(&namespace, key.name()).map_err(failed)? {
        Some(folder) => listing::charged_in(&folder).map_err(failed)?,
        None => 0,
    };
    match namespace.remove_dir_all(key.name()) {
        // Something else than a folder has its name.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            remove_file(&namespace, key.name()).map_err(failed)?;
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    root.removed(key);
    inner.tally.release(taken);
    drop(namespace);
    prune_folders(root, key).map_err(failed)
}

/// Removes the folder of the key and that of its namespace, if they are empty.
fn prune_folders(root: &Root, key: &Key) -> io::Result<()> {
    let top = root.dir();
    if let Some(namespace) = enter(&top, key.namespace())? {
        root.remove_if_empty(&namespace, key.name(), &key.to_string())?;
    }
    root.remove_if_empty(&top, key.namespace(), key.namespace())?;
    Ok(())
}

/// See [`crate::store::Store::sweep`]. One file that cannot be removed does not keep the others.
pub(super) fn sweep(inner: &Inner, max_age: Duration) -> Result<Swept, StoreError> {
    let root = &inner.root;
    let failed = |(path, error): (String, io::Error)| root.failed("sweeping", &path, None, error);
    let Walk { items, mut folders } = listing::walk(root).map_err(failed)?;
    let mut swept = Swept::default();
    let mut first_failure = None;
    for item in items {
        match sweep_item(inner, &item, max_age) {
            Ok(true) => {
                swept.removed += 1;
                folders.extend(item.key);
            }
            Ok(false) => {}
            Err(error) => {
                first_failure.get_or_insert((item.path, error));
            }
        }
    }
    for key in folders {
        if let Err(error) = prune_folders(root, &key) {
            first_failure.get_or_insert((key.to_string(), error));
        }
    }
    first_failure.map_or(Ok(swept), |failure| Err(failed(failure)))
}

fn sweep_item(inner: &Inner, item: &Item, max_age: Duration) -> io::Result<bool> {
    let removable: fn(&Dir, &str, Duration) -> io::Result<bool> = match item.kind {
        ItemKind::Temporary => is_dead,
        ItemKind::Trash => is_old,
        _ => return Ok(false),
    };
    let Some((folder, name)) = place(inner, item)? else { return Ok(false) };
    let removed = removable(&folder, name, max_age)?;
    if removed {
        remove_file(&folder, name)?;
        inner.tally.release(charged(item.size));
    }
    Ok(removed)
}

/// A temporary file whose lock can be had has no writer any more.
fn is_dead(folder: &Dir, name: &str, max_age: Duration) -> io::Result<bool> {
    let Some(file) = open_file(folder, name)? else { return Ok(false) };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(_)) => {
            let modified = file.metadata()?.modified()?;
            Ok(SystemTime::now().duration_since(modified).is_ok_and(|age| age >= max_age))
        }
    }
}

/// The rename that set a file aside is the last thing that changed it.
fn is_old(folder: &Dir, name: &str, _: Duration) -> io::Result<bool> {
    let Some(file) = open_file(folder, name)? else { return Ok(false) };
    let changed = u64::try_from(file.metadata()?.ctime()).map_err(io::Error::other)?;
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(changed);
    Ok(SystemTime::now().duration_since(changed).is_ok_and(|age| age >= TRASH_AGE))
}
