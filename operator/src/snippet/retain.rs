//! Which revisions are kept, and when those that are not may go. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use jaas_api::status::{RevisionRecord, SyncStatus};
use jaas_storage::Revision;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// History and retired revisions after a publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Kept revisions, newest first, each once.
    pub history: Vec<RevisionRecord>,
    /// Revisions that are kept no longer and wait for their grace to end.
    pub retired: Vec<RevisionRecord>,
}

/// Brings `current` to the front of the history, cuts it to `limit`, and retires what falls out.
///
/// `announced` is what the artifact announced before: where a crash kept it out of the history, consumers may still be fetching
/// it, so it gets its grace like any other. What was `collected` since the last write is listed no more.
pub fn keep(
    status: &SyncStatus,
    current: Option<&Revision>,
    announced: Option<&Revision>,
    limit: i32,
    collected: &BTreeSet<Revision>,
    now: Timestamp,
) -> Kept {
    let mut history: Vec<RevisionRecord> = Vec::new();
    let head = current.map(|revision| {
        let revision = revision.to_string();
        // A revision that stays at the front keeps the time at which it came there.
        let time = status.history.first().filter(|record| record.revision == revision);
        RevisionRecord { time: time.map_or(Time(now), |record| record.time.clone()), revision }
    });
    let unrecorded = announced.map(|revision| RevisionRecord { revision: revision.to_string(), time: Time(now) });
    for record in head.into_iter().chain(status.history.iter().cloned()) {
        if !history.iter().any(|kept| kept.revision == record.revision) {
            history.push(record);
        }
    }
    let limit = usize::try_from(limit).unwrap_or_default().max(1);
    let dropped = history.split_off(limit.min(history.len()));
    let mut retired: Vec<RevisionRecord> = Vec::new();
    let leaving = dropped.into_iter().map(|record| RevisionRecord { time: Time(now), ..record });
    for record in status.retired.iter().cloned().chain(leaving).chain(unrecorded) {
        let known = history.iter().chain(&retired).any(|other| other.revision == record.revision);
        let gone = record.revision.parse().is_ok_and(|revision| collected.contains(&revision));
        if !known && !gone {
            retired.push(record);
        }
    }
    Kept { history, retired }
}

/// What can be collected now, and when there will be more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Revisions whose grace is over.
    pub expired: Vec<Revision>,
    /// Time until the next one's is.
    pub next: Option<Duration>,
}

/// Looks through the retired revisions. One that is kept again, or that is current, is not due.
pub fn due(status: Option<&SyncStatus>, grace: Duration, now: Timestamp) -> Due {
    let Some(status) = status else { return Due::default() };
    let mut due = Due::default();
    for record in &status.retired {
        let kept = status.history.iter().any(|kept| kept.revision == record.revision)
            || status.revision.as_deref() == Some(record.revision.as_str());
        if kept {
            continue;
        }
        let left = grace.saturating_sub(age(record, now));
        if !left.is_zero() {
            due.next = Some(due.next.map_or(left, |next| next.min(left)));
        } else if let Ok(revision) = record.revision.parse() {
            due.expired.push(revision);
        }
    }
    due
}

/// What a full store need not hold: everything but the current revision, what is `announced`, and the newest `limit` of the history.
/// Their grace is not waited for: who fetches one of them now gets the current one next time, while a full store publishes nothing.
pub fn surplus(status: &SyncStatus, limit: i32, announced: Option<&Revision>) -> Vec<Revision> {
    let limit = usize::try_from(limit).unwrap_or_default().max(1);
    let kept: BTreeSet<&str> = status.history.iter().take(limit).map(|record| record.revision.as_str()).collect();
    let current = status.revision.as_deref();
    let beyond = status.history.iter().skip(limit).chain(&status.retired);
    let named: BTreeSet<Revision> = beyond
        .filter(|record| current != Some(&record.revision) && !kept.contains(record.revision.as_str()))
        .filter_map(|record| record.revision.parse().ok())
        .collect();
    named.into_iter().filter(|revision| announced != Some(revision)).collect()
}

fn age(record: &RevisionRecord, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(record.time.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GRACE: Duration = Duration::from_secs(300);

    fn revision(letter: char) -> Revision {
        Revision::of_document(letter.to_string().as_bytes())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn records(list: &[(char, i64)]) -> Vec<RevisionRecord> {
        list.iter()
            .map(|(letter, seconds)| RevisionRecord {
                revision: revision(*letter).to_string(),
                time: Time(at(*seconds)),
            })
            .collect()
    }

    fn status(history: &[(char, i64)], retired: &[(char, i64)]) -> SyncStatus {
        SyncStatus { history: records(history), retired: records(retired), ..SyncStatus::default() }
    }

    fn kept(status: &SyncStatus, current: char, limit: i32, now: i64) -> Kept {
        keep(status, Some(&revision(current)), None, limit, &BTreeSet::new(), at(now))
    }

    #[test]
    fn a_new_revision_goes_to_the_front_and_pushes_the_oldest_out() {
        let before = status(&[('b', 20), ('a', 10)], &[]);
        let expected = Kept { history: records(&[('c', 30), ('b', 20)]), retired: records(&[('a', 30)]) };
        assert_eq!(kept(&before, 'c', 2, 30), expected);
    }

    #[test]
    fn the_same_revision_changes_nothing() {
        let before = status(&[('b', 20), ('a', 10)], &[]);
        assert_eq!(kept(&before, 'b', 2, 30), Kept { history: before.history.clone(), retired: Vec::new() });
    }

    #[test]
    fn a_revision_that_comes_back_is_listed_once_and_is_retired_no_longer() {
        let before = status(&[('b', 20)], &[('a', 20)]);
        let expected = Kept { history: records(&[('a', 30), ('b', 20)]), retired: Vec::new() };
        assert_eq!(kept(&before, 'a', 2, 30), expected);
    }

    #[test]
    fn a_smaller_limit_retires_what_is_beyond_it() {
        let before = status(&[('c', 30), ('b', 20), ('a', 10)], &[]);
        let expected = Kept { history: records(&[('c', 30)]), retired: records(&[('b', 40), ('a', 40)]) };
        assert_eq!(kept(&before, 'c', 1, 40), expected);
        assert_eq!(kept(&before, 'c', 0, 40), expected);
    }

    #[test]
    fn what_was_announced_but_never_recorded_gets_its_grace() {
        let before = status(&[('a', 10)], &[]);
        let after = keep(&before, Some(&revision('c')), Some(&revision('b')), 2, &BTreeSet::new(), at(30));
        assert_eq!(after, Kept { history: records(&[('c', 30), ('a', 10)]), retired: records(&[('b', 30)]) });
    }

    #[test]
    fn what_was_collected_is_listed_no_more() {
        let before = status(&[('c', 10)], &[('a', 5), ('b', 6)]);
        let collected = BTreeSet::from([revision('a')]);
        let after = keep(&before, Some(&revision('c')), None, 1, &collected, at(30));
        assert_eq!(after.retired, records(&[('b', 6)]));
    }

    #[test]
    fn a_revision_is_due_when_its_grace_is_over() {
        let waiting = status(&[('c', 30)], &[('a', 100), ('b', 200)]);
        assert_eq!(due(Some(&waiting), GRACE, at(300)), Due { expired: vec![], next: Some(Duration::from_secs(100)) });
        let one = Due { expired: vec![revision('a')], next: Some(Duration::from_secs(100)) };
        assert_eq!(due(Some(&waiting), GRACE, at(400)), one);
        let both = Due { expired: vec![revision('a'), revision('b')], next: None };
        assert_eq!(due(Some(&waiting), GRACE, at(500)), both);
        assert_eq!(due(Some(&waiting), Duration::ZERO, at(200)), both);
    }

    #[test]
    fn a_full_store_holds_only_what_is_kept_and_what_is_announced() {
        let mut full = status(&[('d', 4), ('c', 3), ('b', 2)], &[('a', 1), ('d', 0)]);
        full.revision = Some(revision('d').to_string());
        let surplus_of = |limit, announced: Option<char>| {
            let mut letters: Vec<_> = surplus(&full, limit, announced.map(revision).as_ref());
            letters.sort();
            letters
        };
        let revisions = |letters: &str| {
            let mut all: Vec<_> = letters.chars().map(revision).collect();
            all.sort();
            all
        };
        assert_eq!(surplus_of(3, None), revisions("a"));
        assert_eq!(surplus_of(1, None), revisions("abc"));
        assert_eq!(surplus_of(0, Some('b')), revisions("ac"));
    }

    #[test]
    fn what_is_kept_or_current_is_never_due() {
        let mut odd = status(&[('a', 10)], &[('a', 0), ('b', 0)]);
        odd.revision = Some(revision('b').to_string());
        assert_eq!(due(Some(&odd), GRACE, at(10_000)), Due::default());
    }
}
