//! What was asked of the store and what it answered, and what follows for the time after a cut.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jaas_storage::Key;

use super::artifacts::Artifact;
use super::check::Finding;

/// Something that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// To keep an artifact.
    Put(Artifact),
    /// To remove an artifact.
    Remove(Artifact),
    /// To rename an artifact for this run.
    SetAside(Artifact, String),
    /// To remove all of a key.
    Delete(Key),
}

impl Change {
    /// Whether it takes the artifact from its name.
    fn takes(&self, artifact: &Artifact) -> bool {
        match self {
            Self::Put(_) => false,
            Self::Remove(taken) | Self::SetAside(taken, _) => taken == artifact,
            Self::Delete(key) => *key == artifact.key,
        }
    }

    /// Whether the artifact is gone with it, for good.
    fn destroys(&self, artifact: &Artifact) -> bool {
        self.takes(artifact) && !matches!(self, Self::SetAside(..))
    }
}

/// A change with its place in time, in ticks that count requests and answers alike.
#[derive(Clone, Debug)]
struct Entry {
    change: Change,
    begun: u64,
    answered: Option<u64>,
}

impl Entry {
    /// Whether it may have happened after `tick`.
    fn may_follow(&self, tick: u64) -> bool {
        self.answered.is_none_or(|answered| answered > tick)
    }
}

/// Changes since the store was last known to be whole.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    ticks: u64,
    entries: Vec<Entry>,
}

impl History {
    /// Notes a request; the number is for its answer.
    fn begin(&mut self, change: Change) -> u64 {
        self.ticks += 1;
        self.entries.push(Entry { change, begun: self.ticks, answered: None });
        self.ticks
    }

    /// Notes that the request was done.
    fn answer(&mut self, begun: u64) {
        self.ticks += 1;
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.begun == begun) {
            entry.answered = Some(self.ticks);
        }
    }

    /// What must be there: a put was answered, and nothing that takes it away was asked, or still unanswered, since that put began.
    pub(super) fn owed(&self) -> BTreeSet<Artifact> {
        let is_owed = |put: &&Entry, artifact: &Artifact| {
            put.answered.is_some() && !self.entries.iter().any(|e| e.change.takes(artifact) && e.may_follow(put.begun))
        };
        self.puts().filter(|(put, artifact)| is_owed(put, artifact)).map(|(_, artifact)| artifact.clone()).collect()
    }

    /// What a person would expect: its last request was to keep it.
    pub(super) fn wanted(&self) -> BTreeSet<Artifact> {
        let is_last = |put: &&Entry, artifact: &Artifact| {
            !self.entries.iter().any(|later| later.begun > put.begun && later.change.takes(artifact))
        };
        self.puts().filter(|(put, artifact)| is_last(put, artifact)).map(|(_, artifact)| artifact.clone()).collect()
    }

    /// Every artifact that was asked for by its name.
    pub(super) fn named(&self) -> BTreeSet<Artifact> {
        let name = |entry: &Entry| match &entry.change {
            Change::Put(artifact) | Change::Remove(artifact) | Change::SetAside(artifact, _) => Some(artifact.clone()),
            Change::Delete(_) => None,
        };
        self.entries.iter().filter_map(name).collect()
    }

    /// Whether anything asked to take the artifact away.
    pub(super) fn is_taken(&self, artifact: &Artifact) -> bool {
        self.entries.iter().any(|entry| entry.change.takes(artifact))
    }

    /// What must be there under one of two names: it was set aside, and nothing destroyed it since.
    pub(super) fn aside(&self) -> Vec<(Artifact, String)> {
        let mut aside = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.answered.is_some()) {
            if let Change::SetAside(artifact, run) = &entry.change
                && !self.entries.iter().any(|e| e.change.destroys(artifact) && e.may_follow(entry.begun))
            {
                aside.push((artifact.clone(), run.clone()));
            }
        }
        aside
    }

    fn puts(&self) -> impl Iterator<Item = (&Entry, &Artifact)> {
        self.entries.iter().filter_map(|entry| match &entry.change {
            Change::Put(artifact) => Some((entry, artifact)),
            _ => None,
        })
    }
}

/// The history as concurrent writers make it.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    history: History,
    /// The last scope of the mark that was asked for, and the last that was answered.
    scopes: (u32, u32),
    cut: bool,
    trouble: Vec<Finding>,
}

impl Ledger {
    /// Notes a request; the number is for its answer.
    pub(super) fn begin(&self, change: Change) -> u64 {
        self.state().history.begin(change)
    }

    /// Notes that the request was done.
    pub(super) fn answer(&self, begun: u64) {
        self.state().history.answer(begun);
    }

    /// Notes that the request was done and found nothing to do.
    pub(super) fn forget(&self, begun: u64) {
        self.state().history.entries.retain(|entry| entry.begun != begun);
    }

    /// A scope that the mark never had, for a claim that is now asked.
    pub(super) fn next_scope(&self) -> u32 {
        let mut state = self.state();
        state.scopes.0 += 1;
        state.scopes.0
    }

    /// Notes that a claim was answered.
    pub(super) fn claimed(&self, scope: u32) {
        self.state().scopes.1 = scope;
    }

    /// The scopes that the mark may have; 0 stands for no mark.
    pub(super) fn scopes(&self) -> std::ops::RangeInclusive<u32> {
        let (asked, answered) = self.state().scopes;
        answered..=asked
    }

    /// Notes what went wrong. While the power fails, nothing is expected to go well.
    pub(super) fn trouble(&self, finding: Finding) {
        let mut state = self.state();
        if !state.cut {
            state.trouble.push(finding);
        }
    }

    /// The power fails from now on.
    pub(super) fn power_fails(&self) {
        self.state().cut = true;
    }

    /// The power is back; tells what had gone wrong before it failed.
    pub(super) fn power_returns(&self) -> Vec<Finding> {
        let mut state = self.state();
        state.cut = false;
        std::mem::take(&mut state.trouble)
    }

    /// What happened so far.
    pub(super) fn history(&self) -> History {
        self.state().history.clone()
    }

    /// Forgets what was asked before `past` ended.
    pub(super) fn settle(&self, past: &History) {
        self.state().history.entries.retain(|entry| entry.begun > past.ticks);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jaas_storage::Revision;

    use super::*;

    fn artifact() -> Artifact {
        Artifact { key: Key::new("ns", "web").unwrap(), revision: Revision::of_document(b"x") }
    }

    fn aside() -> Change {
        Change::SetAside(artifact(), "run".to_owned())
    }

    /// Requests and answers in their order: each names its change; the second time is the answer.
    fn history(steps: &[&Change]) -> History {
        let (mut history, mut open) = (History::default(), Vec::<(&Change, u64)>::new());
        for step in steps {
            match open.iter().position(|(change, _)| change == step) {
                Some(place) => history.answer(open.remove(place).1),
                None => open.push((step, history.begin((*step).clone()))),
            }
        }
        history
    }

    #[test]
    fn a_put_is_owed_from_its_answer_to_the_next_request_to_take_it() {
        let (put, remove) = (&Change::Put(artifact()), &Change::Remove(artifact()));
        let delete = &Change::Delete(artifact().key);
        let other = &Change::Delete(Key::new("ns", "other").unwrap());
        let cases: [(&[&Change], bool, bool); 9] = [
            (&[put], false, true),
            (&[put, put], true, true),
            (&[put, put, other, other], true, true),
            (&[put, put, remove], false, false),
            (&[put, put, delete, delete], false, false),
            (&[remove, remove, put, put], true, true),
            (&[remove, put, remove, put], false, true),
            (&[remove, put, put], false, true),
            (&[put, put, delete, delete, put, put], true, true),
        ];
        for (steps, owed, wanted) in cases {
            let history = history(steps);
            assert_eq!(history.is_taken(&artifact()), steps.contains(&remove) || steps.contains(&delete), "{steps:?}");
            assert_eq!(history.named(), BTreeSet::from([artifact()]), "{steps:?}");
            assert_eq!(!history.owed().is_empty(), owed, "{steps:?}");
            assert_eq!(!history.wanted().is_empty(), wanted, "{steps:?}");
        }
    }

    #[test]
    fn what_is_set_aside_is_kept_until_it_may_be_destroyed() {
        let (put, remove) = (&Change::Put(artifact()), &Change::Remove(artifact()));
        let aside = &aside();
        assert!(history(&[put, put, aside]).aside().is_empty());
        assert_eq!(history(&[put, put, aside, aside]).aside(), [(artifact(), "run".to_owned())]);
        assert!(history(&[put, put, aside, remove, aside]).aside().is_empty());
        assert!(history(&[put, put, aside, aside]).owed().is_empty());
    }

    #[test]
    fn trouble_counts_only_while_there_is_power() {
        let ledger = Ledger::default();
        let finding = |seen: &str| Finding { invariant: "I7", seen: seen.to_owned(), damage: false };
        ledger.trouble(finding("before"));
        ledger.power_fails();
        ledger.trouble(finding("meanwhile"));
        assert_eq!(ledger.power_returns(), [finding("before")]);
        assert_eq!(ledger.power_returns(), []);
    }
}
