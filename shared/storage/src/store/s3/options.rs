//! What may be chosen for a store on S3.

use std::path::PathBuf;
use std::time::Duration;

/// A bucket and how to reach it.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// `host` or `host:port`. Names under `amazonaws.com` are addressed as AWS documents it, all others with the bucket in the path.
    pub endpoint: String,
    /// Whether to speak TLS.
    pub use_ssl: bool,
    /// Certificates in PEM that may sign the endpoint's; the system's are used where there are none.
    pub ca: Option<Vec<u8>>,
    /// The bucket, which must exist.
    pub bucket: String,
    /// Where in the bucket; slashes at both ends are ignored.
    pub prefix: String,
    /// The region; where there is none, the environment's, and what the service tells.
    pub region: Option<String>,
    /// Who asks.
    pub credentials: S3Credentials,
    /// How long to wait.
    pub timeouts: S3Timeouts,
    /// Requests at a time, at most; throttling lowers it.
    pub concurrency: usize,
    /// For how long a deletion counts from the whole second in which it is signed, so that a short one needs two: if possible no
    /// longer than a leader that lost its term leaves to the next one, whose objects it might take.
    pub deletion_life: Duration,
    /// Artifacts up to this size in bytes are verified as a whole before their first byte is handed out.
    pub buffered: u64,
}

/// Where the credentials come from.
#[derive(Clone)]
pub enum S3Credentials {
    /// Requests are not signed.
    Anonymous,
    /// Given once.
    Static {
        /// Access key id.
        access_key: String,
        /// Secret access key.
        secret_key: String,
        /// Session token of temporary credentials.
        session_token: Option<String>,
    },
    /// An AWS credentials file, or a directory with a file for each variable. Read again when it changes.
    File(PathBuf),
    /// Environment, shared files, web identity, container and instance metadata, in this order.
    Chain,
}

impl std::fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Static { .. } => f.write_str("Static"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Chain => f.write_str("Chain"),
        }
    }
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct S3Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of an answer, on top of what sending the request takes at the slowest rate.
    pub first_byte: Duration,
    /// For the next bytes of an answer that has begun.
    pub stall: Duration,
    /// For an operation with all its attempts, on top of what sending its bytes takes at the slowest rate.
    pub operation: Duration,
}

impl Default for S3Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            operation: Duration::from_secs(30),
        }
    }
}

impl S3Options {
    /// The usual choices for a bucket.
    pub fn new(endpoint: impl Into<String>, bucket: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            use_ssl: true,
            ca: None,
            bucket: bucket.into(),
            prefix: String::new(),
            region: None,
            credentials: S3Credentials::Chain,
            timeouts: S3Timeouts::default(),
            concurrency: 32,
            deletion_life: Duration::from_secs(5),
            buffered: 8 << 20,
        }
    }

    /// Whether the endpoint is Amazon's own, which is addressed by region and bucket.
    pub(crate) fn is_aws(&self) -> bool {
        let host = self.endpoint.split(':').next().unwrap_or_default();
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    }

    /// The prefix as keys start with it.
    pub(crate) fn key_prefix(&self) -> String {
        match self.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }
}
