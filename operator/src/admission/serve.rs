//! The webhook's routes, over TLS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::judge::{self, Facts};
use super::review::{self, Review, Verdict};
use crate::http::listener::Timeouts;
use crate::snippet::World;

/// Path of the webhook for snippets.
pub const SNIPPETS: &str = "/validate-jaas-metio-wtf-v1-jsonnetsnippet";
/// Path of the webhook for libraries.
pub const LIBRARIES: &str = "/validate-jaas-metio-wtf-v1-jsonnetlibrary";

/// Time-outs of its connections.
pub const TIMEOUTS: Timeouts = Timeouts { read: Duration::from_secs(10), write: Duration::from_secs(10) };

/// Largest question: an object of 3 MiB as it is and as it shall be, and some room.
const LIMIT: usize = 8 << 20;
/// Questions that are read and judged at once. Anybody who reaches the port may ask, so their memory is bounded.
const AT_ONCE: usize = 4;
/// Longest that a question may take to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for the first lists.
const LISTS: Duration = Duration::from_secs(2);

/// What answers. Clones share it.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    /// Namespaces that are watched; empty means all.
    namespaces: Vec<String>,
    selector: Selector,
    /// What must be read before cycles can be seen.
    listed: Vec<CancellationToken>,
    places: Semaphore,
}

impl Desk {
    /// Judges what is watched, once everything is listed.
    pub fn new(world: Arc<World>, namespaces: Vec<String>, selector: Selector, listed: Vec<CancellationToken>) -> Self {
        Self(Arc::new(Inner { world, namespaces, selector, listed, places: Semaphore::new(AT_ONCE) }))
    }

    /// Answers a request.
    pub async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let kind = match request.uri().path() {
            SNIPPETS => "JsonnetSnippet",
            LIBRARIES => "JsonnetLibrary",
            _ => return plain(StatusCode::NOT_FOUND, "there is no such webhook"),
        };
        if request.method() != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "reviews are posted");
        }
        let asked = tokio::time::timeout(PATIENCE, async {
            let place = self.0.places.acquire().await.ok();
            let body = Limited::new(request.into_body(), LIMIT).collect().await;
            body.map(|body| (body.to_bytes(), place))
        });
        let (body, _place) = match asked.await {
            Ok(Ok(asked)) => asked,
            Ok(Err(error)) => return plain(StatusCode::BAD_REQUEST, &format!("reading the review: {error}")),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the review did not come in time"),
        };
        let asked = match serde_json::from_slice::<Review>(&body) {
            Ok(Review { request: Some(asked) }) => asked,
            Ok(Review { request: None }) => return plain(StatusCode::BAD_REQUEST, "the review asks nothing"),
            Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("reading the review: {error}")),
        };
        drop(body);
        let uid = asked.uid.clone();
        let verdict = if kind == "JsonnetSnippet" { self.snippet(asked).await } else { self.library(asked).await };
        self.0.world.metrics.webhook().judged(kind, verdict.word());
        match serde_json::to_vec(&verdict.answer(&uid)) {
            Ok(text) => json(text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    async fn snippet(&self, asked: review::Request) -> Verdict {
        let Inner { world, .. } = &*self.0;
        let (new, old) = match objects::<JsonnetSnippet>(asked) {
            Ok(objects) => objects,
            Err(verdict) => return verdict,
        };
        if !self.is_ours(&new) {
            return Verdict::fine();
        }
        let listed = self.is_listed().await;
        let facts = Facts { settings: &world.settings, graph: listed.then_some(&*world.graph) };
        let mounted = world.mounted.state();
        judge::snippet(&new, old.as_ref(), &facts, |alias| mounted.knows(alias))
    }

    async fn library(&self, asked: review::Request) -> Verdict {
        let Inner { world, .. } = &*self.0;
        let (new, old) = match objects::<JsonnetLibrary>(asked) {
            Ok(objects) => objects,
            Err(verdict) => return verdict,
        };
        if !self.is_ours(&new) {
            return Verdict::fine();
        }
        let listed = self.is_listed().await;
        let facts = Facts { settings: &world.settings, graph: listed.then_some(&*world.graph) };
        judge::library(&new, old.as_ref(), &facts)
    }

    /// Whether the operator looks after it at all.
    fn is_ours(&self, object: &impl ResourceExt) -> bool {
        let namespace = object.namespace().unwrap_or_default();
        (self.0.namespaces.is_empty() || self.0.namespaces.contains(&namespace))
            && self.0.selector.matches(object.labels())
    }

    /// Whether everything is listed, after a short wait.
    async fn is_listed(&self) -> bool {
        let all = async {
            for listed in &self.0.listed {
                listed.cancelled().await;
            }
        };
        tokio::time::timeout(LISTS, all).await.is_ok()
    }
}

/// The object as it shall be, and as it is.
fn objects<K: DeserializeOwned + ResourceExt>(asked: review::Request) -> Result<(K, Option<K>), Verdict> {
    if !matches!(asked.operation.as_str(), "CREATE" | "UPDATE") {
        return Err(Verdict::fine());
    }
    let read = |object: Value| {
        serde_json::from_value::<K>(object)
            .map_err(|error| Verdict::denied(format!("the object cannot be read: {error}")))
    };
    let mut new = read(asked.object)?;
    // An object that is made may leave its namespace to the request.
    if new.meta().namespace.is_none() {
        new.meta_mut().namespace = Some(asked.namespace);
    }
    let old = if asked.old_object.is_null() { None } else { Some(read(asked.old_object)?) };
    Ok((new, old))
}

fn json(text: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response
}
