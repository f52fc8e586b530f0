//! One request on its way to the server, and its answer on the way back.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::request::Parts;
use http::{HeaderName, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::json;
use tokio::sync::watch;

use super::{Act, Call, Gate, Moment, Shared, Verb};

/// Headers that speak of one connection only.
const OF_A_CONNECTION: [HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::EXPECT, HeaderName::from_static("keep-alive")];

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Serves one request; an error closes the connection without an answer.
pub(super) async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let call = Call::of(&head);
    let verb = call.verb;
    let relayed = relay(shared, call, head, body);
    if verb == Verb::Read {
        return relayed.await;
    }
    // What was sent once happens, whether or not its client lives to see it.
    tokio::spawn(relayed).await.map_err(io::Error::other)?
}

async fn relay(shared: Arc<Shared>, mut call: Call, head: Parts, body: Bytes) -> io::Result<Response<Body>> {
    let given_up = || io::Error::other("given up at a gate");
    let (number, act) = shared.decide(&call);
    match &act {
        Act::Refuse(status) => {
            shared.open().await;
            return refuse(*status);
        }
        Act::Stop(Moment::BeforeSending, gate) if !gate.pass(&call).await => return Err(given_up()),
        Act::Pass | Act::Stop(..) | Act::StopInAnswer(..) => {}
    }
    shared.open().await;
    let response = send(&shared, head, body).await.map_err(io::Error::other)?;
    call.status = Some(response.status());
    shared.answered(number, response.status());
    if let Act::Stop(Moment::BeforeAnswering, gate) = &act
        && !gate.pass(&call).await
    {
        return Err(given_up());
    }
    shared.open().await;
    let sluice = match act {
        Act::StopInAnswer(lines, gate) => Some(Sluice { lines, gate, call }),
        _ => None,
    };
    let mut muted = shared.muted.subscribe();
    muted.borrow_and_update();
    answer(response, shared.cut.subscribe(), muted, sluice)
}

async fn send(shared: &Shared, head: Parts, body: Bytes) -> reqwest::Result<reqwest::Response> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut headers = head.headers;
    for name in &OF_A_CONNECTION {
        headers.remove(name);
    }
    let mut request = shared.client.request(head.method, format!("{}{target}", shared.upstream)).headers(headers);
    if !body.is_empty() {
        request = request.body(body);
    }
    request.send().await
}

fn refuse(status: StatusCode) -> io::Result<Response<Body>> {
    let said = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": status.as_u16(),
        "reason": status.canonical_reason().unwrap_or_default().replace(' ', ""), "message": "refused on the way",
    });
    let body = Full::new(Bytes::from(said.to_string())).map_err(|never| match never {}).boxed_unsync();
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(body).map_err(io::Error::other)
}

/// The answer, whose body comes as it is sent.
fn answer(
    response: reqwest::Response,
    cut: watch::Receiver<bool>,
    muted: watch::Receiver<u64>,
    sluice: Option<Sluice>,
) -> io::Result<Response<Body>> {
    let mut answer = Response::builder().status(response.status());
    for (name, value) in response.headers().iter().filter(|(name, _)| !OF_A_CONNECTION.contains(name)) {
        answer = answer.header(name, value);
    }
    let body = Coming { response, cut, muted, sluice, held: Bytes::new() };
    let frames = stream::try_unfold(body, |mut body| async move {
        let bytes = body.next().await?;
        Ok(bytes.map(|bytes| (Frame::data(bytes), body)))
    });
    answer.body(StreamBody::new(frames).boxed_unsync()).map_err(io::Error::other)
}

/// The body of an answer on its way.
struct Coming {
    response: reqwest::Response,
    cut: watch::Receiver<bool>,
    muted: watch::Receiver<u64>,
    sluice: Option<Sluice>,
    /// What came together with the last line that passed.
    held: Bytes,
}

/// Where the rest of an answer waits.
struct Sluice {
    /// Lines that pass before.
    lines: usize,
    gate: Gate,
    call: Call,
}

impl Coming {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(sluice) = self.sluice.take_if(|sluice| sluice.lines == 0)
            && !sluice.gate.pass(&sluice.call).await
        {
            return Err(io::Error::other("given up at a gate"));
        }
        let mut bytes = std::mem::take(&mut self.held);
        if bytes.is_empty() {
            let chunk = tokio::select! {
                biased;
                Ok(()) = self.muted.changed() => std::future::pending().await,
                chunk = self.response.chunk() => chunk,
            };
            let Some(chunk) = chunk.map_err(io::Error::other)? else { return Ok(None) };
            bytes = chunk;
        }
        whole(&mut self.cut).await;
        if let Some(sluice) = &mut self.sluice {
            let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
            match sluice.lines.checked_sub(1).and_then(|before| ends.nth(before)) {
                Some(end) => {
                    self.held = bytes.split_off(end);
                    sluice.lines = 0;
                }
                None => sluice.lines -= bytes.iter().filter(|byte| **byte == b'\n').count(),
            }
        }
        Ok(Some(bytes))
    }
}

/// Returns when the network is whole, or the proxy no more.
pub(super) async fn whole(cut: &mut watch::Receiver<bool>) {
    let _ = cut.wait_for(|cut| !cut).await;
}
