//! What a store of artifacts guarantees, whatever it is made of.
//!
//! *Layout.* An artifact lives at `<namespace>/<name>/sha256-<hex>.tar.gz`, where the hash is that of its content. A name is
//! therefore never used for two contents, and writing it twice does no harm.
//!
//! *Durability.* When [`Store::put`] answers, the artifact survives a power cut.
//!
//! *Atomicity.* A reader finds the whole artifact or none.
//!
//! *Honesty.* Bytes are handed out only when they hash to the digest that the caller expects or, where it expects none, when the
//! content hashes to its name. A store never blesses what it merely finds.

pub mod key;
pub mod local;
pub mod read;

use std::io;
use std::time::Duration;

use async_trait::async_trait;

pub use key::{ArtifactPath, InvalidKey, Key};
pub use read::Readable;

use crate::artifact::{Content, Digest, Revision};

/// What the store holds after a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Digest of the stored bytes.
    pub digest: Digest,
    /// Number of stored bytes.
    pub size: u64,
    /// Whether bytes were written, as opposed to found and verified.
    pub written: bool,
}

/// State of one revision in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There, and its content hashes to its name.
    Intact {
        /// Digest of the stored bytes.
        digest: Digest,
        /// Number of stored bytes.
        size: u64,
    },
    /// Not there.
    Missing,
    /// There, but something else than its name says; never handed out.
    Damaged {
        /// What is wrong, for a log line.
        cause: String,
    },
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Temporary files of writers that are gone.
    pub removed: u64,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{operation} `{path}`: {hint}")]
pub struct StoreError {
    /// What was tried, such as `writing`.
    pub operation: &'static str,
    /// What it was tried on, below the store's root.
    pub path: String,
    /// What a person can do about it.
    pub hint: &'static str,
    /// What class of trouble it is.
    pub kind: ErrorKind,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Classes of trouble with a store; a closed set, so that each has its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No bytes or no inodes left, or a quota reached.
    Full,
    /// Mounted read-only.
    ReadOnly,
    /// The process may not.
    Denied,
    /// Anything else; may pass.
    Unavailable,
}

impl ErrorKind {
    /// The class of an error of the operating system.
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Unavailable,
        }
    }

    /// What a person can do.
    fn hint(self) -> &'static str {
        match self {
            Self::Full => "the volume is full; free space on it or enlarge it, publishing then resumes by itself",
            Self::ReadOnly => "the volume is mounted read-only; remount it for writing",
            Self::Denied => {
                "the operator may not; check the owner and mode of the volume against the user that it runs as"
            }
            Self::Unavailable => "the store does not answer as it should; check the volume",
        }
    }
}

impl StoreError {
    /// Wraps an error of the operating system.
    pub(crate) fn new(operation: &'static str, path: impl Into<String>, source: io::Error) -> Self {
        let kind = ErrorKind::of(&source);
        Self { operation, path: path.into(), hint: kind.hint(), kind, source }
    }
}

/// A store of artifacts. The module states what every implementation guarantees.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes an artifact durable, or verifies the one that is there. Right content is kept with its own digest, also when other
    /// software packed it; anything else of that name is replaced.
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError>;

    /// Looks at one revision. The verdict is remembered for as long as the file does not change.
    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError>;

    /// Opens one revision for serving, or `None` where it is missing or is not what it should be: its bytes must hash to
    /// `expected` or, where nothing is expected, its content to its name.
    async fn open(
        &self,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError>;

    /// Removes one revision; a missing one is no error.
    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError>;

    /// Removes everything under the key, the empty folders included; a missing one is no error.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// Removes what writers left behind that are gone. `max_age` decides where a living writer cannot be told from a dead one.
    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError>;
}
