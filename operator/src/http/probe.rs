//! Probes: `/start`, `/ready`, `/live`, and `/ready/reconcile`.
//!
//! Ready means: can serve. That holds as soon as the sockets are bound and the store is open, whatever the API server does; a
//! replica that is not ready is taken out of the Service, and consumers would get refused connections instead of our 503. Trouble
//! with the store, with a watch or with the webhook is told in the answer's body.
//!
//! Ready to reconcile means: everything is watched that a judgement needs. It holds on every replica, whoever leads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use serde::Serialize;
use warp::Filter;
use warp::reply::Reply;

use crate::admission::trouble::{Condition as WebhookCondition, Trouble as WebhookTrouble};
use crate::artifacts::condition::{Condition, Trouble as StoreTrouble};
use crate::cluster::health::{Cause, Trouble, Watches};
use crate::leadership::Authority;
use crate::mounted::{Mounted, Trouble as LibraryTrouble};

/// State that the probes tell.
#[derive(Clone)]
pub struct Health {
    flags: Arc<Flags>,
    operator: Option<Parts>,
    webhook: Option<WebhookCondition>,
}

/// What an operator has besides.
#[derive(Clone)]
struct Parts {
    store: Condition,
    watches: Watches,
    authority: Authority,
    libraries: Mounted,
}

#[derive(Debug, Default)]
struct Flags {
    started: AtomicBool,
    draining: AtomicBool,
}

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Start,
    Ready,
    Reconcile,
    Live,
}

/// An answer.
#[derive(Debug, Serialize)]
struct Answer {
    status: &'static str,
    /// Whether this replica writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<bool>,
    /// Trouble of the store, which is a detail: what is in memory is served while it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<StoreTrouble>,
    /// Kinds that are not watched.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    watches: BTreeMap<&'static str, Trouble>,
    /// Mounted libraries that could not be read; they stay as they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    libraries: Vec<LibraryTrouble>,
    /// Trouble of the admission webhook: changes of snippets may be refused, and artifacts are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookTrouble>,
}

impl Answer {
    fn plain(status: &'static str) -> Self {
        Self { status, leader: None, storage: None, watches: BTreeMap::new(), libraries: Vec::new(), webhook: None }
    }
}

impl Health {
    /// A process that has not started yet, its store, its watches, its right to write, and the libraries in its folders.
    pub fn new(store: Condition, watches: Watches, authority: Authority, libraries: Mounted) -> Self {
        let operator = Some(Parts { store, watches, authority, libraries });
        Self { flags: Arc::default(), operator, webhook: None }
    }

    /// The same with an admission webhook.
    pub fn with_webhook(self, webhook: WebhookCondition) -> Self {
        Self { webhook: Some(webhook), ..self }
    }

    /// A process that has not started yet and has no operator.
    pub fn alone() -> Self {
        Self { flags: Arc::default(), operator: None, webhook: None }
    }

    /// The sockets are bound and the store is open.
    pub fn started(&self) {
        self.flags.started.store(true, Ordering::Relaxed);
    }

    /// The process is about to end. It never becomes ready again.
    pub fn draining(&self) {
        self.flags.draining.store(true, Ordering::Relaxed);
    }

    fn answer(&self, probe: Probe) -> (StatusCode, Answer) {
        let started = self.flags.started.load(Ordering::Relaxed);
        let ready = started && !self.flags.draining.load(Ordering::Relaxed);
        let reconciles = || self.operator.as_ref().is_some_and(|parts| parts.watches.is_ready_to_reconcile());
        let (holds, otherwise) = match probe {
            Probe::Start => (started, "not_started"),
            Probe::Ready => (ready, "not_ready"),
            Probe::Reconcile if self.operator.is_none() => {
                return (StatusCode::NOT_FOUND, Answer::plain("no_operator"));
            }
            Probe::Reconcile => (ready && reconciles(), "not_ready"),
            Probe::Live => (true, "ok"),
        };
        let (status, word) = if holds { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, otherwise) };
        let mut answer = Answer::plain(word);
        let Some(parts) = &self.operator else { return (status, answer) };
        if matches!(probe, Probe::Ready | Probe::Reconcile) {
            answer.storage = parts.store.trouble();
            answer.watches = parts.watches.troubles();
        }
        if probe == Probe::Ready {
            answer.libraries.clone_from(&parts.libraries.state().troubles);
            answer.webhook = self.webhook.as_ref().and_then(WebhookCondition::trouble);
            // That a process has just begun is no trouble to somebody who asks whether it serves.
            answer.watches.retain(|_, trouble| trouble.cause != Cause::Starting);
        }
        if probe == Probe::Reconcile {
            answer.leader = Some(parts.authority.permit().is_ok());
        }
        (status, answer)
    }
}

/// The routes.
pub fn routes(health: Health) -> impl Filter<Extract = (impl Reply,), Error = warp::Rejection> + Clone {
    let reconcile = warp::path!("ready" / "reconcile").map(|| Probe::Reconcile);
    let probe = warp::path!(String).and_then(|word: String| async move {
        match word.as_str() {
            "start" => Ok(Probe::Start),
            "ready" => Ok(Probe::Ready),
            "live" => Ok(Probe::Live),
            _ => Err(warp::reject::not_found()),
        }
    });
    reconcile.or(probe).unify().and(warp::method()).map(move |probe: Probe, method: Method| {
        if method != Method::GET {
            let answer = reply(StatusCode::METHOD_NOT_ALLOWED, &Answer::plain("method_not_allowed"));
            return warp::reply::with_header(answer, http::header::ALLOW, "GET").into_response();
        }
        let (status, answer) = health.answer(probe);
        reply(status, &answer).into_response()
    })
}

fn reply(status: StatusCode, answer: &Answer) -> impl Reply + use<> {
    warp::reply::with_status(warp::reply::json(answer), status)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::health::Kind;
    use crate::telemetry::metrics::Metrics;

    fn told(health: &Health, probe: Probe) -> (u16, Value) {
        let (status, answer) = health.answer(probe);
        (status.as_u16(), serde_json::to_value(answer).unwrap_or_default())
    }

    #[test]
    fn serving_waits_for_nobody_and_reconciling_for_what_it_needs() {
        let metrics = Metrics::default();
        let watches = Watches::new(metrics.clone());
        let part = |name, needed| watches.part(Kind { name, gvk: format!("v1, Kind={name}"), needed }, None);
        let (snippets, buckets) = (part("JsonnetSnippet", true), part("Bucket", false));
        let health =
            Health::new(Condition::new(metrics), watches.clone(), Authority::sole_writer(), Mounted::new(Vec::new()));
        assert_eq!(told(&health, Probe::Start), (503, json!({"status": "not_started"})));
        assert_eq!(told(&health, Probe::Ready), (503, json!({"status": "not_ready"})));
        assert_eq!(told(&health, Probe::Live), (200, json!({"status": "ok"})));

        health.started();
        assert_eq!(told(&health, Probe::Ready), (200, json!({"status": "ok"})));
        let (status, said) = told(&health, Probe::Reconcile);
        assert_eq!((status, &said["watches"]["JsonnetSnippet"]["cause"]), (503, &json!("starting")));

        snippets.well();
        buckets.failed(Cause::Forbidden, "no right".to_owned());
        for (probe, leader) in [(Probe::Ready, Value::Null), (Probe::Reconcile, json!(true))] {
            let (status, said) = told(&health, probe);
            assert_eq!((status, &said["status"], &said["leader"]), (200, &json!("ok"), &leader), "{probe:?}");
            let bucket = &said["watches"]["Bucket"];
            assert_eq!((&bucket["cause"], &bucket["message"]), (&json!("forbidden"), &json!("no right")), "{said}");
        }

        let webhook = WebhookCondition::new(crate::admission::tls::Current::new(Metrics::default()));
        webhook.failed("no Secret".to_owned());
        let (status, said) = told(&health.clone().with_webhook(webhook), Probe::Ready);
        let trouble = json!({"answers": false, "message": "no Secret", "seconds": 0});
        assert_eq!((status, &said["webhook"]), (200, &trouble), "it is no reason not to serve");

        let alone = Health::alone();
        assert_eq!(told(&alone, Probe::Start).0, 503);
        alone.started();
        for probe in [Probe::Start, Probe::Ready, Probe::Live] {
            assert_eq!(told(&alone, probe), (200, json!({"status": "ok"})), "{probe:?}");
        }
        assert_eq!(told(&alone, Probe::Reconcile), (404, json!({"status": "no_operator"})));

        health.draining();
        assert_eq!(told(&health, Probe::Ready).0, 503);
        assert_eq!(told(&health, Probe::Reconcile).0, 503);
        assert_eq!(told(&health, Probe::Live).0, 200);
    }
}
