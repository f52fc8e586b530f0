//! Reads the whole directory.

use std::io;

use cap_std::fs::{Dir, DirEntry, Metadata, MetadataExt};

use super::Inner;
use super::directory::{Root, enter};
use super::tally::charged;
use crate::store::{Item, ItemKind, Key, StoreError, Usage};

/// All that is there.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The files.
    pub(super) items: Vec<Item>,
    /// Keys whose folder, or whose namespace's folder, holds nothing.
    pub(super) folders: Vec<Key>,
}

impl Walk {
    /// What the files take.
    pub(super) fn charged(&self) -> u64 {
        self.items.iter().map(|item| charged(item.size)).sum()
    }
}

/// See [`crate::store::Store::list`].
pub(super) fn list(inner: &Inner) -> Result<Vec<Item>, StoreError> {
    let found = whole(inner)?;
    Ok(found.items)
}

/// See [`crate::store::Store::usage`].
pub(super) fn usage(inner: &Inner) -> Result<Usage, StoreError> {
    let found = whole(inner)?;
    let volume = inner.root.volume().map_err(|error| inner.root.failed("measuring", "", None, error))?;
    Ok(Usage {
        bytes: found.charged(),
        files: found.items.len() as u64,
        free_bytes: Some(volume.f_bavail * volume.f_frsize),
        total_bytes: Some(volume.f_blocks * volume.f_frsize),
        // A file system without a fixed number of inodes says that there are none at all.
        free_inodes: (volume.f_files > 0).then_some(volume.f_favail),
        quota: inner.tally.quota(),
    })
}

fn whole(inner: &Inner) -> Result<Walk, StoreError> {
    let mut found = walk(&inner.root).map_err(|(path, error)| inner.root.failed("listing", &path, None, error))?;
    inner.tally.refresh(found.charged());
    found.items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Reads namespaces, snippets and their files. What cannot be a namespace or a snippet, such as `lost+found`, is told but not
/// entered, and links are not followed. On error, also where it happened.
pub(super) fn walk(root: &Root) -> Result<Walk, (String, io::Error)> {
    let mut found = Walk::default();
    let top = root.dir();
    for entry in entries(&top, "")? {
        let namespace = entry.name;
        match open(&top, &namespace, entry.directory && Key::new(&namespace, "x").is_ok(), &namespace)? {
            Some(dir) => walk_namespace(&mut found, &dir, &namespace)?,
            None => found.items.push(entry.item),
        }
    }
    Ok(found)
}

fn walk_namespace(found: &mut Walk, dir: &Dir, namespace: &str) -> Result<(), (String, io::Error)> {
    let snippets = entries(dir, namespace)?;
    if snippets.is_empty() {
        // Whatever the name: it is the empty namespace that goes with it.
        found.folders.extend(Key::new(namespace, "x"));
    }
    for entry in snippets {
        let key = Key::new(namespace, &entry.name).ok().filter(|_| entry.directory);
        let path = format!("{namespace}/{}", entry.name);
        match (open(dir, &entry.name, key.is_some(), &path)?, key) {
            (Some(folder), Some(key)) => {
                let files = entries(&folder, &path)?;
                if files.is_empty() {
                    found.folders.push(key);
                }
                found.items.extend(files.into_iter().map(|file| file.item));
            }
            _ => found.items.push(entry.item),
        }
    }
    Ok(())
}

struct Found {
    name: String,
    directory: bool,
    item: Item,
}

fn open(parent: &Dir, name: &str, wanted: bool, path: &str) -> Result<Option<Dir>, (String, io::Error)> {
    if !wanted {
        return Ok(None);
    }
    enter(parent, name).map_err(|error| (path.to_owned(), error))
}

fn entries(dir: &Dir, path: &str) -> Result<Vec<Found>, (String, io::Error)> {
    let failed = |error| (path.to_owned(), error);
    let mut found = Vec::new();
    for entry in dir.entries().map_err(failed)? {
        found.extend(read_entry(&entry.map_err(failed)?, path).map_err(failed)?);
    }
    Ok(found)
}

/// `None` for what went while the directory was read.
fn read_entry(entry: &DirEntry, parent: &str) -> io::Result<Option<Found>> {
    let name = entry.file_name().to_string_lossy().into_owned();
    let meta = match entry.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let path = if parent.is_empty() { name.clone() } else { format!("{parent}/{name}") };
    let mut item = Item::of(&path, if meta.is_file() { meta.len() } else { 0 });
    if !meta.is_file() {
        item.kind = ItemKind::Foreign;
    }
    item.written = meta.modified().ok().map(cap_std::time::SystemTime::into_std);
    item.version = version(&meta);
    Ok(Some(Found { name, directory: meta.is_dir(), item }))
}

/// The state of a file: another one whenever it is replaced or written to.
pub(super) fn version(meta: &Metadata) -> String {
    let (inode, seconds, nanoseconds, length) = (meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len());
    format!("{inode:x}-{seconds:x}-{nanoseconds:x}-{length:x}")
}

/// What a file takes; nothing where there is none.
pub(super) fn charged_for(folder: &Dir, name: &str) -> u64 {
    folder.symlink_metadata(name).map_or(0, |meta| if meta.is_file() { charged(meta.len()) } else { 0 })
}

/// What the files of one folder take.
pub(super) fn charged_in(folder: &Dir) -> io::Result<u64> {
    let files = entries(folder, "").map_err(|(_, error)| error)?;
    Ok(files.iter().map(|file| charged(file.item.size)).sum())
}
