//! Who was asked, and who has answered. Pure.
//!
//! In: requests that were accepted, and snippets as the watch shows them, in any order. Out: one outcome for each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::progress::Progress;
use crate::run::token_time;
use crate::session;
use crate::snippet::{Key, Snippet};
use crate::view::{Target, TargetOutcome};

/// Reason word of a suspended snippet.
const SUSPENDED: &str = "Suspended";

/// What is known of one snippet.
#[derive(Clone, Debug)]
enum State {
    /// To be asked.
    Planned,
    /// The request is written.
    Waiting { request: Request, at: Duration },
    /// It has its outcome.
    Settled(Target),
}

/// A request as the API server wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Resource version of the write; later ones are greater.
    pub(super) sequence: Option<u64>,
    /// Generation that the answer must have observed.
    pub(super) generation: i64,
}

#[derive(Clone, Debug)]
struct Entry {
    state: State,
    /// The newest state that the watch showed; it may arrive before the answer to the request itself.
    seen: Option<Snippet>,
}

/// All snippets of a run.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    token: String,
    entries: BTreeMap<Key, Entry>,
    n_settled: usize,
    n_failed: usize,
    n_asked: usize,
    n_left_out: usize,
}

impl Tracker {
    /// Nothing planned yet. The token marks every request of the run.
    pub(super) fn new(token: String) -> Self {
        Self { token, entries: BTreeMap::new(), n_settled: 0, n_failed: 0, n_asked: 0, n_left_out: 0 }
    }

    /// The mark of every request.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// This snippet is going to be asked.
    pub(super) fn plan(&mut self, key: Key) {
        self.entries.insert(key, Entry { state: State::Planned, seen: None });
    }

    /// This snippet is not going to be asked.
    pub(super) fn settle(&mut self, key: Key, target: Target) {
        self.n_left_out += 1;
        self.entries.insert(key, Entry { state: State::Settled(target), seen: None });
    }

    /// Whom to ask.
    pub(super) fn planned(&self) -> Vec<Key> {
        let planned = self.entries.iter().filter(|(_, entry)| matches!(entry.state, State::Planned));
        planned.map(|(key, _)| key.clone()).collect()
    }

    /// The request is written. Returns the outcome if the answer was seen already.
    pub(super) fn asked(&mut self, key: &Key, request: Request, now: Duration) -> Option<Target> {
        let entry = self.entries.get_mut(key)?;
        if !matches!(entry.state, State::Planned) {
            return None;
        }
        self.n_asked += 1;
        entry.state = State::Waiting { request, at: now };
        self.judge(key, now)
    }

    /// The API server would have written the request, and was told not to.
    pub(super) fn tried(&mut self, key: &Key) -> Option<Target> {
        self.n_asked += 1;
        self.close(key, Target::snippet(key, TargetOutcome::WouldChange))
    }

    /// The request could not be written.
    pub(super) fn refused(&mut self, key: &Key, error: &session::Error) -> Option<Target> {
        if matches!(error, session::Error::NotFound { .. }) {
            return self.gone(key);
        }
        self.n_failed += 1;
        let message = error.to_string();
        self.close(key, Target::snippet(key, TargetOutcome::Failed).because(error.word(), message))
    }

    /// The watch shows a snippet. Returns its outcome if this is the answer.
    pub(super) fn seen(&mut self, mut snippet: Snippet, now: Duration) -> Option<Target> {
        let key = snippet.key();
        let entry = self.entries.get_mut(&key)?;
        if matches!(entry.state, State::Settled(_)) {
            return None;
        }
        snippet.metadata.managed_fields = None;
        entry.seen = Some(snippet);
        self.judge(&key, now)
    }

    /// A snippet was deleted.
    pub(super) fn gone(&mut self, key: &Key) -> Option<Target> {
        let message = "it was deleted in the meantime";
        self.close(key, Target::snippet(key, TargetOutcome::Removed).because("Deleted", message))
    }

    /// Everything but these was deleted.
    pub(super) fn only(&mut self, present: &BTreeSet<Key>) -> Vec<Target> {
        let absent: Vec<_> = self.entries.keys().filter(|key| !present.contains(*key)).cloned().collect();
        absent.iter().filter_map(|key| self.gone(key)).collect()
    }

    /// Whether nobody is waited for any more.
    pub(super) fn is_settled(&self) -> bool {
        self.n_settled + self.n_left_out == self.entries.len()
    }

    /// How far the run has come.
    pub(super) fn progress(&self, elapsed: Duration) -> Progress {
        let total = self.entries.len() - self.n_left_out;
        Progress { total, asked: self.n_asked, answered: self.n_settled, failed: self.n_failed, elapsed }
    }

    /// The outcome of each; who has none yet gets the one that fits how the run was meant.
    pub(super) fn finish(self, is_dry: bool, waits: bool) -> Vec<Target> {
        let outcome = |(key, entry): (Key, Entry)| match entry.state {
            State::Settled(target) => target,
            State::Planned if is_dry => Target::snippet(&key, TargetOutcome::WouldChange),
            State::Planned => Target::snippet(&key, TargetOutcome::Skipped)
                .because("NotAsked", "the run ended before this one was asked"),
            State::Waiting { .. } if waits => Target::snippet(&key, TargetOutcome::Unanswered)
                .because("Unanswered", "asked, but the operator has not answered"),
            State::Waiting { .. } => Target::snippet(&key, TargetOutcome::Asked),
        };
        self.entries.into_iter().map(outcome).collect()
    }

    fn judge(&mut self, key: &Key, now: Duration) -> Option<Target> {
        let entry = self.entries.get(key)?;
        let (State::Waiting { request, at }, Some(seen)) = (&entry.state, &entry.seen) else { return None };
        if !is_answered(&self.token, *request, seen) {
            return None;
        }
        let target = outcome(key, seen).after(now.saturating_sub(*at).as_secs_f64());
        if matches!(target.outcome, TargetOutcome::Failed | TargetOutcome::Unknown) {
            self.n_failed += 1;
        }
        self.close(key, target)
    }

    fn close(&mut self, key: &Key, target: Target) -> Option<Target> {
        let entry = self.entries.get_mut(key)?;
        if matches!(entry.state, State::Settled(_)) {
            return None;
        }
        self.n_settled += 1;
        *entry = Entry { state: State::Settled(target.clone()), seen: None };
        Some(target)
    }
}

/// Whether the status answers our request, or a later one of somebody else that took its place.
fn is_answered(token: &str, request: Request, snippet: &Snippet) -> bool {
    let Some(status) = &snippet.status else { return false };
    let Some(handled) = status.last_handled_reconcile_at.as_deref() else { return false };
    let is_later = || {
        let is_newer = matches!((request.sequence, snippet.sequence()), (Some(ours), Some(now)) if now > ours);
        let is_current = snippet.request() == Some(handled);
        let has_later_time = matches!((token_time(token), token_time(handled)), (Some(ours), Some(it)) if it > ours);
        is_newer && (is_current || has_later_time)
    };
    (handled == token || is_later()) && status.observed_generation.unwrap_or(0) >= request.generation
}

/// What an answer says.
fn outcome(key: &Key, snippet: &Snippet) -> Target {
    let Some(ready) = snippet.status.as_ref().and_then(|status| status.ready()) else {
        let message = "answered without a Ready condition";
        return Target::snippet(key, TargetOutcome::Unknown).because("NoReadyCondition", message);
    };
    let outcome = match (ready.status.as_str(), ready.reason.as_str()) {
        (_, SUSPENDED) => TargetOutcome::Suspended,
        ("True", _) => TargetOutcome::Synced,
        ("False", _) => TargetOutcome::Failed,
        _ => TargetOutcome::Unknown,
    };
    Target::snippet(key, outcome).because(&ready.reason, ready.message.clone())
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
