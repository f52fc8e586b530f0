//! A way past the store for the conformance suite.

use async_trait::async_trait;
use bytes::Bytes;

use super::put::Sending;
use super::{Metadata, S3Store};
use crate::store::conformance::Raw;

#[async_trait]
#[allow(clippy::unwrap_used, reason = "a failed expectation ends the test that calls")]
impl Raw for S3Store {
    async fn plant(&self, path: &str, bytes: &[u8]) {
        let sending = Sending {
            object: self.inner.object(path),
            bytes: Bytes::copy_from_slice(bytes),
            metadata: Metadata::new(),
            content_type: "application/x-gzip",
            create_only: false,
            if_match: None,
            checksum: false,
        };
        self.inner.send(&sending).await.unwrap();
    }

    async fn look(&self, path: &str) -> Option<Vec<u8>> {
        self.inner.fetch("looking at", path).await.unwrap().and_then(|(bytes, _)| bytes).map(Vec::from)
    }
}
