//! Finds out what a service really does, since neither its name nor its manual tells.

use std::sync::PoisonError;

use bytes::Bytes;

use super::Inner;
use super::error::{Failure, Meaning};
use super::put::Sending;
use crate::store::listing::PROBES;
use crate::store::{Capabilities, ErrorKind, StoreError};

/// SHA-256 of no bytes, in Base64: wrong for any body of a probe.
const WRONG_CHECKSUM: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// So many denials in a row are an answer.
const DENIALS: u32 = 3;

impl Inner {
    /// Asks with a few objects of its own, removes them, and remembers the answers.
    pub(super) async fn probe(&self) -> Result<Capabilities, StoreError> {
        let run = format!("{PROBES}{:016x}", rand::random::<u64>());
        let [first, second] = ["1", "2"].map(|n| format!("{run}/{n}"));
        let asked = self.ask(&run, &first, &second).await;
        // A service in trouble is not asked for more; what stays goes with the next sweep.
        if !asked.as_ref().is_err_and(Failure::is_worth_repeating) {
            for path in [&first, &second] {
                let _ = self.delete_object(path, None).await;
            }
        }
        let capabilities = asked.map_err(|failure| self.failed("probing", &run, failure))?;
        tracing::info!(
            bucket = self.bucket(),
            createOnly = capabilities.create_only,
            conditionalDelete = capabilities.conditional_delete,
            checksums = capabilities.checksums,
            missingIsTold = capabilities.missing_is_told,
            pagination = capabilities.pagination,
            clockAheadSeconds = capabilities.clock_ahead_seconds,
            region = capabilities.region.as_deref(),
            "probed the S3 service"
        );
        *self.capabilities.write().unwrap_or_else(PoisonError::into_inner) = Some(capabilities.clone());
        Ok(capabilities)
    }

    async fn ask(&self, run: &str, first: &str, second: &str) -> Result<Capabilities, Failure> {
        // Trouble is no answer: whoever took it for "cannot" would work without protection from then on.
        let sending = |path: &str, checksum| Sending {
            object: self.object(path),
            bytes: Bytes::from_static(b"probe"),
            metadata: super::Metadata::new(),
            content_type: "text/plain",
            create_only: false,
            if_match: None,
            checksum,
        };
        self.send(&sending(first, false)).await?;
        let accepted = match self.send(&sending(second, true)).await {
            Ok(_) => true,
            Err(failure) if is_no_to(&failure) => false,
            Err(failure) => return Err(failure),
        };
        if !accepted {
            self.send(&sending(second, false)).await?;
        }
        let checksums = Some(accepted && self.refuses_wrong_checksum(second).await?);
        let again = Sending { create_only: true, ..sending(first, false) };
        let create_only = match self.send(&again).await {
            Ok(_) => Some(false),
            Err(failure) => Some(refused(failure)?),
        };
        let missing_is_told = self.asks_for_nothing(&format!("{run}/missing")).await?;
        let pagination = match self.pages(&format!("{run}/"), Some(1)).await {
            Ok(found) => Some(found.len() == 2),
            Err(failure) if failure.kind() == ErrorKind::Denied => None,
            Err(failure) if failure.kind() == ErrorKind::Corrupt => Some(false),
            Err(failure) => return Err(failure),
        };
        self.know_how_to_delete().await?;
        // Last, as it may take the object away.
        let wrong = Some("\"00000000000000000000000000000000\"".to_owned());
        let conditional_delete = match self.delete_object(first, wrong).await {
            Ok(_) => Some(false),
            Err(failure) => Some(refused(failure)?),
        };
        Ok(Capabilities {
            create_only,
            conditional_delete,
            checksums,
            missing_is_told,
            pagination,
            clock_ahead_seconds: self.connection.watch.clock_ahead(),
            region: Some(self.connection.region()),
        })
    }

    /// Whether the service says of what is not there that it is missing. One denial may have another cause.
    async fn asks_for_nothing(&self, path: &str) -> Result<Option<bool>, Failure> {
        for _ in 0..DENIALS {
            match self.get(path, None, None).await {
                Err(failure) if failure.meaning == Meaning::Missing => return Ok(Some(true)),
                Err(failure) if failure.kind() == ErrorKind::Denied => {}
                Err(failure) => return Err(failure),
                Ok(_) => return Err(Failure::trouble(ErrorKind::Corrupt, "an object that cannot exist was read")),
            }
        }
        Ok(Some(false))
    }

    /// Finds out, once, whether a deletion may say for how long it counts. Answers whether the service takes a plain one only. It is
    /// asked by deletions alone, because one that is full must be emptied.
    pub(super) async fn know_how_to_delete(&self) -> Result<bool, Failure> {
        if let Some(plainly) = self.deletes_plainly.get() {
            return Ok(*plainly);
        }
        let path = &format!("{PROBES}missing");
        // A service that cannot read such a signature may also call it wrong.
        let is_refusal = |failure: &Failure| {
            failure.kind() == ErrorKind::Denied || failure.meaning == Meaning::Expired || is_no_to(failure)
        };
        for _ in 0..DENIALS {
            match self.delete_so(path, None, false).await {
                Err(failure) if is_refusal(&failure) => {}
                other => {
                    other?;
                    let _ = self.deletes_plainly.set(false);
                    return Ok(false);
                }
            }
        }
        match self.delete_so(path, None, true).await {
            Ok(_) => {
                let _ = self.deletes_plainly.set(true);
                tracing::warn!(
                    bucket = self.bucket(),
                    "the S3 service refuses deletions that say for how long they count; one that the network delivers late may \
                     remove what was written again meanwhile"
                );
                Ok(true)
            }
            // Nothing may be deleted either way.
            Err(failure) if is_refusal(&failure) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn refuses_wrong_checksum(&self, path: &str) -> Result<bool, Failure> {
        let answer = self.connection.call(0, |client| {
            client
                .put_object()
                .bucket(self.bucket())
                .key(self.object(path))
                .checksum_sha256(WRONG_CHECKSUM)
                .body(aws_sdk_s3::primitives::ByteStream::from_static(b"probe"))
                .send()
        });
        match answer.await {
            Ok(_) => Ok(false),
            Err(failure) if is_no_to(&failure) => Ok(true),
            Err(failure) => Err(failure),
        }
    }
}

/// Whether the request itself was refused, and not for keys, clock, region or time.
fn is_no_to(failure: &Failure) -> bool {
    let unknown = failure.meaning == Meaning::Trouble(ErrorKind::Unavailable) && failure.status == Some(400);
    unknown || failure.meaning == Meaning::Unsupported
}

/// Whether a precondition that does not hold was noticed. What is neither yes nor "unknown header" is trouble.
fn refused(failure: Failure) -> Result<bool, Failure> {
    match failure.meaning {
        Meaning::Precondition => Ok(true),
        _ if is_no_to(&failure) => Ok(false),
        _ => Err(failure),
    }
}
