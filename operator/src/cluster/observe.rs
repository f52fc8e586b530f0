//! The requests of one watch: none waits for ever, and what comes of them is told.
//!
//! `kube` reports errors of a watch, but not its recovery, which shows only with the next change; and a list or the start of a watch
//! has no deadline. Both are seen here, between the watch and the client.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use kube::runtime::watcher;
use serde_json::{Value, json};
use tower::BoxError;

use super::REQUEST_TIMEOUT;
use super::health::{Cause, Part};
use crate::snippet::outcome::chain;

/// Longest that the rest of a list may take once its answer has begun.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// What a watch is told that has to begin anew.
const ANEW: &str = "the watch has to begin anew";

/// The client, with its requests told to a part.
pub fn observed(client: &Client, part: Part) -> Client {
    let namespace = client.default_namespace().to_owned();
    let client = client.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, part) = (client.clone(), part.clone());
        async move { exchange(&client, &part, request).await }
    });
    Client::new(service, namespace)
}

async fn exchange(client: &Client, part: &Part, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let watches = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("watch=")));
    let silent = |what: &str| {
        part.failed(Cause::Silent, what.to_owned());
        std::io::Error::new(std::io::ErrorKind::TimedOut, what.to_owned())
    };
    let response = match tokio::time::timeout(REQUEST_TIMEOUT, client.send(request)).await {
        Err(_) => return Err(silent("the API server does not answer").into()),
        Ok(Err(error)) => {
            part.failed(Cause::Unreachable, chain(&error));
            return Err(error.into());
        }
        Ok(Ok(response)) => response,
    };
    if response.status().is_success() && watches {
        part.well();
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = match tokio::time::timeout(LIST_TIMEOUT, body.collect_bytes()).await {
        Err(_) => return Err(silent("the API server stopped in the middle of a list").into()),
        Ok(Err(error)) => {
            part.failed(Cause::Unreachable, chain(&error));
            return Err(error.into());
        }
        Ok(Ok(body)) => body,
    };
    if !head.status.is_success() {
        let cause = Cause::of_status(head.status);
        part.failed(cause, message(head.status, &body));
        if matches!(cause, Cause::Forbidden | Cause::Unauthorized | Cause::Refused) && head.status.is_client_error() {
            part.refused();
        }
        if watches && matches!(cause, Cause::Missing | Cause::Expired) {
            return Ok(begin_anew());
        }
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

/// What the API server says, else its status.
fn message(status: StatusCode, body: &Bytes) -> String {
    let said = serde_json::from_slice::<Value>(body).ok();
    let said = said.and_then(|said| Some(said.get("message")?.as_str()?.to_owned()));
    said.filter(|said| !said.is_empty()).unwrap_or_else(|| format!("HTTP {status}"))
}

/// Whether the API server says in the middle of a watch that it has forgotten what has changed since. What it says at the beginning is told
/// by the request.
pub fn is_expired(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == 410 && status.message != ANEW)
}

/// The answer to a watch that cannot be taken up where it ended: `kube` would ask for the same again and again otherwise.
fn begin_anew() -> Response<Body> {
    let gone = json!({
        "type": "ERROR",
        "object": {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410,
            "message": ANEW,
        },
    });
    Response::new(Body::from(format!("{gone}\n").into_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cluster::health::{Kind, Watches};
    use crate::telemetry::metrics::Metrics;

    fn kind() -> Kind {
        Kind { name: "Bucket", gvk: "g/v1, Kind=Bucket".to_owned(), needed: false }
    }

    /// Answers a request with this status, by a client that is observed.
    async fn answer(status: u16, query: &str) -> (Watches, Result<Vec<u8>, kube::Error>) {
        let server = tower::service_fn(move |_: Request<Body>| async move {
            let body = Body::from(br#"{"kind":"Status","message":"because"}"#.to_vec());
            Ok::<_, BoxError>(Response::builder().status(status).body(body).unwrap())
        });
        let watches = Watches::new(Metrics::default());
        let client = observed(&Client::new(server, "default"), watches.part(kind(), None));
        let request = Request::get(format!("http://api/x{query}")).body(Body::empty()).unwrap();
        let answered = match client.send(request).await {
            Ok(answer) => Ok(answer.into_body().collect_bytes().await.unwrap().to_vec()),
            Err(error) => Err(error),
        };
        (watches, answered)
    }

    #[tokio::test]
    async fn a_list_is_not_yet_a_watch() {
        let (watches, answered) = answer(200, "?limit=500").await;
        assert!(answered.is_ok());
        assert_eq!(watches.troubles()["Bucket"].cause, Cause::Starting);
        let (watches, _) = answer(200, "?&watch=true&resourceVersion=1").await;
        assert!(watches.troubles().is_empty());
    }

    #[tokio::test]
    async fn each_refusal_has_its_cause_and_its_words() {
        for (status, cause) in [
            (401, Cause::Unauthorized),
            (403, Cause::Forbidden),
            (404, Cause::Missing),
            (410, Cause::Expired),
            (429, Cause::Throttled),
            (500, Cause::Refused),
        ] {
            let (watches, answered) = answer(status, "?limit=500").await;
            let trouble = &watches.troubles()["Bucket"];
            assert_eq!((trouble.cause, trouble.message.as_str()), (cause, "because"), "{status}");
            assert!(String::from_utf8(answered.unwrap()).unwrap().contains("because"), "the answer goes on");
        }
    }

    #[tokio::test]
    async fn a_watch_that_cannot_be_taken_up_begins_anew() {
        for status in [404, 410] {
            let (_, answered) = answer(status, "?watch=1").await;
            let said: Value = serde_json::from_slice(&answered.unwrap()).unwrap();
            assert_eq!((&said["type"], &said["object"]["code"]), (&json!("ERROR"), &json!(410)), "{status}");
        }
    }

    #[test]
    fn a_watch_that_expires_under_way_is_told_apart_from_one_that_began_expired() {
        let error = |code: u16, message: &str| {
            let mut status = kube::core::Status::failure(message, "Expired");
            status.code = code;
            watcher::Error::WatchError(status.boxed())
        };
        assert!(is_expired(&error(410, "too old resource version: 3 (9)")));
        assert!(!is_expired(&error(500, "etcdserver: leader changed")));
        assert!(!is_expired(&error(410, ANEW)), "the request has told it");
    }

    #[tokio::test(start_paused = true)]
    async fn no_request_waits_for_ever() {
        let server = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
        let watches = Watches::new(Metrics::default());
        let client = observed(&Client::new(server, "default"), watches.part(kind(), None));
        let request = Request::get("http://api/x?watch=1").body(Body::empty()).unwrap();
        assert!(client.send(request).await.is_err());
        assert_eq!(watches.troubles()["Bucket"].cause, Cause::Silent);
    }
}
