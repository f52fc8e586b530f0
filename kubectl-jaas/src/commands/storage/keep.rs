//! What keeps a stored revision. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jaas_api::ExternalArtifact;
use jaas_findings::facts::snippets::path_of;
use jaas_findings::facts::{File, FileClass};
use jiff::Timestamp;

use crate::consumers::Consumer;
use crate::snippet::{Key, Snippet};

/// What keeps a stored revision of a snippet that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// It is announced, or the status says that it is the current one.
    Current,
    /// The history names it.
    History,
    /// It left the history, and consumers may still fetch it for a while.
    Grace,
    /// Nothing.
    Nothing,
}

impl Hold {
    /// The word in documents and tables.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::History => "history",
            Self::Grace => "grace",
            Self::Nothing => "expired",
        }
    }
}

/// What all snippets and artifacts name.
#[derive(Clone, Debug, Default)]
pub(super) struct Keep {
    current: BTreeSet<String>,
    history: BTreeSet<String>,
    /// When a revision left the history.
    retired: BTreeMap<String, Timestamp>,
    snippets: BTreeSet<Key>,
    /// Who is seen to use a revision, in words.
    used: BTreeMap<String, String>,
}

impl Keep {
    /// Reads them.
    pub(super) fn of(snippets: &[Snippet], artifacts: &[ExternalArtifact]) -> Self {
        let mut keep = Self::default();
        for snippet in snippets {
            let key = snippet.key();
            let path = |revision: &String| path_of(&key.namespace, &key.name, revision);
            let status = snippet.status.clone().unwrap_or_default();
            keep.current.extend(status.revision.as_ref().and_then(path));
            keep.history.extend(status.history.iter().filter_map(|entry| path(&entry.revision)));
            let retired = status.retired.iter().filter_map(|entry| Some((path(&entry.revision)?, entry.time.0)));
            keep.retired.extend(retired);
            keep.snippets.insert(key);
        }
        let announced = artifacts.iter().filter_map(|artifact| artifact.published());
        keep.current.extend(announced.map(|artifact| artifact.path.clone()).filter(|path| !path.is_empty()));
        keep
    }

    /// Notes what objects that use artifacts are seen to have applied.
    pub(super) fn note_used(&mut self, consumers: &[Consumer]) {
        for consumer in consumers {
            let Key { namespace, name } = &consumer.artifact;
            let paths = consumer.revisions.iter().filter_map(|revision| path_of(namespace, name, revision));
            let words = format!("{} {}/{}", consumer.kind, consumer.namespace, consumer.name);
            self.used.extend(paths.map(|path| (path, words.clone())));
        }
    }

    /// Who is seen to use a revision.
    pub(super) fn user(&self, path: &str) -> Option<&str> {
        self.used.get(path).map(String::as_str)
    }

    /// Whether there is such a snippet.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.snippets.contains(key)
    }

    /// Whether anything at all names the path.
    pub(super) fn names(&self, path: &str) -> bool {
        self.current.contains(path) || self.history.contains(path) || self.retired.contains_key(path)
    }

    /// Whether a status says of it only when it left the history.
    pub(super) fn is_retired(&self, path: &str) -> bool {
        self.retired.contains_key(path) && !self.current.contains(path) && !self.history.contains(path)
    }

    /// What keeps a revision, for a grace in seconds. What nothing tells the time of is held by the grace for as long as it is younger
    /// than that.
    pub(super) fn hold(&self, file: &File, grace: u64, now: Timestamp) -> Hold {
        if self.current.contains(&file.path) {
            return Hold::Current;
        }
        if self.history.contains(&file.path) {
            return Hold::History;
        }
        let since = match self.retired.get(&file.path) {
            Some(time) => Some(crate::age::since(*time, now).as_secs()),
            None => file.age,
        };
        if since.is_some_and(|since| since >= grace) { Hold::Nothing } else { Hold::Grace }
    }
}

/// The snippet in whose folder a file is.
pub(super) fn owner(path: &str) -> Option<Key> {
    let mut parts = path.split('/');
    let (namespace, name, file) = (parts.next()?, parts.next()?, parts.next());
    file.map(|_| Key { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// Files that are revisions, by the snippet in whose folder they are.
pub(super) fn revisions(files: &[File]) -> BTreeMap<Key, Vec<&File>> {
    let mut all: BTreeMap<Key, Vec<&File>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.class == FileClass::Revision) {
        if let Some(key) = owner(&file.path) {
            all.entry(key).or_default().push(file);
        }
    }
    all
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A file of team-a/web.
    pub(crate) fn file(revision: &str, bytes: u64, age: u64) -> File {
        let path = format!("team-a/web/sha256-{revision}.tar.gz");
        File { path, class: FileClass::Revision, bytes, age: Some(age), version: "1".to_owned() }
    }

    /// The snippet team-a/web with a current, a kept, a retired and a long retired revision.
    pub(crate) fn snippet() -> Snippet {
        let record = |revision: &str, time: &str| json!({"revision": format!("sha256:{revision}"), "time": time});
        let status = json!({"revision": "sha256:4", "history": [record("4", "2026-11-22T11:00:00Z"),
            record("3", "2026-11-22T10:00:00Z")], "retired": [record("2", "2026-11-22T11:58:00Z"),
            record("1", "2026-11-22T09:00:00Z")]});
        let value = json!({"metadata": {"namespace": "team-a", "name": "web"}, "status": status});
        serde_json::from_value(value).unwrap()
    }

    pub(crate) fn noon() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_revision_is_held_by_the_strongest_that_names_it() {
        let keep = Keep::of(&[snippet()], &[]);
        let held = |revision: &str, age| keep.hold(&file(revision, 1, age), 300, noon());
        assert_eq!([held("4", 9999), held("3", 9999)], [Hold::Current, Hold::History]);
        assert_eq!(
            [held("2", 9999), held("1", 0)],
            [Hold::Grace, Hold::Nothing],
            "the status knows better than the file"
        );
        assert_eq!([held("0", 299), held("0", 300)], [Hold::Grace, Hold::Nothing]);
        let ageless = File { age: None, ..file("0", 1, 0) };
        assert_eq!(keep.hold(&ageless, 300, noon()), Hold::Grace);
    }

    #[test]
    fn an_artifact_of_whatever_maker_holds_what_it_announces() {
        let path = file("0", 1, 9999).path;
        let artifact = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": {"namespace": "team-a", "name": "web"}, "spec": {},
            "status": {"artifact": {"path": path, "url": "http://x", "revision": "sha256:0"}}});
        let artifact: ExternalArtifact = serde_json::from_value(artifact).unwrap();
        let keep = Keep::of(&[], &[artifact]);
        assert_eq!(keep.hold(&file("0", 1, 9999), 300, noon()), Hold::Current);
        assert!(keep.names(&path) && !keep.knows(&owner(&path).unwrap()));
    }

    #[test]
    fn an_owner_needs_a_folder_of_two() {
        assert_eq!(owner("team-a/web/x").map(|key| key.to_string()).as_deref(), Some("team-a/web"));
        assert_eq!((owner("lost+found"), owner("a/b")), (None, None));
    }
}
