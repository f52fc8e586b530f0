//! Turns a judgement into the status that tells it. Pure.

use std::collections::BTreeSet;

use jaas_api::status::{MESSAGE_LIMIT, READY, SyncStatus};
use jaas_api::truncate::truncate;
use jaas_api::{JAAS_RECONCILE_REQUEST, JsonnetSnippet, RECONCILE_REQUEST, Reason};
use jaas_storage::Revision;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use serde_json::{Map, Value};

use super::outcome::{Judgement, Refusal};
use super::retain;
use crate::cluster::merge;
use crate::config::Snippets;

/// What a suspended snippet says.
const SUSPENDED: &str = "spec.suspend is true; pause until the operator unsets it";

/// What is to be written and announced.
#[derive(Debug, PartialEq)]
pub struct Report {
    /// Whether the snippet is ready.
    pub ready: bool,
    /// Why.
    pub reason: Reason,
    /// Fields of the status that change; `None` where nothing does.
    pub patch: Option<Map<String, Value>>,
    /// Note of the event that announces a change of status or reason; `None` where neither changed.
    pub announcement: Option<String>,
}

/// What else the report depends on.
pub struct Circumstances<'a> {
    /// What the artifact announced when the reconcile started.
    pub announced: Option<&'a Revision>,
    /// Why changes of its sources are not seen.
    pub unwatched: Option<&'a Refusal>,
    /// Revisions that were collected since the last write.
    pub collected: &'a BTreeSet<Revision>,
    /// The time.
    pub now: Timestamp,
}

/// Whether somebody asked for a reconcile and has no answer yet.
pub fn is_answer_due(snippet: &JsonnetSnippet) -> bool {
    let status = snippet.status.clone().unwrap_or_default();
    let asked = |annotation: &str| snippet.annotations().get(annotation).cloned();
    let open = |asked: Option<String>, answered: Option<String>| asked.is_some() && asked != answered;
    open(asked(RECONCILE_REQUEST), status.last_handled_reconcile_at)
        || open(asked(JAAS_RECONCILE_REQUEST), status.last_handled_jaas_reconcile_at)
}

/// The report on a judgement.
pub fn report(
    snippet: &JsonnetSnippet,
    judgement: &Judgement,
    settings: &Snippets,
    circumstances: &Circumstances<'_>,
) -> Report {
    let current = snippet.status.clone().unwrap_or_default();
    let (ready, reason, message) = verdict(judgement, circumstances.unwatched, &current);
    let mut desired = current.clone();
    desired.observed_generation = snippet.metadata.generation;
    desired.last_handled_reconcile_at = snippet.annotations().get(RECONCILE_REQUEST).cloned();
    desired.last_handled_jaas_reconcile_at = snippet.annotations().get(JAAS_RECONCILE_REQUEST).cloned();
    if let Judgement::Published(published) = judgement {
        desired.revision = Some(published.revision.to_string());
        desired.artifact_url = Some(published.url.clone());
        desired.source_revision.clone_from(&published.source_revision);
    }
    let kept = kept(&desired, snippet, judgement, circumstances);
    desired.history = kept.history;
    if kept.retired.iter().any(|record| !desired.retired.contains(record)) {
        desired.retired.clone_from(&kept.retired);
    }
    let shown = truncate(&message, MESSAGE_LIMIT - 512) + &reason.suffix(&settings.runbook_base_url);
    set_ready(&mut desired, ready, reason, shown, circumstances.now);

    let mut report = Report { ready, reason, patch: None, announcement: None };
    if desired == current {
        return report;
    }
    // There is something to write. What is not worth a write of its own goes along.
    desired.retired = kept.retired;
    if let Judgement::Published(published) = judgement {
        desired.inputs_digest = Some(published.inputs_digest.clone());
        desired.mounted_libraries.clone_from(&published.mounted);
    }
    if matches!(judgement, Judgement::Published(_) | Judgement::Unchanged) {
        desired.last_sync_time = Some(Time(circumstances.now));
    }
    let told = current.ready().is_some_and(|told| (told.status == "True") == ready && told.reason == reason.as_str());
    report.announcement = (!told).then_some(message);
    report.patch = Some(difference(&current, &desired));
    report
}

/// Status, reason and sentence.
fn verdict(judgement: &Judgement, unwatched: Option<&Refusal>, current: &SyncStatus) -> (bool, Reason, String) {
    match judgement {
        Judgement::Published(_) | Judgement::Unchanged if let Some(refusal) = unwatched => {
            (false, refusal.reason, refusal.message.clone())
        }
        Judgement::Published(published) => {
            let message = format!("Rendered {} bytes from {} files", published.rendered_bytes, published.files);
            (true, Reason::Synced, message)
        }
        Judgement::Unchanged | Judgement::Deferred(_) => {
            let message = current.ready().map(|ready| ready.message.clone()).unwrap_or_default();
            (true, Reason::Synced, message)
        }
        Judgement::Suspended => (false, Reason::Suspended, SUSPENDED.to_owned()),
        Judgement::Refused(refusal) => (false, refusal.reason, refusal.message.clone()),
    }
}

fn kept(
    status: &SyncStatus,
    snippet: &JsonnetSnippet,
    judgement: &Judgement,
    circumstances: &Circumstances<'_>,
) -> retain::Kept {
    // What is announced stops being so only with something new in its place.
    let announced = circumstances.announced.filter(|_| matches!(judgement, Judgement::Published(_)));
    let current = status.revision.as_ref().and_then(|revision| revision.parse().ok());
    retain::keep(status, current.as_ref(), announced, snippet.spec.history, circumstances.collected, circumstances.now)
}

fn set_ready(status: &mut SyncStatus, ready: bool, reason: Reason, message: String, now: Timestamp) {
    let word = if ready { "True" } else { "False" };
    let previous = status.conditions.iter().position(|condition| condition.type_ == READY);
    let since = previous
        .map(|position| &status.conditions[position])
        .filter(|condition| condition.status == word)
        .map_or(Time(now), |condition| condition.last_transition_time.clone());
    let condition = Condition {
        type_: READY.to_owned(),
        status: word.to_owned(),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: status.observed_generation,
        last_transition_time: since,
    };
    match previous {
        Some(position) => status.conditions[position] = condition,
        None => status.conditions.push(condition),
    }
}

fn difference(current: &SyncStatus, desired: &SyncStatus) -> Map<String, Value> {
    // Both are plain structures of strings and numbers, which always serialise.
    let value = |status: &SyncStatus| serde_json::to_value(status).unwrap_or_default();
    merge::difference(&value(current), &value(desired))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::snippet::outcome::Published;
    use jaas_api::snippet::SnippetSpec;
    use serde_json::json;

    /// Settings of an operator that defines the variable `taken`.
    pub(crate) fn settings() -> Snippets {
        Snippets {
            default_service_account: String::new(),
            no_cross_namespace_refs: true,
            external_variables: BTreeMap::from([("taken".to_owned(), "1".to_owned())]),
            max_artifact_bytes: None,
            artifact_gc_grace: Duration::from_secs(300),
            max_withdraw_wait: Duration::from_secs(3600),
            runbook_base_url: "https://runbooks/".to_owned(),
            rate: None,
            max_concurrent_reconciles: 1,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn snippet() -> JsonnetSnippet {
        let mut snippet = JsonnetSnippet::new("a", "web", SnippetSpec::default());
        snippet.metadata.generation = Some(3);
        snippet
    }

    fn revision(letter: &str) -> Revision {
        Revision::of_document(letter.as_bytes())
    }

    fn published(letter: &str) -> Judgement {
        Judgement::Published(Box::new(Published {
            revision: revision(letter),
            url: format!("http://jaas/{letter}"),
            rendered_bytes: 12,
            files: 2,
            inputs_digest: format!("sha256:{letter}"),
            mounted: Vec::new(),
            source_revision: None,
        }))
    }

    fn on(snippet: &JsonnetSnippet, judgement: &Judgement, seconds: i64) -> Report {
        watched(snippet, judgement, None, seconds)
    }

    fn watched(snippet: &JsonnetSnippet, judgement: &Judgement, unwatched: Option<&Refusal>, seconds: i64) -> Report {
        let circumstances = Circumstances { announced: None, unwatched, collected: &BTreeSet::new(), now: at(seconds) };
        report(snippet, judgement, &settings(), &circumstances)
    }

    /// Takes the report in, as the API server does.
    fn written(snippet: &JsonnetSnippet, report: &Report) -> JsonnetSnippet {
        let mut status = serde_json::to_value(snippet.status.clone().unwrap_or_default()).unwrap();
        for (key, value) in report.patch.clone().unwrap_or_default() {
            status[key] = value;
        }
        JsonnetSnippet { status: Some(serde_json::from_value(status).unwrap()), ..snippet.clone() }
    }

    #[test]
    fn a_first_publish_tells_everything() {
        let report = on(&snippet(), &published("x"), 5);
        assert_eq!(
            report,
            Report {
                ready: true,
                reason: Reason::Synced,
                announcement: Some("Rendered 12 bytes from 2 files".to_owned()),
                patch: json!({
                    "observedGeneration": 3,
                    "revision": revision("x").to_string(),
                    "artifactURL": "http://jaas/x",
                    "inputsDigest": "sha256:x",
                    "lastSyncTime": "1970-01-01T00:00:05Z",
                    "history": [{"revision": revision("x").to_string(), "time": "1970-01-01T00:00:05Z"}],
                    "conditions": [{
                        "type": "Ready", "status": "True", "reason": "Synced", "observedGeneration": 3,
                        "message": "Rendered 12 bytes from 2 files", "lastTransitionTime": "1970-01-01T00:00:05Z",
                    }],
                })
                .as_object()
                .cloned(),
            }
        );
    }

    #[test]
    fn a_second_look_writes_and_announces_nothing() {
        let first = written(&snippet(), &on(&snippet(), &published("x"), 5));
        for judgement in [published("x"), Judgement::Unchanged] {
            let report = on(&first, &judgement, 90);
            assert_eq!((report.patch, report.announcement), (None, None));
        }
    }

    #[test]
    fn a_fingerprint_is_not_worth_a_write_of_its_own() {
        let mut adopted = written(&snippet(), &on(&snippet(), &published("x"), 5));
        if let Some(status) = &mut adopted.status {
            status.inputs_digest = None;
        }
        assert_eq!(on(&adopted, &published("x"), 9).patch, None);
        adopted.metadata.generation = Some(4);
        let patch = on(&adopted, &published("x"), 9).patch.unwrap();
        assert_eq!(patch["inputsDigest"], json!("sha256:x"));
    }

    #[test]
    fn a_refusal_keeps_what_was_published_and_links_to_its_page() {
        let first = written(&snippet(), &on(&snippet(), &published("x"), 5));
        let refused = Judgement::Refused(Refusal::new(Reason::EvaluationFailed, "boom"));
        let report = on(&first, &refused, 9);
        assert_eq!(report.announcement.as_deref(), Some("boom"));
        assert_eq!(
            report.patch.as_ref().map(|patch| patch.keys().cloned().collect::<Vec<_>>()),
            Some(vec!["conditions".to_owned()])
        );
        let status = written(&first, &report).status.unwrap();
        let ready = status.ready().unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.message.as_str(), ready.last_transition_time.0),
            ("False", "boom (runbook: https://runbooks/evaluationfailed/)", at(9))
        );
        assert_eq!(status.revision, Some(revision("x").to_string()));
    }

    #[test]
    fn what_is_published_from_a_source_that_is_not_watched_says_so_and_is_recorded() {
        let first = written(&snippet(), &on(&snippet(), &published("x"), 5));
        let refusal = Refusal::new(Reason::RBACDenied, "not told");
        let report = watched(&first, &published("y"), Some(&refusal), 9);
        assert_eq!((report.ready, report.reason), (false, Reason::RBACDenied));
        assert_eq!(report.announcement.as_deref(), Some("not told"));
        let second = written(&first, &report);
        let status = second.status.clone().unwrap();
        assert_eq!(status.revision, Some(revision("y").to_string()));
        assert_eq!(status.inputs_digest.as_deref(), Some("sha256:y"));
        assert_eq!(status.last_sync_time, Some(Time(at(9))));
        assert_eq!(watched(&second, &published("y"), Some(&refusal), 70).patch, None, "a second look writes nothing");
        let over = on(&second, &published("y"), 80);
        assert!(over.ready && over.patch.is_some());
    }

    #[test]
    fn another_message_is_written_but_not_announced() {
        let refused = |message: &str| Judgement::Refused(Refusal::new(Reason::EvaluationFailed, message));
        let first = written(&snippet(), &on(&snippet(), &refused("one"), 5));
        let report = on(&first, &refused("two"), 9);
        assert_eq!(report.announcement, None);
        assert_eq!(written(&first, &report).status.unwrap().ready().unwrap().last_transition_time.0, at(5));
    }

    #[test]
    fn every_outcome_answers_both_requests_and_only_its_own_field() {
        let judgements = [
            published("x"),
            Judgement::Suspended,
            Judgement::Refused(Refusal::new(Reason::StorageUnavailable, "disk")),
        ];
        for judgement in judgements {
            let mut asked = snippet();
            asked.annotations_mut().insert(RECONCILE_REQUEST.to_owned(), "t1".to_owned());
            asked.annotations_mut().insert(JAAS_RECONCILE_REQUEST.to_owned(), "t2".to_owned());
            assert!(is_answer_due(&asked));
            let answered = written(&asked, &on(&asked, &judgement, 5));
            assert!(!is_answer_due(&answered));
            let status = answered.status.unwrap();
            assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("t1"));
            assert_eq!(status.last_handled_jaas_reconcile_at.as_deref(), Some("t2"));
        }
    }

    #[test]
    fn an_endless_message_still_fits_and_keeps_its_link() {
        let refused = Judgement::Refused(Refusal::new(Reason::EvaluationFailed, "ä".repeat(40_000)));
        let report = on(&snippet(), &refused, 5);
        let status = written(&snippet(), &report).status.unwrap();
        let message = &status.ready().unwrap().message;
        assert!(message.len() <= MESSAGE_LIMIT, "{}", message.len());
        assert!(message.ends_with(" … (cut) (runbook: https://runbooks/evaluationfailed/)"));
    }

    #[test]
    fn a_smaller_history_is_told_at_once() {
        let mut two = written(&snippet(), &on(&snippet(), &published("x"), 5));
        two.spec.history = 2;
        let two = written(&two, &on(&two, &published("y"), 6));
        let mut one = two.clone();
        one.spec.history = 1;
        let report = on(&one, &Judgement::Suspended, 7);
        let status = written(&one, &report).status.unwrap();
        assert_eq!(status.history.len(), 1);
        assert_eq!(status.retired[0].revision, revision("x").to_string());
    }
}
