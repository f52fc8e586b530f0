//! A way past the store for the conformance suite.

use async_trait::async_trait;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
};
use bytes::Bytes;

use super::put::Sending;
use super::{Metadata, S3Store};
use crate::store::conformance::Raw;

#[allow(clippy::unwrap_used, reason = "a failed expectation ends the test that calls")]
impl S3Store {
    /// Begins an upload in parts and leaves it, as other software does that dies.
    pub async fn begin_upload(&self, path: &str) {
        let begun = self.inner.connection.call(0, |client| {
            client.create_multipart_upload().bucket(self.inner.bucket()).key(self.inner.object(path)).send()
        });
        begun.await.unwrap();
    }

    /// Objects of unfinished uploads, whoever began them.
    pub async fn begun_by_anybody(&self) -> Vec<String> {
        let listed =
            self.inner.connection.call(0, |client| client.list_multipart_uploads().bucket(self.inner.bucket()).send());
        let uploads = listed.await.unwrap().uploads.unwrap_or_default();
        uploads.into_iter().filter_map(|upload| upload.key).collect()
    }

    /// Has the service remove every object of the bucket after so many days, as a person does who wants to save room.
    pub async fn expire_after(&self, days: i32) {
        let rule = LifecycleRule::builder()
            .id("save-room")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .expiration(LifecycleExpiration::builder().days(days).build());
        let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap()).build().unwrap();
        let put = self.inner.connection.call(0, |client| {
            let request = client.put_bucket_lifecycle_configuration().bucket(self.inner.bucket());
            request.lifecycle_configuration(rules.clone()).send()
        });
        put.await.unwrap();
    }

    /// Takes such rules away.
    pub async fn expire_nothing(&self) {
        let bucket = self.inner.bucket();
        let gone = self.inner.connection.call(0, |client| client.delete_bucket_lifecycle().bucket(bucket).send());
        gone.await.unwrap();
    }
}

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
