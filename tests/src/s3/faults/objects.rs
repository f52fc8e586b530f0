//! What the bucket holds, and what a service that is right answers.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::fault::{Asked, Call, LAG, decoded, parameter};

/// A bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, String>,
    /// What was at a key before it was changed, the latest last.
    changes: Vec<(Instant, String, Option<Object>)>,
}

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) written: Timestamp,
}

impl Object {
    pub(super) fn etag(&self) -> String {
        format!("\"{}\"", &hex::encode(Sha256::digest(&self.bytes))[..32])
    }
}

/// An answer before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// Length of the body that a HEAD asks about.
    pub(super) told: Option<usize>,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { status, headers, body: body.into(), told: None }
    }

    pub(super) fn xml(text: String) -> Self {
        Self::new(200, &[("content-type", "application/xml")], text)
    }

    /// A refusal; the answer to a HEAD has no body.
    pub(super) fn refusal(status: u16, code: &str, more: &str, call: Call) -> Self {
        let quiet = call == Call::Head || code.is_empty();
        let xml = format!("<Error><Code>{code}</Code><Message>as the test wants it</Message>{more}</Error>");
        let body = if quiet { String::new() } else { xml };
        Self::new(status, &[("content-type", "application/xml")], body)
    }
}

/// What a request says beside what [`Asked`] holds.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    pub(super) body: Bytes,
}

impl Details {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn metadata(&self) -> Vec<(String, String)> {
        let ours = self.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"));
        ours.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
    }
}

impl Bucket {
    /// Everything as it is.
    pub(super) fn objects(&self) -> &BTreeMap<String, Object> {
        &self.objects
    }

    /// Everything as it was [`LAG`] ago.
    pub(super) fn objects_before(&self) -> BTreeMap<String, Object> {
        let mut objects = self.objects.clone();
        for (_, key, before) in self.changes.iter().rev().take_while(|(at, ..)| at.elapsed() < LAG) {
            match before {
                Some(object) => objects.insert(key.clone(), object.clone()),
                None => objects.remove(key),
            };
        }
        objects
    }

    /// Whether an object was written or removed since a time.
    pub(super) fn changed_since(&self, key: &str, since: Instant) -> bool {
        self.changes.iter().rev().take_while(|(at, ..)| *at >= since).any(|(_, changed, _)| changed == key)
    }

    /// Unfinished uploads, by their ids.
    pub(super) fn uploads(&self) -> &BTreeMap<String, String> {
        &self.uploads
    }

    pub(super) fn leave_upload(&mut self, key: &str, id: &str) {
        self.uploads.insert(id.to_owned(), key.to_owned());
    }

    /// Puts an object, or nothing, where another may be.
    pub(super) fn change(&mut self, key: &str, object: Option<Object>) {
        let before = match object {
            Some(object) => self.objects.insert(key.to_owned(), object),
            None => self.objects.remove(key),
        };
        self.changes.push((Instant::now(), key.to_owned(), before));
    }

    /// Does what is asked, but for listings, and answers.
    pub(super) fn act(&mut self, asked: &Asked, details: &Details) -> Answer {
        let (call, key) = (asked.call, &asked.path);
        let found = self.objects.get(key).cloned();
        let held = |object: &Object| details.header("if-match").is_none_or(|etag| etag == object.etag());
        let precondition = || Answer::refusal(412, "PreconditionFailed", "", call);
        match (call, found) {
            (Call::Abort, _) => match self.uploads.remove(&parameter(&details.query, "uploadId").unwrap_or_default()) {
                Some(_) => Answer::new(204, &[], Bytes::new()),
                None => Answer::refusal(404, "NoSuchUpload", "", call),
            },
            (Call::Put, Some(_)) if details.header("if-none-match").is_some() => precondition(),
            (Call::Put | Call::Get | Call::Head | Call::Delete, Some(object)) if !held(&object) => precondition(),
            (Call::Put, None) if details.header("if-match").is_some() => Answer::refusal(404, "NoSuchKey", "", call),
            (Call::Put, _) => {
                let (bytes, metadata) = (details.body.clone(), details.metadata());
                let object = Object { bytes, metadata, written: Timestamp::now() };
                let etag = object.etag();
                self.change(key, Some(object));
                Answer::new(200, &[("etag", &etag)], Bytes::new())
            }
            (Call::Copy, _) => self.copy(key, details.header("x-amz-copy-source").unwrap_or_default()),
            (Call::Get | Call::Head, Some(object)) => send(&object, details.header("range"), call),
            (Call::Get | Call::Head, None) => Answer::refusal(404, "NoSuchKey", "", call),
            (Call::Delete, _) => {
                self.change(key, None);
                Answer::new(204, &[], Bytes::new())
            }
            _ => Answer::refusal(501, "NotImplemented", "", call),
        }
    }

    fn copy(&mut self, key: &str, source: &str) -> Answer {
        let source = decoded(source.trim_start_matches('/'));
        let source = source.split_once('/').and_then(|(_, key)| self.objects.get(key).cloned());
        let Some(source) = source else { return Answer::refusal(404, "NoSuchKey", "", Call::Copy) };
        let copy = Object { written: Timestamp::now(), ..source };
        let (etag, written) = (copy.etag(), copy.written);
        self.change(key, Some(copy));
        Answer::xml(format!(
            "<CopyObjectResult><ETag>{etag}</ETag><LastModified>{written:.3}</LastModified></CopyObjectResult>"
        ))
    }
}

fn send(object: &Object, range: Option<&str>, call: Call) -> Answer {
    let size = object.bytes.len();
    let etag = object.etag();
    let mut headers: Vec<(&str, &str)> = vec![("etag", &etag)];
    headers.extend(object.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if call == Call::Head {
        return Answer { told: Some(size), ..Answer::new(200, &headers, Bytes::new()) };
    }
    let asked = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = asked else { return Answer::new(200, &headers, object.bytes.clone()) };
    let last = last.parse().unwrap_or(usize::MAX).min(size.saturating_sub(1));
    match first.parse::<usize>() {
        Ok(first) if first <= last && size > 0 => {
            let shown = format!("bytes {first}-{last}/{size}");
            headers.push(("content-range", &shown));
            Answer::new(206, &headers, object.bytes.slice(first..=last))
        }
        _ => Answer::refusal(416, "InvalidRange", "", call),
    }
}
