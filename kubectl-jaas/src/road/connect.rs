//! HTTP/1 to one server, over TCP or through a Pod.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::Pod;
use kube::client::{Body, UpgradeConnectionError};
use kube::{Api, Client};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tower::BoxError;

use crate::session::{Call, Session};

/// Longest time to reach a server.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Longest time for the API server and the Pod's node to open a way into a Pod.
const FORWARD_LIMIT: Duration = Duration::from_secs(10);
/// Ways into a Pod are few and dear: so many are kept for the next request.
const KEPT: usize = 8;

/// One end of a connection.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, whatever it is made of.
struct Stream(TokioIo<Box<dyn Duplex>>);

impl Stream {
    fn of(stream: impl Duplex + 'static) -> Self {
        Self(TokioIo::new(Box::new(stream)))
    }
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// What the node says of a port that it cannot reach, such as a refused connection.
type Said = Arc<Mutex<Option<String>>>;

/// Opens connections.
#[derive(Clone)]
enum Door {
    /// To `host:port`.
    Tcp(String),
    /// To a port of a Pod.
    Forward(Box<Forward>),
}

/// A port of a Pod.
#[derive(Clone)]
struct Forward {
    pods: Api<Pod>,
    pod: String,
    port: u16,
    said: Said,
}

impl Door {
    async fn open(self) -> Result<Stream, BoxError> {
        match self {
            Self::Tcp(address) => {
                let stream = within(CONNECT_LIMIT, TcpStream::connect(address)).await??;
                stream.set_nodelay(true)?;
                Ok(Stream::of(stream))
            }
            Self::Forward(forward) => {
                let Forward { pods, pod, port, said } = *forward;
                let mut forwarder = within(FORWARD_LIMIT, pods.portforward(&pod, &[port])).await??;
                if let Some(error) = forwarder.take_error(port) {
                    tokio::spawn(async move {
                        if let Some(error) = error.await {
                            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        }
                    });
                }
                let stream = forwarder.take_stream(port);
                stream.map(Stream::of).ok_or_else(|| "no stream for the port".into())
            }
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}"));
    tokio::time::timeout(limit, work).await.map_err(late)
}

impl tower::Service<Uri> for Door {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().open())
    }
}

/// A server that is asked past the API server's own answers.
#[derive(Clone)]
pub(crate) struct Server {
    /// Sends requests. It shows no credentials of the kubeconfig.
    pub(crate) client: Client,
    /// What stands before the path of each request.
    pub(crate) base: String,
    /// The Pod at the end, where it is reached through one.
    pub(crate) pod: Option<String>,
    said: Said,
}

impl Server {
    /// A server at an address such as `http://127.0.0.1:8085`, from here.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub(crate) fn at(address: &str) -> Result<Self, String> {
        let uri: Uri = address.parse().map_err(|_| format!("`{address}` is no address"))?;
        let host = uri.host().ok_or_else(|| format!("`{address}` names no host"))?;
        if uri.scheme_str() != Some("http") {
            return Err(format!("`{address}` must begin with http://: the endpoint speaks no TLS"));
        }
        let door = Door::Tcp(format!("{host}:{}", uri.port_u16().unwrap_or(80)));
        Ok(Self::behind(door, address.trim_end_matches('/').to_owned(), None, Said::default()))
    }

    /// A port of a Pod, through the API server and the Pod's node.
    pub(crate) fn inside(session: &Session, namespace: &str, pod: &str, port: u16) -> Self {
        let said = Said::default();
        let pods = Api::namespaced(session.client.clone(), namespace);
        let forward = Forward { pods, pod: pod.to_owned(), port, said: Arc::clone(&said) };
        let door = Door::Forward(Box::new(forward));
        Self::behind(door, format!("http://127.0.0.1:{port}"), Some(pod.to_owned()), said)
    }

    fn behind(door: Door, base: String, pod: Option<String>, said: Said) -> Self {
        let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
        let client = builder.pool_max_idle_per_host(KEPT).build::<_, Body>(door);
        Self { client: Client::new(client, "default"), base, pod, said }
    }

    /// Why no answer came.
    pub(crate) fn silence(&self, error: &kube::Error) -> Silence {
        if let Some(said) = self.said.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            return Silence::Nobody(said.lines().last().unwrap_or_default().trim().to_owned());
        }
        let refusal = causes(error).find_map(|cause| match cause.downcast_ref::<kube::Error>() {
            Some(kube::Error::Api(status)) => Some(status),
            _ => None,
        });
        // Only the way into a Pod asks the API server for anything.
        if let Some(status) = refusal {
            return match status.code {
                401 | 403 => Silence::Forbidden,
                _ => Silence::NoWay(status.message.clone()),
            };
        }
        match causes(error).find_map(|cause| cause.downcast_ref::<UpgradeConnectionError>()) {
            Some(UpgradeConnectionError::ProtocolSwitch(status)) if matches!(status.as_u16(), 401 | 403) => {
                Silence::Forbidden
            }
            Some(UpgradeConnectionError::ProtocolSwitch(status)) => {
                Silence::NoWay(format!("the API server answers {status} instead of opening a way into the Pod"))
            }
            Some(error) => Silence::NoWay(error.to_string()),
            None if self.pod.is_some()
                && causes(error).any(|cause| cause.is::<kube::Error>() && !std::ptr::eq(cause, error)) =>
            {
                Silence::NoWay(root(error))
            }
            None => Silence::Nobody(root(error)),
        }
    }
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The API server does not let the caller into the Pod.
    Forbidden,
    /// There is no way into the Pod, which says nothing of who listens in it.
    NoWay(String),
    /// Nobody answers there.
    Nobody(String),
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The innermost cause, which is the one that a person can act on.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let last = causes(error).last().map(|error| error.to_string()).unwrap_or_default();
    last.lines().next().unwrap_or_default().to_owned()
}

/// The call that opens a way into a Pod, as messages and rules name it.
pub(crate) fn forward_call(namespace: &str, pod: &str) -> Call {
    Call::new("create", "", "pods/portforward", &["create", "get"]).within(Some(namespace)).named(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_plain_http() {
        assert_eq!(Server::at("http://127.0.0.1:8085/").map(|server| server.base).unwrap(), "http://127.0.0.1:8085");
        for wrong in ["127.0.0.1:8085", "https://x:1", "http://", "x y"] {
            assert!(Server::at(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_told_by_the_innermost_cause() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let server = Server::at(&address).unwrap();
        let request = http::Request::get(format!("{address}/x")).body(Body::empty()).unwrap();
        let error = server.client.send(request).await.unwrap_err();
        let silence = server.silence(&error);
        assert!(matches!(&silence, Silence::Nobody(cause) if cause.contains("refused")), "{silence:?}");
    }
}
