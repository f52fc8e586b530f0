//! What this process knows of each snippet beside the caches: its own latest writes, and what not to try again at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_storage::{Key, Revision};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use super::outcome::{Announced, Deferred, Refusal, chain};

/// A failure that something outside may lift is looked at again after this time: nothing may announce a new right.
const RECHECK: Duration = Duration::from_secs(60);
/// A failure that its inputs alone decide is looked at again ever more rarely, up to this.
const RECHECK_AT_MOST: Duration = Duration::from_secs(3600);
/// First delay after the store refused; doubled with each refusal, up to [`RECHECK`].
const STORE_RECHECK: Duration = Duration::from_secs(1);
/// First delay after trouble that may pass; doubled with each failure.
const BACKOFF: Duration = Duration::from_millis(100);
/// Largest such delay, so that a repaired cluster is noticed soon.
const BACKOFF_AT_MOST: Duration = Duration::from_secs(120);
/// Delay after a write that met a newer object: its change arrives any moment.
const CONFLICT_DELAY: Duration = Duration::from_millis(50);
/// Failures in a row that are worth a red condition.
const WORTH_TELLING: u32 = 4;

/// Knowledge of all snippets.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<Key, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    snippet: Option<Arc<JsonnetSnippet>>,
    artifact: Option<Arc<ExternalArtifact>>,
    /// Newest version of the artifact that we wrote ourselves.
    artifact_version: u64,
    /// Version of the artifact's last deletion.
    gone_version: u64,
    /// Whether a write of the artifact may be under way, whose version nobody can know yet.
    busy: bool,
    /// Newest version of the artifact that was reported meanwhile.
    reported_while_busy: u64,
    confirmed: Option<(Option<String>, String)>,
    /// Which object of the name had our finalizer removed.
    let_go: Option<String>,
    lost: Option<Revision>,
    failure: Option<(Refusal, u32)>,
    transient_failures: u32,
    store_refusals: u32,
    /// Whether the last write of its file was refused by the store.
    waits_for_store: bool,
    collected: BTreeSet<Revision>,
    /// Reconciles that began.
    begun: u64,
    /// The last try, if it failed.
    unfinished: Option<Unfinished>,
}

/// A snippet that could not be brought to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Failures in a row.
    pub failures: u32,
    /// The last error, with its causes.
    pub error: String,
    /// When it is tried again.
    pub next: Option<Timestamp>,
}

impl Unfinished {
    fn new(failures: u32, error: String, delay: Duration) -> Self {
        Self { failures: failures.max(1), error, next: Timestamp::now().checked_add(delay).ok() }
    }
}

impl Memory {
    fn with<T>(&self, key: &Key, work: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(entries.entry(key.clone()).or_default())
    }

    /// The newer of the cached snippet and the one that our own last write answered.
    pub fn freshest_snippet(&self, key: &Key, cached: &Arc<JsonnetSnippet>) -> Arc<JsonnetSnippet> {
        self.with(key, |entry| freshest(&mut entry.snippet, Some(cached)).unwrap_or_else(|| Arc::clone(cached)))
    }

    /// The newer of the cached artifact and the one that our own last write answered.
    pub fn freshest_artifact(&self, key: &Key, cached: Option<Arc<ExternalArtifact>>) -> Option<Arc<ExternalArtifact>> {
        self.with(key, |entry| freshest(&mut entry.artifact, cached.as_ref()))
    }

    /// Our write of the snippet was answered with this.
    pub fn wrote_snippet(&self, key: &Key, snippet: JsonnetSnippet) {
        self.with(key, |entry| {
            entry.snippet = Some(Arc::new(snippet));
            entry.collected.clear();
        });
    }

    /// Our write of the artifact was answered with this.
    pub fn wrote_artifact(&self, key: &Key, artifact: ExternalArtifact) {
        self.with(key, |entry| {
            let version = version(&artifact);
            entry.artifact_version = entry.artifact_version.max(version);
            entry.artifact = (version > entry.gone_version).then(|| Arc::new(artifact));
        });
    }

    /// Whether a change of the artifact that the watch reports is one of our own writes, or will be judged when the reconcile
    /// that is under way ends.
    pub fn is_own_write(&self, key: &Key, artifact: &ExternalArtifact) -> bool {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(key) else { return false };
        if entry.busy {
            entry.reported_while_busy = entry.reported_while_busy.max(version(artifact));
        }
        entry.busy || version(artifact) <= entry.artifact_version
    }

    /// A reconcile starts that may write the artifact. The returned value tells when it is over.
    pub fn busy(&self, key: &Key) -> Busy<'_> {
        self.with(key, |entry| {
            entry.busy = true;
            entry.begun = entry.begun.wrapping_add(1);
            entry.reported_while_busy = 0;
        });
        Busy { memory: self, key: key.clone() }
    }

    /// What we know of the artifact is out of date.
    pub fn forget_artifact(&self, key: &Key) {
        self.gone(key, 0);
    }

    /// The artifact was deleted; an answer to an earlier write of ours that comes later says nothing.
    pub fn artifact_deleted(&self, key: &Key, artifact: &ExternalArtifact) {
        self.gone(key, version(artifact));
    }

    fn gone(&self, key: &Key, version: u64) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(key) {
            entry.artifact = None;
            entry.gone_version = entry.gone_version.max(version);
            entry.reported_while_busy = entry.reported_while_busy.max(version);
        }
    }

    /// These inputs were rendered in this process and gave what the status records, which has no fingerprint of them.
    pub fn confirm(&self, key: &Key, snippet: &JsonnetSnippet, inputs_digest: &str) {
        self.with(key, |entry| entry.confirmed = Some((snippet.uid(), inputs_digest.to_owned())));
    }

    /// Whether [`Memory::confirm`] was said of these inputs.
    pub fn is_confirmed(&self, key: &Key, snippet: &JsonnetSnippet, inputs_digest: &str) -> bool {
        self.with(key, |entry| {
            entry.confirmed.as_ref().is_some_and(|(uid, digest)| *uid == snippet.uid() && digest == inputs_digest)
        })
    }

    /// Our finalizer was removed from the deleted snippet.
    pub fn let_go(&self, key: &Key, snippet: &JsonnetSnippet) {
        self.with(key, |entry| entry.let_go = snippet.uid());
    }

    /// Whether [`Memory::let_go`] was said of this very object.
    pub fn is_let_go(&self, key: &Key, snippet: &JsonnetSnippet) -> bool {
        self.with(key, |entry| entry.let_go.is_some() && entry.let_go == snippet.uid())
    }

    /// The current file is gone for good.
    pub fn lost(&self, key: &Key, current: Option<&Announced>) {
        self.with(key, |entry| entry.lost = current.map(|current| current.revision.clone()));
    }

    /// The current file is there.
    pub fn found(&self, key: &Key) {
        self.with(key, |entry| {
            entry.lost = None;
            entry.store_refusals = 0;
            entry.waits_for_store = false;
        });
    }

    /// The store refused the snippet's file.
    pub fn refused(&self, key: &Key) {
        self.with(key, |entry| entry.waits_for_store = true);
    }

    /// Snippets that the store refused the last time.
    pub fn refused_by_store(&self) -> Vec<Key> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|(_, entry)| entry.waits_for_store).map(|(key, _)| key.clone()).collect()
    }

    /// Whether a reconcile of the snippet is under way that may name a file which nothing names yet.
    pub fn is_busy(&self, key: &Key) -> bool {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).is_some_and(|entry| entry.busy)
    }

    /// A number that changes whenever a reconcile of the snippet begins that may name a file.
    pub fn begun(&self, key: &Key) -> u64 {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).map_or(0, |entry| entry.begun)
    }

    /// Snippets whose last try failed.
    pub fn unfinished(&self) -> Vec<(Key, Unfinished)> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> =
            entries.iter().filter_map(|(key, entry)| Some((key.clone(), entry.unfinished.clone()?))).collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Whether this revision is gone for good.
    pub fn is_lost(&self, key: &Key, revision: &Revision) -> bool {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).is_some_and(|entry| entry.lost.as_ref() == Some(revision))
    }

    /// Inputs led to a failure that only other inputs can change.
    pub fn failed(&self, key: &Key, refusal: &Refusal) {
        self.with(key, |entry| {
            let times = match &entry.failure {
                Some((known, times)) if known.inputs_digest == refusal.inputs_digest => times.saturating_add(1),
                _ => 1,
            };
            entry.failure = Some((refusal.clone(), times));
        });
    }

    /// When to look again at a refused snippet.
    pub fn recheck(&self, key: &Key, refusal: &Refusal) -> Duration {
        self.with(key, |entry| {
            let (times, delay) = match &entry.failure {
                // Many who wait for one thing should not come back at once.
                _ if let Some(retry) = refusal.retry => (1, retry.mul_f64(rand::random_range(1.0..1.2))),
                _ if refusal.reason.is_about_storage() => {
                    entry.store_refusals = entry.store_refusals.saturating_add(1);
                    entry.waits_for_store = true;
                    let times = entry.store_refusals;
                    (times, STORE_RECHECK.saturating_mul(1 << (times - 1).min(10)).min(RECHECK))
                }
                Some((known, times))
                    if refusal.inputs_digest.is_some() && known.inputs_digest == refusal.inputs_digest =>
                {
                    (*times, RECHECK.saturating_mul(1 << times.saturating_sub(1).min(10)).min(RECHECK_AT_MOST))
                }
                _ => (1, RECHECK),
            };
            let error = format!("{}: {}", refusal.reason.as_str(), refusal.message);
            entry.unfinished = Some(Unfinished::new(times, error, delay));
            delay
        })
    }

    /// Trouble that may pass. Answers the refusal to tell once it has lasted.
    pub fn transient_failure(&self, key: &Key, deferred: &Deferred) -> Option<Refusal> {
        let times = self.with(key, |entry| {
            entry.transient_failures = entry.transient_failures.saturating_add(1);
            entry.transient_failures
        });
        let worth = if deferred.soon { 2 * WORTH_TELLING } else { WORTH_TELLING };
        (times >= worth).then(|| Refusal::new(deferred.reason, super::outcome::chain(deferred)))
    }

    /// The trouble is over.
    pub fn transient_failures_over(&self, key: &Key) {
        self.with(key, |entry| {
            entry.transient_failures = 0;
            entry.unfinished = None;
        });
    }

    /// When to try again after trouble that may pass, with jitter.
    pub fn backoff(&self, key: &Key, deferred: &Deferred) -> Duration {
        self.with(key, |entry| {
            let times = entry.transient_failures;
            let first = if deferred.soon { CONFLICT_DELAY } else { BACKOFF };
            let delay = first.saturating_mul(1 << times.saturating_sub(1).min(20)).min(BACKOFF_AT_MOST);
            let delay = delay.mul_f64(rand::random_range(0.8..1.2));
            entry.unfinished = Some(Unfinished::new(times, chain(deferred), delay));
            delay
        })
    }

    /// Revisions of the snippet that were collected since its status was last written.
    pub fn collected(&self, key: &Key) -> BTreeSet<Revision> {
        self.with(key, |entry| entry.collected.clone())
    }

    /// A revision was collected.
    pub fn collect(&self, key: &Key, revision: Revision) {
        self.with(key, |entry| {
            entry.collected.insert(revision);
        });
    }

    /// The snippet is gone.
    pub fn forget(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A reconcile that may write the artifact.
pub struct Busy<'a> {
    memory: &'a Memory,
    key: Key,
}

impl Busy<'_> {
    /// Ends it, and answers whether somebody else changed the artifact meanwhile, so that the snippet has to be looked at again.
    pub fn finish(self) -> bool {
        self.memory.with(&self.key, |entry| {
            entry.busy = false;
            entry.reported_while_busy > entry.artifact_version
        })
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut entries = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&self.key) {
            entry.busy = false;
        }
    }
}

/// The newer of two states of an object. What we remember is dropped once the cache has caught up with it.
fn freshest<K: Resource>(remembered: &mut Option<Arc<K>>, cached: Option<&Arc<K>>) -> Option<Arc<K>> {
    match (remembered.as_ref(), cached) {
        (Some(ours), Some(cached)) if ours.meta().uid == cached.meta().uid && version(&**ours) > version(&**cached) => {
            Some(Arc::clone(ours))
        }
        (Some(ours), None) => Some(Arc::clone(ours)),
        (_, Some(cached)) => {
            *remembered = None;
            Some(Arc::clone(cached))
        }
        (None, None) => None,
    }
}

/// Resource versions of one object are ordered numbers:
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>
fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_api::Reason;
    use jaas_api::snippet::SnippetSpec;

    fn key() -> Key {
        Key::new("a", "b").unwrap()
    }

    fn snippet(uid: &str, version: u64) -> JsonnetSnippet {
        let mut snippet = JsonnetSnippet::new("a", "b", SnippetSpec::default());
        snippet.metadata.uid = Some(uid.to_owned());
        snippet.metadata.resource_version = Some(version.to_string());
        snippet
    }

    #[test]
    fn our_own_write_is_seen_before_the_watch_brings_it() {
        let memory = Memory::default();
        memory.wrote_snippet(&key(), snippet("1", 10));
        let freshest = |uid: &str, version| memory.freshest_snippet(&key(), &Arc::new(snippet(uid, version)));
        assert_eq!(freshest("1", 9).resource_version().as_deref(), Some("10"));
        assert_eq!(freshest("1", 11).resource_version().as_deref(), Some("11"));
        assert_eq!(
            freshest("1", 9).resource_version().as_deref(),
            Some("9"),
            "what the cache caught up with is forgotten"
        );
        memory.wrote_snippet(&key(), snippet("1", 20));
        assert_eq!(freshest("2", 15).resource_version().as_deref(), Some("15"), "another object of the same name");
    }

    #[test]
    fn what_was_let_go_is_not_withdrawn_again_while_the_cache_still_shows_it() {
        let memory = Memory::default();
        let nameless = JsonnetSnippet::new("a", "b", SnippetSpec::default());
        assert!(!memory.is_let_go(&key(), &nameless));
        memory.let_go(&key(), &snippet("1", 10));
        assert!(memory.is_let_go(&key(), &snippet("1", 9)));
        assert!(!memory.is_let_go(&key(), &snippet("2", 9)), "another object of the same name");
        memory.forget(&key());
        assert!(!memory.is_let_go(&key(), &snippet("1", 9)));
    }

    #[test]
    fn a_change_of_the_artifact_during_a_reconcile_is_judged_at_its_end() {
        let artifact = |version: u64| {
            let mut artifact = ExternalArtifact::default();
            artifact.metadata.resource_version = Some(version.to_string());
            artifact
        };
        let memory = Memory::default();
        assert!(!memory.is_own_write(&key(), &artifact(4)));
        let busy = memory.busy(&key());
        assert!(memory.is_own_write(&key(), &artifact(5)));
        memory.wrote_artifact(&key(), artifact(5));
        assert!(!busy.finish());
        let busy = memory.busy(&key());
        assert!(memory.is_own_write(&key(), &artifact(6)));
        assert!(busy.finish());
        assert!(memory.is_own_write(&key(), &artifact(5)));
        assert!(!memory.is_own_write(&key(), &artifact(6)));
    }

    #[test]
    fn a_deleted_artifact_is_not_brought_back_by_a_late_answer() {
        let artifact = |version: u64| {
            let mut artifact = ExternalArtifact::default();
            artifact.metadata.resource_version = Some(version.to_string());
            artifact
        };
        let memory = Memory::default();
        memory.wrote_artifact(&key(), artifact(4));
        let busy = memory.busy(&key());
        memory.artifact_deleted(&key(), &artifact(7));
        memory.wrote_artifact(&key(), artifact(6));
        assert_eq!(memory.freshest_artifact(&key(), None), None);
        assert!(busy.finish(), "the deletion is looked at");
        memory.wrote_artifact(&key(), artifact(8));
        assert!(memory.freshest_artifact(&key(), None).is_some());
    }

    #[test]
    fn a_failure_of_the_same_inputs_is_looked_at_ever_more_rarely() {
        let memory = Memory::default();
        let refusal = |inputs: &str| Refusal {
            inputs_digest: Some(inputs.to_owned()),
            ..Refusal::new(Reason::EvaluationFailed, "x")
        };
        let mut seconds = Vec::new();
        for _ in 0..8 {
            memory.failed(&key(), &refusal("one"));
            seconds.push(memory.recheck(&key(), &refusal("one")).as_secs());
        }
        assert_eq!(seconds, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        memory.failed(&key(), &refusal("two"));
        assert_eq!(memory.recheck(&key(), &refusal("two")).as_secs(), 60);
        assert_eq!(memory.recheck(&key(), &Refusal::new(Reason::RBACDenied, "x")).as_secs(), 60);
    }

    #[test]
    fn lasting_trouble_is_told_and_passing_trouble_is_not() {
        let memory = Memory::default();
        let deferred = Deferred { soon: false, ..Deferred::moved() };
        let told: Vec<_> = (0..5).map(|_| memory.transient_failure(&key(), &deferred).is_some()).collect();
        assert_eq!(told, [false, false, false, true, true]);
        memory.transient_failures_over(&key());
        assert!(memory.transient_failure(&key(), &deferred).is_none());
        assert!(memory.backoff(&key(), &deferred) < Duration::from_millis(150));
        let unfinished = memory.unfinished();
        assert_eq!((unfinished[0].0.clone(), unfinished[0].1.failures), (key(), 1));
        assert!(unfinished[0].1.next.is_some() && unfinished[0].1.error.contains("spec moved"));
        memory.transient_failures_over(&key());
        assert!(memory.unfinished().is_empty());
        for _ in 0..40 {
            memory.transient_failure(&key(), &deferred);
        }
        assert!(memory.backoff(&key(), &deferred) >= BACKOFF_AT_MOST.mul_f64(0.8));
    }
}
