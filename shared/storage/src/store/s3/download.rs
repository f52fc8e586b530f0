//! Bodies on their way: taken up where they break off, and verified while they stream.

use std::io;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::Inner;
use super::error::Failure;
use crate::artifact::Digest;
use crate::store::ErrorKind;

/// A body that breaks off is taken up again this often.
const RESUMPTIONS: u32 = 5;

/// A body on its way.
pub(super) struct Download {
    inner: Arc<Inner>,
    object: String,
    pub(super) etag: String,
    pub(super) size: u64,
    offset: u64,
    body: ByteStream,
    resumptions: u32,
}

impl Download {
    /// An answer whose body has not been touched yet.
    pub(super) fn new(inner: &Arc<Inner>, object: &str, etag: String, size: u64, body: ByteStream) -> Self {
        let (inner, object) = (Arc::clone(inner), object.to_owned());
        Self { inner, object, etag, size, offset: 0, body, resumptions: RESUMPTIONS }
    }

    /// The next bytes; a body that breaks off is taken up where it ended, on another connection.
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            let next = self.inner.connection.within_stall(self.body.next());
            let cause = match next.await {
                Some(Some(Ok(chunk))) => {
                    self.offset += chunk.len() as u64;
                    let fits = self.offset <= self.size;
                    let longer = || Failure::trouble(ErrorKind::Corrupt, "the body is longer than announced");
                    return Some(if fits { Ok(chunk) } else { Err(longer()) });
                }
                Some(None) if self.offset == self.size => return None,
                Some(None) => Failure::trouble(ErrorKind::Unreachable, "the body ended early"),
                Some(Some(Err(error))) => Failure::trouble(ErrorKind::Unreachable, error.to_string()),
                None => Failure::trouble(ErrorKind::TimedOut, "the body stalled"),
            };
            if self.offset == self.size {
                return None;
            }
            if self.resumptions == 0 {
                return Some(Err(cause));
            }
            self.resumptions -= 1;
            if let Err(failure) = self.resume().await {
                return Some(Err(failure));
            }
        }
    }

    async fn resume(&mut self) -> Result<(), Failure> {
        let range = format!("bytes={}-", self.offset);
        let answer = self.inner.get(&self.object, Some(range), Some(self.etag.clone())).await?;
        let expected = format!("bytes {}-{}/{}", self.offset, self.size - 1, self.size);
        if answer.content_range.as_deref() != Some(&*expected) {
            return Err(Failure::trouble(ErrorKind::Corrupt, "the answer is not the range that was asked for"));
        }
        self.body = answer.body;
        Ok(())
    }

    /// All of it.
    pub(super) async fn collect(mut self) -> Result<Bytes, Failure> {
        let mut bytes = BytesMut::with_capacity(usize::try_from(self.size).unwrap_or_default());
        while let Some(chunk) = self.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.freeze())
    }

    /// Sends on what comes, always one piece behind: the last one only if all were right.
    pub(super) async fn send_verified(mut self, expected: Digest, sender: mpsc::Sender<io::Result<Bytes>>) {
        let mut hasher = Sha256::new();
        let mut held: Option<Bytes> = None;
        while let Some(chunk) = self.next().await {
            let chunk = match chunk {
                Ok(chunk) if chunk.is_empty() => continue,
                Ok(chunk) => chunk,
                Err(failure) => {
                    let _ = sender.send(Err(io::Error::other(failure.message))).await;
                    return;
                }
            };
            hasher.update(&chunk);
            if let Some(earlier) = held.replace(chunk)
                && sender.send(Ok(earlier)).await.is_err()
            {
                return;
            }
        }
        let last = if Digest::from_hasher(hasher) == expected {
            held.map(Ok)
        } else {
            self.inner.distrust(&self.object);
            Some(Err(io::Error::other("the bytes do not hash to the announced digest")))
        };
        if let Some(last) = last {
            // Whoever no longer listens needs no last piece.
            let _ = sender.send(last).await;
        }
    }
}
