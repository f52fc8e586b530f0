//! Rules of the bucket by which the service itself removes objects. They are only read.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};

use super::S3Store;
use crate::store::{ErrorKind, StoreError};

/// A rule by which the service removes objects or drops uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpiryRule {
    /// Its id.
    pub id: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// Start of the keys that it is about; all where empty.
    pub prefix: String,
    /// Whether it is further limited, to tags or sizes.
    pub filtered: bool,
    /// Days after which current objects expire.
    pub expires_after_days: Option<u32>,
    /// Whether current objects expire at a date.
    pub expires_at_date: bool,
    /// Days after which unfinished uploads are dropped.
    pub aborts_uploads_after_days: Option<u32>,
}

impl S3Store {
    /// The rules of the bucket; none where it has none. A service that does not know such rules has none either.
    ///
    /// # Errors
    /// The account may not read them, or the service does not answer.
    pub async fn expiry_rules(&self) -> Result<Vec<ExpiryRule>, StoreError> {
        let inner = &self.inner;
        let answer = inner
            .connection
            .call(0, |client| client.get_bucket_lifecycle_configuration().bucket(inner.bucket()).send());
        match answer.await {
            Ok(found) => Ok(found.rules().iter().map(rule).collect()),
            Err(failure) if matches!(failure.status, Some(404 | 501)) && failure.kind() != ErrorKind::BucketMissing => {
                Ok(Vec::new())
            }
            Err(failure) => Err(inner.failed("reading the lifecycle rules of", "", failure)),
        }
    }
}

fn rule(rule: &LifecycleRule) -> ExpiryRule {
    let (filter, and) = (rule.filter(), rule.filter().and_then(|filter| filter.and()));
    let prefix =
        and.and_then(|and| and.prefix()).or_else(|| filter.and_then(|filter| filter.prefix())).or(former(rule));
    let is_limited = filter.is_some_and(|filter| {
        filter.tag().is_some()
            || filter.object_size_greater_than().is_some()
            || filter.object_size_less_than().is_some()
    });
    let is_further_limited = and.is_some_and(|and| {
        !and.tags().is_empty() || and.object_size_greater_than().is_some() || and.object_size_less_than().is_some()
    });
    let days = |days: i32| u32::try_from(days).ok();
    let expiration = rule.expiration();
    ExpiryRule {
        id: rule.id().unwrap_or_default().to_owned(),
        enabled: *rule.status() == ExpirationStatus::Enabled,
        prefix: prefix.unwrap_or_default().to_owned(),
        filtered: is_limited || is_further_limited,
        expires_after_days: expiration.and_then(|it| it.days()).and_then(days),
        expires_at_date: expiration.is_some_and(|it| it.date().is_some()),
        aborts_uploads_after_days: rule
            .abort_incomplete_multipart_upload()
            .and_then(|it| it.days_after_initiation())
            .and_then(days),
    }
}

/// The prefix as older rules have it.
#[allow(deprecated, reason = "services still answer with it")]
fn former(rule: &LifecycleRule) -> Option<&str> {
    rule.prefix()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_sdk_s3::types::{LifecycleExpiration, LifecycleRuleAndOperator, LifecycleRuleFilter, Tag};

    use super::*;

    #[test]
    fn a_rule_is_read_with_its_prefix_wherever_that_stands() {
        let expiration = LifecycleExpiration::builder().days(30).build();
        let of = |filter: LifecycleRuleFilter| {
            let built =
                LifecycleRule::builder().id("x").status(ExpirationStatus::Enabled).expiration(expiration.clone());
            rule(&built.filter(filter).build().unwrap())
        };
        let plain = of(LifecycleRuleFilter::builder().prefix("jaas/").build());
        assert_eq!((plain.prefix.as_str(), plain.enabled, plain.filtered), ("jaas/", true, false));
        assert_eq!((plain.expires_after_days, plain.expires_at_date), (Some(30), false));
        let tag = Tag::builder().key("a").value("b").build().unwrap();
        let and = LifecycleRuleAndOperator::builder().prefix("jaas/").tags(tag).build();
        let limited = of(LifecycleRuleFilter::builder().and(and).build());
        assert_eq!((limited.prefix.as_str(), limited.filtered), ("jaas/", true));
    }
}
