//! What can be wrong with a store: a closed set, so that each class has its answer. Pure.

use std::io;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{operation} `{path}`: {hint}{}", shown(.detail))]
pub struct StoreError {
    /// What was tried, such as `writing`.
    pub operation: &'static str,
    /// What it was tried on: a path below the store's root, or `s3://bucket/key`.
    pub path: String,
    /// What is wrong and what a person can do about it.
    pub hint: &'static str,
    /// Numbers that belong to it, such as the bytes that were needed and those that are free; may be empty.
    pub detail: String,
    /// What class of trouble it is.
    pub kind: ErrorKind,
    /// What the system or the service said.
    #[source]
    pub source: io::Error,
}

fn shown(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

/// Classes of trouble with a store.
///
/// *Passing* ones may end without anybody's help; the others need a person. Either way the caller tries again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No bytes or no inodes left.
    Full,
    /// The configured quota is used up; for consumers of the reason the same as [`ErrorKind::Full`].
    QuotaReached,
    /// Mounted read-only.
    ReadOnly,
    /// The process, or the account on S3, may not.
    Denied,
    /// No connection: refused, no such host, TLS failed. Passing.
    Unreachable,
    /// No answer in time. Passing.
    TimedOut,
    /// The service asked for fewer requests. Passing.
    Throttled,
    /// The bucket does not exist.
    BucketMissing,
    /// The clocks of this machine and of the service disagree.
    ClockSkew,
    /// The bucket is in another region.
    WrongRegion,
    /// The service does not know the credentials, or they ended, or there are none.
    CredentialsRejected,
    /// What is stored cannot be read as what it should be, or the service answered something that no answer can be.
    Corrupt,
    /// Anything else. Passing.
    Unavailable,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Full,
        Self::QuotaReached,
        Self::ReadOnly,
        Self::Denied,
        Self::Unreachable,
        Self::TimedOut,
        Self::Throttled,
        Self::BucketMissing,
        Self::ClockSkew,
        Self::WrongRegion,
        Self::CredentialsRejected,
        Self::Corrupt,
        Self::Unavailable,
    ];

    /// The class of an error of the operating system.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Unavailable,
        }
    }

    /// Whether it may end without anybody's help.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut | Self::Throttled | Self::Unavailable)
    }

    /// Whether room is what is missing, so that collecting old artifacts helps.
    pub fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::QuotaReached)
    }

    /// The class as the value of a label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::QuotaReached => "quota",
            Self::ReadOnly => "read-only",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Throttled => "throttled",
            Self::BucketMissing => "bucket-missing",
            Self::ClockSkew => "clock-skew",
            Self::WrongRegion => "wrong-region",
            Self::CredentialsRejected => "credentials-rejected",
            Self::Corrupt => "corrupt",
            Self::Unavailable => "unavailable",
        }
    }

    fn local_hint(self) -> &'static str {
        match self {
            Self::Full => "the volume is full; free space on it or enlarge it, publishing then resumes by itself",
            Self::QuotaReached => {
                "the store's quota is used up; raise `--storage-quota` or lower `spec.history`, publishing then resumes by itself"
            }
            Self::ReadOnly => "the volume is mounted read-only; remount it for writing",
            Self::Denied => {
                "the operator may not; check the owner and mode of the volume against the user that it runs as"
            }
            Self::Corrupt => "it cannot be read as what it should be; remove it, or pass `--storage-take-over`",
            _ => "the store does not answer as it should; check the volume",
        }
    }

    fn remote_hint(self) -> &'static str {
        match self {
            Self::Full => "the service has no room left; enlarge it, publishing then resumes by itself",
            Self::QuotaReached => "the quota is used up; raise it, publishing then resumes by itself",
            Self::ReadOnly => "the service takes no writes; make the bucket writable",
            Self::Denied => {
                "the service denies it; give the account s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on bucket and prefix"
            }
            Self::Unreachable => {
                "the endpoint cannot be reached; check `--s3-endpoint`, its certificate and the network policy"
            }
            Self::TimedOut => "the endpoint did not answer in time; check the service and the network",
            Self::Throttled => "the service asks for fewer requests; the operator slows down by itself",
            Self::BucketMissing => "the bucket does not exist; create it or correct `--s3-bucket`",
            Self::ClockSkew => "the clocks of this machine and of the service disagree; set the one that is wrong",
            Self::WrongRegion => "the bucket is in another region; correct `--s3-region` or the endpoint",
            Self::CredentialsRejected => {
                "the service does not accept the credentials; correct the Secret or the identity, no restart is needed"
            }
            Self::Corrupt => "the answer or the object is not what it should be; check what answers at the endpoint",
            Self::Unavailable => "the service does not answer as it should; check its health",
        }
    }
}

impl StoreError {
    /// Wraps an error of the operating system.
    pub(crate) fn new(operation: &'static str, path: impl Into<String>, source: io::Error) -> Self {
        let kind = ErrorKind::of(&source);
        Self { operation, path: path.into(), hint: kind.local_hint(), detail: String::new(), kind, source }
    }

    /// An error of a directory whose class is known better than the system tells it.
    pub(crate) fn local(
        kind: ErrorKind,
        operation: &'static str,
        path: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = io::Error::other(source);
        Self { operation, path: path.into(), hint: kind.local_hint(), detail: String::new(), kind, source }
    }

    /// An error of a service.
    pub(crate) fn remote(
        kind: ErrorKind,
        operation: &'static str,
        path: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = io::Error::other(source);
        Self { operation, path: path.into(), hint: kind.remote_hint(), detail: String::new(), kind, source }
    }

    /// The same with numbers that help a person.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// A number of bytes as a person reads it.
pub fn bytes_shown(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(
            [0, 1, 1023, 1536, 5 << 20].map(bytes_shown),
            ["0 bytes", "1 byte", "1023 bytes", "1.5 KiB", "5.0 MiB"]
        );
    }

    #[test]
    fn labels_are_distinct() {
        let labels = std::collections::BTreeSet::from(ErrorKind::ALL.map(ErrorKind::label));
        assert_eq!(labels.len(), ErrorKind::ALL.len());
    }
}
