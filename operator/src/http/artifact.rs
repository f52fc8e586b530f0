//! Artifacts: `GET` and `HEAD` of `/<namespace>/<name>/<revision>.tar.gz`.
//!
//! What each answer costs a consumer decides between them. A 404 means "not there, come back in half a minute" and turns a
//! Kustomization red; a 503 with `Retry-After` is waited out inside the fetch. So whatever will be there soon is a 503, and a 404
//! is sent only for what is known not to come. A request is never held open.

use std::convert::Infallible;
use std::sync::Arc;

use headers::{ETag, HeaderMapExt, IfNoneMatch};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jaas_storage::store::{ArtifactPath, ErrorKind, Readable};
use jaas_storage::{Digest, Store};
use warp::Filter;
use warp::path::FullPath;
use warp::reply::{Reply, Response};

use crate::artifacts::catalog::{Catalog, Standing};
use crate::artifacts::heal::Alarm;
use crate::snippet::outcome::chain;

/// Seconds after which a consumer asks again. It tries ten times, so a store is given half a minute to be whole again.
const RETRY_SECONDS: &str = "3";
/// What the Go implementation's S3 proxy calls a tarball.
const MEDIA_TYPE: &str = "application/x-gzip";
/// A name is never used for two contents.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What the server needs.
#[derive(Clone)]
pub struct Artifacts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What must exist.
    pub catalog: Catalog,
    /// Whom to tell of what does not.
    pub alarm: Alarm,
}

/// The route. It answers every path and every method itself.
pub fn routes(artifacts: Artifacts) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    warp::path::full().and(warp::method()).and(warp::header::headers_cloned()).then(
        move |path: FullPath, method: Method, headers: HeaderMap| {
            let artifacts = artifacts.clone();
            async move { artifacts.answer(path.as_str(), &method, &headers).await }
        },
    )
}

impl Artifacts {
    async fn answer(&self, path: &str, method: &Method, headers: &HeaderMap) -> Response {
        if method != Method::GET && method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let Some(path) = path.strip_prefix('/').and_then(ArtifactPath::parse) else {
            return text(StatusCode::NOT_FOUND, "not found");
        };
        let standing = self.catalog.standing(&path);
        let expected = match &standing {
            Standing::Current(digest) => digest.as_ref(),
            Standing::Unjudged | Standing::Lost | Standing::NotCurrent => None,
        };
        match self.store.open(&path.key, &path.revision, expected).await {
            Ok(Some(artifact)) => found(artifact, method, headers),
            Ok(None) => self.missing(&path, &standing),
            Err(error) => {
                tracing::warn!(artifact = %path.key, error = chain(&error), "Reading an artifact failed");
                refused(error.kind)
            }
        }
    }

    fn missing(&self, path: &ArtifactPath, standing: &Standing) -> Response {
        match standing {
            Standing::Unjudged => soon("starting"),
            Standing::Current(_) => {
                self.alarm.missed(&path.key);
                soon("being rendered again")
            }
            Standing::Lost | Standing::NotCurrent => text(StatusCode::NOT_FOUND, "not found"),
        }
    }
}

fn found(artifact: Readable, method: &Method, headers: &HeaderMap) -> Response {
    let tag = etag(&artifact.digest);
    let asked = headers.typed_get::<IfNoneMatch>();
    let known = asked.zip(tag.as_ref()).is_some_and(|(asked, tag)| !asked.precondition_passes(tag));
    let size = artifact.size;
    let mut response = if known || method == Method::HEAD {
        Response::default()
    } else if let Some(bytes) = artifact.bytes() {
        Response::new(bytes.clone().into())
    } else {
        warp::reply::stream(artifact.into_stream()).into_response()
    };
    let headers = response.headers_mut();
    if let Some(tag) = tag {
        headers.typed_insert(tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    response
}

/// The digest names the bytes, so it is a strong validator (RFC 9110, 8.8.3).
fn etag(digest: &Digest) -> Option<ETag> {
    format!("\"{digest}\"").parse().ok()
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

fn text(status: StatusCode, words: &'static str) -> Response {
    warp::reply::with_status(words, status).into_response()
}
