//! Accepts connections: at most so many at once, none that dawdles, and all ended within a deadline.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// Connections that one server holds at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 2048;
/// Least time that an idle connection is kept, whatever the read time-out: clients that pool connections rely on it.
const IDLE_AT_LEAST: Duration = Duration::from_secs(30);

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("Cannot bind {name} listener on {address}; is the port taken?")]
pub struct BindError {
    name: &'static str,
    address: String,
    #[source]
    source: std::io::Error,
}

/// Binds a server's socket.
///
/// # Errors
/// [`BindError`], with the address that was tried.
pub async fn bind(name: &'static str, host: &str, port: u16) -> Result<TcpListener, BindError> {
    let failed = |source| BindError { name, address: format!("{host}:{port}"), source };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    TcpListener::bind((host, port)).await.map_err(failed)
}

/// Binds a server's socket at an address.
///
/// # Errors
/// [`BindError`], with the address that was tried.
pub async fn bind_address(name: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    bind(name, &address.ip().to_string(), address.port()).await
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the head of a request; zero means no limit.
    pub read: Duration,
    /// For a client to take the next piece of a response; zero means no limit.
    pub write: Duration,
}

/// A connection whose client may not dawdle.
pub type Moving = Pin<Box<TimeoutStream<TcpStream>>>;

/// What a connection begins with.
pub trait Begin: Clone + Send + Sync + 'static {
    /// What requests come over then.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Begins; `None` where the client does not go along.
    fn begin(&self, stream: Moving) -> impl Future<Output = Option<Self::Stream>> + Send;
}

/// A connection without TLS.
#[derive(Clone, Copy, Debug)]
struct Plain;

impl Begin for Plain {
    type Stream = Moving;

    async fn begin(&self, stream: Moving) -> Option<Moving> {
        Some(stream)
    }
}

/// Serves until `stop`, then for at most `drain` longer to finish what has started; or until the socket listens no more.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    timeouts: Timeouts,
    stop: CancellationToken,
    drain: Duration,
) where
    S: tower::Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    serve_over(listener, Plain, service, timeouts, stop, drain).await;
}

/// The same over connections that begin in a way of their own, such as with TLS.
pub async fn serve_over<S, B>(
    listener: TcpListener,
    begin: impl Begin,
    service: S,
    timeouts: Timeouts,
    stop: CancellationToken,
    drain: Duration,
) where
    S: tower::Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = Builder::new(TokioExecutor::new());
    let idle = (!timeouts.read.is_zero()).then(|| timeouts.read.max(IDLE_AT_LEAST));
    builder.http1().timer(TokioTimer::new()).header_read_timeout(idle);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(100).keep_alive_interval(Some(IDLE_AT_LEAST));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, place) = match accepted {
            Ok(Some(accepted)) => accepted,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(%error, address = ?listener.local_addr().ok(), "The socket does not listen any more");
                return;
            }
        };
        let (begin, builder, service) = (begin.clone(), builder.clone(), service.clone());
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let _place = place;
            let Some(stream) = begin.begin(moving(stream, timeouts.write)).await else { return };
            let connection =
                builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
            // A client that went away is not our error.
            let _ = watcher.watch(connection).await;
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("Connections were cut: they were not done within the shutdown's deadline");
    }
}

/// Cuts a client that takes nothing for too long, so that it does not hold its place.
fn moving(stream: TcpStream, limit: Duration) -> Moving {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout((!limit.is_zero()).then_some(limit));
    // hyper's own limit starts with the first byte, so that one who sends none would stay for ever.
    stream.set_read_timeout((!limit.is_zero()).then(|| limit.max(IDLE_AT_LEAST)));
    Box::pin(stream)
}

/// The next connection and its place; nothing where one failed and the next one may not.
///
/// # Errors
/// Where the socket does not listen any more, which somebody with the right to can have done to it: accept(2), EINVAL.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)>> {
    let Ok(place) = Arc::clone(places).acquire_owned().await else { return Ok(None) };
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are written whole; waiting for more would only delay the last packet.
            let _ = stream.set_nodelay(true);
            Ok(Some((stream, place)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Err(error),
        Err(error) => {
            tracing::warn!(%error, "Accepting a connection failed");
            // Out of descriptors: trying again at once would only spin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(None)
        }
    }
}
