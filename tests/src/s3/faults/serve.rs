//! Serves connections: does what is asked, or what the fault makes of it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::fault::{Asked, Call, Fault};
use super::objects::{Answer, Details};
use super::spoil::{Delivery, corrupted, on_the_wire, spoiled};
use super::{State, lock};

/// What was sent must have left this machine's buffers before the connection goes.
const FLUSHED: Duration = Duration::from_millis(20);
/// Pause between two pieces of [`Fault::Drip`], of which there are at most [`PIECES`].
const DRIP: Duration = Duration::from_millis(15);
const PIECES: usize = 8;

/// What is done with a connection when the answer cannot be one of HTTP.
enum Ending {
    /// These bytes are sent.
    Bytes(Vec<u8>),
    /// It is reset.
    Reset,
}

type Slot = Arc<Mutex<Option<Ending>>>;
type Body = BoxBody<Bytes, io::Error>;

/// Serves one connection. A second handle on it stays here, for answers that are none.
pub(super) async fn converse(state: Arc<Mutex<State>>, stream: TcpStream) -> Option<()> {
    let stream = stream.into_std().ok()?;
    let handle = stream.try_clone().ok()?;
    let slot = Slot::default();
    let ending = Arc::clone(&slot);
    let service = hyper::service::service_fn(move |request| serve(Arc::clone(&state), Arc::clone(&ending), request));
    let connection = hyper::server::conn::http1::Builder::new();
    let io = TokioIo::new(TcpStream::from_std(stream).ok()?);
    // A service that fails ends the connection, which is what it is for.
    let _ = connection.serve_connection(io, service).await;
    let mut handle = TcpStream::from_std(handle).ok()?;
    let ending = lock(&slot).take();
    match ending? {
        Ending::Reset => handle.set_zero_linger().ok(),
        Ending::Bytes(bytes) => {
            handle.write_all(&bytes).await.ok()?;
            tokio::time::sleep(FLUSHED).await;
            Some(())
        }
    }
}

async fn serve(state: Arc<Mutex<State>>, slot: Slot, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (asked, fault) = lock(&state).meet(&head);
    let query = head.uri.query().unwrap_or_default().to_owned();
    let details = Details { headers: head.headers, query, body };
    let lost = || io::Error::from(io::ErrorKind::ConnectionReset);
    let instead = instead_of(&asked, &details, &fault);
    if instead.is_some() || matches!(fault, Fault::LoseRequest | Fault::Stall | Fault::Late(_) | Fault::Garbage) {
        lock(&state).note(&asked, &fault);
    }
    if let Some(answer) = instead {
        return response(answer, Delivery::Whole);
    }
    match fault {
        Fault::LoseRequest => return Err(lost()),
        Fault::Stall => return std::future::pending().await,
        Fault::Late(time) => {
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                drop(lock(&state).act(&asked, &details, &Fault::None));
            });
            return std::future::pending().await;
        }
        Fault::Garbage => {
            *lock(&slot) = Some(Ending::Bytes(b"220 mail.example.com ESMTP\r\n".to_vec()));
            return Err(lost());
        }
        _ => {}
    }
    let (answer, delivery) = {
        let mut state = lock(&state);
        if state.is_elsewhere(&asked) {
            let region = state.region.clone().unwrap_or_default();
            return response(elsewhere(&region, asked.call), Delivery::Whole);
        }
        let whole = state.bucket.objects().get(&asked.path).map(|object| object.bytes.clone());
        let right = state.act(&asked, &details, &Fault::None);
        let wrong = if asked.call == Call::List { state.act(&asked, &details, &fault) } else { right.clone() };
        let spoiled = spoiled(&wrong, &fault, asked.call, whole.as_ref(), place(&asked));
        let changed = wrong != right || spoiled.is_some();
        if changed || matches!(fault, Fault::LoseAnswer | Fault::Reset | Fault::Twice) {
            state.note(&asked, &fault);
        }
        spoiled.unwrap_or((wrong, Delivery::Whole))
    };
    match fault {
        Fault::LoseAnswer => return Err(lost()),
        Fault::Reset => *lock(&slot) = Some(Ending::Reset),
        Fault::Twice => *lock(&slot) = Some(Ending::Bytes(on_the_wire(&answer).repeat(2))),
        _ => return response(answer, delivery),
    }
    Err(lost())
}

/// What is answered without looking at the bucket.
fn instead_of(asked: &Asked, details: &Details, fault: &Fault) -> Option<Answer> {
    match fault {
        Fault::Refuse(status, code) => Some(Answer::refusal(*status, code, "", asked.call)),
        Fault::Elsewhere(region) => Some(elsewhere(region, asked.call)),
        Fault::Portal => Some(Answer::new(200, &[], "<html>Sign in</html>")),
        Fault::Empty => Some(Answer::new(200, &[], Bytes::new())),
        Fault::CorruptRequest if !details.body.is_empty() => {
            let sent = hex::encode(Sha256::digest(corrupted(&details.body, place(asked))));
            let told = details.headers.get("x-amz-content-sha256").is_some_and(|told| *told == *sent);
            (!told).then(|| Answer::refusal(400, "XAmzContentSHA256Mismatch", "", asked.call))
        }
        _ => None,
    }
}

fn elsewhere(region: &str, call: Call) -> Answer {
    Answer::refusal(400, "AuthorizationHeaderMalformed", &format!("<Region>{region}</Region>"), call)
}

/// Which byte a request spoils: another one each time.
fn place(asked: &Asked) -> u64 {
    asked.nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16
}

fn response(answer: Answer, delivery: Delivery) -> io::Result<Response<Body>> {
    let length = answer.told.unwrap_or(answer.body.len());
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    if answer.status != 204 {
        response = response.header("content-length", length);
    }
    response.body(deliver(answer.body, delivery)).map_err(io::Error::other)
}

fn deliver(bytes: Bytes, delivery: Delivery) -> Body {
    let (first, stalls) = match delivery {
        Delivery::Whole => return Full::new(bytes).map_err(|never| match never {}).boxed(),
        Delivery::Slow => {
            let size = bytes.len().div_ceil(PIECES).max(1);
            let pieces: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
            let pieces = futures::stream::iter(pieces).then(|piece| async move {
                tokio::time::sleep(DRIP).await;
                Ok(Frame::data(piece))
            });
            return BodyExt::boxed(StreamBody::new(pieces));
        }
        Delivery::Cut(length) => (bytes.slice(..length), false),
        Delivery::Stalled(length) => (bytes.slice(..length), true),
    };
    let first = futures::stream::once(async move { Ok(Frame::data(first)) });
    let end = futures::stream::once(async move {
        tokio::time::sleep(FLUSHED).await;
        if stalls {
            std::future::pending::<()>().await;
        }
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    BodyExt::boxed(StreamBody::new(first.chain(end)))
}
