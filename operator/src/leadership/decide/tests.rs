#![allow(clippy::unwrap_used)]

mod absent;

use std::time::Duration;

use jiff::Timestamp;

use super::super::clock::Boot;
use super::super::record::{Entry, Record};
use super::super::timing::Timing;
use super::{Action, Candidate, Failure, News, Write};

const PAUSE: Duration = Duration::from_secs(2);

fn at(milliseconds: u64) -> Boot {
    Boot::at(Duration::from_millis(milliseconds))
}

fn date(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn candidate() -> Candidate {
    Candidate::new("me".to_owned(), Timing::default(), at(0))
}

/// A record of somebody else, whose dates are far off.
fn held(uid: &str, version: u64, renewed: i64) -> Record {
    let (acquired, renewed) = (Some(date(4_000_000_000)), Some(date(renewed)));
    let entry = Entry { holder: "other".to_owned(), seconds: 15, acquired, renewed, transitions: 7 };
    Record { uid: uid.to_owned(), version, entry, step_down: None }
}

fn released(version: u64) -> Record {
    let held = held("u", version, 1);
    Record { entry: held.entry.released(date(1)), ..held }
}

fn written(write: &Write, uid: &str, version: u64) -> Record {
    Record { uid: uid.to_owned(), version, entry: write.entry.clone(), step_down: None }
}

/// One who took over at `now` what had been let go.
fn leader(now: Boot) -> (Candidate, Record) {
    let mut me = candidate();
    me.observe(News::Read(Some(released(10))), now);
    assert_eq!(me.decide(now), Action::Acquire);
    let write = me.begin(Action::Acquire, now, date(5));
    let record = written(&write, "u", 11);
    me.confirm(&write, record.clone(), now, PAUSE);
    (me, record)
}

fn leads(me: &Candidate, now: Boot) -> bool {
    me.tenure().is_some_and(|tenure| tenure.covers(now))
}

#[test]
fn what_is_found_first_decides_how_long_to_wait() {
    let erased = |seconds| {
        let mut record = held("u", 10, 1);
        record.entry.holder = String::new();
        record.entry.seconds = seconds;
        Some(record)
    };
    let same_name = || {
        let mut record = held("u", 10, 1);
        record.entry.holder = "me".to_owned();
        Some(record)
    };
    let cases = [
        ("no Lease", None, 2_400, Action::Create),
        ("held", Some(held("u", 10, 1)), 15_000, Action::Acquire),
        ("released", Some(released(10)), 0, Action::Acquire),
        ("erased by hand", erased(15), 15_000, Action::Acquire),
        ("never filled in", erased(0), 0, Action::Acquire),
        ("held by another process of the same name", same_name(), 15_000, Action::Acquire),
    ];
    for (what, found, wait, action) in cases {
        let mut me = candidate();
        assert_eq!(me.decide(at(0)), Action::Read, "{what}");
        me.observe(News::Read(found), at(0));
        // News without a change keeps the candidate from asking, and must not make it wait longer.
        if wait > 0 {
            me.last_news = at(wait - 1);
            assert_eq!(me.decide(at(wait - 1)), Action::Wait(at(wait)), "{what}");
        }
        me.last_news = at(wait);
        assert_eq!(me.decide(at(wait)), action, "{what}");
    }
}

#[test]
fn a_renewal_prolongs_the_wait_and_an_annotation_does_not() {
    let mut me = candidate();
    me.observe(News::Read(Some(held("u", 10, 1))), at(0));
    me.observe(News::Watched(held("u", 11, 2)), at(14_000));
    let asked = Record { step_down: Some("t".to_owned()), ..held("u", 12, 2) };
    me.observe(News::Watched(asked), at(28_000));
    assert_eq!(me.decide(at(28_999)), Action::Wait(at(29_000)));
    assert_eq!(me.decide(at(29_000)), Action::Acquire);
    let write = me.begin(Action::Acquire, at(29_000), date(1));
    assert_eq!((write.entry.transitions, write.answer.as_deref()), (8, Some("t")));
}

#[test]
fn silence_makes_a_stand_by_ask() {
    let mut me = candidate();
    me.observe(News::Read(Some(held("u", 10, 1))), at(0));
    assert_eq!(me.decide(at(3_999)), Action::Wait(at(4_000)));
    assert_eq!(me.decide(at(4_000)), Action::Read);
    me.fail(Failure::Unknown, at(4_100), PAUSE);
    assert_eq!(me.decide(at(4_100)), Action::Wait(at(6_100)));
}

#[test]
fn a_term_lasts_from_the_sending_of_its_last_renewal() {
    let (mut me, _) = leader(at(100));
    assert!(leads(&me, at(100)) && leads(&me, at(9_099)) && !leads(&me, at(9_100)));
    assert_eq!(me.decide(at(2_099)), Action::Wait(at(2_100)));
    assert_eq!(me.decide(at(2_100)), Action::Renew);
    let write = me.begin(Action::Renew, at(2_100), date(7));
    assert_eq!((write.entry.acquired, write.entry.transitions), (Some(date(5)), 8));
    me.confirm(&write, written(&write, "u", 12), at(6_000), PAUSE);
    assert!(leads(&me, at(11_099)) && !leads(&me, at(11_100)));
    me.fail(Failure::Unknown, at(8_000), PAUSE);
    assert_eq!(me.decide(at(10_000)), Action::Renew);
    assert_eq!(me.begin(Action::Renew, at(10_000), date(7)).limit, Duration::from_millis(1_100));
}

#[test]
fn anything_but_its_own_record_ends_a_term_at_once() {
    let (_, own) = leader(at(0));
    let edited = |edit: fn(&mut Record)| {
        let mut record = Record { version: 20, ..own.clone() };
        edit(&mut record);
        record
    };
    let cases = [
        ("another holder", held("u", 20, 1)),
        ("another Lease", edited(|record| record.uid = "v".to_owned())),
        ("another count", edited(|record| record.entry.transitions = 0)),
        ("another process of the same name", edited(|record| record.entry.acquired = Some(date(6)))),
        ("an erased name", edited(|record| record.entry.holder = String::new())),
    ];
    for (what, record) in cases {
        for news in [News::Watched(record.clone()), News::Read(Some(record))] {
            let (mut me, _) = leader(at(0));
            me.observe(news, at(1));
            assert_eq!(me.tenure(), None, "{what}");
        }
    }
}

#[test]
fn late_news_does_not_end_a_term() {
    let (mut me, own) = leader(at(0));
    me.observe(News::Watched(released(10)), at(1));
    me.observe(News::Deleted(9), at(1));
    me.observe(News::Watched(own), at(1));
    assert!(leads(&me, at(1)));
}

#[test]
fn an_answer_that_comes_after_newer_news_begins_no_term() {
    let mut me = candidate();
    me.observe(News::Read(Some(released(10))), at(0));
    let write = me.begin(Action::Acquire, at(0), date(5));
    me.observe(News::Deleted(12), at(1));
    me.confirm(&write, written(&write, "u", 11), at(2), PAUSE);
    assert_eq!(me.tenure(), None);
}

#[test]
fn an_answer_that_was_lost_is_recognized() {
    let mut me = candidate();
    me.observe(News::Read(Some(released(10))), at(0));
    let write = me.begin(Action::Acquire, at(0), date(5));
    me.fail(Failure::Unknown, at(5_000), PAUSE);
    assert_eq!((me.decide(at(5_000)), me.decide(at(7_000))), (Action::Wait(at(7_000)), Action::Read));
    me.observe(News::Read(Some(written(&write, "u", 11))), at(7_001));
    assert_eq!((leads(&me, at(7_001)), me.decide(at(7_001))), (false, Action::Renew));
    let again = me.begin(Action::Renew, at(7_001), date(6));
    me.confirm(&again, written(&again, "u", 12), at(7_002), PAUSE);
    assert!(leads(&me, at(7_002)));
}

#[test]
fn one_who_is_asked_to_step_down_lets_go_answers_and_rests() {
    let (mut me, own) = leader(at(0));
    let asked = Record { version: 12, step_down: Some("t".to_owned()), ..own };
    me.observe(News::Watched(asked), at(1_000));
    assert_eq!((me.tenure(), me.decide(at(1_000))), (None, Action::Release));
    let write = me.begin(Action::Release, at(1_000), date(6));
    assert_eq!((write.answer.as_deref(), write.entry.is_released()), (Some("t"), true));
    me.confirm(&write, written(&write, "u", 13), at(1_001), PAUSE);
    me.last_news = at(16_000);
    assert_eq!(me.decide(at(16_000)), Action::Wait(at(16_001)));
    assert_eq!(me.decide(at(16_001)), Action::Acquire);
}

#[test]
fn one_who_stops_lets_go_and_asks_for_nothing_more() {
    let (mut me, _) = leader(at(0));
    me.stop();
    assert_eq!((me.tenure(), me.decide(at(1))), (None, Action::Release));
    let write = me.begin(Action::Release, at(1), date(6));
    me.fail(Failure::Outdated, at(2), PAUSE);
    assert_eq!(me.decide(at(2)), Action::Read);
    me.observe(News::Read(Some(Record { version: 12, ..leader(at(0)).1 })), at(3));
    assert_eq!(me.decide(at(3)), Action::Release);
    me.confirm(&write, written(&write, "u", 13), at(4), PAUSE);
    assert_eq!(me.decide(at(4)), Action::Finish);
    let mut standby = candidate();
    standby.observe(News::Read(Some(held("u", 10, 1))), at(0));
    standby.stop();
    assert_eq!(standby.decide(at(0)), Action::Finish);
}

#[test]
fn meeting_others_writes_again_and_again_makes_it_pause() {
    let (mut me, own) = leader(at(0));
    let decisions: Vec<_> = (12..15)
        .map(|version| {
            me.fail(Failure::Outdated, at(2_100), PAUSE);
            let decision = me.decide(at(2_100));
            me.observe(News::Read(Some(Record { version, ..own.clone() })), at(2_100));
            decision
        })
        .collect();
    assert_eq!(decisions, [Action::Read, Action::Read, Action::Wait(at(4_100))]);
}
