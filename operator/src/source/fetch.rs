//! Downloads an artifact and proves it.
//!
//! Names are resolved here and each address is judged before it is dialled, at every redirect anew, so that a name that changes its
//! mind between two look-ups gains nothing. Proxies of the environment are not used.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jaas_sources::hosts::Refused;
use jaas_sources::{Hosts, SourceDigest, Upstream};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;

use crate::fair::Slots;
use crate::telemetry::metrics::Metrics;

/// Downloads at once.
const SLOTS: usize = 8;
/// Redirects that are followed.
const REDIRECTS: usize = 10;
/// Largest download in bytes; exactly this is taken.
pub const LIMIT: u64 = 64 << 20;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for the next bytes.
const SILENCE: Duration = Duration::from_secs(20);
/// After this time a download must have kept up [`SLOWEST`] on average.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes a second.
const SLOWEST: u64 = 16 << 10;
/// Longest download whatever its speed.
const WHOLE: Duration = Duration::from_secs(300);
/// Bounds of what a server may ask for by `Retry-After`.
const RETRY_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Why there are no bytes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody may be asked for it.
    #[error(transparent)]
    Host(#[from] Refused),
    /// It is not there; a source that has just moved on may announce another one any moment.
    #[error(
        "the artifact is not there (HTTP 404); its source is about to announce another one, or its server has lost it"
    )]
    NotFound,
    /// The server will not give it.
    #[error("artifact URL returned a permanent HTTP error: HTTP {0}")]
    Permanent(u16),
    /// The server cannot give it now.
    #[error("the artifact server answers HTTP {status}")]
    Status {
        /// Its answer.
        status: u16,
        /// When to ask again, where it said so.
        retry_after: Option<Duration>,
    },
    /// It sends us round and round.
    #[error("the artifact URL redirects more than {REDIRECTS} times")]
    Redirects,
    /// More than is taken.
    #[error("the artifact is larger than {LIMIT} bytes; publish less in it")]
    TooLarge,
    /// Too slow, or silent.
    #[error("the artifact server sends too slowly: {0}")]
    Slow(&'static str),
    /// No connection, or it broke.
    #[error("the artifact server cannot be reached: {0}")]
    Broken(String),
    /// Other bytes than announced.
    #[error("the artifact's bytes are not what its source announces: declared {declared}, got {got}")]
    Digest {
        /// What the source says.
        declared: SourceDigest,
        /// What came.
        got: SourceDigest,
    },
}

impl FetchError {
    /// The word in labels.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Host(_) => "host_refused",
            Self::NotFound => "not_found",
            Self::Permanent(_) | Self::Status { .. } => "http_error",
            Self::Redirects => "redirects",
            Self::TooLarge => "too_large",
            Self::Slow(_) => "slow",
            Self::Broken(_) => "unreachable",
            Self::Digest { .. } => "digest_mismatch",
        }
    }

    /// When to try again, or `None` where only a change of the source or of a setting helps.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::NotFound => Some(Duration::from_secs(3)),
            Self::Status { retry_after, .. } => Some(retry_after.unwrap_or(Duration::from_secs(5))),
            Self::Slow(_) | Self::Broken(_) => Some(Duration::from_secs(5)),
            // A name may lead elsewhere later; a redirect is a setting of the server's.
            Self::Host(_) | Self::Permanent(_) | Self::Redirects | Self::TooLarge | Self::Digest { .. } => None,
        }
    }
}

type Inner = Client<HttpsConnector<Dialler>, Empty<Bytes>>;
type Dialler = BoxCloneSyncService<Uri, TokioIo<TcpStream>, Box<dyn std::error::Error + Send + Sync>>;

/// Downloads. Clones share connections and slots.
#[derive(Clone)]
pub struct Fetcher {
    client: Inner,
    hosts: Arc<Hosts>,
    slots: Slots,
    metrics: Option<Metrics>,
}

impl Fetcher {
    /// A fetcher that asks these hosts and no others.
    ///
    /// # Errors
    /// Where the system has no certificates to trust.
    pub fn new(hosts: Hosts) -> std::io::Result<Self> {
        let hosts = Arc::new(hosts);
        let judge = Arc::clone(&hosts);
        let dial = tower::service_fn(move |uri: Uri| {
            let judge = Arc::clone(&judge);
            async move { dial(&judge, &uri).await }
        });
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialler::new(dial));
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector);
        Ok(Self { client, hosts, slots: Slots::new(SLOTS), metrics: None })
    }

    /// Counts every download.
    #[must_use]
    pub fn counted(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Whether a URL may be asked for at all, before any look-up.
    ///
    /// # Errors
    /// [`FetchError::Host`].
    pub fn judge(&self, url: &str) -> Result<(), FetchError> {
        self.hosts.judge_url(url).map(drop).map_err(FetchError::from)
    }

    /// The bytes of an artifact, which hash to its digest; for somebody of this namespace.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(&self, namespace: &str, upstream: &Upstream) -> Result<Bytes, FetchError> {
        self.judge(&upstream.url)?;
        let _slot = self.slots.take(namespace).await;
        let begun = Instant::now();
        let whole = tokio::time::timeout(WHOLE, self.download(upstream));
        let fetched = whole.await.unwrap_or(Err(FetchError::Slow("it took longer than five minutes")));
        if let Some(metrics) = &self.metrics {
            let (result, bytes) = match &fetched {
                Ok(bytes) => ("fetched", bytes.len()),
                Err(error) => (error.word(), 0),
            };
            metrics.flow().fetched(result, bytes, begun.elapsed());
        }
        fetched
    }

    async fn download(&self, upstream: &Upstream) -> Result<Bytes, FetchError> {
        let mut url = upstream.url.clone();
        for _ in 0..=REDIRECTS {
            self.judge(&url)?;
            let response = self.ask(&url).await?;
            match response.status() {
                StatusCode::OK => return read(response.into_body(), &upstream.digest).await,
                status if status.is_redirection() => url = redirected(&url, response.headers())?,
                status => return Err(refusal(status, response.headers())),
            }
        }
        Err(FetchError::Redirects)
    }

    async fn ask(&self, url: &str) -> Result<Response<Incoming>, FetchError> {
        let broken = |error: &dyn std::fmt::Display| FetchError::Broken(error.to_string());
        let request = Request::get(url).header(http::header::USER_AGENT, "jaas-operator").body(Empty::new());
        let request = request.map_err(|error| broken(&error))?;
        let answer = tokio::time::timeout(CONNECT + SILENCE, self.client.request(request)).await;
        match answer {
            Err(_) => Err(FetchError::Slow("it does not answer")),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                Err(host_refusal(&error).map_or_else(|| FetchError::Broken(root(&error)), FetchError::Host))
            }
        }
    }
}

/// Connects to the first address of the name that may be asked and answers. One forbidden address forbids the name: whoever owns it
/// could otherwise try until the order suits.
async fn dial(hosts: &Hosts, uri: &Uri) -> Result<TokioIo<TcpStream>, Box<dyn std::error::Error + Send + Sync>> {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(default);
    let found = tokio::time::timeout(CONNECT, tokio::net::lookup_host((bare, port))).await??;
    let addresses: Vec<SocketAddr> = found.collect();
    for address in &addresses {
        hosts.judge_address(bare, *address)?;
    }
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(&*addresses)).await??;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(stream))
}

/// The guard's own error, wherever the client has wrapped it.
fn host_refusal(error: &(dyn std::error::Error + 'static)) -> Option<Refused> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Some(refused.clone());
        }
        at = error.source();
    }
    None
}

/// The last cause, which is the one that says something.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

fn redirected(url: &str, headers: &HeaderMap) -> Result<String, FetchError> {
    let broken = |what: &str| FetchError::Broken(what.to_owned());
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| broken("it redirects without saying where to"))?;
    jaas_sources::hosts::join(url, location).ok_or_else(|| broken("it redirects to no address"))
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> FetchError {
    match status.as_u16() {
        404 => FetchError::NotFound,
        408 | 429 => FetchError::Status { status: status.as_u16(), retry_after: retry_after(headers) },
        code @ 400..=499 => FetchError::Permanent(code),
        code => FetchError::Status { status: code, retry_after: retry_after(headers) },
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let asked = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let mut raw = [headers.get(RETRY_AFTER)?].into_iter();
            let date = <headers::Date as headers::Header>::decode(&mut raw).ok()?;
            std::time::SystemTime::from(date).duration_since(std::time::SystemTime::now()).unwrap_or_default()
        }
    };
    Some(asked.clamp(RETRY_BOUNDS.0, RETRY_BOUNDS.1))
}

/// Reads and proves. A body that is slower than [`SLOWEST`] or longer than [`LIMIT`] is given up.
async fn read(mut body: Incoming, declared: &SourceDigest) -> Result<Bytes, FetchError> {
    let begun = Instant::now();
    let mut hasher = declared.algorithm().hasher();
    let mut bytes = Vec::new();
    loop {
        let next = tokio::time::timeout(SILENCE, Pin::new(&mut body).frame()).await;
        let frame = match next.map_err(|_| FetchError::Slow("it stopped sending"))? {
            None => break,
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Err(FetchError::Broken(root(&error))),
        };
        let Some(data) = frame.data_ref() else { continue };
        if (bytes.len() + data.len()) as u64 > LIMIT {
            return Err(FetchError::TooLarge);
        }
        hasher.update(data);
        bytes.extend_from_slice(data);
        let took = begun.elapsed();
        if took > PATIENCE && (bytes.len() as u64) < SLOWEST.saturating_mul(took.as_secs()) {
            return Err(FetchError::Slow("it keeps sending, but hardly anything"));
        }
    }
    let got = hasher.finish();
    if got != *declared {
        return Err(FetchError::Digest { declared: declared.clone(), got });
    }
    Ok(bytes.into())
}

#[cfg(test)]
#[path = "fetch/tests.rs"]
mod tests;
