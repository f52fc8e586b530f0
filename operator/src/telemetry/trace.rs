//! Spans of reconciles, sent by OTLP over gRPC, under the names that the Go implementation gives them.
//!
//! Where no collector is named no span is made.

use std::time::Duration;

use jaas_api::Reason;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Span;
use tracing::field::Empty;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use crate::config::Tracing;
use crate::snippet::outcome::{Attempt, Refusal, chain};

/// Marks the spans that are sent; those of libraries are not.
const TARGET: &str = "jaas::trace";
/// Name of the tracer.
const SCOPE: &str = "github.com/metio/jaas";
/// Longest that sending the last spans may hold up the end of the process.
const FLUSH: Duration = Duration::from_secs(5);

/// The way to the collector.
pub struct Tracer(SdkTracerProvider);

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("Setting up spans for {endpoint}; check --tracing-endpoint and --tracing-insecure")]
pub struct TraceError {
    endpoint: String,
    #[source]
    source: opentelemetry_otlp::ExporterBuildError,
}

impl Tracer {
    /// Prepares to send; the collector need not be there yet. Must be called in a runtime.
    ///
    /// # Errors
    /// [`TraceError`] for an address that cannot be one.
    pub fn new(settings: &Tracing) -> Result<Self, TraceError> {
        let scheme = if settings.tls { "https" } else { "http" };
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(format!("{scheme}://{}", settings.endpoint));
        let exporter =
            if settings.tls { exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots()) } else { exporter };
        let failed = |source| TraceError { endpoint: settings.endpoint.clone(), source };
        let exporter = exporter.build().map_err(failed)?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name("jaas").with_attribute(version).build())
            .with_sampler(sampler(settings.ratio))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// What hears of spans.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer(SCOPE)).with_location(false);
        let layer = layer.with_threads(false).with_target(false).with_tracked_inactivity(false);
        layer.with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET)).boxed()
    }

    /// Sends what has not been sent. Blocks for some seconds at most.
    pub fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH) {
            tracing::warn!(error = chain(&error), "The last spans could not be sent");
        }
    }
}

fn sampler(ratio: f64) -> Sampler {
    if ratio >= 1.0 {
        Sampler::AlwaysOn
    } else if ratio <= 0.0 {
        Sampler::AlwaysOff
    } else {
        Sampler::TraceIdRatioBased(ratio)
    }
}

/// The whole of a reconcile.
pub fn reconcile(namespace: &str, name: &str, generation: i64) -> Span {
    tracing::info_span!(
        target: TARGET,
        parent: None,
        "JsonnetSnippet.Reconcile",
        jaas.namespace = namespace,
        jaas.name = name,
        jaas.generation = generation,
    )
}

/// Reading the snippet's own files; `mode` is `inline` or `sourceRef`.
pub fn resolve_source(mode: &'static str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "snippet.resolveSource",
        jaas.source.mode = mode,
        jaas.source.fileCount = Empty,
        jaas.reason = Empty,
        jaas.transient = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    )
}

/// Reading the libraries.
pub fn resolve_libraries() -> Span {
    tracing::info_span!(
        target: TARGET,
        "snippet.resolveLibraries",
        jaas.library.count = Empty,
        jaas.reason = Empty,
        jaas.transient = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    )
}

/// Evaluating so many files with so many libraries.
pub fn evaluate(files: usize, libraries: usize) -> Span {
    tracing::info_span!(
        target: TARGET,
        "snippet.evaluate",
        jaas.source.fileCount = count(files),
        jaas.library.count = count(libraries),
        jaas.eval.renderedBytes = Empty,
        jaas.reason = Empty,
        jaas.transient = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    )
}

/// Storing and announcing.
pub fn publish(rendered: usize, retained: usize) -> Span {
    tracing::info_span!(
        target: TARGET,
        "snippet.publish",
        jaas.eval.renderedBytes = count(rendered),
        jaas.publish.enabled = true,
        jaas.publish.retainCount = count(retained),
        jaas.publish.revision = Empty,
        jaas.reason = Empty,
        jaas.transient = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    )
}

/// A number as spans hold it.
pub fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Notes in a span how its step ended. Trouble that may pass is an error; so is a refusal, where the step says so.
pub fn ended<T>(span: &Span, outcome: &Attempt<Result<T, Refusal>>, refusals_are_errors: bool) {
    match outcome {
        Ok(Ok(_)) => {}
        Ok(Err(refusal)) => {
            note(span, refusal.reason, false);
            if refusals_are_errors {
                fail(span, &refusal.message);
            }
        }
        Err(deferred) => {
            note(span, deferred.reason, true);
            fail(span, &chain(deferred));
        }
    }
}

fn note(span: &Span, reason: Reason, transient: bool) {
    span.record("jaas.reason", reason.as_str());
    span.record("jaas.transient", transient);
}

fn fail(span: &Span, message: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_at_its_ends_is_all_or_nothing() {
        assert!(matches!(sampler(1.0), Sampler::AlwaysOn));
        assert!(matches!(sampler(0.0), Sampler::AlwaysOff));
        assert!(matches!(sampler(0.5), Sampler::TraceIdRatioBased(_)));
    }
}
