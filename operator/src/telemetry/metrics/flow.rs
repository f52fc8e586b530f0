//! What goes in and out: sources that are fetched, evaluations, publishes that fail, artifacts that are asked for.

use std::time::Duration;

use jaas_api::Reason;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the time histograms, in seconds.
const TIME_BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

type OneLabel = [(&'static str, &'static str); 1];
type RequestLabels = [(&'static str, String); 2];

/// The metrics. Clones share the values.
#[derive(Clone)]
pub struct Flow {
    fetches: Family<OneLabel, Counter>,
    fetched_bytes: Counter,
    fetch_seconds: Histogram,
    eval_seconds: Family<OneLabel, Histogram>,
    publish_failures: Family<OneLabel, Counter>,
    requests: Family<RequestLabels, Counter>,
    renderer_requests: Family<RequestLabels, Counter>,
}

impl Flow {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let flow = Self {
            fetches: Family::default(),
            fetched_bytes: Counter::default(),
            fetch_seconds: Histogram::new(TIME_BUCKETS),
            eval_seconds: Family::new_with_constructor(|| Histogram::new(TIME_BUCKETS)),
            publish_failures: Family::default(),
            requests: Family::default(),
            renderer_requests: Family::default(),
        };
        registry.register("jaas_source_fetches", "Downloads of sources by their result", flow.fetches.clone());
        registry.register(
            "jaas_source_fetch_bytes",
            "Bytes of sources that were downloaded",
            flow.fetched_bytes.clone(),
        );
        registry.register(
            "jaas_source_fetch_duration_seconds",
            "Time that a download of a source took",
            flow.fetch_seconds.clone(),
        );
        registry.register(
            "jaas_eval_duration_seconds",
            "Time that an evaluation took, by its result",
            flow.eval_seconds.clone(),
        );
        registry.register(
            "jaas_publish_failures",
            "Rendered snippets that could not be stored or announced, by cause",
            flow.publish_failures.clone(),
        );
        registry.register(
            "jaas_storage_http_requests",
            "Requests to the storage server, by method and HTTP status",
            flow.requests.clone(),
        );
        registry.register(
            "jaas_renderer_http_requests",
            "Requests to the HTTP renderer, by method and HTTP status",
            flow.renderer_requests.clone(),
        );
        flow
    }

    /// A source was downloaded, or not.
    pub fn fetched(&self, result: &'static str, bytes: usize, took: Duration) {
        self.fetches.get_or_create(&[("result", result)]).inc();
        self.fetched_bytes.inc_by(bytes as u64);
        self.fetch_seconds.observe(took.as_secs_f64());
    }

    /// An evaluation ended.
    pub fn evaluated(&self, result: &'static str, took: Duration) {
        self.eval_seconds.get_or_create(&[("result", result)]).observe(took.as_secs_f64());
    }

    /// What was rendered could not be published.
    pub fn publish_failed(&self, cause: Reason) {
        self.publish_failures.get_or_create(&[("cause", cause.as_str())]).inc();
    }

    /// The storage server answered.
    pub fn answered(&self, method: &http::Method, status: http::StatusCode) {
        self.requests.get_or_create(&request(method, status)).inc();
    }

    /// The HTTP renderer answered.
    pub fn rendered(&self, method: &http::Method, status: http::StatusCode) {
        self.renderer_requests.get_or_create(&request(method, status)).inc();
    }
}

fn request(method: &http::Method, status: http::StatusCode) -> RequestLabels {
    // Anybody may send any word as a method.
    let method = if matches!(*method, http::Method::GET | http::Method::HEAD) { method.as_str() } else { "other" };
    [("method", method.to_owned()), ("code", status.as_u16().to_string())]
}
