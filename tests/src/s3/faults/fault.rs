//! What can go wrong with one request, and what is noted of it. Pure.

use std::time::{Duration, Instant};

use http::Method;
use http::request::Parts;

/// How far behind a listing of [`Fault::LateList`] is.
pub const LAG: Duration = Duration::from_millis(200);

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; keeps a place in the script.
    None,
    /// It is done, and the connection closed without an answer.
    LoseAnswer,
    /// It is not done, and the connection closed without an answer.
    LoseRequest,
    /// It is done, and the connection reset without an answer.
    Reset,
    /// Bytes of its body change on the way, which the service notices by their hash and refuses.
    CorruptRequest,
    /// It is refused with this status and code.
    Refuse(u16, &'static str),
    /// It is refused as signed for the wrong region, and this one named.
    Elsewhere(&'static str),
    /// Nobody answers, and it is not done.
    Stall,
    /// Nobody answers, and it is done so much later.
    Late(Duration),
    /// After so many bytes of the body, or all but one, nothing more comes.
    StallBody(usize),
    /// After so many bytes of the body, or all but one, the connection is closed.
    CutBody(usize),
    /// One byte of the body is another.
    CorruptBody,
    /// The body has so many bytes, or all but one, and the head says that these are all.
    ShortBody(usize),
    /// The body comes in small pieces.
    Drip,
    /// A page of some portal, with status 200.
    Portal,
    /// Status 200 and nothing else.
    Empty,
    /// Something that is no HTTP.
    Garbage,
    /// The answer comes twice.
    Twice,
    /// The whole object where a part of it was asked for.
    WholeBody,
    /// Another ETag than that of the object.
    WrongEtag,
    /// No ETag.
    NoEtag,
    /// Metadata of another object.
    WrongMetadata,
    /// A date of another year.
    WrongDate,
    /// A listing that continues for ever.
    CircularList,
    /// A listing that says that there is more, but not where.
    CutList,
    /// A listing that names the first object twice.
    DoubleList,
    /// A first page that names nothing and is continued.
    EmptyPage,
    /// A listing that says neither whether it is complete nor what it holds.
    VagueList,
    /// A listing as it was right [`LAG`] ago: without what is fresh, and with what is gone.
    LateList,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// Store an object.
    Put,
    /// Store a copy of an object.
    Copy,
    /// Send an object.
    Get,
    /// Send what is known of an object.
    Head,
    /// Remove an object.
    Delete,
    /// Name objects.
    List,
    /// Name unfinished uploads.
    Uploads,
    /// Remove an unfinished upload.
    Abort,
    /// Nothing that this service knows.
    Unknown,
}

/// A request, as far as faults are chosen by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The access key that signed it; empty where nobody did.
    pub client: String,
    /// The day, as `20240131`, that it is signed for.
    pub day: String,
    /// The region that it is signed for.
    pub region: String,
    /// What is asked for.
    pub call: Call,
    /// Key of the object, or the prefix of a listing.
    pub path: String,
    /// How many requests of this client for the same were there before.
    pub nth: u64,
    /// Whether its signature is in its address, and ends.
    pub presigned: bool,
}

/// A fault that a request met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// When it was decided.
    pub at: Instant,
    /// The request.
    pub asked: Asked,
    /// What went wrong.
    pub fault: Fault,
}

impl Asked {
    /// Reads the head of a request; how many were before is for the caller to say.
    pub(super) fn of(head: &Parts) -> Self {
        let path = head.uri.path().trim_start_matches('/');
        let key = path.split_once('/').map_or("", |(_, key)| key);
        let query = head.uri.query().unwrap_or_default();
        let has = |name: &str| parameter(query, name).is_some();
        let copies = head.headers.contains_key("x-amz-copy-source");
        let call = match (&head.method, key.is_empty()) {
            (&Method::GET, true) if has("uploads") => Call::Uploads,
            (&Method::GET, true) => Call::List,
            (&Method::PUT, false) if copies => Call::Copy,
            (&Method::PUT, false) => Call::Put,
            (&Method::GET, false) => Call::Get,
            (&Method::HEAD, false) => Call::Head,
            (&Method::DELETE, false) if has("uploadId") => Call::Abort,
            (&Method::DELETE, false) => Call::Delete,
            _ => Call::Unknown,
        };
        let path = if key.is_empty() { parameter(query, "prefix").unwrap_or_default() } else { decoded(key) };
        let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let scope = authorization.and_then(|text| text.split_once("Credential=")?.1.split(',').next());
        // A presigned request carries its signature in the address.
        let scope = scope.map(str::to_owned).or_else(|| parameter(query, "X-Amz-Credential")).unwrap_or_default();
        let mut scope = scope.split('/');
        let [client, day, region] = std::array::from_fn(|_| scope.next().unwrap_or_default().to_owned());
        Self { client, day, region, call, path, nth: 0, presigned: has("X-Amz-Expires") }
    }
}

/// Value of a query's parameter; empty where it has none.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|part| part.split_once('=').unwrap_or((part, "")));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| decoded(value))
}

/// Text without its percent signs.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *byte == b'%').and_then(|digits| hex::decode(digits).ok());
        match escaped {
            Some(escaped) => {
                bytes.extend(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_says_who_asks_for_what() {
        let scope = "AWS4-HMAC-SHA256 Credential=leader/20240101/eu-test-1/s3/aws4_request, SignedHeaders=host";
        let asked = |method: &str, uri: &str| {
            let request = http::Request::builder().method(method).uri(uri).header("authorization", scope);
            Asked::of(&request.body(()).unwrap().into_parts().0)
        };
        let put = asked("PUT", "/bucket/a%2Fb/c?x-id=PutObject");
        assert_eq!((&*put.client, &*put.region, put.call, &*put.path), ("leader", "eu-test-1", Call::Put, "a/b/c"));
        let list = asked("GET", "/bucket?list-type=2&prefix=a%2F");
        assert_eq!((list.call, &*list.path), (Call::List, "a/"));
        assert_eq!(asked("GET", "/bucket/?uploads").call, Call::Uploads);
        assert_eq!(asked("DELETE", "/bucket/a?uploadId=1").call, Call::Abort);
        let presigned = "/bucket/a?X-Amz-Expires=5&X-Amz-Credential=leader%2F20240101%2Feu-test-1%2Fs3%2Faws4_request";
        let request = http::Request::builder().method("DELETE").uri(presigned).body(()).unwrap();
        let delete = Asked::of(&request.into_parts().0);
        assert_eq!((&*delete.client, &*delete.region, delete.call), ("leader", "eu-test-1", Call::Delete));
        assert_eq!((&*delete.day, &*put.day), ("20240101", "20240101"));
        assert!(delete.presigned && !put.presigned);
    }
}
