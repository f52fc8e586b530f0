//! Plain HTTP on loopback.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// How long an answer on loopback may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client that uses no proxy, follows no redirect, and changes no body.
///
/// It belongs to the current runtime: a test must not keep it for another one.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .context("setting up an HTTP client")
}

/// Fetches `url`.
///
/// # Errors
/// When no whole answer comes; any status is an answer.
pub async fn get(url: &str) -> Result<Answer> {
    read(client()?.get(url)).await
}

/// Sends a JSON text to `url`.
///
/// # Errors
/// As [`get`].
pub async fn post_json(url: &str, json: impl Into<reqwest::Body>) -> Result<Answer> {
    let request = client()?.post(url).header(http::header::CONTENT_TYPE, "application/json");
    read(request.body(json)).await
}

/// Sends any request and reads the whole answer.
///
/// # Errors
/// As [`get`].
pub async fn read(request: reqwest::RequestBuilder) -> Result<Answer> {
    let response = request.send().await.context("sending an HTTP request")?;
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await.context("reading an HTTP answer")?,
    })
}
