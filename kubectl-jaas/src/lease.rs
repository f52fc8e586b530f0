//! What a Lease says of the leader. Pure.
//!
//! Dates in it are the holder's own; ages are by this machine's clock and as wrong as the two differ.

use std::time::Duration;

use jaas_api::{FIELD_MANAGER, STEP_DOWN, STEP_DOWN_ANSWERED};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

/// Namespace and name of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Who leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leadership {
    /// Which Lease of that name.
    pub(crate) uid: String,
    /// Who; nobody where empty.
    pub(crate) holder: String,
    /// Since when.
    pub(crate) acquired: Option<Timestamp>,
    /// When the holder last said that it lives.
    pub(crate) renewed: Option<Timestamp>,
    /// How long others keep away.
    pub(crate) duration: Duration,
    /// How often the holder has changed.
    pub(crate) transitions: i32,
    /// The last request to step down that was answered.
    pub(crate) answered: Option<String>,
    /// A request to step down without an answer.
    pub(crate) asked: Option<String>,
    /// Whether this operator is known to step down when it is asked.
    pub(crate) steps_down: bool,
}

impl Leadership {
    /// Reads a Lease.
    pub(crate) fn of(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let annotation = |name| lease.metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
        let (asked, answered) =
            (annotation(STEP_DOWN).filter(|token| !token.is_empty()), annotation(STEP_DOWN_ANSWERED));
        let mut writers = lease.metadata.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
        Self {
            uid: lease.metadata.uid.clone().unwrap_or_default(),
            holder: spec.holder_identity.unwrap_or_default(),
            acquired: spec.acquire_time.map(|time| time.0),
            renewed: spec.renew_time.map(|time| time.0),
            duration: Duration::from_secs(spec.lease_duration_seconds.unwrap_or(0).max(0).unsigned_abs().into()),
            transitions: spec.lease_transitions.unwrap_or(0),
            steps_down: answered.is_some() || writers.any(|writer| writer == FIELD_MANAGER),
            asked: if asked == answered { None } else { asked },
            answered,
        }
    }

    /// Name of the Pod that holds it: an identity is the Pod's name, `_`, and something random.
    pub(crate) fn pod(&self) -> &str {
        self.holder.rsplit_once('_').map_or(self.holder.as_str(), |(pod, _)| pod)
    }

    /// Whether somebody holds it and has renewed lately.
    pub(crate) fn is_alive(&self, now: Timestamp) -> bool {
        let is_fresh = |renewed| crate::age::since(renewed, now) <= self.duration;
        !self.holder.is_empty() && self.renewed.is_some_and(is_fresh)
    }

    /// Whether this is a later term than `before`, of another holder.
    pub(crate) fn follows(&self, before: &Self) -> bool {
        let is_later = self.uid != before.uid || self.transitions > before.transitions;
        !self.holder.is_empty() && self.holder != before.holder && is_later
    }

    /// Whether it is the same holder again, in a later term.
    pub(crate) fn is_again(&self, before: &Self) -> bool {
        let is_later = self.uid != before.uid || self.transitions > before.transitions;
        self.holder == before.holder && is_later
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lease(holder: &str, transitions: i32, annotations: serde_json::Value) -> Leadership {
        let lease = json!({"metadata": {"uid": "u", "annotations": annotations}, "spec": {"holderIdentity": holder,
            "leaseTransitions": transitions, "leaseDurationSeconds": 15, "acquireTime": "2026-11-22T10:00:00.000000Z",
            "renewTime": "2026-11-22T12:00:00.000000Z"}});
        Leadership::of(&serde_json::from_value(lease).unwrap())
    }

    #[test]
    fn the_holder_is_a_pod_and_something_random() {
        assert_eq!(lease("jaas-6f7d9-x2v9q_0a1b", 3, json!({})).pod(), "jaas-6f7d9-x2v9q");
        assert_eq!(lease("host", 3, json!({})).pod(), "host");
    }

    #[test]
    fn a_leader_lives_as_long_as_it_renews() {
        let now = |text: &str| text.parse().unwrap();
        let held = lease("a_1", 0, json!({}));
        assert!(held.is_alive(now("2026-11-22T12:00:15Z")));
        assert!(!held.is_alive(now("2026-11-22T12:00:16Z")));
        assert!(!lease("", 0, json!({})).is_alive(now("2026-11-22T12:00:00Z")));
    }

    #[test]
    fn another_term_of_another_holder_follows() {
        let before = lease("a_1", 3, json!({}));
        assert!(lease("b_1", 4, json!({})).follows(&before));
        assert!(!lease("b_1", 3, json!({})).follows(&before));
        assert!(!lease("", 4, json!({})).follows(&before));
        assert!(lease("a_1", 4, json!({})).is_again(&before) && !lease("a_1", 4, json!({})).follows(&before));
        let anew = Leadership { uid: "v".to_owned(), ..lease("b_1", 0, json!({})) };
        assert!(anew.follows(&before));
    }

    #[test]
    fn a_request_is_open_until_its_own_token_is_answered() {
        let open = lease("a_1", 0, json!({STEP_DOWN: "two", STEP_DOWN_ANSWERED: "one"}));
        assert_eq!(
            (open.asked.as_deref(), open.answered.as_deref(), open.steps_down),
            (Some("two"), Some("one"), true)
        );
        assert_eq!(lease("a_1", 0, json!({STEP_DOWN: "two", STEP_DOWN_ANSWERED: "two"})).asked, None);
        assert!(!lease("a_1", 0, json!({})).steps_down);
    }
}
