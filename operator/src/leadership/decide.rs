//! What a candidate does next, from what it has seen of the Lease and done itself. Pure: time and answers are arguments.
//!
//! *Guarantee*: no two candidates hold a [`Tenure`] at the same moment, as long as clocks run equally fast and a candidate has
//! seen the Lease before somebody deletes it. It rests on three things. A tenure ends a renew deadline after its last renewal was
//! *sent*; another takes over a lease duration after it *saw* that renewal; and a takeover names the resourceVersion that was seen.
//!
//! A Lease that was deleted has no version to name. So its absence shortens no wait but that of the leader itself, which may make
//! it anew at once; and whoever makes it waits until the watch, which reports in order, has shown nobody before it.

mod news;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod write;

use jiff::Timestamp;

use super::Epoch;
use super::clock::Boot;
use super::record::Record;
use super::timing::Timing;
pub use news::News;
use write::Claim;
pub use write::Write;

/// Attempts in a row that may meet somebody else's write before the candidate pauses.
const EAGER: u32 = 3;

/// One effect on the Lease, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing before that moment, unless there is news.
    Wait(Boot),
    /// Get the Lease.
    Read,
    /// Make the Lease.
    Create,
    /// Take the Lease over from another holder, or from none.
    Acquire,
    /// Say that the holder lives.
    Renew,
    /// Let go.
    Release,
    /// There is nothing left to let go.
    Finish,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The Lease is not what it was taken for.
    Outdated,
    /// Anything else; the request may have been carried out all the same.
    Unknown,
}

/// The right to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Which term.
    pub epoch: Epoch,
    /// When it began, by date.
    pub acquired: Timestamp,
    /// From this moment.
    pub from: Boot,
    /// Before this moment.
    pub until: Boot,
}

impl Tenure {
    /// Whether the right is there at that moment.
    pub fn covers(&self, now: Boot) -> bool {
        self.from <= now && now < self.until
    }
}

/// One that wants to lead.
#[derive(Clone, Debug)]
pub struct Candidate {
    identity: String,
    timing: Timing,
    seen: Seen,
    /// The newest resourceVersion that is known; news of an older one is late.
    version: u64,
    /// The Lease that the watch reported last.
    watched: Option<String>,
    /// Until then somebody else may hold a tenure.
    others_until: Boot,
    /// The same, for what a watch that began anew may have missed.
    gap_until: Boot,
    /// Until then a Lease that was deleted under its leader is the leader's to make anew.
    succeed_until: Boot,
    /// What was last written to take the Lease, answered or not.
    claim: Option<Claim>,
    term: Option<Term>,
    leaving: Option<Leaving>,
    rest_until: Boot,
    next_try: Boot,
    last_news: Boot,
    doubt: bool,
    outdated: u32,
}

#[derive(Clone, Debug)]
enum Seen {
    Unknown,
    Nothing,
    Record(Record),
}

#[derive(Clone, Debug)]
struct Term {
    epoch: Epoch,
    acquired: Timestamp,
    renewed: Boot,
    earliest: Boot,
    /// When the Lease was made, as long as the watch has not shown who was there before.
    unproven: Option<Boot>,
}

#[derive(Clone, Debug)]
enum Leaving {
    Asked,
    Stopping,
}

impl Candidate {
    /// A candidate that knows nothing.
    pub fn new(identity: String, timing: Timing, now: Boot) -> Self {
        let never = Boot::default();
        Self {
            identity,
            timing,
            seen: Seen::Unknown,
            version: 0,
            watched: None,
            others_until: never,
            gap_until: never,
            succeed_until: never,
            claim: None,
            term: None,
            leaving: None,
            rest_until: never,
            next_try: never,
            last_news: now,
            doubt: false,
            outdated: 0,
        }
    }

    /// The right to write that the candidate holds, will hold, or held last.
    pub fn tenure(&self) -> Option<Tenure> {
        let term = self.term.as_ref().filter(|_| self.leaving.is_none())?;
        let proven = term.unproven.map(|created| created.plus(self.timing.lease()));
        Some(Tenure {
            epoch: term.epoch.clone(),
            acquired: term.acquired,
            from: proven.map_or(term.earliest, |proven| proven.max(term.earliest)),
            until: term.renewed.plus(self.timing.validity()),
        })
    }

    /// Who holds the Lease, as far as is known.
    pub fn holder(&self) -> Option<&str> {
        match &self.seen {
            Seen::Record(record) => Some(record.entry.holder.as_str()).filter(|holder| !holder.is_empty()),
            Seen::Unknown | Seen::Nothing => None,
        }
    }

    /// The next moment at which the tenure begins or ends by itself.
    pub fn turn(&self, now: Boot) -> Boot {
        let turns = self.tenure().map(|tenure| [tenure.from, tenure.until]);
        turns.into_iter().flatten().filter(|turn| *turn > now).min().unwrap_or(Boot::NEVER)
    }

    /// Gives up whatever is held, and asks for nothing more.
    pub fn stop(&mut self) {
        self.leaving = Some(Leaving::Stopping);
        self.next_try = Boot::default();
    }

    /// What to do now. Only one thing at a time: not to be asked while something is under way.
    pub fn decide(&self, now: Boot) -> Action {
        if matches!(self.leaving, Some(Leaving::Stopping)) && self.claim.is_none() {
            return Action::Finish;
        }
        if now < self.next_try {
            return Action::Wait(self.next_try);
        }
        let quiet_until = self.last_news.plus(self.timing.silence());
        if self.doubt || (self.term.is_none() && now >= quiet_until) {
            return Action::Read;
        }
        let (free_from, take) = match &self.seen {
            Seen::Unknown => return Action::Read,
            Seen::Record(record) if self.is_ours(record) => {
                return if self.leaving.is_some() { Action::Release } else { Action::Renew };
            }
            Seen::Record(_) => (self.others_until, Action::Acquire),
            Seen::Nothing if now < self.succeed_until => (now, Action::Create),
            Seen::Nothing => (self.others_until.max(self.gap_until), Action::Create),
        };
        let free_from = free_from.max(self.rest_until);
        match self.leaving {
            Some(Leaving::Stopping) => Action::Finish,
            _ if now >= free_from => take,
            _ => Action::Wait(free_from.min(quiet_until)),
        }
    }

    /// The record is what this very candidate wrote. Its name alone does not say so: two processes may have been given the same.
    fn is_ours(&self, record: &Record) -> bool {
        let claimed = self.claim.as_ref().is_some_and(|claim| {
            record.entry.acquired == Some(claim.acquired) && record.entry.transitions == claim.transitions
        });
        let same_lease = self.term.as_ref().is_none_or(|term| term.epoch.uid == record.uid);
        claimed && same_lease && record.entry.holder == self.identity
    }
}
