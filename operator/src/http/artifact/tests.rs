//! Requests and their answers, over a store in a directory.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use bytes::Bytes;
use http_body_util::BodyExt;
use jaas_storage::store::faulty::{Fault, Faulty, Operation};
use jaas_storage::{Digest, Key, LocalStore, Revision};
use tempfile::TempDir;

use super::*;
use crate::artifacts::heal::Missing;

/// More than a directory's store reads into memory.
const LARGE: usize = (4 << 20) + 12_345;

/// Fields of a request, and head and body of its answer.
type Case<'a> = (&'a [(&'static str, &'a str)], String, &'a [u8]);

struct Fixture {
    directory: TempDir,
    store: Faulty<LocalStore>,
    alarm: Alarm,
    missing: Missing,
    /// What the caches say of every path.
    standing: Standing,
}

impl Fixture {
    /// An empty store, before the first lists are in.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Faulty::new(Arc::new(LocalStore::open(directory.path()).unwrap()));
        let (alarm, missing) = Alarm::new();
        Self { directory, store, alarm, missing, standing: Standing::Unjudged }
    }

    /// Puts these bytes where an artifact would be, announces their digest, and answers the path.
    fn publish(&mut self, name: &str, bytes: &[u8]) -> String {
        let path = path(name);
        std::fs::create_dir_all(self.file(&path).parent().unwrap()).unwrap();
        std::fs::write(self.file(&path), bytes).unwrap();
        self.standing = Standing::Current(Some(Digest::of(bytes)));
        path
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.directory.path().join(path.trim_start_matches('/'))
    }

    async fn ask(&self, method: &Method, path: &str, fields: &[(&'static str, &str)]) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        answer(&self.store, &self.alarm, |_| self.standing.clone(), path, method, &headers).await
    }
}

fn path(name: &str) -> String {
    format!("/{}", Key::new("a", name).unwrap().path(&Revision::of_document(b"any")))
}

/// Status and all fields, one a line and in order.
fn head(response: &Response) -> String {
    let fields = response.headers().iter();
    let mut lines: Vec<_> = fields.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines.insert(0, response.status().as_str().to_owned());
    lines.join("\n")
}

/// The head and the body.
async fn told(response: Response) -> (String, Bytes) {
    (head(&response), response.into_body().collect().await.unwrap().to_bytes())
}

/// The answers' heads, written from the RFC.
struct Heads {
    tag: String,
    size: usize,
}

impl Heads {
    fn whole(&self) -> String {
        let (tag, size) = (&self.tag, self.size);
        format!(
            "200\naccept-ranges: bytes\ncache-control: public, max-age=31536000, immutable\ncontent-length: {size}\n\
             content-type: application/x-gzip\netag: {tag}"
        )
    }

    fn part(&self, first: usize, last: usize) -> String {
        let (tag, size, length) = (&self.tag, self.size, last + 1 - first);
        format!(
            "206\naccept-ranges: bytes\ncache-control: public, max-age=31536000, immutable\ncontent-length: {length}\n\
             content-range: bytes {first}-{last}/{size}\ncontent-type: application/x-gzip\netag: {tag}"
        )
    }

    fn rest(&self, first: usize, last: usize) -> String {
        self.part(first, last).replace("\ncontent-type: application/x-gzip", "")
    }

    fn not_modified(&self) -> String {
        format!("304\ncache-control: public, max-age=31536000, immutable\netag: {}", self.tag)
    }

    fn unsatisfiable(&self) -> String {
        let size = self.size;
        format!("416\ncache-control: no-store\ncontent-range: bytes */{size}\ncontent-type: text/plain; charset=utf-8")
    }
}

const FAILED: &str = "412\ncache-control: no-store\ncontent-type: text/plain; charset=utf-8";

#[tokio::test]
async fn every_request_for_an_artifact_has_its_answer() {
    let mut fixture = Fixture::new();
    let large: Vec<u8> = (0..LARGE).map(|n| u8::try_from(n % 251).unwrap()).collect();
    for (name, bytes) in [("small", &large[..1000]), ("large", &large)] {
        let path = fixture.publish(name, bytes);
        // The first reader of a file has all of it in memory, the later ones of a large one have not.
        drop(fixture.ask(&Method::GET, &path, &[]).await);
        let parsed = ArtifactPath::parse(&path[1..]).unwrap();
        let opened = fixture.store.open(&parsed.key, &parsed.revision, None).await.unwrap();
        assert!(opened.is_none(), "without the digest these bytes are no artifact");
        let digest = Digest::of(bytes);
        let opened = fixture.store.open(&parsed.key, &parsed.revision, Some(&digest)).await.unwrap().unwrap();
        assert_eq!(opened.bytes().is_none(), name == "large");
        drop(opened);

        let tag = format!("\"{digest}\"");
        let heads = Heads { tag: tag.clone(), size: bytes.len() };
        let (size, end) = (bytes.len(), bytes.len() - 1);
        let from_the_middle = format!("bytes={}-", size / 2);
        let across = format!("bytes={}-{}", size / 3, size / 3 * 2);
        let past_the_end = format!("bytes=7-{}", size * 2);
        let beyond = format!("bytes={size}-");
        let too_long_a_suffix = format!("bytes=-{}", size + 1);
        let other = "\"sha256:00\"";
        let cases: &[Case<'_>] = &[
            (&[], heads.whole(), bytes),
            (&[("range", "bytes=0-0")], heads.part(0, 0), &bytes[..1]),
            (&[("range", "bytes=2-5")], heads.part(2, 5), &bytes[2..=5]),
            (&[("range", &across)], heads.part(size / 3, size / 3 * 2), &bytes[size / 3..=size / 3 * 2]),
            (&[("range", &from_the_middle)], heads.part(size / 2, end), &bytes[size / 2..]),
            (&[("range", &past_the_end)], heads.part(7, end), &bytes[7..]),
            (&[("range", "bytes=0-")], heads.part(0, end), bytes),
            (&[("range", "bytes=-3")], heads.part(size - 3, end), &bytes[size - 3..]),
            (&[("range", &too_long_a_suffix)], heads.part(0, end), bytes),
            (&[("range", &beyond)], heads.unsatisfiable(), b"range not satisfiable"),
            (&[("range", "bytes=-0")], heads.unsatisfiable(), b"range not satisfiable"),
            (&[("range", "bytes=0-0,2-2")], heads.whole(), bytes),
            (&[("range", "bytes=5-2")], heads.whole(), bytes),
            (&[("range", "lines=1-2")], heads.whole(), bytes),
            (&[("range", "bytes=2-5"), ("if-range", &tag)], heads.rest(2, 5), &bytes[2..=5]),
            (&[("range", "bytes=2-5"), ("if-range", other)], heads.whole(), bytes),
            (&[("range", "bytes=2-5"), ("if-range", "Sat, 29 Oct 2094 19:43:31 GMT")], heads.whole(), bytes),
            (&[("range", &beyond), ("if-range", other)], heads.whole(), bytes),
            (&[("if-none-match", &tag)], heads.not_modified(), b""),
            (&[("if-none-match", "*")], heads.not_modified(), b""),
            (&[("if-none-match", &tag), ("range", "bytes=2-5")], heads.not_modified(), b""),
            (&[("if-none-match", other)], heads.whole(), bytes),
            (&[("if-match", "*")], heads.whole(), bytes),
            (&[("if-match", &tag), ("range", "bytes=2-5")], heads.part(2, 5), &bytes[2..=5]),
            (&[("if-match", other)], FAILED.to_owned(), b"precondition failed"),
            (&[("if-match", other), ("if-none-match", &tag)], FAILED.to_owned(), b"precondition failed"),
            (&[("if-match", other), ("range", &beyond)], FAILED.to_owned(), b"precondition failed"),
        ];
        for (fields, expected, body) in cases {
            let (got, received) = told(fixture.ask(&Method::GET, &path, fields).await).await;
            assert_eq!(got, *expected, "{name} {fields:?}");
            assert!(
                received == body,
                "{name} {fields:?}: {} bytes are not the expected {}",
                received.len(),
                body.len()
            );
            // A HEAD knows no ranges, and is else as the GET. The bodies of refusals are dropped where HTTP is spoken.
            let without_range: Vec<_> = fields.iter().copied().filter(|(name, _)| *name != "range").collect();
            let as_get = head(&fixture.ask(&Method::GET, &path, &without_range).await);
            let (got, received) = told(fixture.ask(&Method::HEAD, &path, fields).await).await;
            assert_eq!(got, as_get, "HEAD of {name} {fields:?}");
            assert!(received.is_empty() || got == FAILED, "HEAD of {name} {fields:?}");
        }
    }
}

#[tokio::test]
async fn files_of_no_byte_and_of_one_have_their_ranges_too() {
    let mut fixture = Fixture::new();
    for (bytes, answers) in [
        (&b""[..], [("bytes=0-", 416), ("bytes=0-0", 416), ("bytes=-0", 416), ("bytes=-1", 200), ("bytes=1-", 416)]),
        (b"x", [("bytes=0-", 206), ("bytes=0-0", 206), ("bytes=-0", 416), ("bytes=-1", 206), ("bytes=1-", 416)]),
    ] {
        let path = fixture.publish("tiny", bytes);
        let heads = Heads { tag: format!("\"{}\"", Digest::of(bytes)), size: bytes.len() };
        for (range, status) in answers {
            let (head, body) = told(fixture.ask(&Method::GET, &path, &[("range", range)]).await).await;
            let expected = match status {
                200 => (heads.whole(), bytes),
                206 => (heads.part(0, 0), bytes),
                _ => (heads.unsatisfiable(), &b"range not satisfiable"[..]),
            };
            assert_eq!((head, &body[..]), expected, "{range} of {bytes:?}");
        }
    }
}

#[tokio::test]
async fn no_part_of_a_file_is_complete_once_the_file_turns_out_to_be_another() {
    let mut fixture = Fixture::new();
    let bytes = vec![7; LARGE];
    let path = fixture.publish("web", &bytes);
    drop(fixture.ask(&Method::GET, &path, &[]).await);
    for range in ["bytes=0-9", "bytes=0-", "bytes=-1"] {
        let whole = fixture.ask(&Method::GET, &path, &[("range", range)]).await;
        assert_eq!(whole.status(), 206);
        let length: usize = whole.headers()["content-length"].to_str().unwrap().parse().unwrap();
        // Behind what may be read ahead, so that this comes before it is read.
        let mut file = std::fs::OpenOptions::new().append(true).open(fixture.file(&path)).unwrap();
        file.write_all(b"more").unwrap();
        let mut body = whole.into_body();
        let mut received = 0;
        let ended = loop {
            match body.frame().await {
                Some(Ok(frame)) => received += frame.into_data().unwrap().len(),
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        assert!(ended.is_some() && received < length, "{range}: {received} bytes, {ended:?}");
        file.set_len(LARGE as u64).unwrap();
        drop(fixture.ask(&Method::GET, &path, &[]).await);
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let mut fixture = Fixture::new();
    // Neither conditions nor ranges count where there is nothing.
    let told = async |fixture: &Fixture, path: &str| {
        let fields = [("if-match", "\"x\""), ("if-none-match", "*"), ("range", "bytes=9-")];
        let (head, body) = told(fixture.ask(&Method::GET, path, &fields).await).await;
        let fields: Vec<_> = head.lines().filter(|line| !line.starts_with("content-type")).collect();
        format!("{}; {}", fields.join("; "), String::from_utf8_lossy(&body))
    };
    let gone = "404; cache-control: no-store; not found";
    let coming = "503; cache-control: no-store; retry-after: 3; being rendered again";
    let path = path("web");
    assert_eq!(told(&fixture, &path).await, "503; cache-control: no-store; retry-after: 3; starting");
    for standing in [Standing::Lost, Standing::NotCurrent] {
        fixture.standing = standing;
        assert_eq!(told(&fixture, &path).await, gone);
    }
    assert_eq!(told(&fixture, "/a/web").await, gone);
    assert!(fixture.missing.try_recv().is_err());
    fixture.standing = Standing::Current(None);
    assert_eq!(told(&fixture, &path).await, coming);
    assert_eq!(fixture.missing.try_recv().unwrap().name, "web");
    fixture.publish("web", b"something else");
    fixture.standing = Standing::Current(Some(Digest::of(b"announced")));
    assert_eq!(told(&fixture, &path).await, coming);
    for (kind, expected) in [
        (ErrorKind::Unreachable, "502; cache-control: no-store; the store cannot be reached"),
        (ErrorKind::TimedOut, "504; cache-control: no-store; the store did not answer in time"),
        (ErrorKind::Throttled, "503; cache-control: no-store; retry-after: 3; the store does not answer"),
        (ErrorKind::BucketMissing, "503; cache-control: no-store; retry-after: 3; the store does not answer"),
        (ErrorKind::Denied, "503; cache-control: no-store; retry-after: 3; the store does not answer"),
    ] {
        fixture.store.next(Operation::Open, Fault::Fail(kind));
        assert_eq!(told(&fixture, &path).await, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let mut fixture = Fixture::new();
    let path = fixture.publish("web", b"x");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "PROPFIND"] {
        for path in [&*path, "/", "*", ""] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let (head, _) = told(fixture.ask(&method, path, &[("if-none-match", "*")]).await).await;
            let expected = "405\nallow: GET, HEAD\ncache-control: no-store\ncontent-type: text/plain; charset=utf-8";
            assert_eq!(head, expected, "{method} {path}");
        }
    }
}
