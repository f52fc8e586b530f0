//! What an answer of the service means. Pure.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::store::ErrorKind;

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Failure {
    /// What it means.
    pub(super) meaning: Meaning,
    /// Status of the answer, if there was one.
    pub(super) status: Option<u16>,
    /// Region of the bucket, where the service tells it.
    pub(super) region: Option<String>,
    /// For a person.
    pub(super) message: String,
}

/// What an answer means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The service itself says that there is no such key.
    Missing,
    /// The status says that something is missing, without a word on what: the answer to a HEAD.
    NotFound,
    /// A precondition does not hold.
    Precondition,
    /// The range lies outside of the object.
    Range,
    /// The service does not know this request or one of its headers.
    Unsupported,
    /// Temporary credentials ended or keys were changed: the same once more with new ones.
    Expired,
    /// Trouble.
    Trouble(ErrorKind),
}

impl Failure {
    /// Trouble that was noticed here.
    pub(super) fn trouble(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { meaning: Meaning::Trouble(kind), status: None, region: None, message: message.into() }
    }

    /// The class of trouble that it is to a caller who expected success.
    pub(super) fn kind(&self) -> ErrorKind {
        match self.meaning {
            Meaning::Trouble(kind) => kind,
            Meaning::Expired => ErrorKind::CredentialsRejected,
            _ => ErrorKind::Unavailable,
        }
    }

    /// Whether the same may succeed a moment later.
    pub(super) fn is_worth_repeating(&self) -> bool {
        match self.meaning {
            Meaning::Trouble(kind) => kind.is_passing(),
            _ => false,
        }
    }
}

/// Reads an error of the SDK.
pub(super) fn classify<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let message = DisplayErrorContext(error).to_string();
    let response = error.raw_response();
    let status = response.map(|response| response.status().as_u16());
    let meaning = match error {
        SdkError::TimeoutError(_) => Meaning::Trouble(ErrorKind::TimedOut),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Meaning::Trouble(ErrorKind::TimedOut),
        SdkError::DispatchFailure(failure) if failure.is_io() => Meaning::Trouble(ErrorKind::Unreachable),
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) if lacks_credentials(error) => {
            Meaning::Trouble(ErrorKind::CredentialsRejected)
        }
        SdkError::DispatchFailure(_) => Meaning::Trouble(ErrorKind::Unreachable),
        // So a service answers a signature that came too late, and a lasting denial has other words.
        _ if error.code() == Some("AccessDenied")
            && error.message().is_some_and(|message| message.contains("Request has expired")) =>
        {
            Meaning::Trouble(ErrorKind::TimedOut)
        }
        _ => of_answer(status.unwrap_or_default(), error.code().unwrap_or_default()),
    };
    let header = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
    let body = response.and_then(|response| response.body().bytes());
    let region = header.map(ToOwned::to_owned).or_else(|| region_in(&String::from_utf8_lossy(body?)));
    let message: String = message.chars().take(600).collect();
    Failure { meaning, status, region, message }
}

/// What status and code of an answer mean. What is not known is trouble.
fn of_answer(status: u16, code: &str) -> Meaning {
    let trouble = Meaning::Trouble;
    match (status, code) {
        (_, "NoSuchKey") => Meaning::Missing,
        (_, "NoSuchBucket") => trouble(ErrorKind::BucketMissing),
        (_, "RequestTimeTooSkewed" | "RequestExpired") => trouble(ErrorKind::ClockSkew),
        (
            _,
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
        ) => trouble(ErrorKind::WrongRegion),
        (
            _,
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "InvalidTokenId"
            | "TokenRefreshRequired",
        ) => Meaning::Expired,
        (
            _,
            "SlowDown"
            | "ServiceUnavailable"
            | "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests"
            | "BandwidthLimitExceeded",
        ) => trouble(ErrorKind::Throttled),
        (_, "RequestTimeout") => trouble(ErrorKind::TimedOut),
        (_, "XMinioStorageFull" | "InsufficientStorage" | "StorageFull") | (507, _) => trouble(ErrorKind::Full),
        (_, "QuotaExceeded" | "XMinioAdminBucketQuotaExceeded") => trouble(ErrorKind::QuotaReached),
        (
            _,
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "InvalidPayer" | "SignatureVersionNotSupported",
        ) => trouble(ErrorKind::Denied),
        (_, "NotImplemented") | (501, _) => Meaning::Unsupported,
        (_, "PreconditionFailed") | (412, _) => Meaning::Precondition,
        (_, "InvalidRange") | (416, _) => Meaning::Range,
        (404, "" | "NotFound") => Meaning::NotFound,
        (401 | 403, _) => trouble(ErrorKind::Denied),
        (429, _) => trouble(ErrorKind::Throttled),
        (503, _) => trouble(ErrorKind::Throttled),
        (408 | 504, _) => trouble(ErrorKind::TimedOut),
        (301 | 307 | 308, _) => trouble(ErrorKind::WrongRegion),
        _ => trouble(ErrorKind::Unavailable),
    }
}

/// The region that the body of a refusal names.
fn region_in(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("<Region>")?;
    let (region, _) = rest.split_once("</Region>")?;
    let fits = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (fits && (1..=40).contains(&region.len())).then(|| region.to_owned())
}

/// Whether the request was never sent for want of keys.
fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if current.is::<aws_credential_types::provider::error::CredentialsError>() {
            return true;
        }
        cause = current.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_nobody_knows_is_trouble_and_never_an_absence() {
        for (status, code) in [(404, "NoSuchWebsite"), (302, ""), (200, ""), (418, "Teapot"), (500, "InternalError")] {
            assert_eq!(of_answer(status, code), Meaning::Trouble(ErrorKind::Unavailable), "{status} {code}");
        }
        assert_eq!(of_answer(404, "NoSuchBucket"), Meaning::Trouble(ErrorKind::BucketMissing));
        assert_eq!(of_answer(404, "NoSuchKey"), Meaning::Missing);
        assert_eq!(of_answer(404, ""), Meaning::NotFound);
        assert_eq!(of_answer(301, ""), Meaning::Trouble(ErrorKind::WrongRegion));
    }

    #[test]
    fn the_region_is_read_from_the_refusal() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        assert_eq!(region_in(body).as_deref(), Some("eu-west-1"));
        assert_eq!(region_in("<Region>a/../b</Region>"), None);
    }
}
