//! What the artifacts of each namespace take. Pure, but for the lock and the bell.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, OwnedMutexGuard};

use crate::artifact::Revision;
use crate::store::Key;

/// The count. It knows an artifact by its snippet and the first 64 bits of its hash, which is enough to count with.
#[derive(Debug)]
pub struct Ledger {
    block: u64,
    state: Mutex<State>,
    /// One listing at a time.
    listing: Arc<tokio::sync::Mutex<()>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    artifacts: HashMap<Key, Vec<Artifact>>,
    totals: HashMap<String, u64>,
    /// Granted to puts that have not ended.
    granted: HashMap<String, u64>,
    counted: Option<Instant>,
    /// Changes since the listing began that is under way.
    meanwhile: Option<Vec<Change>>,
    /// Namespaces that take less than before.
    freed: HashSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Artifact {
    name: u64,
    bytes: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Held(Key, Artifact),
    Removed(Key, u64),
    Deleted(Key),
}

/// The artifact's number in the count.
fn name_of(revision: &Revision) -> u64 {
    let hex = revision.hex();
    u64::from_str_radix(hex.get(..16).unwrap_or_default(), 16).unwrap_or_default()
}

impl Ledger {
    pub(super) fn new(block: u64) -> Self {
        let listing = Arc::default();
        Self { block: block.max(1), state: Mutex::default(), listing, changed: Notify::new() }
    }

    /// What an artifact of this length is charged.
    pub fn charged(&self, length: u64) -> u64 {
        length.div_ceil(self.block).saturating_mul(self.block)
    }

    /// When everything was counted last, if ever.
    pub fn counted(&self) -> Option<Instant> {
        self.state().counted
    }

    /// Bytes of a namespace.
    pub fn bytes(&self, namespace: &str) -> u64 {
        self.state().totals.get(namespace).copied().unwrap_or_default()
    }

    /// Bytes of every namespace that has an artifact.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.state().totals.iter().map(|(namespace, bytes)| (namespace.clone(), *bytes)).collect()
    }

    /// Whether an artifact is counted.
    pub fn holds(&self, key: &Key, revision: &Revision) -> bool {
        let name = name_of(revision);
        self.state().artifacts.get(key).is_some_and(|artifacts| artifacts.iter().any(|it| it.name == name))
    }

    /// Room for a put of this many bytes within the limit of its namespace, or what is used where there is none, puts under way included.
    pub fn grant(self: &Arc<Self>, namespace: &str, bytes: u64, limit: u64) -> Result<Grant, u64> {
        let mut state = self.state();
        let used = state.totals.get(namespace).copied().unwrap_or_default();
        let used = used.saturating_add(state.granted.get(namespace).copied().unwrap_or_default());
        if used.saturating_add(bytes) > limit {
            return Err(used);
        }
        *state.granted.entry(namespace.to_owned()).or_default() += bytes;
        Ok(Grant { ledger: Arc::clone(self), namespace: namespace.to_owned(), bytes })
    }

    /// Waits until something changed since this was answered last.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Namespaces that take less than when this was asked last, or whose put ended that had been granted room.
    pub fn take_freed(&self) -> HashSet<String> {
        std::mem::take(&mut self.state().freed)
    }

    pub(super) fn holds_now(&self, key: &Key, revision: &Revision, length: u64) {
        let artifact = Artifact { name: name_of(revision), bytes: self.charged(length) };
        self.change(Change::Held(key.clone(), artifact));
    }

    pub(super) fn removed(&self, key: &Key, revision: &Revision) {
        self.change(Change::Removed(key.clone(), name_of(revision)));
    }

    pub(super) fn deleted(&self, key: &Key) {
        self.change(Change::Deleted(key.clone()));
    }

    fn change(&self, change: Change) {
        let mut state = self.state();
        if let Some(meanwhile) = &mut state.meanwhile {
            meanwhile.push(change.clone());
        }
        if state.apply(change) {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// A listing begins.
    pub(super) async fn counting(&self) -> Counting<'_> {
        let turn = Arc::clone(&self.listing).lock_owned().await;
        self.state().meanwhile = Some(Vec::new());
        Counting { ledger: self, _turn: turn }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listing that is under way. Dropped before it is finished, the count stays as it was.
pub(super) struct Counting<'a> {
    ledger: &'a Ledger,
    _turn: OwnedMutexGuard<()>,
}

impl Counting<'_> {
    /// Takes over what the listing told, and what changed meanwhile.
    pub(super) fn finish(self, listed: impl Iterator<Item = (Key, Revision, u64)>) {
        let mut fresh = State::default();
        for (key, revision, length) in listed {
            let artifact = Artifact { name: name_of(&revision), bytes: self.ledger.charged(length) };
            fresh.apply(Change::Held(key, artifact));
        }
        let mut state = self.ledger.state();
        for change in state.meanwhile.take().unwrap_or_default() {
            fresh.apply(change);
        }
        let fell = state
            .totals
            .iter()
            .filter(|(namespace, bytes)| fresh.totals.get(*namespace).is_none_or(|now| now < *bytes));
        let fell: Vec<_> = fell.map(|(namespace, _)| namespace.clone()).collect();
        state.freed.extend(fell);
        state.artifacts = fresh.artifacts;
        state.totals = fresh.totals;
        state.counted = Some(Instant::now());
        drop(state);
        self.ledger.changed.notify_one();
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.ledger.state().meanwhile = None;
    }
}

impl State {
    /// Answers whether it changed anything.
    fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Held(key, artifact) => {
                let artifacts = self.artifacts.entry(key.clone()).or_default();
                let before = match artifacts.iter_mut().find(|it| it.name == artifact.name) {
                    Some(known) => std::mem::replace(known, artifact).bytes,
                    None => {
                        artifacts.push(artifact);
                        0
                    }
                };
                self.total(key.namespace(), before, artifact.bytes);
                before != artifact.bytes
            }
            Change::Removed(key, name) => {
                let Some(artifacts) = self.artifacts.get_mut(&key) else { return false };
                let Some(at) = artifacts.iter().position(|it| it.name == name) else { return false };
                let gone = artifacts.swap_remove(at).bytes;
                if artifacts.is_empty() {
                    self.artifacts.remove(&key);
                }
                self.total(key.namespace(), gone, 0);
                true
            }
            Change::Deleted(key) => {
                let Some(artifacts) = self.artifacts.remove(&key) else { return false };
                self.total(key.namespace(), artifacts.iter().map(|it| it.bytes).sum(), 0);
                true
            }
        }
    }

    fn total(&mut self, namespace: &str, less: u64, more: u64) {
        let before = self.totals.get(namespace).copied().unwrap_or_default();
        let now = before.saturating_sub(less).saturating_add(more);
        if now == 0 {
            self.totals.remove(namespace);
        } else {
            self.totals.insert(namespace.to_owned(), now);
        }
        if now < before {
            self.freed.insert(namespace.to_owned());
        }
    }
}

/// Room for one put, given back when dropped: by then what was written is counted.
#[derive(Debug)]
pub struct Grant {
    ledger: Arc<Ledger>,
    namespace: String,
    bytes: u64,
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut state = self.ledger.state();
        if let Some(granted) = state.granted.get_mut(&self.namespace) {
            *granted = granted.saturating_sub(self.bytes);
            if *granted == 0 {
                state.granted.remove(&self.namespace);
            }
        }
        // Who was refused while this was granted may fit now: less may have been written, or nothing.
        state.freed.insert(self.namespace.clone());
        drop(state);
        self.ledger.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("team-a", name).unwrap()
    }

    fn revision(text: &str) -> Revision {
        Revision::of_document(text.as_bytes())
    }

    fn ledger() -> Arc<Ledger> {
        Arc::new(Ledger::new(10))
    }

    #[test]
    fn puts_that_are_under_way_count_and_what_they_did_not_use_is_free_again() {
        let ledger = ledger();
        ledger.holds_now(&key("web"), &revision("1"), 41);
        assert_eq!(ledger.bytes("team-a"), 50);
        let first = ledger.grant("team-a", 30, 100).unwrap();
        assert_eq!(ledger.grant("team-a", 30, 100).unwrap_err(), 80);
        assert!(ledger.grant("team-b", 100, 100).is_ok(), "the others are not concerned");
        ledger.take_freed();
        ledger.holds_now(&key("web"), &revision("2"), 30);
        drop(first);
        assert_eq!(ledger.take_freed(), HashSet::from(["team-a".to_owned()]));
        assert_eq!(ledger.grant("team-a", 30, 100).unwrap_err(), 80);
        drop(ledger.grant("team-a", 20, 100).unwrap());
    }

    #[tokio::test]
    async fn what_changes_during_a_listing_is_not_forgotten() {
        let ledger = ledger();
        let counting = ledger.counting().await;
        ledger.holds_now(&key("new"), &revision("1"), 10);
        ledger.removed(&key("old"), &revision("2"));
        counting.finish([(key("old"), revision("2"), 10), (key("kept"), revision("3"), 10)].into_iter());
        assert_eq!(ledger.bytes("team-a"), 20);
        assert!(ledger.holds(&key("new"), &revision("1")) && ledger.holds(&key("kept"), &revision("3")));
        assert!(!ledger.holds(&key("old"), &revision("2")));

        drop(ledger.counting().await);
        assert_eq!(ledger.bytes("team-a"), 20, "a listing that failed changes nothing");
        ledger.counting().await.finish(std::iter::empty());
        assert_eq!(ledger.take_freed(), HashSet::from(["team-a".to_owned()]));
    }
}
