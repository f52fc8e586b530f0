//! Answers that come line by line: one JSON document each, as soon as it is known.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use tokio::sync::mpsc;
use warp::reply::{Reply, Response};

/// Media type of JSON documents in lines.
const MEDIA_TYPE: &str = "application/x-ndjson";
/// A client that takes nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are sent together where nobody waits for the first of them.
const TOGETHER: usize = 32 << 10;

/// The client took no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// Where lines are written. An answer whose last line does not say that it is the last broke off.
pub(super) struct Lines {
    sender: mpsc::Sender<io::Result<Bytes>>,
    waiting: Vec<u8>,
}

/// An answer, and where its lines are written.
pub(super) fn lines() -> (Lines, Response) {
    let (sender, mut receiver) = mpsc::channel(1);
    let body = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let mut response = warp::reply::stream(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (Lines { sender, waiting: Vec::new() }, response)
}

impl Lines {
    /// Writes a line that may wait for others.
    pub(super) async fn write(&mut self, line: &impl Serialize) -> Result<(), Gone> {
        // Documents of texts and numbers can be written in any case.
        serde_json::to_writer(&mut self.waiting, line).map_err(|_| Gone)?;
        self.waiting.push(b'\n');
        if self.waiting.len() < TOGETHER { Ok(()) } else { self.flush().await }
    }

    /// Writes a line and sends it at once.
    pub(super) async fn send(&mut self, line: &impl Serialize) -> Result<(), Gone> {
        self.write(line).await?;
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        let piece = Bytes::from(std::mem::take(&mut self.waiting));
        if piece.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(PATIENCE, self.sender.send(Ok(piece))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn lines_arrive_in_their_order_and_end() {
        let (mut lines, response) = lines();
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        let writer = tokio::spawn(async move {
            for n in 0..20_000 {
                lines.write(&n).await.unwrap();
            }
            lines.send(&"end").await.unwrap();
        });
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        writer.await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text.lines().count(), 20_001);
        assert!(text.starts_with("0\n1\n") && text.ends_with("19999\n\"end\"\n"));
    }

    #[tokio::test]
    async fn a_client_that_left_is_noticed() {
        let (mut lines, response) = lines();
        drop(response);
        assert_eq!(lines.send(&1).await, Err(Gone));
    }
}
