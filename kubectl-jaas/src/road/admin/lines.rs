//! Documents of a stream, one a line.

use std::marker::PhantomData;
use std::time::Duration;

use http_body_util::BodyExt as _;
use jaas_findings::known::Obstacle;
use kube::client::Body;
use serde::de::DeserializeOwned;

use crate::road::Failure;

/// No line is longer.
const LONGEST: usize = 1 << 20;

/// Documents of a stream, one a line. What this version does not know is skipped and counted.
pub(crate) struct Lines<T> {
    body: Body,
    buffer: Vec<u8>,
    /// How far the buffer was searched for the end of a line.
    searched: usize,
    ended: bool,
    skipped: usize,
    limit: Option<Duration>,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// Lines of a body, of which the next bytes may take this long.
    pub(super) fn of(body: Body, limit: Option<Duration>) -> Self {
        Self { body, buffer: Vec::new(), searched: 0, ended: false, skipped: 0, limit, kind: PhantomData }
    }

    /// How many documents were of a kind that this version does not know.
    pub(crate) fn skipped(&self) -> usize {
        self.skipped
    }

    /// The next document; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// The stream broke off, or holds no documents.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, Failure> {
        loop {
            while let Some(line) = self.line() {
                if let Some(document) = self.read(&line)? {
                    return Ok(Some(document));
                }
            }
            if self.ended {
                let rest = std::mem::take(&mut self.buffer);
                return if rest.is_empty() { Ok(None) } else { self.read(&rest) };
            }
            if self.buffer.len() > LONGEST {
                return Err(broken("a line of the answer is longer than any document"));
            }
            let frame = match self.limit {
                None => self.body.frame().await,
                Some(limit) => match tokio::time::timeout(limit, self.body.frame()).await {
                    Ok(frame) => frame,
                    Err(_) => {
                        let cause = format!("nothing more came within {limit:?}");
                        return Err(Failure::new("admin", Obstacle::TimedOut, cause).help("raise --request-timeout"));
                    }
                },
            };
            match frame {
                None => self.ended = true,
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
                Some(Err(error)) => return Err(broken(&format!("the answer broke off: {error}"))),
            }
        }
    }

    /// The next whole line of the buffer.
    fn line(&mut self) -> Option<Vec<u8>> {
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(position) => {
                let line = self.buffer.drain(..=self.searched + position).collect();
                self.searched = 0;
                Some(line)
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<T>, Failure> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let value: serde_json::Value = serde_json::from_slice(line)
            .map_err(|error| broken(&format!("a line of the answer is no JSON: {error}")))?;
        match serde_json::from_value(value) {
            Ok(document) => Ok(Some(document)),
            Err(_) => {
                self.skipped += 1;
                Ok(None)
            }
        }
    }
}

fn broken(cause: &str) -> Failure {
    Failure::new("admin", Obstacle::Failed, cause)
}

#[cfg(test)]
mod tests {
    use jaas_api::admin::InventoryLine;

    use super::*;

    async fn read(text: &str) -> (Vec<InventoryLine>, usize, Option<Failure>) {
        let mut lines = Lines::of(Body::from(text.as_bytes().to_vec()), None);
        let mut found = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => found.push(line),
                Ok(None) => return (found, lines.skipped(), None),
                Err(failure) => return (found, lines.skipped(), Some(failure)),
            }
        }
    }

    #[tokio::test]
    async fn what_a_later_version_adds_is_skipped_and_counted() {
        let text = "{\"file\":{\"path\":\"a\",\"class\":\"revision\",\"bytes\":1,\"novel\":true}}\n\n\
                    {\"file\":{\"path\":\"b\",\"class\":\"hologram\",\"bytes\":1}}\n{\"novel\":{}}\n{\"end\":{\"complete\":true}}";
        let (found, skipped, failure) = read(text).await;
        assert_eq!((found.len(), skipped, failure), (2, 2, None));
        assert!(matches!(&found[1], InventoryLine::End(end) if end.complete));
    }

    #[tokio::test]
    async fn half_a_line_is_a_failure_and_no_end() {
        let (found, _, failure) = read("{\"end\":{\"complete\":true}}\n{\"fi").await;
        assert_eq!((found.len(), failure.is_some()), (1, true));
    }
}
