//! Artifacts: `GET` and `HEAD` of `/<namespace>/<name>/<revision>.tar.gz`.
//!
//! What each answer costs a consumer decides between them. A 404 means "not there, come back in half a minute" and turns a
//! Kustomization red; a 503 with `Retry-After` is waited out inside the fetch. So whatever will be there soon is a 503, and a 404
//! is sent only for what is known not to come. A request is never held open.

mod conditions;
mod cut;
mod found;
mod range;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jaas_storage::Store;
use jaas_storage::store::{ArtifactPath, ErrorKind};
use warp::Filter;
use warp::reply::{Reply, Response};

use crate::artifacts::catalog::{Catalog, Standing};
use crate::artifacts::heal::Alarm;
use crate::http::path::sent;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

/// Seconds after which a consumer asks again. It tries ten times, so a store is given half a minute to be whole again.
const RETRY_SECONDS: &str = "3";

/// What the server needs.
#[derive(Clone)]
pub struct Artifacts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What must exist.
    pub catalog: Catalog,
    /// Whom to tell of what does not.
    pub alarm: Alarm,
    /// Counts requests.
    pub metrics: Metrics,
}

/// The route. It answers every path and every method itself.
pub fn routes(artifacts: Artifacts) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    sent().and(warp::method()).and(warp::header::headers_cloned()).then(
        move |path: String, method: Method, headers: HeaderMap| {
            let Artifacts { store, catalog, alarm, metrics } = artifacts.clone();
            async move {
                let response = answer(&*store, &alarm, |path| catalog.standing(path), &path, &method, &headers).await;
                metrics.flow().answered(&method, response.status());
                response
            }
        },
    )
}

async fn answer(
    store: &dyn Store,
    alarm: &Alarm,
    standing: impl FnOnce(&ArtifactPath) -> Standing,
    path: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Response {
    if headers.contains_key(TRANSFER_ENCODING) {
        // hyper hides whether the request had a second length, about whose end others may think differently (RFC 9112, 6.1).
        let mut response = text(StatusCode::BAD_REQUEST, "a body is not expected");
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    if method != Method::GET && method != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some(path) = path.strip_prefix('/').and_then(ArtifactPath::parse) else {
        return text(StatusCode::NOT_FOUND, "not found");
    };
    let standing = standing(&path);
    let expected = match &standing {
        Standing::Current(digest) => digest.as_ref(),
        Standing::Unjudged | Standing::Lost | Standing::NotCurrent => None,
    };
    match store.open(&path.key, &path.revision, expected).await {
        Ok(Some(artifact)) => found::answer(artifact, method, headers),
        Ok(None) => missing(alarm, &path, &standing),
        Err(error) => {
            tracing::warn!(artifact = %path.key, error = chain(&error), "Reading an artifact failed");
            refused(error.kind)
        }
    }
}

fn missing(alarm: &Alarm, path: &ArtifactPath, standing: &Standing) -> Response {
    match standing {
        Standing::Unjudged => soon("starting"),
        Standing::Current(_) => {
            alarm.missed(&path.key);
            soon("being rendered again")
        }
        Standing::Lost | Standing::NotCurrent => text(StatusCode::NOT_FOUND, "not found"),
    }
}

fn soon(why: &'static str) -> Response {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    response
}

/// A store that cannot be asked. None of these answers ends a consumer's own retries.
fn refused(kind: ErrorKind) -> Response {
    match kind {
        ErrorKind::Unreachable => text(StatusCode::BAD_GATEWAY, "the store cannot be reached"),
        ErrorKind::TimedOut => text(StatusCode::GATEWAY_TIMEOUT, "the store did not answer in time"),
        _ => soon("the store does not answer"),
    }
}

/// An answer other than an artifact. A cache could keep a 404 by its own rules, and tell it when the artifact is there.
fn text(status: StatusCode, words: &'static str) -> Response {
    let mut response = warp::reply::with_status(words, status).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
