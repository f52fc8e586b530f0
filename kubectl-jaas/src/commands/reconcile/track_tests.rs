//! Values for the bookkeeping of requests and answers.

use serde_json::json;

use super::*;

const TOKEN: &str = "2026-11-22T14:33:01.000000000Z#01J8ZK4TQ2";
const NOW: Duration = Duration::from_millis(1500);

fn key() -> Key {
    Key { namespace: "a".into(), name: "web".into() }
}

fn request() -> Request {
    Request { sequence: Some(10), generation: 2 }
}

/// A snippet with resource version, current request, answered request, and Ready status with reason.
fn snippet(version: u64, asked: &str, handled: &str, generation: i64, ready: (&str, &str)) -> Snippet {
    serde_json::from_value(json!({
        "metadata": {
            "namespace": "a", "name": "web", "resourceVersion": version.to_string(),
            "annotations": {"reconcile.fluxcd.io/requestedAt": asked}
        },
        "status": {
            "observedGeneration": generation, "lastHandledReconcileAt": handled,
            "conditions": [{"type": "Ready", "status": ready.0, "reason": ready.1, "message": "so it is",
                "lastTransitionTime": "2026-11-22T14:33:01Z"}]
        }
    }))
    .unwrap()
}

fn tracker() -> Tracker {
    let mut tracker = Tracker::new(TOKEN.to_owned());
    tracker.plan(key());
    tracker
}

fn outcome_of(snippet: Snippet) -> Option<TargetOutcome> {
    let mut tracker = tracker();
    tracker.asked(&key(), request(), Duration::ZERO);
    tracker.seen(snippet, NOW).map(|target| target.outcome)
}

#[test]
fn our_own_token_is_an_answer_once_the_generation_is_observed() {
    assert_eq!(outcome_of(snippet(11, TOKEN, TOKEN, 2, ("True", "Synced"))), Some(TargetOutcome::Synced));
    assert_eq!(outcome_of(snippet(11, TOKEN, TOKEN, 1, ("True", "Synced"))), None);
    assert_eq!(outcome_of(snippet(11, TOKEN, "earlier", 2, ("True", "Synced"))), None);
}

#[test]
fn a_later_request_of_somebody_else_answers_ours() {
    assert_eq!(outcome_of(snippet(12, "please", "please", 2, ("True", "Synced"))), Some(TargetOutcome::Synced));
    let later = "2026-11-22T14:34:00Z";
    assert_eq!(outcome_of(snippet(12, "third", later, 2, ("True", "Synced"))), Some(TargetOutcome::Synced));
}

#[test]
fn an_earlier_request_of_somebody_else_does_not() {
    assert_eq!(outcome_of(snippet(9, "please", "please", 2, ("True", "Synced"))), None);
    assert_eq!(outcome_of(snippet(12, "third", "2026-11-22T14:32:00Z", 2, ("True", "Synced"))), None);
}

#[test]
fn the_ready_condition_decides_the_outcome() {
    let cases = [
        (("True", "Synced"), TargetOutcome::Synced),
        (("False", "EvaluationFailed"), TargetOutcome::Failed),
        (("False", "Suspended"), TargetOutcome::Suspended),
        (("Unknown", "Pending"), TargetOutcome::Unknown),
    ];
    for (ready, outcome) in cases {
        assert_eq!(outcome_of(snippet(11, TOKEN, TOKEN, 2, ready)), Some(outcome), "{ready:?}");
    }
}

#[test]
fn an_answer_may_be_seen_before_the_request_is_known_to_be_written() {
    let mut tracker = tracker();
    assert_eq!(tracker.seen(snippet(11, TOKEN, TOKEN, 2, ("True", "Synced")), NOW), None);
    assert!(!tracker.is_settled());
    let target = tracker.asked(&key(), request(), NOW).unwrap();
    assert_eq!((target.outcome, target.seconds), (TargetOutcome::Synced, Some(0.0)));
    assert!(tracker.is_settled());
}

#[test]
fn a_deleted_snippet_counts_as_gone() {
    let mut tracker = tracker();
    tracker.asked(&key(), request(), NOW);
    assert_eq!(tracker.gone(&key()).unwrap().outcome, TargetOutcome::Removed);
    assert_eq!(tracker.gone(&key()), None);
    assert!(tracker.is_settled());
}

#[test]
fn a_relist_shows_who_is_gone() {
    let mut tracker = tracker();
    tracker.asked(&key(), request(), NOW);
    assert_eq!(tracker.only(&BTreeSet::from([key()])), []);
    assert_eq!(tracker.only(&BTreeSet::new()).len(), 1);
}

#[test]
fn whoever_has_no_outcome_gets_one_at_the_end() {
    let outcome = |tracker: Tracker, is_dry, waits| tracker.finish(is_dry, waits).remove(0).outcome;
    assert_eq!(outcome(tracker(), true, true), TargetOutcome::WouldChange);
    assert_eq!(outcome(tracker(), false, true), TargetOutcome::Skipped);
    let mut waiting = tracker();
    waiting.asked(&key(), request(), NOW);
    assert_eq!(outcome(waiting.clone(), false, true), TargetOutcome::Unanswered);
    assert_eq!(outcome(waiting, false, false), TargetOutcome::Asked);
}
