//! A collector of spans: a real gRPC server that takes OTLP and keeps what comes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tonic::{Request, Response, Status};

/// A span as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) scope: String,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Of whoever sent it.
    pub(crate) resource: BTreeMap<String, String>,
    /// Whether it is an error, and what is said of it.
    pub(crate) error: Option<String>,
}

type Spans = Arc<Mutex<Vec<Span>>>;

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    spans: Spans,
    accepting: AbortHandle,
}

struct Service(Spans);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let of_sender = attributes(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
            for scope in resource.scope_spans {
                let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
                spans.extend(scope.spans.into_iter().map(|span| Span {
                    name: span.name,
                    scope: name.clone(),
                    id: span.span_id,
                    parent: span.parent_span_id,
                    attributes: attributes(span.attributes),
                    resource: of_sender.clone(),
                    // 2 is the code of an error.
                    error: span.status.filter(|status| status.code == 2).map(|status| status.message),
                }));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attributes(found: Vec<KeyValue>) -> BTreeMap<String, String> {
    found.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let spans = Spans::default();
        let service = TraceServiceServer::new(Service(Arc::clone(&spans)));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(service.clone());
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, spans, accepting: accepting.abort_handle() }
    }

    /// Spans of this name so far, and whose snippet they are about, by the span above them.
    pub(crate) fn spans(&self, name: &str) -> Vec<Span> {
        self.spans.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
