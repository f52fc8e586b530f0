//! What must be true of a round. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Method;
use jaas_tests::apiproxy::Call;
use jiff::Timestamp;

use super::audit::{History, Term, Write};
use super::readers::{Kind, Met};
use super::schedule::{Fault, Round};

/// What the paths of artifacts end with.
pub(super) const FILE: &str = ".tar.gz";
/// Consumers that came within this time of a fault may have met it, where times are not stretched: one who asked before it may have waited as long for an answer, and a
/// balancer and a replica that comes back take a moment.
const NOTICED: Duration = Duration::from_secs(5);
/// Fewest writes of which a round can be judged.
const FEWEST: usize = 20;

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) invariant: &'static str,
    pub(super) seen: String,
}

/// What was done, and when.
#[derive(Clone, Debug)]
pub(super) struct Struck {
    /// When the leader was lost, each time.
    pub(super) losses: Vec<Timestamp>,
    /// When it began.
    pub(super) from: Instant,
    /// When it was over.
    pub(super) until: Instant,
    /// Changes of objects and of the bucket that the servers got when it was over, with what they answered.
    pub(super) late: Vec<Call>,
}

/// What was measured, by fault.
#[derive(Debug, Default)]
pub(super) struct Times {
    publishes: BTreeMap<String, Vec<Duration>>,
    served: u64,
    failures: BTreeMap<String, u64>,
    writes: u64,
    late: u64,
    conflicts: u64,
}

pub(super) fn finding(invariant: &'static str, seen: impl Into<String>) -> Finding {
    Finding { invariant, seen: seen.into() }
}

/// Judges the writes: each names a term that had begun, and no older term changes what a newer one has written.
pub(super) fn writes(history: &History) -> Vec<Finding> {
    let mut findings = Vec::new();
    if history.writes.len() < FEWEST {
        findings.push(finding("run", format!("only {} writes", history.writes.len())));
    }
    let begun = |term: &Term| history.terms.iter().find(|(_, one)| *one == term).map(|(version, _)| *version);
    let mut objects: BTreeMap<&str, Vec<&Write>> = BTreeMap::new();
    for write in &history.writes {
        let Some(term) = &write.term else {
            findings.push(finding("I8", format!("{} names no term", write.what)));
            continue;
        };
        if write.uid.is_empty() {
            findings.push(finding("run", format!("{} tells of no object", write.what)));
            continue;
        }
        match begun(term) {
            None => findings.push(finding("I8", format!("{} names a term that nobody had", write.what))),
            Some(begun) if write.version.is_some_and(|version| version < begun) => {
                findings.push(finding("I8", format!("{} came before its term", write.what)));
            }
            Some(_) => objects.entry(&write.uid).or_default().push(write),
        }
    }
    for writes in objects.values_mut() {
        // A deletion is the last that can happen to a uid.
        writes.sort_by_key(|write| write.version.unwrap_or(u64::MAX));
        for (before, after) in writes.iter().zip(writes.iter().skip(1)) {
            let rank = |write: &Write| write.term.as_ref().and_then(|term| history.rank(term));
            if rank(before) > rank(after) {
                findings.push(finding("I8", format!("{} changes what {} had written", after.what, before.what)));
            }
        }
    }
    findings
}

/// Judges the deletions that arrived late: each was decided in a term that is long over, and what it names may be announced again.
pub(super) fn late(struck: &Struck) -> Vec<Finding> {
    let is_done = |call: &&Call| call.method == Method::DELETE && call.status.is_none_or(|status| status.is_success());
    let done = struck.late.iter().filter(is_done);
    done.filter(|call| call.path.ends_with(FILE))
        .map(|call| finding("I2", format!("{} was deleted late", call.path)))
        .collect()
}

/// Judges what consumers met.
pub(super) fn fetches(round: &Round, struck: &Struck, met: &Met) -> Vec<Finding> {
    let mut findings = Vec::new();
    let asked = met.served.len() + met.failures.len() + met.changed;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand requests")]
    let rate = asked as f64 / met.lasted.as_secs_f64();
    if rate < round.least_rate() {
        findings.push(finding("run", format!("only {rate:.0} requests each second")));
    }
    let noticed = NOTICED * round.stretch;
    for failure in &met.failures {
        let during = (struck.from - noticed..struck.until + noticed).contains(&failure.at);
        let invariant = match failure.kind {
            Kind::Wrong => "I1",
            Kind::Missing => "I2",
            Kind::Away if round.is_calm() || !during => "I1",
            Kind::Away => continue,
        };
        let since = failure.at.saturating_duration_since(struck.from).as_millis();
        findings.push(finding(invariant, format!("{since} ms after the fault began: {}", failure.seen)));
    }
    if round.fault == Fault::Empty {
        let served = met.served.iter().filter(|served| served.asked > struck.until).map(|served| served.answered);
        let took = served.min().map(|at| at.duration_since(struck.until));
        if took.is_none_or(|took| took > round.serves_within()) {
            findings.push(finding("I7", format!("the first artifact came {took:?} after the directory was emptied")));
        }
    }
    findings
}

/// How long after each loss another leader had announced an artifact.
pub(super) fn publishes(history: &History, struck: &Struck) -> Vec<Option<Duration>> {
    let after = |loss: &Timestamp| {
        let led = history.writes.iter().rfind(|write| write.at < *loss).and_then(|write| write.term.clone());
        let next = history.writes.iter().find(|write| {
            let announces = write.resource == "externalartifacts" && write.subresource == "status";
            write.at > *loss && announces && write.version.is_some() && write.term != led
        });
        next.and_then(|write| Duration::try_from(write.at.duration_since(*loss)).ok())
    };
    struck.losses.iter().map(after).collect()
}

impl Times {
    /// Notes a round, and answers the publishes that came too late.
    pub(super) fn add(&mut self, round: &Round, history: &History, struck: &Struck, met: &Met) -> Vec<Finding> {
        let name = format!("{:?}, lease {} s", round.fault, round.terms.lease.as_secs());
        self.served += met.served.len() as u64;
        self.writes += history.writes.len() as u64;
        self.conflicts += history.conflicts;
        self.late += struck.late.len() as u64;
        *self.failures.entry(name.clone()).or_default() += met.failures.len() as u64;
        let mut findings = Vec::new();
        for took in publishes(history, struck) {
            match (took, round.publishes_within()) {
                (None, _) => findings.push(finding("I7", "nobody else published")),
                (Some(took), Some(limit)) if took > limit => {
                    findings.push(finding("I7", format!("another published after {took:?}, and not within {limit:?}")));
                }
                (Some(took), _) => self.publishes.entry(name.clone()).or_default().push(took),
            }
        }
        findings
    }

    /// The notes, a line each.
    pub(super) fn told(mut self) -> Vec<String> {
        let mut told = vec![format!(
            "{} writes judged, {} refused as conflicts, {} arrived late; {} requests served",
            self.writes, self.conflicts, self.late, self.served
        )];
        for (name, times) in &mut self.publishes {
            times.sort();
            let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
            told.push(format!(
                "{name}: next publish after {median:.2?} at the median, {most:.2?} at most, of {}",
                times.len()
            ));
        }
        let failed = self.failures.iter().filter(|(_, count)| **count > 0);
        told.extend(failed.map(|(name, count)| format!("{name}: {count} requests failed while it lasted")));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(transitions: i64) -> Term {
        Term { lease: "l".to_owned(), transitions }
    }

    fn write(version: Option<u64>, by: Option<i64>, uid: &str) -> Write {
        Write {
            at: Timestamp::UNIX_EPOCH,
            version,
            resource: "externalartifacts".to_owned(),
            subresource: "status".to_owned(),
            uid: uid.to_owned(),
            term: by.map(term),
            what: format!("{version:?}"),
        }
    }

    /// Terms 1 and 2 began at versions 10 and 20.
    fn found(writes_there: &[Write]) -> Vec<String> {
        let terms = BTreeMap::from([(10, term(1)), (20, term(2))]);
        let filler = (0..FEWEST as u64).map(|index| write(Some(100 + index), Some(2), "filler"));
        let writes_there = filler.chain(writes_there.iter().cloned()).collect();
        let history = History { terms, writes: writes_there, conflicts: 0 };
        writes(&history).into_iter().map(|finding| finding.seen).collect()
    }

    #[test]
    fn terms_in_order_are_right_also_where_the_older_one_writes_what_the_newer_never_touched() {
        let late = write(Some(25), Some(1), "b");
        assert_eq!(found(&[write(Some(11), Some(1), "a"), write(Some(21), Some(2), "a"), late]), [""; 0]);
    }

    #[test]
    fn an_older_term_after_a_newer_one_is_found_whatever_the_order_of_the_log() {
        let (newer, older) = (write(Some(21), Some(2), "a"), write(Some(22), Some(1), "a"));
        for writes in [[newer.clone(), older.clone()], [older, newer.clone()]] {
            assert_eq!(found(&writes), ["Some(22) changes what Some(21) had written"]);
        }
        let deletion = write(None, Some(1), "a");
        assert_eq!(found(&[deletion, newer]), ["None changes what Some(21) had written"]);
    }

    #[test]
    fn a_deletion_that_arrives_late_is_refused() {
        let call = |method, path: &str, status| Call {
            method,
            path: path.to_owned(),
            query: String::new(),
            verb: jaas_tests::apiproxy::Verb::Write,
            status: http::StatusCode::from_u16(status).ok(),
        };
        let found = |late| {
            let now = Instant::now();
            super::late(&Struck { losses: Vec::new(), from: now, until: now, late: vec![late] }).len()
        };
        assert_eq!(found(call(Method::DELETE, "/b/a/x.tar.gz", 403)), 0);
        assert_eq!(found(call(Method::DELETE, "/b/a/x.tar.gz", 204)), 1);
        assert_eq!(
            found(call(Method::PUT, "/b/a/x.tar.gz", 200)) + found(call(Method::DELETE, "/b/.jaas-probe/1", 204)),
            0
        );
    }

    #[test]
    fn a_write_names_a_term_that_had_begun() {
        assert_eq!(found(&[write(Some(30), None, "a")]), ["Some(30) names no term"]);
        assert_eq!(found(&[write(Some(30), Some(3), "a")]), ["Some(30) names a term that nobody had"]);
        assert_eq!(found(&[write(Some(15), Some(2), "a")]), ["Some(15) came before its term"]);
        assert_eq!(found(&[write(Some(30), Some(2), "")]), ["Some(30) tells of no object"]);
    }
}
