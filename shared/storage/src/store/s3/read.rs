//! Reads objects: their metadata, or bytes that were verified.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::download::Download;
use super::error::{Failure, Meaning};
use super::put::judged;
use super::{Inner, Known, Metadata};
use crate::artifact::{Digest, Revision};
use crate::store::read::{Body, FILE_LIMIT};
use crate::store::{ErrorKind, Key, Presence, Readable, StoreError, owner};

/// What a HEAD tells.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) metadata: Metadata,
}

impl Inner {
    /// Metadata of an object, or `None` where the service itself says that there is none.
    pub(super) async fn head(&self, operation: &'static str, path: &str) -> Result<Option<Head>, StoreError> {
        let answer =
            self.connection.call(0, |client| client.head_object().bucket(self.bucket()).key(self.object(path)).send());
        let failure = match answer.await {
            Ok(output) => return head_of(output).map(Some).map_err(|failure| self.failed(operation, path, failure)),
            Err(failure) => failure,
        };
        // The answer to a HEAD has no body and so does not say what is missing or why it is denied.
        if failure.status.is_none()
            || failure.kind().is_passing() && failure.meaning != Meaning::NotFound && failure.status != Some(400)
        {
            return Err(self.failed(operation, path, failure));
        }
        match self.get(path, Some("bytes=0-0".to_owned()), None).await {
            Err(failure) => self.absent_or(operation, path, failure).await,
            // It came between the two.
            Ok(_) => Err(self.failed(operation, path, failure)),
        }
    }

    /// Sends one GET.
    pub(super) async fn get(
        &self,
        path: &str,
        range: Option<String>,
        if_match: Option<String>,
    ) -> Result<GetObjectOutput, Failure> {
        let answer = self.connection.call(0, |client| {
            client
                .get_object()
                .bucket(self.bucket())
                .key(self.object(path))
                .set_range(range.clone())
                .set_if_match(if_match.clone())
                .send()
        });
        answer.await
    }

    /// `None` if the failure of reading one object means that it is not there.
    pub(super) async fn absent_or<T>(
        &self,
        operation: &'static str,
        path: &str,
        failure: Failure,
    ) -> Result<Option<T>, StoreError> {
        let told = self.known_capabilities().and_then(|known| known.missing_is_told);
        let absent = match failure.meaning {
            Meaning::Missing => {
                self.missing_is_told();
                true
            }
            // Without the right to list, a missing object is "denied". It is missing if another one still may be read.
            Meaning::Trouble(ErrorKind::Denied) if told == Some(false) && path != owner::NAME => {
                self.get(owner::NAME, None, None).await.is_ok()
            }
            _ => false,
        };
        if absent {
            self.known.invalidate(path);
            return Ok(None);
        }
        Err(self.failed(operation, path, failure))
    }

    /// Notes that the service does tell what is missing, whatever it said to the probe.
    fn missing_is_told(&self) {
        if self.known_capabilities().and_then(|known| known.missing_is_told) == Some(false)
            && let Some(known) = &mut *self.capabilities.write().unwrap_or_else(PoisonError::into_inner)
        {
            known.missing_is_told = Some(true);
        }
    }

    /// Starts reading an object.
    async fn download(self: &Arc<Self>, operation: &'static str, path: &str) -> Result<Option<Download>, StoreError> {
        let output = match self.get(path, None, None).await {
            Ok(output) => output,
            Err(failure) => return self.absent_or(operation, path, failure).await,
        };
        let size = output.content_length.and_then(|length| u64::try_from(length).ok());
        let (Some(etag), Some(size)) = (output.e_tag, size) else {
            return Err(self.failed(operation, path, nameless()));
        };
        Ok(Some(Download::new(self, path, etag, size, output.body)))
    }

    /// See [`crate::store::Store::presence`].
    pub(super) async fn presence(self: &Arc<Self>, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let path = key.path(revision);
        let since = self.moment();
        let Some(head) = self.head("checking", &path).await? else { return Ok(Presence::Missing) };
        if let Some(known) = self.known_as(&path, &head.etag, head.size) {
            let digest = known.digest.clone();
            self.trust(&path, Known { seen: Instant::now(), ..known }, since);
            return Ok(Presence::Intact { digest, size: head.size });
        }
        self.verify(key, revision).await
    }

    /// See [`crate::store::Store::verify`].
    pub(super) async fn verify(self: &Arc<Self>, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let path = key.path(revision);
        let since = self.moment();
        let mut damage = String::new();
        // What was damaged on the way is right when it comes again.
        for _ in 0..2 {
            let Some((bytes, etag)) = self.fetch("verifying", &path).await? else { return Ok(Presence::Missing) };
            let Some(bytes) = bytes else {
                return Ok(Presence::Damaged { cause: format!("it is larger than {FILE_LIMIT} bytes") });
            };
            let size = bytes.len() as u64;
            match judged(bytes, revision.clone()).await {
                Ok(digest) => {
                    self.trust(&path, Known { etag, digest: digest.clone(), size, seen: Instant::now() }, since);
                    return Ok(Presence::Intact { digest, size });
                }
                Err(cause) => damage = cause,
            }
        }
        self.distrust(&path);
        Ok(Presence::Damaged { cause: damage })
    }

    /// See [`crate::store::Store::open`].
    pub(super) async fn open_for_serving(
        self: &Arc<Self>,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError> {
        let path = key.path(revision);
        // What was damaged on the way is right when it comes again.
        for _ in 0..2 {
            let Some(download) = self.download("reading", &path).await? else { return Ok(None) };
            let size = download.size;
            if size > FILE_LIMIT {
                break;
            }
            if let Some(expected) = expected.filter(|_| size > self.connection.options.buffered) {
                let (sender, receiver) = mpsc::channel(1);
                tokio::spawn(download.send_verified(expected.clone(), sender));
                return Ok(Some(Readable { digest: expected.clone(), size, body: Body::Stream(receiver) }));
            }
            let bytes = download.collect().await.map_err(|failure| self.failed("reading", &path, failure))?;
            let digest = match expected {
                Some(expected) => Some(Digest::of(&bytes)).filter(|digest| digest == expected),
                None => judged(bytes.clone(), revision.clone()).await.ok(),
            };
            if let Some(digest) = digest {
                return Ok(Some(Readable { digest, size, body: Body::Memory(bytes) }));
            }
        }
        self.distrust(&path);
        Ok(None)
    }

    /// A whole object with its ETag; without its bytes where it is larger than any artifact.
    pub(super) async fn fetch(
        self: &Arc<Self>,
        operation: &'static str,
        path: &str,
    ) -> Result<Option<(Option<Bytes>, String)>, StoreError> {
        let Some(download) = self.download(operation, path).await? else { return Ok(None) };
        let etag = download.etag.clone();
        if download.size > FILE_LIMIT {
            return Ok(Some((None, etag)));
        }
        let bytes = download.collect().await.map_err(|failure| self.failed(operation, path, failure))?;
        Ok(Some((Some(bytes), etag)))
    }

    fn known_as(&self, path: &str, etag: &str, size: u64) -> Option<Known> {
        self.known.get(path).filter(|known| known.etag == etag && known.size == size)
    }
}

fn head_of(output: HeadObjectOutput) -> Result<Head, Failure> {
    let size = output.content_length.and_then(|length| u64::try_from(length).ok());
    match (output.e_tag, size) {
        (Some(etag), Some(size)) => Ok(Head { etag, size, metadata: output.metadata.unwrap_or_default() }),
        _ => Err(nameless()),
    }
}

fn nameless() -> Failure {
    Failure::trouble(ErrorKind::Corrupt, "the answer has no ETag or no length")
}
