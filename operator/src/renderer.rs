//! The HTTP renderer: `GET /<endpoint>/<snippet>` evaluates a file of this machine and answers with the JSON that it renders to.
//!
//! The query becomes top-level arguments, external variables are those of the process. Programs come from folders that the administrator
//! named; they run in the same workers as those of tenants and with the same limits. Whatever a request does, reconciles keep slots that
//! it cannot take. An answer that is no document is a problem document (RFC 9457), whose codes clients may rely on.

pub mod alone;
mod find;
mod gate;
mod path;
mod problem;
mod query;
mod quote;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use jaas_render::collect::{Collected, TooLarge};
use jaas_render::worker::{EvaluateError, Pool};
use jaas_render::{Output, Request, Variable};
use jaas_storage::artifact::ENTRY_LIMIT;
use tokio::sync::Semaphore;
use warp::Filter;
use warp::reply::{Reply, Response};

use crate::config::{Config, Renderer as Settings};
use crate::http::path::sent;
use crate::snippet::evaluate::word;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

use find::{Found, Libraries};
pub use gate::Gate;
use path::Route;
use problem::Problem;

/// In whose name the workers of the renderer run. No namespace has such a name.
const OWNER: &str = "(http)";
/// Bytes that a program and all that it imports may take.
const PROGRAM_LIMIT: u64 = 64 << 20;
/// Look-ups of snippets at once: on a volume that hangs each of them holds a thread.
const LOOK_UPS: usize = 16;
/// Kibibytes of documents that are being sent at once, so that clients that read slowly do not use up the memory.
const SENDING: u32 = 32 << 10;
/// Size of the pieces in which a document is sent.
const PIECE: usize = 64 << 10;

/// Everything that a request needs. Clones share it.
#[derive(Clone)]
pub struct Renderer(Arc<Inner>);

struct Inner {
    settings: Settings,
    external_variables: BTreeMap<String, Variable>,
    libraries: Libraries,
    timeout: Duration,
    max_stack: u32,
    max_output_bytes: u64,
    workers: Arc<Pool>,
    gate: Gate,
    look_ups: Arc<Semaphore>,
    sending: Arc<Semaphore>,
    metrics: Metrics,
}

impl Renderer {
    /// A renderer of what the settings name.
    pub fn new(config: &Config, workers: Arc<Pool>, gate: Gate, metrics: Metrics) -> Self {
        let variables = config.snippets.external_variables.iter();
        Self(Arc::new(Inner {
            settings: config.renderer.clone(),
            external_variables: variables.map(|(name, text)| (name.clone(), Variable::Text(text.clone()))).collect(),
            libraries: Libraries::new(&config.sources.library_paths),
            timeout: config.evaluation.timeout,
            max_stack: config.evaluation.max_stack,
            max_output_bytes: config.snippets.max_artifact_bytes.unwrap_or(ENTRY_LIMIT).min(ENTRY_LIMIT),
            workers,
            gate,
            look_ups: Arc::new(Semaphore::new(LOOK_UPS)),
            sending: Arc::new(Semaphore::new(SENDING as usize)),
            metrics,
        }))
    }

    async fn answer(&self, method: &Method, path: &str, query: &str) -> Response {
        match path::route(&self.0.settings.endpoint, path) {
            Route::Malformed => text(StatusCode::BAD_REQUEST, "400 Bad Request: malformed URL escape\n"),
            Route::Unknown => text(StatusCode::NOT_FOUND, "404 page not found\n"),
            Route::Moved(place) => moved(place, query),
            Route::Snippet(_) if method != Method::GET => Problem::method_not_allowed().into_response(),
            Route::Snippet(name) => self.render(&name, query).await.unwrap_or_else(|problem| {
                self.tell(&name, &problem);
                problem.into_response()
            }),
        }
    }

    async fn render(&self, name: &str, query: &str) -> Result<Response, Problem> {
        let found = self.find(name).await?.ok_or_else(|| Problem::not_found(name))?;
        let Some(turn) = self.0.gate.take().await else {
            self.0.metrics.eval_rejected();
            return Err(Problem::unavailable(name));
        };
        let running = self.0.metrics.evaluation_started();
        let begun = Instant::now();
        let inner = Arc::clone(&self.0);
        // Who waits may leave; the slot is held for as long as the reading takes.
        let reading = tokio::task::spawn_blocking(move || {
            let label = found.label();
            let entry = found.entry();
            (found.collect(&inner.libraries, PROGRAM_LIMIT), label, entry, (turn, running))
        });
        let read = within(self.0.timeout, reading).await.ok_or_else(|| self.timed_out(name))?;
        let (collected, label, entry, (turn, running)) =
            read.map_err(|error| Problem::failed(name, &error.to_string()))?;
        let collected = collected.map_err(|error: TooLarge| Problem::failed(name, &error.to_string()))?;
        let request = self.request(label, entry, collected, query);
        let rendered = self.0.workers.evaluate_holding(OWNER, &request, self.0.max_output_bytes, turn).await;
        self.0.metrics.flow().evaluated(word(&rendered), begun.elapsed());
        drop(running);
        match rendered {
            Ok(rendered) => self.document(name, rendered.bytes.into()),
            Err(error) => {
                if matches!(error, EvaluateError::Unavailable(_)) {
                    self.0.metrics.eval_rejected();
                }
                Err(Problem::of(name, &error, chain(&error)))
            }
        }
    }

    /// Looks for a snippet.
    async fn find(&self, name: &str) -> Result<Option<Found>, Problem> {
        let look_ups = Arc::clone(&self.0.look_ups);
        let place = within(self.0.timeout, look_ups.acquire_owned()).await;
        let Some(Ok(place)) = place else { return Err(Problem::unavailable(name)) };
        let (inner, wanted) = (Arc::clone(&self.0), name.to_owned());
        let looking = tokio::task::spawn_blocking(move || {
            let _place = place;
            find::find(&inner.settings, &wanted)
        });
        let looked = within(self.0.timeout, looking).await.ok_or_else(|| self.timed_out(name))?;
        looked.map_err(|error| Problem::failed(name, &error.to_string()))
    }

    fn timed_out(&self, name: &str) -> Problem {
        Problem::timeout(name, self.0.timeout, "reading the files took too long")
    }

    fn request(&self, label: String, entry: String, collected: Collected, query: &str) -> Request {
        Request {
            label,
            entry,
            files: collected.files,
            libraries: collected.libraries,
            external_variables: self.0.external_variables.clone(),
            top_level_arguments: query::arguments(query),
            output: Output::Json,
            max_stack: self.0.max_stack,
        }
    }

    /// Sends a document, unless too much is being sent already.
    fn document(&self, name: &str, document: Bytes) -> Result<Response, Problem> {
        let kibibytes = u32::try_from(document.len() / 1024 + 1).unwrap_or(SENDING).min(SENDING);
        let Ok(place) = Arc::clone(&self.0.sending).try_acquire_many_owned(kibibytes) else {
            self.0.metrics.eval_rejected();
            return Err(Problem::unavailable(name));
        };
        let length = document.len();
        let mut response = if length <= PIECE {
            Response::new(document.into())
        } else {
            let pieces = futures::stream::unfold((document, place), |(mut rest, place)| async move {
                let piece = rest.split_to(rest.len().min(PIECE));
                (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (rest, place)))
            });
            warp::reply::stream(pieces).into_response()
        };
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// Diagnostics are for the administrator alone: they tell of files.
    fn tell(&self, name: &str, problem: &Problem) {
        let error = problem.diagnostic();
        match problem.status() {
            StatusCode::NOT_FOUND => tracing::debug!("snippet-name" = name, "Snippet not found"),
            StatusCode::SERVICE_UNAVAILABLE => {
                tracing::warn!("snippet-name" = name, error, "Jsonnet evaluation unavailable");
            }
            StatusCode::GATEWAY_TIMEOUT => {
                let timeout = kube::core::Duration::from(self.0.timeout);
                tracing::warn!("snippet-name" = name, %timeout, error, "Jsonnet evaluation timed out");
            }
            _ => tracing::error!("snippet-name" = name, error, "Jsonnet evaluation failed"),
        }
    }
}

/// The routes. They answer every path and every method themselves.
pub fn routes(renderer: Renderer) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    sent().and(warp::method()).and(query).then(move |path: String, method: Method, query: String| {
        let renderer = renderer.clone();
        async move {
            let response = renderer.answer(&method, &path, &query).await;
            renderer.0.metrics.flow().rendered(&method, response.status());
            response
        }
    })
}

/// What comes of something within a time; zero is no limit.
async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    if limit.is_zero() { Some(work.await) } else { tokio::time::timeout(limit, work).await.ok() }
}

fn text(status: StatusCode, words: &'static str) -> Response {
    let mut response = warp::reply::with_status(words, status).into_response();
    response.headers_mut().insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn moved(place: String, query: &str) -> Response {
    let place = if query.is_empty() { place } else { format!("{place}?{query}") };
    let Ok(place) = HeaderValue::try_from(place) else {
        return text(StatusCode::BAD_REQUEST, "400 Bad Request\n");
    };
    let mut response = text(StatusCode::TEMPORARY_REDIRECT, "");
    response.headers_mut().insert(LOCATION, place);
    response
}
