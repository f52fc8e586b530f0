//! The mark of the installation that a prefix belongs to, and the question whether the bucket is there.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::Inner;
use super::error::{Failure, Meaning};
use super::put::Sending;
use crate::store::owner::{NAME, Step, decide};
use crate::store::{Claim, ErrorKind, Health, OwnerMark, StoreError};

/// Another claim that comes between reading and creating is read again this often.
const ATTEMPTS: usize = 3;

impl Inner {
    /// See [`crate::store::Store::read_owner`].
    pub(super) async fn read_owner(self: &Arc<Self>) -> Result<Option<OwnerMark>, StoreError> {
        let Some((bytes, _)) = self.fetch("reading", NAME).await? else { return Ok(None) };
        let shown = format!("s3://{}/{}", self.bucket(), self.object(NAME));
        OwnerMark::read(&bytes.unwrap_or_default(), &shown, StoreError::remote).map(Some)
    }

    /// See [`crate::store::Store::claim`].
    pub(super) async fn claim(self: &Arc<Self>, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError> {
        let capabilities = self.capabilities().await?;
        for _ in 0..ATTEMPTS {
            let step = decide(self.read_owner().await, mark, take_over)?;
            let create_only = step == Step::Create && capabilities.create_only == Some(true);
            let claim = match step {
                Step::Answer(claim) => return Ok(claim),
                Step::Create => Claim::Claimed,
                Step::Overwrite(claim) => claim,
            };
            let sending = Sending {
                object: self.object(NAME),
                bytes: Bytes::from(mark.to_bytes()),
                metadata: super::Metadata::new(),
                content_type: "application/json",
                create_only,
                if_match: None,
                checksum: capabilities.checksums == Some(true),
            };
            match self.send(&sending).await {
                Ok(_) => return Ok(claim),
                Err(failure) if failure.meaning == Meaning::Precondition => {}
                Err(failure) => return Err(self.failed("writing", NAME, failure)),
            }
        }
        Err(self.failed("writing", NAME, Failure::trouble(ErrorKind::Unavailable, "others write it all the time")))
    }

    /// See [`crate::store::Store::check`]. One small object is read, which needs no right that serving does not need.
    pub(super) async fn check(&self) -> Result<Health, StoreError> {
        let begun = Instant::now();
        match self.get(NAME, None, None).await {
            Ok(_) => {}
            Err(failure) if failure.meaning == Meaning::Missing => {}
            Err(failure) => return Err(self.failed("checking", "", failure)),
        }
        Ok(self.health(begun))
    }
}
