//! The answer to a request for an artifact that is there.

use headers::{AcceptRanges, ContentRange, ETag, HeaderMapExt};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, IF_RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jaas_storage::store::Readable;
use warp::reply::{Reply, Response};

use super::conditions::{Verdict, verdict};
use super::cut::cut;
use super::text;

/// What the Go implementation's S3 proxy calls a tarball.
const MEDIA_TYPE: &str = "application/x-gzip";
/// A name is never used for two contents.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Answers a `GET` or `HEAD`. A `HEAD` gets the fields of the `GET` without its bytes.
pub(super) fn answer(artifact: Readable, method: &Method, headers: &HeaderMap) -> Response {
    let size = artifact.size;
    // The digest names the bytes, so it is a strong validator (RFC 9110, 8.8.3).
    let tag = format!("\"{}\"", artifact.digest);
    let (mut response, length) = match verdict(method, headers, &tag, size) {
        Verdict::Whole => (whole(artifact, method), Some(size)),
        Verdict::Part(part) => {
            let length = part.end() - part.start() + 1;
            let Ok(named) = ContentRange::bytes(part.clone(), size) else { return beyond(size) };
            let mut response = warp::reply::stream(cut(artifact.into_stream(), part)).into_response();
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            response.headers_mut().typed_insert(named);
            (response, Some(length))
        }
        Verdict::NotModified => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            (response, None)
        }
        Verdict::PreconditionFailed => return text(StatusCode::PRECONDITION_FAILED, "precondition failed"),
        Verdict::Unsatisfiable => return beyond(size),
    };
    let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
    let fields = response.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
    if let Ok(tag) = tag.parse::<ETag>() {
        fields.typed_insert(tag);
    }
    // A 304 says only what a cache needs to refresh what it has (RFC 9110, 15.4.5).
    let Some(length) = length else { return response };
    fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    fields.typed_insert(AcceptRanges::bytes());
    // Who asked with If-Range has the rest, and what describes it (RFC 9110, 15.3.7).
    if !(is_part && headers.contains_key(IF_RANGE)) {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    }
    response
}

fn whole(artifact: Readable, method: &Method) -> Response {
    if method == Method::HEAD {
        Response::default()
    } else if let Some(bytes) = artifact.bytes() {
        Response::new(bytes.clone().into())
    } else {
        warp::reply::stream(artifact.into_stream()).into_response()
    }
}

fn beyond(size: u64) -> Response {
    let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "range not satisfiable");
    response.headers_mut().typed_insert(ContentRange::unsatisfied_bytes(size));
    response
}
