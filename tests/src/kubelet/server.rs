//! What the API server asks of a kubelet: logs, and ways to ports.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Sandbox, Shared, forward, logs};
use crate::controlplane::ControlPlane;

/// How ports are forwarded over a WebSocket.
const PROTOCOL: &str = "v4.channel.k8s.io";

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// TLS with a certificate by the control plane's authority, for whoever shows one by it.
pub(super) fn tls(plane: &ControlPlane, node: &str) -> Result<TlsAcceptor> {
    let pair = plane.kubelet_certificate(node)?;
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(plane.certificate_authority().as_bytes());
    roots.add(authority.context("reading the authority's certificate")?).context("trusting the authority")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).context("reading a certificate")?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).context("reading a key")?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choosing versions of TLS")?
        .with_client_cert_verifier(clients.context("setting up whom to trust")?)
        .with_single_cert(vec![certificate], key)
        .context("setting up TLS")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves the API server.
pub(super) async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection(stream, tls.clone(), Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = hyper::service::service_fn(move |request| answer(Arc::clone(&shared), request));
    let connection = hyper::server::conn::http1::Builder::new();
    // A client that goes away is its own affair.
    let _ = connection.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    Ok(match (request.method(), parts.as_slice()) {
        (&Method::GET, ["containerLogs", namespace, pod, _]) if *namespace == shared.namespace => {
            match shared.sandbox(pod) {
                Some(sandbox) => logs::answer(&sandbox, &query),
                None => say(StatusCode::NOT_FOUND, format!("pod {pod:?} does not exist")),
            }
        }
        (&Method::GET, ["portForward", namespace, pod]) if *namespace == shared.namespace => {
            match shared.sandbox(pod) {
                Some(sandbox) => upgrade(request, &query, sandbox),
                None => say(StatusCode::NOT_FOUND, format!("pod {pod:?} does not exist")),
            }
        }
        _ => say(StatusCode::NOT_FOUND, format!("{path} is not played here")),
    })
}

/// Takes a WebSocket; what kubectl asks for with SPDY is not played.
fn upgrade(request: Request<Incoming>, query: &str, sandbox: Arc<Sandbox>) -> Response<Body> {
    let headers = request.headers();
    if !offers(headers, PROTOCOL) {
        return say(StatusCode::FORBIDDEN, format!("only WebSockets with {PROTOCOL} are played here"));
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes())) else {
        return say(StatusCode::BAD_REQUEST, "no Sec-WebSocket-Key".to_owned());
    };
    let ports: Vec<u16> = values(query, "port").filter_map(|port| port.parse().ok()).collect();
    if ports.is_empty() {
        return say(StatusCode::BAD_REQUEST, format!("no port in {query:?}"));
    }
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            forward::serve(TokioIo::new(upgraded), &sandbox, &ports).await;
        }
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, key)
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
    response.body(text(String::new())).unwrap_or_default()
}

fn offers(headers: &HeaderMap, protocol: &str) -> bool {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|value| value.trim() == protocol)
}

/// The values of one parameter. They are numbers and words, so nothing is encoded.
pub(super) fn values<'a>(query: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// An answer in words.
pub(super) fn say(status: StatusCode, words: String) -> Response<Body> {
    let mut response = Response::new(text(words));
    *response.status_mut() = status;
    response
}

/// A body that is there at once.
pub(super) fn text(words: String) -> Body {
    Full::new(Bytes::from(words)).boxed_unsync()
}
