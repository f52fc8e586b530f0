//! Makes artifacts durable: one request for a new one, none for one that this process has just seen.

use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::error::{Failure, Meaning};
use super::{FRESH, Inner, Known, Metadata};
use crate::artifact::{Content, Digest, Revision};
use crate::store::read::damage_of;
use crate::store::{ErrorKind, Key, StoreError, Stored};

/// Metadata: digest, revision and length of what was sent.
pub(super) const DIGEST: &str = "jaas-digest";
pub(super) const REVISION: &str = "jaas-revision";
pub(super) const SIZE: &str = "jaas-size";

/// An object that others write and remove at the same time is judged anew this often.
const ATTEMPTS: usize = 4;

/// How an object is sent.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) object: String,
    pub(super) bytes: Bytes,
    pub(super) metadata: Metadata,
    pub(super) content_type: &'static str,
    /// Only if there is none of that name.
    pub(super) create_only: bool,
    /// Only if it is still this one.
    pub(super) if_match: Option<String>,
    /// With a checksum that the service compares.
    pub(super) checksum: bool,
}

impl Inner {
    /// See [`crate::store::Store::put`].
    pub(super) async fn put(self: &Arc<Self>, key: &Key, content: Content) -> Result<Stored, StoreError> {
        let path = key.path(content.revision());
        let known = self.known.get(&path);
        if let Some(Known { digest, size, .. }) = known.as_ref().filter(|known| known.seen.elapsed() < FRESH) {
            return Ok(Stored { digest: digest.clone(), size: *size, written: false });
        }
        let capabilities = self.capabilities().await?;
        let failed = |failure| self.failed("writing", &path, failure);
        let revision = content.revision().clone();
        let (bytes, digest) = built(content).await.map_err(failed)?;
        let size = bytes.len() as u64;
        let metadata = [(DIGEST, digest.to_string()), (REVISION, revision.to_string()), (SIZE, size.to_string())];
        let mut sending = Sending {
            object: self.object(&path),
            bytes,
            metadata: metadata.map(|(name, value)| (name.to_owned(), value)).into(),
            content_type: "application/gzip",
            create_only: capabilities.create_only == Some(true),
            if_match: None,
            checksum: capabilities.checksums == Some(true),
        };
        let mut look_first = !sending.create_only || known.is_some();
        let since = self.moment();
        for _ in 0..ATTEMPTS {
            if look_first {
                match self.compare(&path, &revision, &digest, size).await? {
                    Found::Right(stored) => return Ok(stored),
                    Found::Nothing => {}
                    Found::Wrong(etag) => {
                        sending.if_match = Some(etag).filter(|_| sending.create_only);
                        sending.create_only = false;
                    }
                }
            }
            match self.send(&sending).await {
                Ok(etag) => {
                    self.trust(&path, Known { etag, digest: digest.clone(), size, seen: Instant::now() }, since);
                    return Ok(Stored { digest, size, written: true });
                }
                // Another writer was faster, or the answer to an earlier try was lost.
                Err(failure) if matches!(failure.meaning, Meaning::Precondition | Meaning::Missing) => {
                    sending.create_only = capabilities.create_only == Some(true);
                    sending.if_match = None;
                    look_first = true;
                }
                Err(failure) => return Err(failed(failure)),
            }
        }
        Err(failed(Failure::trouble(ErrorKind::Unavailable, "the object changes faster than it can be judged")))
    }

    /// Sends one object and returns its ETag.
    pub(super) async fn send(&self, sending: &Sending) -> Result<String, Failure> {
        let size = sending.bytes.len() as u64;
        let sum = sending.checksum.then(|| aws_smithy_types::base64::encode(Sha256::digest(&sending.bytes)));
        let answer = self.connection.call(size, |client| {
            let Sending { object, bytes, metadata, content_type, create_only, if_match, .. } = sending.clone();
            let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            client
                .put_object()
                .bucket(self.bucket())
                .key(object)
                .set_metadata(Some(metadata).filter(|metadata| !metadata.is_empty()))
                .content_type(content_type)
                .content_length(length)
                .set_if_none_match(create_only.then(|| "*".to_owned()))
                .set_if_match(if_match)
                .set_checksum_sha256(sum.clone())
                .body(ByteStream::from(bytes))
                .send()
        });
        let etag = answer.await?.e_tag;
        etag.ok_or_else(|| Failure::trouble(ErrorKind::Corrupt, "the answer to the upload has no ETag"))
    }

    /// Judges an object that is there: by its metadata where that is what would be sent, else by reading it once.
    async fn compare(
        self: &Arc<Self>,
        path: &str,
        revision: &Revision,
        digest: &Digest,
        size: u64,
    ) -> Result<Found, StoreError> {
        let since = self.moment();
        let Some(head) = self.head("comparing", path).await? else { return Ok(Found::Nothing) };
        let recorded = |name: &str| head.metadata.get(name).map(String::as_str);
        let same = !self.damaged.contains_key(path)
            && recorded(DIGEST) == Some(&*digest.to_string())
            && recorded(REVISION) == Some(&*revision.to_string())
            && recorded(SIZE) == Some(&*size.to_string())
            && head.size == size;
        if same {
            self.trust(path, Known { etag: head.etag, digest: digest.clone(), size, seen: Instant::now() }, since);
            return Ok(Found::Right(Stored { digest: digest.clone(), size, written: false }));
        }
        let Some((bytes, etag)) = self.fetch("comparing", path).await? else { return Ok(Found::Nothing) };
        let (found, length) = match bytes {
            None => return Ok(Found::Wrong(etag)),
            Some(bytes) => (judged(bytes.clone(), revision.clone()).await, bytes.len() as u64),
        };
        match found {
            Ok(digest) => {
                self.trust(path, Known { etag, digest: digest.clone(), size: length, seen: Instant::now() }, since);
                Ok(Found::Right(Stored { digest, size: length, written: false }))
            }
            Err(cause) => {
                tracing::warn!(object = path, %cause, "replacing a damaged artifact");
                Ok(Found::Wrong(etag))
            }
        }
    }
}

/// What has the name of an artifact.
enum Found {
    Right(Stored),
    Nothing,
    Wrong(String),
}

/// Packs where it may take a while.
async fn built(content: Content) -> Result<(Bytes, Digest), Failure> {
    let packed = tokio::task::spawn_blocking(move || {
        content.packed().map(|bytes| {
            let digest = Digest::of(&bytes);
            (bytes, digest)
        })
    });
    let packed = packed.await.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)));
    packed.map_err(|error| Failure::trouble(ErrorKind::Unavailable, error.to_string()))
}

/// Digest of the bytes if their content is the one that `revision` names, else what is wrong with them.
pub(super) async fn judged(bytes: Bytes, revision: Revision) -> Result<Digest, String> {
    let judging = tokio::task::spawn_blocking(move || match damage_of(&bytes, &revision) {
        Some(cause) => Err(cause),
        None => Ok(Digest::of(&bytes)),
    });
    judging.await.unwrap_or_else(|stopped| Err(stopped.to_string()))
}
