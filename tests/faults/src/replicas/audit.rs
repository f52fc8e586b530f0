//! The API server's audit log, read as a history of terms and of writes. Pure.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

/// A term of a leader: which Lease, and the count of its holders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    pub(super) lease: String,
    pub(super) transitions: i64,
}

/// A write to a snippet, a library or an artifact that the API server accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// When it was accepted.
    pub(super) at: Timestamp,
    /// The resourceVersion that it gave the object; `None` where the object is gone.
    pub(super) version: Option<u64>,
    /// Plural of the kind.
    pub(super) resource: String,
    pub(super) subresource: String,
    pub(super) uid: String,
    /// The term that it names.
    pub(super) term: Option<Term>,
    /// What was done, in words that find it in the log.
    pub(super) what: String,
}

/// What happened in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// By the resourceVersion with which each began.
    pub(super) terms: BTreeMap<u64, Term>,
    /// The writes of ServiceAccounts, in the order of the log.
    pub(super) writes: Vec<Write>,
    /// Writes of ServiceAccounts that the API server refused because of another that came first.
    pub(super) conflicts: u64,
}

impl History {
    /// Reads what the log says of a namespace.
    ///
    /// # Errors
    /// When a line is no event.
    pub(super) fn of(log: &str, namespace: &str) -> Result<Self> {
        let mut history = Self::default();
        // The last line may not be whole yet.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        for line in whole.lines().filter(|line| line.contains(namespace)) {
            let event: Value = serde_json::from_str(line).context("reading the audit log")?;
            history.add(&event, namespace)?;
        }
        Ok(history)
    }

    fn add(&mut self, event: &Value, namespace: &str) -> Result<()> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let named = text("/requestObject/metadata/resourceVersion");
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
        if text("/objectRef/namespace") != namespace || !text("/user/username").starts_with("system:serviceaccount:") {
            return Ok(());
        }
        if code == 409 && text("/objectRef/resource") != "leases" {
            self.conflicts += 1;
        }
        if !(200..300).contains(&code) {
            return Ok(());
        }
        let version = text("/responseObject/metadata/resourceVersion").parse().ok();
        // It changed nothing.
        if !named.is_empty() && named == text("/responseObject/metadata/resourceVersion") && !is_gone(event) {
            return Ok(());
        }
        let resource = text("/objectRef/resource");
        if resource == "leases" {
            let holder = text("/responseObject/spec/holderIdentity");
            let transitions = event.pointer("/responseObject/spec/leaseTransitions").and_then(Value::as_i64);
            let lease = text("/responseObject/metadata/uid").to_owned();
            let term = Term { lease, transitions: transitions.unwrap_or_default() };
            if let Some(version) =
                version.filter(|_| !holder.is_empty() && !self.terms.values().any(|one| *one == term))
            {
                self.terms.insert(version, term);
            }
            return Ok(());
        }
        let verb = text("/verb");
        // What a deletion answers tells of the object in `details`, if it does not answer the object.
        let answered = ["/responseObject/metadata/uid", "/responseObject/details/uid"].map(text);
        let uid = answered.into_iter().find(|uid| !uid.is_empty()).unwrap_or_default();
        let subresource = text("/objectRef/subresource");
        let agent = text("/userAgent");
        self.writes.push(Write {
            at: text("/stageTimestamp").parse().context("reading a time of the audit log")?,
            version: version.filter(|_| !is_gone(event)),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            uid: uid.to_owned(),
            term: term(agent),
            what: format!(
                "{verb} {resource}/{}/{subresource} by {agent}, audit id {}",
                text("/objectRef/name"),
                text("/auditID")
            ),
        });
        Ok(())
    }

    /// The place of a term in their order.
    pub(super) fn rank(&self, term: &Term) -> Option<usize> {
        self.terms.values().position(|one| one == term)
    }
}

/// Whether the object is gone. Without its last finalizer one that was being deleted is, and what is answered is its last state.
fn is_gone(event: &Value) -> bool {
    let at = |pointer| event.pointer(pointer);
    let was_deleted = at("/responseObject/metadata/deletionTimestamp").is_some_and(|time| !time.is_null());
    at("/verb").and_then(Value::as_str) == Some("delete")
        || was_deleted && at("/responseObject/metadata/finalizers").is_none()
}

/// The term that a user agent names.
fn term(agent: &str) -> Option<Term> {
    let (lease, transitions) = agent.split_once("(term ")?.1.split_once(')')?.0.rsplit_once('/')?;
    Some(Term { lease: lease.to_owned(), transitions: transitions.parse().ok()? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test reports by panicking")]
    use super::*;
    use serde_json::json;

    fn event(resource: &str, namespace: &str, code: u64, answer: &Value) -> String {
        let event = json!({
            "auditID": "a-1", "verb": "patch", "userAgent": "jaas-operator/1 (term u-1/2)",
            "user": {"username": "system:serviceaccount:n:jaas"},
            "objectRef": {"resource": resource, "namespace": namespace, "name": "web", "subresource": "status"},
            "responseStatus": {"code": code}, "responseObject": answer,
            "stageTimestamp": "2026-01-01T00:00:00.000001Z",
        });
        format!("{event}\n")
    }

    #[test]
    fn terms_and_writes_are_told_from_what_was_refused_or_happened_elsewhere() {
        let object = json!({"metadata": {"uid": "o", "resourceVersion": "12"}});
        let lease = |holder: &str, version: &str| {
            let spec = json!({"holderIdentity": holder, "leaseTransitions": 2});
            json!({"metadata": {"uid": "u-1", "resourceVersion": version}, "spec": spec})
        };
        let log = [
            event("leases", "n", 200, &lease("a", "10")),
            event("leases", "n", 200, &lease("a", "11")),
            event("leases", "n", 200, &lease("", "13")),
            event("externalartifacts", "n", 200, &object),
            event("externalartifacts", "n", 409, &object),
            event("externalartifacts", "other", 200, &object),
            "{\"half\": ".to_owned(),
        ];
        let history = History::of(&log.concat(), "n").unwrap();
        let term = Term { lease: "u-1".to_owned(), transitions: 2 };
        assert_eq!(history.terms, BTreeMap::from([(10, term.clone())]));
        assert_eq!(history.conflicts, 1);
        assert_eq!(history.writes.len(), 1);
        let write = &history.writes[0];
        assert_eq!((write.version, write.uid.as_str(), &write.term), (Some(12), "o", &Some(term)));
    }

    #[test]
    fn an_object_that_lost_its_last_finalizer_is_gone() {
        let metadata = json!({"uid": "o", "resourceVersion": "3", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        let mut held = metadata.clone();
        held["finalizers"] = json!(["another"]);
        let log = [held, metadata].map(|metadata| event("jsonnetsnippets", "n", 200, &json!({"metadata": metadata})));
        let history = History::of(&log.concat(), "n").unwrap();
        let versions: Vec<_> = history.writes.iter().map(|write| write.version).collect();
        assert_eq!(versions, [Some(3), None]);
    }

    #[test]
    fn a_user_agent_without_a_term_names_none() {
        assert_eq!(term("jaas-operator/1"), None);
        assert_eq!(term("kubectl/v1 (term x)"), None);
    }
}
