//! A Lease that is not there, any more or yet.

use super::super::{Action, News};
use super::{PAUSE, at, candidate, date, held, leader, leads, written};

#[test]
fn a_leader_whose_lease_is_deleted_makes_it_anew_as_another_term() {
    let (mut me, _) = leader(at(0));
    let before = me.tenure().unwrap().epoch;
    me.observe(News::Deleted(20), at(1_000));
    assert_eq!((me.tenure(), me.decide(at(1_000))), (None, Action::Create));
    let write = me.begin(Action::Create, at(1_000), date(9));
    let made = written(&write, "v", 21);
    me.confirm(&write, made.clone(), at(1_001), PAUSE);
    assert!(!leads(&me, at(1_001)), "others may have been there before");
    me.observe(News::Watched(made), at(1_002));
    assert!(leads(&me, at(1_002)));
    assert_ne!(me.tenure().unwrap().epoch, before);
}

#[test]
fn one_who_cannot_know_what_became_of_a_deleted_lease_waits() {
    // The term had ended before the deletion was seen.
    let (mut late, _) = leader(at(0));
    late.observe(News::Deleted(20), at(9_500));
    assert_eq!(late.decide(at(9_500)), Action::Wait(at(13_500)));
    late.last_news = at(24_500);
    assert_eq!(late.decide(at(24_500)), Action::Create);
    // It was somebody else's.
    let mut standby = candidate();
    standby.observe(News::Read(Some(held("u", 10, 1))), at(0));
    standby.observe(News::Deleted(20), at(14_000));
    assert_eq!(standby.decide(at(14_999)), Action::Wait(at(15_000)));
    assert_eq!(standby.decide(at(15_000)), Action::Create);
    // The watch began anew meanwhile.
    standby.observe(News::Gap, at(15_000));
    standby.observe(News::Read(None), at(15_001));
    standby.last_news = at(29_999);
    assert_eq!(standby.decide(at(29_999)), Action::Wait(at(30_000)));
}

#[test]
fn a_lease_made_while_the_watch_lags_counts_once_the_past_is_known() {
    let make = || {
        let mut me = candidate();
        me.observe(News::Read(None), at(0));
        let write = me.begin(Action::Create, at(2_400), date(1));
        let made = written(&write, "v", 30);
        me.confirm(&write, made.clone(), at(2_410), PAUSE);
        (me, made)
    };
    let (me, _) = make();
    assert!(!leads(&me, at(17_399)) && me.tenure().unwrap().from == at(17_400));
    let (mut me, made) = make();
    me.observe(News::Watched(held("u", 20, 1)), at(3_000));
    me.observe(News::Deleted(29), at(3_000));
    me.observe(News::Watched(made), at(3_000));
    assert_eq!(me.tenure().unwrap().from, at(18_000));
}

#[test]
fn a_lease_that_was_made_long_ago_is_asked_for_again() {
    let mut me = candidate();
    me.observe(News::Read(None), at(0));
    let write = me.begin(Action::Create, at(2_400), date(1));
    me.confirm(&write, written(&write, "v", 30), at(7_401), PAUSE);
    assert_eq!((me.tenure(), me.decide(at(9_401))), (None, Action::Read));
}
