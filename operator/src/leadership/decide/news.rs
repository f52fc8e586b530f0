//! What a candidate learns from news of the Lease and from answers to its own requests. Pure.

use std::time::Duration;

use super::super::Epoch;
use super::super::clock::Boot;
use super::super::record::Record;
use super::{Candidate, EAGER, Failure, Leaving, Seen, Term, Write};

/// News of the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The watch shows it. Watches report in order and leave nothing out.
    Watched(Record),
    /// The watch shows that it was deleted, and the resourceVersion of that.
    Deleted(u64),
    /// The watch began anew and shows nothing of what happened meanwhile.
    Gap,
    /// What a request found, which was sent after the last write was answered.
    Read(Option<Record>),
}

impl Candidate {
    /// Takes in news.
    pub fn observe(&mut self, news: News, now: Boot) {
        self.last_news = now;
        match news {
            News::Watched(record) => {
                self.watched = Some(record.uid.clone());
                if record.version < self.version {
                    self.hear_late(&record, now);
                } else {
                    self.prove(&record.uid);
                    self.find_newer(record, now);
                }
            }
            News::Deleted(version) if version >= self.version => {
                self.version = version;
                self.miss(now);
            }
            News::Deleted(_) => {}
            News::Gap => {
                self.gap_until = now.plus(self.timing.lease());
                self.doubt = true;
            }
            News::Read(found) => {
                self.doubt = false;
                match found {
                    Some(record) => self.find_newer(record, now),
                    None => self.miss(now),
                }
            }
        }
    }

    /// Takes in that a write was carried out. `pause` is the time to the next one.
    pub fn confirm(&mut self, write: &Write, record: Record, now: Boot, pause: Duration) {
        if write.is_late(now) {
            return self.fail(Failure::Unknown, now, pause);
        }
        self.outdated = 0;
        self.doubt = false;
        if record.version < self.version {
            return;
        }
        self.last_news = now;
        self.next_try = now.plus(pause);
        self.version = record.version;
        if write.entry.is_released() {
            self.others_until = now;
            self.let_go(now);
        } else {
            let mut claim = write.claim.clone();
            if self.claim.is_none() {
                // Somebody else was seen while this was under way.
                claim.earliest = claim.earliest.max(self.others_until);
            }
            self.claim = Some(claim.clone());
            let epoch = Epoch { uid: record.uid.clone(), transitions: claim.transitions };
            let renewed = write.sent;
            match &mut self.term {
                Some(term) if term.epoch == epoch => term.renewed = renewed,
                term => {
                    let unproven = claim.created.filter(|_| self.watched.as_ref() != Some(&epoch.uid));
                    let (acquired, earliest) = (claim.acquired, claim.earliest);
                    *term = Some(Term { epoch, acquired, renewed, earliest, unproven });
                }
            }
            self.heed(&record, now);
        }
        self.seen = Seen::Record(record);
    }

    /// Takes in that a request failed. `pause` is the time to the next one.
    pub fn fail(&mut self, failure: Failure, now: Boot, pause: Duration) {
        match failure {
            Failure::Outdated => {
                self.outdated += 1;
                self.doubt = true;
                // Somebody else wrote; what they wrote decides, so it is read at once.
                self.next_try = if self.outdated < EAGER { now } else { now.plus(pause) };
            }
            Failure::Unknown => {
                // A renewal is simply sent again: had it been carried out, the next one is outdated.
                self.doubt = self.doubt || self.term.is_none() || self.leaving.is_some();
                self.next_try = now.plus(pause);
            }
        }
    }

    /// A request to step down concerns whoever holds a term.
    fn heed(&mut self, record: &Record, now: Boot) {
        if record.step_down.is_some() && self.leaving.is_none() && self.term.is_some() {
            self.leaving = Some(Leaving::Asked);
            self.next_try = now;
        }
    }

    /// The Lease is there. What is known already teaches nothing.
    fn find_newer(&mut self, record: Record, now: Boot) {
        if record.version > self.version || matches!(self.seen, Seen::Unknown) {
            self.find(record, now);
        }
    }

    fn find(&mut self, record: Record, now: Boot) {
        self.version = record.version;
        if self.is_ours(&record) {
            self.heed(&record, now);
            self.seen = Seen::Record(record);
            return;
        }
        let entry = &record.entry;
        let before = match &self.seen {
            Seen::Record(before) => Some(before),
            Seen::Unknown | Seen::Nothing => None,
        };
        let renewed = before.is_none_or(|before| before.uid != record.uid || before.entry != *entry);
        if entry.is_released() {
            self.others_until = if renewed { now } else { self.others_until };
        } else if renewed && (before.is_none() || !entry.holder.is_empty()) {
            self.others_until = now.plus(entry.duration().unwrap_or(self.timing.lease()));
        }
        self.seen = Seen::Record(record);
        self.succeed_until = Boot::default();
        self.let_go(now);
    }

    /// The Lease is not there.
    fn miss(&mut self, now: Boot) {
        let lease = now.plus(self.timing.lease());
        match (&self.seen, self.tenure()) {
            (Seen::Nothing, _) => return,
            (Seen::Unknown, _) => self.others_until = now.plus(self.timing.newcomer()),
            (Seen::Record(_), Some(tenure)) => {
                self.others_until = lease;
                if tenure.covers(now) {
                    self.succeed_until = tenure.until;
                    self.next_try = now;
                }
            }
            (Seen::Record(_), None) => {}
        }
        self.seen = Seen::Nothing;
        self.let_go(now);
    }

    /// Ends the term, if there is one. Whoever was asked to leave lets others go first.
    fn let_go(&mut self, now: Boot) {
        self.term = None;
        self.claim = None;
        if matches!(self.leaving, Some(Leaving::Asked)) {
            self.leaving = None;
            self.rest_until = now.plus(self.timing.lease());
        }
    }

    /// The watch has shown everything that happened before this Lease was made.
    fn prove(&mut self, uid: &str) {
        if let Some(term) = self.term.as_mut().filter(|term| term.epoch.uid == uid) {
            term.unproven = None;
        }
    }

    /// What was there before the Lease that this candidate made: its holder may not know yet that it is gone.
    fn hear_late(&mut self, record: &Record, now: Boot) {
        let Some(term) = self.term.as_mut().filter(|term| term.unproven.is_some()) else { return };
        if record.uid != term.epoch.uid && !record.entry.holder.is_empty() {
            let duration = record.entry.duration().unwrap_or(self.timing.lease());
            term.earliest = term.earliest.max(now.plus(duration));
        }
    }
}
