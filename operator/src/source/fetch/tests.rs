#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use jaas_sources::Folder;
use jaas_sources::digest::Algorithm;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::Shelf;
use super::super::shelf::SourceError;
use super::*;

const BODY: &[u8] = b"hello";

/// A server that gives each path its raw answer, and counts the requests.
async fn server(answers: fn(&str, u16) -> Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                        return;
                    }
                    request.extend_from_slice(&byte);
                }
                counter.fetch_add(1, Ordering::Relaxed);
                let text = String::from_utf8_lossy(&request).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default();
                let _ = stream.write_all(&answers(path, port)).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, count)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn answers(path: &str, port: u16) -> Vec<u8> {
    let redirect = |to: &str| answer("302 Found", &format!("location: {to}\r\n"), b"");
    match path {
        "/ok" => answer("200 OK", "", BODY),
        "/once" => redirect("/ok"),
        "/round" => redirect("/round"),
        "/metadata" => redirect("http://169.254.169.254/latest"),
        "/elsewhere" => redirect("http://other.example/x"),
        "/by-name" => redirect(&format!("http://localhost:{port}/ok")),
        "/nowhere" => answer("302 Found", "", b""),
        "/gone" => answer("410 Gone", "", b""),
        "/busy" => answer("503 Service Unavailable", "retry-after: 7\r\n", b""),
        "/later" => answer("429 Too Many Requests", "retry-after: Fri, 01 Jan 2100 00:00:00 GMT\r\n", b""),
        "/torn" => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel".to_vec(),
        "/junk" => b"I am no server\r\n\r\n".to_vec(),
        _ => answer("404 Not Found", "", b""),
    }
}

fn digest(bytes: &[u8]) -> SourceDigest {
    let mut hasher = Algorithm::Sha256.hasher();
    hasher.update(bytes);
    hasher.finish()
}

fn upstream(url: String) -> Upstream {
    Upstream { url, digest: digest(BODY), revision: String::new() }
}

fn fetcher(hosts: &str) -> Fetcher {
    Fetcher::new(Hosts::parse(hosts).unwrap()).unwrap()
}

#[tokio::test]
async fn every_answer_has_its_meaning() {
    let (port, _) = server(answers).await;
    let fetcher = fetcher(&format!("127.0.0.1:{port}, localhost"));
    let fetched = async |path: &str| fetcher.fetch("a", &upstream(format!("http://127.0.0.1:{port}{path}"))).await;
    for good in ["/ok", "/once"] {
        assert_eq!(&*fetched(good).await.unwrap(), BODY, "{good}");
    }
    let seconds = |error: &FetchError| error.retry().map(|delay| delay.as_secs());
    for (path, says, retry) in [
        ("/missing", "HTTP 404", Some(3)),
        ("/gone", "permanent HTTP error: HTTP 410", None),
        ("/busy", "HTTP 503", Some(7)),
        ("/later", "HTTP 429", Some(300)),
        ("/round", "redirects more than", None),
        ("/metadata", "169.254.169.254, which is link-local", None),
        ("/elsewhere", "other.example is not among the hosts", None),
        ("/nowhere", "without saying where", Some(5)),
        ("/torn", "cannot be reached", Some(5)),
        ("/junk", "cannot be reached", Some(5)),
    ] {
        let error = fetched(path).await.unwrap_err();
        assert!(error.to_string().contains(says), "{path}: {error}");
        assert_eq!(seconds(&error), retry, "{path}: {error}");
    }
    let other = Upstream { digest: digest(b"other"), ..upstream(format!("http://127.0.0.1:{port}/ok")) };
    let error = fetcher.fetch("a", &other).await.unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }) && error.retry().is_none(), "{error}");
}

#[tokio::test]
async fn a_name_that_leads_to_a_forbidden_address_is_not_dialled() {
    let (port, asked) = server(answers).await;
    let error = fetcher("localhost").fetch("a", &upstream(format!("http://localhost:{port}/ok"))).await.unwrap_err();
    assert!(error.to_string().starts_with("localhost leads to "), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    // The very address and port may be.
    let listed = fetcher(&format!("localhost, 127.0.0.1:{port}, [::1]:{port}"));
    assert_eq!(&*listed.fetch("a", &upstream(format!("http://127.0.0.1:{port}/by-name"))).await.unwrap(), BODY);
}

#[tokio::test]
async fn nobody_who_listens_is_trouble_that_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = fetcher(&format!("127.0.0.1:{port}")).fetch("a", &upstream(format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(error, Err(FetchError::Broken(_))), "{error:?}");
}

#[tokio::test]
async fn many_who_ask_at_once_cost_one_download_and_a_failure_is_not_asked_for_again_at_once() {
    let (port, asked) = server(answers).await;
    let shelf = Shelf::new(fetcher(&format!("127.0.0.1:{port}")), 1 << 20);
    let ask = async |path: &str| {
        let upstream = upstream(format!("http://127.0.0.1:{port}{path}"));
        let whole = Folder::default();
        futures::future::join_all((0..50).map(|_| shelf.files("a", &upstream, &whole, NOT_OURS))).await
    };
    // What came is no archive, which everybody learns from one download.
    for answer in ask("/ok").await {
        assert!(matches!(answer, Err(SourceError::Archive(_))), "{answer:?}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let known = upstream(format!("http://127.0.0.1:{port}/ok"));
    let failure = shelf.failure(&known, &Folder::default()).await;
    assert!(matches!(failure, Some(SourceError::Archive(_))), "the same bytes are not unpacked again: {failure:?}");
    for _ in 0..2 {
        for answer in ask("/missing").await {
            assert!(matches!(answer, Err(SourceError::Fetch(FetchError::NotFound))), "{answer:?}");
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let refused = Upstream { url: "http://10.0.0.1/x".to_owned(), ..upstream(String::new()) };
    let error = shelf.files("a", &refused, &Folder::default(), NOT_OURS).await.unwrap_err();
    assert!(error.to_string().contains("--allowed-source-hosts"), "{error}");
}

/// What is asked for is no artifact of ours.
const NOT_OURS: Option<std::future::Ready<Option<Bytes>>> = None;

#[tokio::test]
async fn what_was_published_here_is_read_once_for_many_and_never_downloaded() {
    let (port, asked) = server(answers).await;
    let shelf = Shelf::new(fetcher(&format!("127.0.0.1:{port}")), 1 << 20);
    let (upstream, whole) = (upstream(format!("http://127.0.0.1:{port}/ok")), Folder::default());
    let reads = AtomicUsize::new(0);
    let packed = jaas_storage::artifact::Content::document("main.json", b"{}".to_vec()).packed().unwrap();
    let read = || async {
        reads.fetch_add(1, Ordering::Relaxed);
        Some(packed.clone())
    };
    let all = futures::future::join_all((0..50).map(|_| shelf.files("a", &upstream, &whole, Some(read())))).await;
    assert!(all.iter().all(|files| files.as_ref().is_ok_and(|files| files.contains_key("main.json"))), "{all:?}");
    assert_eq!((reads.load(Ordering::Relaxed), asked.load(Ordering::Relaxed)), (1, 0));
}
