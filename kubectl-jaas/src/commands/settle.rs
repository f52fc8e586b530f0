//! Waits until each of some snippets is as it should be, on one watch.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::Invocation;
use super::ending::Ending;
use super::watch::{Change, Watch};
use crate::progress::Progress;
use crate::session::{Error, Session};
use crate::snippet::{Key, Snippet};
use crate::view::{Target, TargetOutcome};

/// Reason word of a suspended snippet.
const SUSPENDED: &str = "Suspended";

/// Waits with these, until then.
pub(super) struct Waiting<'a> {
    pub(super) session: &'a Session,
    pub(super) invocation: &'a Invocation<'a>,
    pub(super) deadline: Instant,
}

/// Tells the outcome of a snippet, once it has one.
pub(super) type Judge = fn(&Key, &Snippet) -> Option<Target>;

impl Waiting<'_> {
    /// One outcome for each snippet. Who has none at the end is unanswered, with its condition as it is then.
    pub(super) async fn until(
        &self,
        watch: &mut Watch,
        snippets: impl IntoIterator<Item = Snippet>,
        judge: Judge,
    ) -> (Vec<Target>, Ending) {
        let mut settled = BTreeMap::new();
        let mut waiting: BTreeMap<Key, Snippet> = BTreeMap::new();
        for snippet in snippets {
            let key = snippet.key();
            match judge(&key, &snippet) {
                Some(target) => drop(settled.insert(key, target)),
                None => drop(waiting.insert(key, snippet)),
            }
        }
        let begun = self.invocation.run.elapsed();
        let mut stop = self.invocation.stop.clone();
        let mut tick = tokio::time::interval(std::time::Duration::from_secs(1));
        let mut ending = Ending::Complete;
        while !waiting.is_empty() {
            let change = tokio::select! {
                signal = stop.signalled() => { ending = Ending::Stopped(signal); break }
                () = tokio::time::sleep_until(self.deadline) => { ending = Ending::Deadline; break }
                change = watch.change() => change.map_err(|error| self.session.classify(&watch.call(), error)),
                _ = tick.tick() => { self.advance(&settled, &waiting, begun); continue }
            };
            match change {
                Ok(Change::Seen(snippet)) => {
                    let key = snippet.key();
                    let Some(known) = waiting.get_mut(&key) else { continue };
                    *known = *snippet;
                    if let Some(target) = judge(&key, known) {
                        waiting.remove(&key);
                        self.invocation.listener.settle(&target);
                        settled.insert(key, target);
                    }
                }
                Ok(Change::Gone(key)) => drop(waiting.remove(&key).map(|_| settled.insert(key.clone(), gone(&key)))),
                Ok(Change::Only(present)) => {
                    let absent: Vec<_> = waiting.keys().filter(|key| !present.contains(*key)).cloned().collect();
                    for key in absent {
                        waiting.remove(&key);
                        settled.insert(key.clone(), gone(&key));
                    }
                }
                Err(error @ (Error::Forbidden { .. } | Error::Unauthorized { .. })) => {
                    ending = Ending::Broken(error);
                    break;
                }
                Err(error) => self.invocation.listener.say(&format!("the watch was interrupted and goes on: {error}")),
            }
        }
        settled.extend(waiting.into_iter().map(|(key, snippet)| (key.clone(), left(&key, &snippet))));
        (settled.into_values().collect(), ending)
    }

    fn advance(&self, settled: &BTreeMap<Key, Target>, waiting: &BTreeMap<Key, Snippet>, begun: std::time::Duration) {
        let total = settled.len() + waiting.len();
        let elapsed = self.invocation.run.elapsed().saturating_sub(begun);
        let progress = Progress { total, asked: total, answered: settled.len(), failed: 0, elapsed };
        self.invocation.listener.advance(&progress);
    }
}

fn gone(key: &Key) -> Target {
    Target::snippet(key, TargetOutcome::Removed).because("Deleted", "it was deleted in the meantime")
}

fn left(key: &Key, snippet: &Snippet) -> Target {
    let target = Target::snippet(key, TargetOutcome::Unanswered);
    match snippet.status.as_ref().and_then(|status| status.ready()) {
        Some(ready) => target.because(&ready.reason, ready.message.clone()),
        None => target.because("Pending", "has no Ready condition yet"),
    }
}

/// Ready as it is now. A failure may pass, so it is no outcome; a pause and a deletion are.
pub(super) fn is_ready(key: &Key, snippet: &Snippet) -> Option<Target> {
    let target = |outcome| Target::snippet(key, outcome);
    if snippet.is_terminating() {
        return Some(target(TargetOutcome::Removed).because("Terminating", "it is being deleted"));
    }
    if snippet.is_suspended() {
        return Some(target(TargetOutcome::Suspended).because(SUSPENDED, "spec.suspend is true"));
    }
    rendered(key, snippet).filter(|target| target.outcome == TargetOutcome::Synced)
}

/// Rendered as it is now, whatever came of it. What stands in the status of a pause that is over is no answer.
pub(super) fn rendered(key: &Key, snippet: &Snippet) -> Option<Target> {
    if snippet.is_lagging() || snippet.is_unanswered() {
        return None;
    }
    let ready = snippet.status.as_ref().and_then(|status| status.ready())?;
    let outcome = match (ready.status.as_str(), ready.reason.as_str()) {
        (_, SUSPENDED) => return None,
        ("True", _) => TargetOutcome::Synced,
        ("False", _) => TargetOutcome::Failed,
        _ => return None,
    };
    Some(Target::snippet(key, outcome).because(&ready.reason, ready.message.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snippet(suspend: bool, observed: i64, ready: &str, reason: &str) -> (Key, Snippet) {
        let conditions = json!([{"type": "Ready", "status": ready, "reason": reason, "message": "why",
            "lastTransitionTime": "2026-11-22T11:00:00Z"}]);
        let value = json!({"metadata": {"name": "web", "namespace": "a", "generation": 2}, "spec": {"suspend": suspend},
            "status": {"observedGeneration": observed, "conditions": conditions}});
        let snippet: Snippet = serde_json::from_value(value).unwrap();
        (snippet.key(), snippet)
    }

    fn outcome(judge: Judge, snippet: (Key, Snippet)) -> Option<TargetOutcome> {
        judge(&snippet.0, &snippet.1).map(|target| target.outcome)
    }

    #[test]
    fn ready_is_ready_as_it_is_now() {
        assert_eq!(outcome(is_ready, snippet(false, 2, "True", "Synced")), Some(TargetOutcome::Synced));
        assert_eq!(outcome(is_ready, snippet(false, 1, "True", "Synced")), None);
        assert_eq!(outcome(is_ready, snippet(false, 2, "False", "EvaluationFailed")), None);
        assert_eq!(outcome(is_ready, snippet(true, 2, "False", "Suspended")), Some(TargetOutcome::Suspended));
    }

    #[test]
    fn after_a_pause_the_first_verdict_counts() {
        assert_eq!(outcome(rendered, snippet(false, 2, "False", "EvaluationFailed")), Some(TargetOutcome::Failed));
        assert_eq!(outcome(rendered, snippet(false, 2, "False", "Suspended")), None);
        assert_eq!(outcome(rendered, snippet(false, 1, "False", "EvaluationFailed")), None);
        assert_eq!(outcome(rendered, snippet(false, 2, "Unknown", "Pending")), None);
    }

    #[test]
    fn a_request_that_waits_is_no_answer() {
        let (key, mut snippet) = snippet(false, 2, "True", "Synced");
        let annotations = snippet.metadata.annotations.get_or_insert_default();
        annotations.insert(jaas_api::RECONCILE_REQUEST.to_owned(), "please".to_owned());
        assert_eq!(is_ready(&key, &snippet), None);
    }
}
