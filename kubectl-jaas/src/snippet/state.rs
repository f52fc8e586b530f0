//! The one word for how a snippet is. Pure.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Snippet;
use crate::age::since;
use crate::run::token_time;

/// How long the operator may take before silence counts as trouble.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a snippet is. The first that holds, in this order of looking: terminating, suspended, unanswered, stale, then its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Rendered and published as it is now.
    Ready,
    /// Its condition says no.
    Failed,
    /// Somebody asked for a render, and nobody answered.
    Unanswered,
    /// It was changed, and nobody has rendered it since.
    Stale,
    /// Nothing is known yet.
    Pending,
    /// Paused by its owner.
    Suspended,
    /// On its way out.
    Terminating,
}

impl State {
    /// Every state, in the order of the counts.
    pub(crate) const ALL: [Self; 7] =
        [Self::Ready, Self::Failed, Self::Unanswered, Self::Stale, Self::Pending, Self::Suspended, Self::Terminating];

    /// How the snippet is at that moment.
    pub(crate) fn of(snippet: &Snippet, now: Timestamp) -> Self {
        let is_old = |time: Option<Timestamp>| time.is_none_or(|time| since(time, now) > PATIENCE);
        if snippet.is_terminating() {
            return Self::Terminating;
        }
        if snippet.is_suspended() {
            return Self::Suspended;
        }
        if snippet.is_unanswered() && is_old(snippet.request().and_then(token_time)) {
            return Self::Unanswered;
        }
        if snippet.status.is_some() && snippet.is_lagging() && is_old(snippet.changed_at()) {
            return Self::Stale;
        }
        match snippet.status.as_ref().and_then(|status| status.ready()) {
            Some(ready) if ready.status == "True" => Self::Ready,
            Some(ready) if ready.status == "False" => Self::Failed,
            Some(_) | None => Self::Pending,
        }
    }

    /// The word in tables and documents.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
            Self::Stale => "stale",
            Self::Pending => "pending",
            Self::Suspended => "suspended",
            Self::Terminating => "terminating",
        }
    }

    /// Whether somebody should look at it.
    pub(crate) fn needs_a_look(self) -> bool {
        match self {
            Self::Failed | Self::Unanswered | Self::Stale | Self::Pending => true,
            Self::Ready | Self::Suspended | Self::Terminating => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn state(value: Value) -> State {
        let mut snippet = json!({"metadata": {"name": "web", "namespace": "a", "generation": 2}, "status":
            {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True", "reason": "Synced",
            "message": "", "lastTransitionTime": "2026-11-22T11:00:00Z"}]}});
        merge(&mut snippet, value);
        State::of(&serde_json::from_value(snippet).unwrap(), NOW.parse().unwrap())
    }

    fn merge(into: &mut Value, from: Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (key, value) in from {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from,
        }
    }

    fn asked(at: &str) -> Value {
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": at}}})
    }

    #[test]
    fn the_condition_counts_where_nothing_else_is_the_matter() {
        assert_eq!(state(json!({})), State::Ready);
        let condition = |status| json!([{"type": "Ready", "status": status, "reason": "R", "message": "", "lastTransitionTime": NOW}]);
        assert_eq!(state(json!({"status": {"conditions": condition("False")}})), State::Failed);
        assert_eq!(state(json!({"status": {"conditions": condition("Unknown")}})), State::Pending);
        assert_eq!(state(json!({"status": {"conditions": []}})), State::Pending);
        assert_eq!(state(json!({"status": null})), State::Pending);
    }

    #[test]
    fn silence_is_trouble_only_after_a_while() {
        assert_eq!(state(asked("2026-11-22T11:59:50Z#run")), State::Ready);
        assert_eq!(state(asked("2026-11-22T11:59:20Z#run")), State::Unanswered);
        assert_eq!(state(asked("please")), State::Unanswered);
        let mut answered = asked("please");
        answered["status"] = json!({"lastHandledReconcileAt": "please"});
        assert_eq!(state(answered), State::Ready);
        let changed = |at: &str| {
            json!({"metadata": {"generation": 3, "managedFields": [
            {"manager": "ann", "operation": "Update", "time": at},
            {"manager": "jaas-operator", "operation": "Update", "subresource": "status", "time": "2026-11-22T11:00:00Z"}]}})
        };
        assert_eq!(state(changed("2026-11-22T11:59:50Z")), State::Ready);
        assert_eq!(state(changed("2026-11-22T11:59:20Z")), State::Stale);
    }

    #[test]
    fn who_is_paused_or_leaves_is_not_judged() {
        let mut suspended = asked("please");
        suspended["spec"] = json!({"suspend": true});
        assert_eq!(state(suspended.clone()), State::Suspended);
        suspended["metadata"]["deletionTimestamp"] = json!(NOW);
        assert_eq!(state(suspended), State::Terminating);
    }
}
