//! A store in a bucket.
//!
//! An artifact is built before it is sent, and sent as one object of known length with its digest as metadata. Where the service
//! can, it refuses to create what exists, so of two writers one wins and the other compares. Nothing that the service merely says is
//! believed: bytes are handed out only after their digest was computed here, and a redirect or an answer that nobody knows is trouble.

mod client;
mod collect;
mod credentials;
mod download;
mod error;
mod expiry;
mod lifecycle;
mod limiter;
mod options;
mod owner;
mod probe;
mod put;
#[cfg(any(test, feature = "testing"))]
mod raw;
mod read;
mod watch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::sync::Cache;

use self::client::Connection;
use self::error::Failure;
pub use self::lifecycle::ExpiryRule;
pub use self::options::{S3Credentials, S3Options, S3Timeouts};
use super::{
    Capabilities, Claim, Health, Item, Key, OwnerMark, Presence, Readable, Removed, Store, StoreError, Stored, Swept,
    Upload, Usage,
};
use crate::artifact::{Content, Digest, Revision};

/// How many verified objects are remembered. A forgotten one costs another reading.
const REMEMBERED: u64 = 100_000;

/// How long after a look an object is believed to be there still. Whoever led in between may have removed it.
const FRESH: Duration = Duration::from_secs(2);

/// A store in a bucket.
#[derive(Clone, Debug)]
pub struct S3Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// Start of every key, with a slash at its end unless it is empty.
    prefix: String,
    known: Cache<String, Known>,
    /// When each object was last removed, so that an older look at it is not remembered.
    removed: Cache<String, u64>,
    /// Counts looks and removals.
    clock: AtomicU64,
    /// Objects that were seen damaged; their metadata is not believed until they are replaced.
    damaged: Cache<String, ()>,
    capabilities: RwLock<Option<Capabilities>>,
    /// Whether the service refuses deletions that say for how long they count.
    deletes_plainly: OnceLock<bool>,
    /// Held by the one who asks, so that many first puts ask once.
    probing: tokio::sync::Mutex<()>,
}

/// What this process itself found out of an object, for as long as the service does not say otherwise.
#[derive(Clone, Debug)]
struct Known {
    etag: String,
    digest: Digest,
    size: u64,
    /// When the service last said that it is there.
    seen: Instant,
}

/// User-defined metadata of an object.
type Metadata = HashMap<String, String>;

impl S3Store {
    /// Prepares a store; sends nothing, so it works also while the service is away.
    ///
    /// # Errors
    /// Where the certificates cannot be read.
    pub async fn open(options: S3Options) -> Result<Self, StoreError> {
        let inner = Inner {
            prefix: options.key_prefix(),
            connection: Connection::open(options).await?,
            known: Cache::new(REMEMBERED),
            removed: Cache::new(REMEMBERED),
            clock: AtomicU64::new(0),
            damaged: Cache::new(REMEMBERED),
            capabilities: RwLock::new(None),
            deletes_plainly: OnceLock::new(),
            probing: tokio::sync::Mutex::new(()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Inner {
    fn bucket(&self) -> &str {
        &self.connection.options.bucket
    }

    /// The object's key for a path below the root.
    fn object(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    fn failed(&self, operation: &'static str, path: &str, failure: Failure) -> StoreError {
        let shown = format!("s3://{}/{}{path}", self.bucket(), self.prefix);
        let kind = failure.kind();
        let error = StoreError::remote(kind, operation, shown, failure.message);
        match (kind, self.connection.watch.clock_ahead()) {
            (super::ErrorKind::ClockSkew, Some(ahead)) => {
                error.with_detail(format!("the service's clock is {ahead} s ahead of this machine's"))
            }
            (super::ErrorKind::WrongRegion, _) => error.with_detail(format!("asked in `{}`", self.connection.region())),
            _ => error,
        }
    }

    /// The moment at which a look begins.
    fn moment(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that an object is being removed, or was.
    fn forget(&self, path: &str) {
        self.removed.insert(path.to_owned(), self.moment());
        self.known.invalidate(path);
    }

    /// Notes that an object is right, as was found out by a look that began at `since`.
    fn trust(&self, path: &str, known: Known, since: u64) {
        if self.removed.get(path).is_some_and(|removed| removed >= since) {
            return;
        }
        self.damaged.invalidate(path);
        self.known.insert(path.to_owned(), known);
    }

    /// Notes that an object is not what it should be.
    fn distrust(&self, path: &str) {
        self.known.invalidate(path);
        self.damaged.insert(path.to_owned(), ());
    }

    fn known_capabilities(&self) -> Option<Capabilities> {
        self.capabilities.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the service can do, found out where it is not known yet.
    async fn capabilities(&self) -> Result<Capabilities, StoreError> {
        if let Some(known) = self.known_capabilities() {
            return Ok(known);
        }
        let _one = self.probing.lock().await;
        match self.known_capabilities() {
            Some(known) => Ok(known),
            None => self.probe().await,
        }
    }

    fn health(&self, begun: Instant) -> Health {
        let mut capabilities = self.known_capabilities().unwrap_or_default();
        capabilities.clock_ahead_seconds = self.connection.watch.clock_ahead();
        capabilities.region = Some(self.connection.region());
        let options = &self.connection.options;
        let place = format!("s3://{}/{} at {}", options.bucket, self.prefix, options.endpoint);
        Health { place, latency: begun.elapsed(), capabilities }
    }
}

#[async_trait]
impl Store for S3Store {
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError> {
        self.inner.put(key, content).await
    }

    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        self.inner.presence(key, revision).await
    }

    async fn verify(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        self.inner.verify(key, revision).await
    }

    async fn open(
        &self,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError> {
        Inner::open_for_serving(&self.inner, key, revision, expected).await
    }

    async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
        self.inner.set_aside(key, revision, run).await
    }

    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        self.inner.remove(key, revision).await
    }

    async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError> {
        self.inner.remove_if(item).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError> {
        self.inner.sweep(max_age).await
    }

    async fn list(&self) -> Result<Vec<Item>, StoreError> {
        let mut items = self.inner.list("").await?;
        items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(items)
    }

    async fn uploads(&self) -> Result<Vec<Upload>, StoreError> {
        self.inner.uploads().await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        let items = self.inner.list("").await?;
        let bytes = items.iter().map(|item| item.size).sum();
        Ok(Usage { bytes, files: items.len() as u64, ..Usage::default() })
    }

    async fn read_owner(&self) -> Result<Option<OwnerMark>, StoreError> {
        self.inner.read_owner().await
    }

    async fn claim(&self, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError> {
        self.inner.claim(mark, take_over).await
    }

    async fn check(&self) -> Result<Health, StoreError> {
        self.inner.check().await
    }

    async fn probe(&self) -> Result<Health, StoreError> {
        let begun = Instant::now();
        let _one = self.inner.probing.lock().await;
        self.inner.probe().await?;
        Ok(self.inner.health(begun))
    }
}
