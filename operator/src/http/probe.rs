//! Probes: `/start`, `/ready`, `/live`.
//!
//! Ready means: can serve. That holds as soon as the sockets are bound and the store is open, whatever the API server does; a
//! replica that is not ready is taken out of the Service, and consumers would get refused connections instead of our 503. A store in
//! trouble is told in the answer's body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use serde_json::{Map, Value};
use warp::Filter;
use warp::reply::Reply;

use crate::artifacts::condition::Condition;
use crate::mounted::Mounted;

/// State that the probes tell.
#[derive(Clone)]
pub struct Health {
    flags: Arc<Flags>,
    store: Condition,
    libraries: Mounted,
}

#[derive(Debug, Default)]
struct Flags {
    started: AtomicBool,
    draining: AtomicBool,
}

impl Health {
    /// A process that has not started yet, its store, and the libraries in its folders.
    pub fn new(store: Condition, libraries: Mounted) -> Self {
        Self { flags: Arc::default(), store, libraries }
    }

    /// What is wrong although the process is ready: cached artifacts are served while the store is away, and libraries stay as they were,
    /// so this is a detail and no reason to be taken out.
    fn details(&self) -> Map<String, Value> {
        // Plain structures of strings always serialise.
        let store = self.store.trouble().map(|trouble| serde_json::to_value(trouble).unwrap_or_default());
        let libraries = &self.libraries.state().troubles;
        let libraries = (!libraries.is_empty()).then(|| serde_json::to_value(libraries).unwrap_or_default());
        let details = [("storage", store), ("libraries", libraries)];
        details.into_iter().filter_map(|(name, detail)| Some((name.to_owned(), detail?))).collect()
    }

    /// The sockets are bound and the store is open.
    pub fn started(&self) {
        self.flags.started.store(true, Ordering::Relaxed);
    }

    /// The process is about to end. It never becomes ready again.
    pub fn draining(&self) {
        self.flags.draining.store(true, Ordering::Relaxed);
    }

    fn answer(&self, probe: &str) -> (StatusCode, &'static str) {
        let started = self.flags.started.load(Ordering::Relaxed);
        let ready = started && !self.flags.draining.load(Ordering::Relaxed);
        match probe {
            "start" if !started => (StatusCode::SERVICE_UNAVAILABLE, "not_started"),
            "ready" if !ready => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            _ => (StatusCode::OK, "ok"),
        }
    }
}

/// The routes.
pub fn routes(health: Health) -> impl Filter<Extract = (impl Reply,), Error = warp::Rejection> + Clone {
    warp::path!(String).and(warp::method()).and_then(move |probe: String, method: Method| {
        let health = health.clone();
        async move {
            if !matches!(probe.as_str(), "start" | "ready" | "live") {
                return Err(warp::reject::not_found());
            }
            if method != Method::GET {
                let answer = answer(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
                return Ok(warp::reply::with_header(answer, http::header::ALLOW, "GET").into_response());
            }
            let (status, word) = health.answer(&probe);
            let mut body = if probe == "ready" { health.details() } else { Map::new() };
            body.insert("status".to_owned(), Value::from(word));
            Ok(warp::reply::with_status(warp::reply::json(&body), status).into_response())
        }
    })
}

fn answer(status: StatusCode, word: &'static str) -> impl Reply {
    warp::reply::with_status(warp::reply::json(&serde_json::json!({ "status": word })), status)
}
