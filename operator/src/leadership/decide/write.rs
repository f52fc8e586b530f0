//! What exactly a candidate writes. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::super::clock::Boot;
use super::super::record::{Entry, micro};
use super::{Action, Candidate, Seen};

/// What to write, and when that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The new content.
    pub entry: Entry,
    /// The request to step down that this answers.
    pub answer: Option<String>,
    /// When it was sent, at the latest: a tenure counts from here.
    pub sent: Boot,
    /// Longest that an answer is of use.
    pub limit: Duration,
    pub(super) claim: Claim,
}

/// What tells a candidate's own records from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The date that the candidate wrote.
    pub(super) acquired: Timestamp,
    /// The count that the candidate wrote.
    pub(super) transitions: i32,
    /// The tenure begins no earlier.
    pub(super) earliest: Boot,
    /// When the Lease was made, if it was made and not taken over.
    pub(super) created: Option<Boot>,
}

impl Write {
    /// A Lease that was made so long ago, in the time of a suspended process, may have had others since.
    pub(super) fn is_late(&self, now: Boot) -> bool {
        self.claim.created == Some(self.sent) && now.since(self.sent) > self.limit
    }
}

impl Candidate {
    /// What exactly to write for an action that writes.
    pub fn begin(&mut self, action: Action, now: Boot, date: Timestamp) -> Write {
        let (claim, limit) = match action {
            Action::Create => self.claim_absent(now, date),
            Action::Acquire => self.claim_present(now, date),
            _ => self.claim_again(now, date),
        };
        let held = Entry {
            holder: self.identity.clone(),
            seconds: self.timing.lease_seconds(),
            acquired: Some(claim.acquired),
            renewed: Some(micro(date)),
            transitions: claim.transitions,
        };
        let entry = if matches!(action, Action::Release) { held.released(date) } else { held };
        let answer = match (action, &self.seen) {
            // A change of holder is what was asked for, whoever was asked.
            (Action::Acquire | Action::Release, Seen::Record(record)) => record.step_down.clone(),
            _ => None,
        };
        self.claim = Some(claim.clone());
        Write { entry, answer, sent: now, limit, claim }
    }

    fn claim_absent(&self, now: Boot, date: Timestamp) -> (Claim, Duration) {
        let claim = |earliest| Claim { acquired: micro(date), transitions: 0, earliest, created: Some(now) };
        if now < self.succeed_until {
            return (claim(now), self.timing.call().min(self.succeed_until.since(now)));
        }
        (claim(self.others_until.max(self.gap_until)), self.timing.call())
    }

    fn claim_present(&self, now: Boot, date: Timestamp) -> (Claim, Duration) {
        let before = match &self.seen {
            Seen::Record(record) => record.entry.transitions,
            Seen::Unknown | Seen::Nothing => 0,
        };
        let transitions = before.saturating_add(1);
        (Claim { acquired: micro(date), transitions, earliest: now, created: None }, self.timing.call())
    }

    /// A tenure that lasts must be renewed while it does; one that is over, at leisure.
    fn claim_again(&self, now: Boot, date: Timestamp) -> (Claim, Duration) {
        let left = self.tenure().map(|tenure| tenure.until.since(now)).filter(|left| !left.is_zero());
        let limit = left.map_or(self.timing.call(), |left| left.min(self.timing.call()));
        let claim = self.claim.clone();
        (claim.unwrap_or(Claim { acquired: micro(date), transitions: 0, earliest: now, created: None }), limit)
    }
}
