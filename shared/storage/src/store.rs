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
//!
//! *Listing.* [`Store::list`] is complete or an error. It may omit what is written, and still name what is removed, while it runs;
//! on a service that lists late also shortly after. Whoever removes by it must therefore see an item in two listings.
//!
//! *Errors.* Trouble is one of [`ErrorKind`], never an absence: only what the store itself says is missing is missing. After an error
//! of a change it is unknown whether the change was made; to make it again is always right.
//!
//! *Ownership.* [`Store::claim`] tells whether the store is another installation's. No other method looks at the mark: it is the
//! caller who must not collect in a foreign store.

pub mod cached;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod error;
#[cfg(any(test, feature = "testing"))]
pub mod faulty;
pub mod health;
pub mod key;
pub mod listing;
pub mod local;
pub mod metered;
pub mod owner;
pub mod read;
pub mod s3;
pub mod timed;

use std::time::Duration;

use async_trait::async_trait;

pub use error::{ErrorKind, StoreError};
pub use health::{Capabilities, Health};
pub use key::{ArtifactPath, InvalidKey, Key};
pub use listing::{Item, ItemKind, Removed, Upload, Usage};
pub use owner::{Claim, OwnerMark};
pub use read::Readable;
pub use timed::{Deadlines, Timed};

use crate::artifact::{Content, Digest, Revision};

/// How long what was set aside is kept for a person to look at.
pub const TRASH_AGE: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// Temporary files and unfinished uploads of writers that are gone, and what was set aside long ago.
    pub removed: u64,
}

/// A store of artifacts. The module states what every implementation guarantees.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes an artifact durable, or verifies the one that is there. Right content is kept with its own digest, also when other
    /// software packed it; anything else of that name is replaced. A service is not asked about what this process verified before
    /// and has not seen missing or damaged since: whoever learned of a loss elsewhere asks [`Store::presence`] first.
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError>;

    /// Looks at one revision. The verdict is remembered for as long as the file does not change. What the volume itself cannot
    /// read is damaged: another copy is better than none.
    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError>;

    /// Reads one revision whole and judges it anew, whatever is remembered of it. As dear as a download.
    async fn verify(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError>;

    /// Opens one revision for serving, or `None` where it is missing or is not what it should be: its bytes must hash to
    /// `expected` or, where nothing is expected, its content to its name.
    async fn open(
        &self,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError>;

    /// Renames one revision to `<its name>.trash-<run>`, so that it is never served and a person can still look at it. `run` is of
    /// letters, digits and `-`. A missing revision is `false`.
    async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError>;

    /// Removes one revision, and the folders that are empty then; a missing one is no error.
    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError>;

    /// Removes one revision, temporary file, or file that was set aside, if it is still in the state that a listing told, and the
    /// folders that are empty then. Anything else is an error. A temporary file of a living writer counts as changed.
    async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError>;

    /// Removes everything under the key, the empty folders included; a missing one is no error.
    async fn delete(&self, key: &Key) -> Result<(), StoreError>;

    /// Removes what writers left behind that are gone, empty folders, and what was set aside more than [`TRASH_AGE`] ago.
    /// `max_age` decides where a living writer cannot be told from a dead one.
    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError>;

    /// Everything that is there, ours or not, in the order of the paths; complete or an error.
    async fn list(&self) -> Result<Vec<Item>, StoreError>;

    /// Uploads of artifacts in parts that nobody finished, where the store has such; complete or an error.
    async fn uploads(&self) -> Result<Vec<Upload>, StoreError> {
        Ok(Vec::new())
    }

    /// How much is there, and how much more there can be. As dear as a listing.
    async fn usage(&self) -> Result<Usage, StoreError>;

    /// The mark of the installation that the store belongs to.
    async fn read_owner(&self) -> Result<Option<OwnerMark>, StoreError>;

    /// Marks the store as that of `mark`. Another installation's mark is told, and written over only to `take_over`.
    async fn claim(&self, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError>;

    /// Asks whether the store is there and answers, at the price of one small request. Tells the capabilities that are known.
    async fn check(&self) -> Result<Health, StoreError>;

    /// Finds out anew what the store can do, by writing and removing a few small objects of its own.
    async fn probe(&self) -> Result<Health, StoreError>;
}
