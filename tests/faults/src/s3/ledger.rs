//! What was published, and what may therefore be seen of it. Pure.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use jaas_storage::{Content, Digest, Key};

/// One revision of one snippet.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) key: Key,
    pub(super) content: Content,
    /// The bytes that everybody must get.
    pub(super) packed: Bytes,
    pub(super) digest: Digest,
    /// Since when it may be in the store.
    pub(super) offered: Option<Instant>,
    /// Since when it must be there.
    acknowledged: Option<Instant>,
    /// Since when it may be gone again.
    leaving: Option<Instant>,
    /// Since when it must be gone.
    gone: Option<Instant>,
    /// Whether something was done to it behind the store's back.
    shaken: bool,
}

/// All revisions of a schedule, by their paths.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    revisions: BTreeMap<String, Revision>,
    /// What each snippet announces.
    current: BTreeMap<Key, String>,
}

impl Ledger {
    /// Knows a revision that nobody offered yet, and returns its path.
    pub(super) fn enter(&mut self, key: &Key, content: &Content, packed: Bytes) -> String {
        let path = key.path(content.revision());
        let revision = Revision {
            key: key.clone(),
            content: content.clone(),
            digest: Digest::of(&packed),
            packed,
            offered: None,
            acknowledged: None,
            leaving: None,
            gone: None,
            shaken: false,
        };
        self.revisions.entry(path.clone()).or_insert(revision);
        path
    }

    /// Somebody begins to put it.
    pub(super) fn offer(&mut self, path: &str) {
        self.change(path, |revision| {
            revision.offered.get_or_insert_with(Instant::now);
            revision.gone = None;
        });
    }

    /// A put was acknowledged.
    pub(super) fn acknowledge(&mut self, path: &str) {
        self.change(path, |revision| {
            if revision.acknowledged.is_none() || revision.leaving.is_some() || revision.shaken {
                revision.acknowledged = Some(Instant::now());
            }
            (revision.leaving, revision.gone) = (None, None);
            revision.shaken = false;
        });
    }

    /// It is what its snippet announces from now on.
    pub(super) fn announce(&mut self, path: &str) {
        if let Some(revision) = self.revisions.get(path) {
            self.current.insert(revision.key.clone(), path.to_owned());
        }
    }

    /// Its snippet announces nothing any more.
    pub(super) fn withdraw(&mut self, key: &Key) {
        self.current.remove(key);
    }

    /// Somebody begins to remove it.
    pub(super) fn leave(&mut self, path: &str) {
        self.change(path, |revision| revision.leaving = Some(Instant::now()));
    }

    /// A removal was acknowledged.
    pub(super) fn gone(&mut self, path: &str) {
        self.change(path, |revision| revision.gone = Some(Instant::now()));
    }

    /// Something is done to it behind the store's back.
    pub(super) fn shake(&mut self, path: &str) {
        self.change(path, |revision| revision.shaken = true);
    }

    /// One revision.
    pub(super) fn get(&self, path: &str) -> Option<&Revision> {
        self.revisions.get(path)
    }

    /// Everything.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Revision)> {
        self.revisions.iter()
    }

    /// What is announced.
    pub(super) fn current(&self) -> Vec<(String, Revision)> {
        let current = self.current.values().filter_map(|path| Some((path.clone(), self.revisions.get(path)?.clone())));
        current.collect()
    }

    /// Whether this is what its snippet announces.
    pub(super) fn is_current(&self, path: &str) -> bool {
        self.current.values().any(|current| current == path)
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut Revision)) {
        if let Some(revision) = self.revisions.get_mut(path) {
            change(revision);
        }
    }
}

impl Revision {
    /// Whether it was there all the time since `since`, as far as this process had a hand in it.
    pub(super) fn must_be_there(&self, since: Instant) -> bool {
        let acknowledged = self.acknowledged.is_some_and(|acknowledged| acknowledged <= since);
        acknowledged && self.leaving.is_none() && !self.shaken
    }

    /// Whether something was done to it behind the store's back.
    pub(super) fn is_shaken(&self) -> bool {
        self.shaken
    }

    /// Whether it was gone all the time since `since`.
    pub(super) fn must_be_gone(&self, since: Instant) -> bool {
        self.offered.is_none() || self.gone.is_some_and(|gone| gone <= since)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_revision_must_be_there_from_its_acknowledgement_to_its_removal() {
        let mut ledger = Ledger::default();
        let key = Key::new("team-a", "web").unwrap();
        let content = Content::document("rendered.json", b"{}".to_vec());
        let path = ledger.enter(&key, &content, content.packed().unwrap());
        let there = |ledger: &Ledger| ledger.get(&path).unwrap().must_be_there(Instant::now());
        let gone = |ledger: &Ledger| ledger.get(&path).unwrap().must_be_gone(Instant::now());
        let mut seen = vec![(there(&ledger), gone(&ledger))];
        for step in
            [Ledger::offer, Ledger::acknowledge, Ledger::shake, Ledger::acknowledge, Ledger::leave, Ledger::gone]
        {
            step(&mut ledger, &path);
            seen.push((there(&ledger), gone(&ledger)));
        }
        let (no, yes, removed) = ((false, false), (true, false), (false, true));
        assert_eq!(seen, [removed, no, yes, no, yes, no, removed]);
    }
}
