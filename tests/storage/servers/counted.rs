//! A way to a server on which the requests are counted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

type Sender = Client<HttpConnector, Full<Bytes>>;

/// Hands every request on as it is; ends when it is dropped.
pub(crate) struct Counted {
    address: SocketAddr,
    methods: Arc<Mutex<Vec<String>>>,
    accepting: AbortHandle,
}

impl Counted {
    /// Listens before the server at an endpoint.
    pub(crate) async fn before(endpoint: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let methods = Arc::<Mutex<Vec<String>>>::default();
        let (seen, server) = (Arc::clone(&methods), endpoint.parse::<Authority>().unwrap());
        let sender: Sender = Client::builder(TokioExecutor::new()).build_http();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, server, sender) = (Arc::clone(&seen), server.clone(), sender.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.method().to_string());
                    hand_on(sender.clone(), server.clone(), request)
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, methods, accepting: accepting.abort_handle() }
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Methods of the requests since the last call.
    pub(crate) fn methods(&self) -> Vec<String> {
        std::mem::take(&mut self.methods.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The header `Host` stays, since it is signed.
async fn hand_on(
    sender: Sender,
    server: Authority,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut head, body) = request.into_parts();
    let mut uri = head.uri.into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(server);
    head.uri = Uri::from_parts(uri)?;
    let body = Full::new(body.collect().await?.to_bytes());
    Ok(sender.request(Request::from_parts(head, body)).await?)
}
