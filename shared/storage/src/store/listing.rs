//! What a store holds, as a listing tells it. Pure.

use std::time::SystemTime;

use super::key::ArtifactPath;
use super::{Key, owner};
use crate::artifact::Revision;

/// End of a temporary file's name; the Go implementation's sweep knows it too.
pub(crate) const TEMPORARY: &str = ".tar.gz.tmp";
/// What stands between the name of an artifact and the run that set it aside.
pub(crate) const TRASH: &str = ".tar.gz.trash-";
/// Folder of the objects that a probe writes for the time of a question.
pub(crate) const PROBES: &str = ".jaas-probe/";

/// One file or object of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The snippet whose folder it is in, if it is in one.
    pub key: Option<Key>,
    /// Where it is, below the root or the prefix.
    pub path: String,
    /// What it is.
    pub kind: ItemKind,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written, where the store tells.
    pub written: Option<SystemTime>,
    /// Its state: opaque, and another one after every write of other bytes. Empty where the store tells none.
    pub version: String,
}

/// An upload in parts that nobody finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Where its object would be, below the prefix.
    pub path: String,
    /// When it was begun, where the store tells.
    pub begun: Option<SystemTime>,
}

/// What came of removing a file in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone, by this call.
    Gone,
    /// It was not there.
    Missing,
    /// It is in another state, or in use, and stays.
    Changed,
}

/// What a file or object is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// An artifact; whether it is whole only [`super::Store::presence`] tells.
    Revision(Revision),
    /// Half of a write.
    Temporary,
    /// A damaged artifact that was set aside; never served.
    Trash,
    /// The mark of the installation that the store belongs to.
    OwnerMark,
    /// Anything else; never touched, except with the whole folder of its snippet.
    Foreign,
}

impl Item {
    /// Whether [`super::Store::remove_if`] takes it away.
    pub(crate) fn is_removable(&self) -> bool {
        matches!(self.kind, ItemKind::Revision(_) | ItemKind::Trash | ItemKind::Temporary)
    }

    /// Reads what a path below the root says. Nothing is asked: when it was written, and its version, are not known.
    pub fn of(path: &str, size: u64) -> Self {
        let mut parts = path.splitn(3, '/');
        let (namespace, name, file) = (parts.next(), parts.next(), parts.next());
        let key = match (namespace, name, file) {
            (Some(namespace), Some(name), Some(_)) => Key::new(namespace, name).ok(),
            _ => None,
        };
        let kind = match (ArtifactPath::parse(path), &key) {
            (Some(artifact), _) => ItemKind::Revision(artifact.revision),
            (None, _) if path == owner::NAME => ItemKind::OwnerMark,
            (None, _) if owner::is_temporary(path) || path.starts_with(PROBES) => ItemKind::Temporary,
            (None, Some(_)) if path.ends_with(TEMPORARY) => ItemKind::Temporary,
            (None, Some(_)) if is_trash(path) => ItemKind::Trash,
            _ => ItemKind::Foreign,
        };
        Self { key, path: path.to_owned(), kind, size, written: None, version: String::new() }
    }
}

/// Whether the name is that of an artifact that was set aside.
pub(crate) fn is_trash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("sha256-") && name.contains(TRASH)
}

/// Name of an artifact after `run` set it aside, or `None` where `run` cannot be part of a file's name.
pub(crate) fn trash_name(name: &str, run: &str) -> Option<String> {
    let fits = (1..=64).contains(&run.len()) && run.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    fits.then(|| format!("{name}.trash-{run}"))
}

/// How much a store holds and how much more it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes taken; in a directory each file counts in whole blocks of 4 KiB, as the volume pays for it.
    pub bytes: u64,
    /// Files or objects, of whatever kind.
    pub files: u64,
    /// Bytes that are free on the volume, where that is known.
    pub free_bytes: Option<u64>,
    /// Bytes of the whole volume, where that is known.
    pub total_bytes: Option<u64>,
    /// Inodes that are free on the volume, where that is known.
    pub free_inodes: Option<u64>,
    /// Bytes that the store may take, where somebody decided that.
    pub quota: Option<u64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_name_has_one_meaning() {
        let revision = Revision::of_document(b"x");
        let key = Key::new("ns", "web").unwrap();
        let file = key.path(&revision);
        let hex = revision.hex();
        for (path, kind, keyed) in [
            (file.clone(), ItemKind::Revision(revision), true),
            (format!("{file}.trash-7"), ItemKind::Trash, true),
            (format!("{file}.tmp"), ItemKind::Temporary, true),
            (format!("ns/web/sha256-{hex}.0011.tar.gz.tmp"), ItemKind::Temporary, true),
            (".jaas-owner.json".to_owned(), ItemKind::OwnerMark, false),
            (".jaas-owner.json.0011.tmp".to_owned(), ItemKind::Temporary, false),
            (".jaas-probe/0011".to_owned(), ItemKind::Temporary, false),
            ("ns/web/notes.txt".to_owned(), ItemKind::Foreign, true),
            (format!("ns/web/deep/sha256-{hex}.tar.gz"), ItemKind::Foreign, true),
            ("lost+found".to_owned(), ItemKind::Foreign, false),
            ("NS/web/x.tar.gz.tmp".to_owned(), ItemKind::Foreign, false),
        ] {
            let item = Item::of(&path, 1);
            assert_eq!((item.kind, item.key.is_some()), (kind, keyed), "{path}");
        }
    }

    #[test]
    fn a_run_cannot_leave_the_folder() {
        assert_eq!(trash_name("a", "2024-1"), Some("a.trash-2024-1".to_owned()));
        for run in ["", "../x", "a/b", ".", &"x".repeat(65)] {
            assert_eq!(trash_name("a", run), None, "{run}");
        }
    }
}
