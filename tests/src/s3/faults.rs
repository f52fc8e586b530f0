//! An S3 service in this process that keeps objects in memory and goes wrong on demand.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; keeps a place in the script.
    None,
    /// It is done, and the connection closed without an answer.
    LoseAnswer,
    /// It is refused with this status and code.
    Refuse(u16, &'static str),
    /// Nobody answers.
    Stall,
    /// After so many bytes of the body nothing more comes.
    StallBody(usize),
    /// After so many bytes of the body the connection is closed.
    CutBody(usize),
    /// One byte of the body is another.
    CorruptBody,
    /// A page of some portal, with status 200.
    Portal,
    /// A listing that continues for ever.
    CircularList,
    /// A listing that says that there is more, but not where.
    CutList,
    /// A listing that names the first object twice.
    DoubleList,
}

/// The service; it ends when this is dropped.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    script: VecDeque<Fault>,
    always: Option<Fault>,
    requests: Vec<String>,
}

#[derive(Clone, Debug)]
struct Object {
    bytes: Bytes,
    metadata: Vec<(String, String)>,
}

impl Object {
    fn etag(&self) -> String {
        format!("\"{}\"", &hex::encode(Sha256::digest(&self.bytes))[..32])
    }
}

type Body = BoxBody<Bytes, io::Error>;

impl FaultServer {
    /// Starts a service with an empty bucket of any name.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = hyper::service::service_fn(move |request| serve(Arc::clone(&state), request));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, state, accepting: accepting.abort_handle() })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// What happens to the next requests, one after another.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).script.extend(faults);
    }

    /// What happens to every request that the script says nothing of.
    pub fn always(&self, fault: Option<Fault>) {
        lock(&self.state).always = fault;
    }

    /// The requests since the last call, as method and path.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).requests)
    }

    /// Flips a byte of every object whose key ends so.
    pub fn damage(&self, end: &str) {
        for (_, object) in lock(&self.state).objects.iter_mut().filter(|(key, _)| key.ends_with(end)) {
            object.bytes = corrupted(&object.bytes);
        }
    }

    /// Removes everything.
    pub fn empty(&self) {
        lock(&self.state).objects.clear();
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let fault = {
        let mut state = lock(&state);
        state.requests.push(format!("{} {}", head.method, head.uri.path()));
        let next = state.script.pop_front();
        next.or_else(|| state.always.clone()).unwrap_or(Fault::None)
    };
    match fault {
        Fault::Stall => std::future::pending().await,
        Fault::Refuse(status, code) => return refuse(status, code, head.method == Method::HEAD),
        Fault::Portal => return answer(StatusCode::OK, &[], Bytes::from_static(b"<html>Sign in</html>")),
        _ => {}
    }
    let answered = act(&mut lock(&state), &head, body, &fault)?;
    if fault == Fault::LoseAnswer {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    spoil(answered, &fault).await
}

fn act(state: &mut State, head: &http::request::Parts, body: Bytes, fault: &Fault) -> io::Result<Response<Body>> {
    let path = head.uri.path().trim_start_matches('/');
    let key = path.split_once('/').map_or("", |(_, key)| key).to_owned();
    if key.is_empty() {
        return list(state, head.uri.query().unwrap_or_default(), fault);
    }
    let quiet = head.method == Method::HEAD;
    let found = state.objects.get(&key).cloned();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let held = |object: &Object| header("if-match").is_none_or(|etag| etag == object.etag());
    match (&head.method, found) {
        (&Method::PUT, Some(_)) if header("if-none-match").is_some() => refuse(412, "PreconditionFailed", quiet),
        (&Method::PUT, found) if found.as_ref().is_none_or(held) => {
            let object = Object { bytes: body, metadata: metadata(&head.headers) };
            let etag = object.etag();
            state.objects.insert(key, object);
            answer(StatusCode::OK, &[("etag", &etag)], Bytes::new())
        }
        (&Method::GET | &Method::HEAD, Some(object)) if held(&object) => send(&object, header("range"), quiet),
        (&Method::DELETE, found) if found.as_ref().is_none_or(held) => {
            state.objects.remove(&key);
            answer(StatusCode::NO_CONTENT, &[], Bytes::new())
        }
        (&Method::GET | &Method::HEAD, None) => refuse(404, "NoSuchKey", quiet),
        (&Method::GET | &Method::HEAD | &Method::PUT | &Method::DELETE, _) => refuse(412, "PreconditionFailed", quiet),
        _ => refuse(501, "NotImplemented", quiet),
    }
}

fn metadata(headers: &HeaderMap) -> Vec<(String, String)> {
    let ours = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"));
    ours.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

fn send(object: &Object, range: Option<&str>, quiet: bool) -> io::Result<Response<Body>> {
    let size = object.bytes.len();
    let etag = object.etag();
    let mut headers: Vec<(&str, &str)> = vec![("etag", &etag)];
    headers.extend(object.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let asked = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = asked else {
        let length = size.to_string();
        headers.push(("content-length", &length));
        let bytes = if quiet { Bytes::new() } else { object.bytes.clone() };
        return answer(StatusCode::OK, &headers, bytes);
    };
    let first: usize = first.parse().map_err(io::Error::other)?;
    let last = last.parse().unwrap_or(usize::MAX).min(size.saturating_sub(1));
    if first > last || size == 0 {
        return refuse(416, "InvalidRange", quiet);
    }
    let shown = format!("bytes {first}-{last}/{size}");
    headers.push(("content-range", &shown));
    answer(StatusCode::PARTIAL_CONTENT, &headers, object.bytes.slice(first..=last))
}

fn list(state: &State, query: &str, fault: &Fault) -> io::Result<Response<Body>> {
    let value = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    if query.split('&').any(|part| part == "uploads" || part == "uploads=") {
        let xml = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        return answer(StatusCode::OK, &[], Bytes::from_static(xml.as_bytes()));
    }
    let prefix = value("prefix").unwrap_or_default().replace("%2F", "/");
    let after = value("continuation-token").unwrap_or_default().replace("%2F", "/");
    let most: usize = value("max-keys").and_then(|most| most.parse().ok()).unwrap_or(1000);
    let matching = state.objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
    let mut page: Vec<_> = matching.take(most + 1).collect();
    let more = page.len() > most;
    page.truncate(most);
    let mut next = page.last().filter(|_| more).map(|(key, _)| (*key).clone());
    match fault {
        Fault::DoubleList => page.extend(page.first().copied()),
        Fault::CircularList => {
            page.clear();
            next = Some("again".to_owned());
        }
        Fault::CutList => next = None,
        _ => {}
    }
    let truncated = more || matches!(fault, Fault::CircularList | Fault::CutList);
    let contents: String = page
        .iter()
        .map(|(key, object)| {
            let size = object.bytes.len();
            format!("<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><Size>{size}</Size></Contents>")
        })
        .collect();
    let next = next.map_or(String::new(), |next| format!("<NextContinuationToken>{next}</NextContinuationToken>"));
    let count = page.len();
    let xml = format!(
        "<ListBucketResult><IsTruncated>{truncated}</IsTruncated><KeyCount>{count}</KeyCount>{next}{contents}</ListBucketResult>"
    );
    answer(StatusCode::OK, &[("content-type", "application/xml")], Bytes::from(xml))
}

fn refuse(status: u16, code: &str, quiet: bool) -> io::Result<Response<Body>> {
    let status = StatusCode::from_u16(status).map_err(io::Error::other)?;
    let xml = format!("<Error><Code>{code}</Code><Message>scripted</Message></Error>");
    let xml = if quiet || code.is_empty() { Bytes::new() } else { Bytes::from(xml) };
    answer(status, &[("content-type", "application/xml")], xml)
}

fn answer(status: StatusCode, headers: &[(&str, &str)], body: Bytes) -> io::Result<Response<Body>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body).map_err(|never| match never {}).boxed()).map_err(io::Error::other)
}

/// Spoils the body of a good answer.
async fn spoil(response: Response<Body>, fault: &Fault) -> io::Result<Response<Body>> {
    let (Fault::CutBody(_) | Fault::StallBody(_) | Fault::CorruptBody) = fault else { return Ok(response) };
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    head.headers.insert(http::header::CONTENT_LENGTH, bytes.len().into());
    let (sent, stalls) = match fault {
        Fault::CutBody(length) => (bytes.slice(..bytes.len().min(*length)), false),
        Fault::StallBody(length) => (bytes.slice(..bytes.len().min(*length)), true),
        _ => {
            return Ok(Response::from_parts(
                head,
                Full::new(corrupted(&bytes)).map_err(|never| match never {}).boxed(),
            ));
        }
    };
    let first = futures::stream::once(async move { Ok(Frame::data(sent)) });
    let end = futures::stream::once(async move {
        // What was sent before must have left this machine's buffers before the connection goes.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        if stalls {
            std::future::pending::<()>().await;
        }
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Ok(Response::from_parts(head, BodyExt::boxed(StreamBody::new(first.chain(end)))))
}

fn corrupted(bytes: &Bytes) -> Bytes {
    let mut changed = bytes.to_vec();
    if let Some(byte) = changed.last_mut() {
        *byte ^= 1;
    }
    changed.into()
}
