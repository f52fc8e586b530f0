//! Downloads and trees that were had before, and failures that are a moment old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jaas_sources::{ArchiveError, Files, Folder, Limits, SourceDigest, Upstream, archive};
use moka::Expiry;
use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::fetch::{FetchError, Fetcher};
use crate::fair::Slots;

/// Failures that are remembered, of however many sources.
const FAILURES: u64 = 10_000;
/// How long a failure is told again without asking, where nothing but a change of the source helps.
const FAILURE_AGE: Duration = Duration::from_secs(30);

/// Why there are no files.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// They could not be downloaded.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// They could not be taken out of what was downloaded.
    #[error(transparent)]
    Archive(Arc<ArchiveError>),
}

impl SourceError {
    /// When to try again, or `None` where only a change of the source or of a setting helps.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::Fetch(error) => error.retry(),
            Self::Archive(_) => None,
        }
    }
}

/// A download: whoever knows an address and what its bytes hash to could have them from there.
type Download = (String, SourceDigest);

/// Keeps what was downloaded and unpacked. Many who ask at once for the same share one download and one unpacking.
#[derive(Clone)]
pub struct Shelf {
    fetcher: Fetcher,
    archives: Cache<Download, Bytes>,
    trees: Cache<(Download, Folder), Arc<Files>>,
    failures: Cache<Download, FetchError>,
    /// Archives whose bytes cannot be used: the same bytes never can.
    broken: Cache<(Download, Folder), Arc<ArchiveError>>,
    unpacking: Slots,
}

struct ForAWhile;

impl Expiry<Download, FetchError> for ForAWhile {
    fn expire_after_create(&self, _: &Download, error: &FetchError, _: Instant) -> Option<Duration> {
        // A little less than the delay of those who come back, so that they find it gone.
        Some(error.retry().map_or(FAILURE_AGE, |retry| retry.mul_f64(0.8)))
    }
}

impl Shelf {
    /// A shelf that holds as many bytes of downloads, and twice as many of trees. What was asked for last stays: a source that moves on
    /// leaves its past behind, however often that was asked for.
    pub fn new(fetcher: Fetcher, bytes: u64) -> Self {
        let lru = EvictionPolicy::lru;
        let archives = Cache::builder().max_capacity(bytes).weigher(|_, archive: &Bytes| weight(archive.len()));
        let trees = Cache::builder()
            .max_capacity(bytes.saturating_mul(2))
            .weigher(|_, tree: &Arc<Files>| weight(tree.iter().map(|(name, file)| name.len() + file.len()).sum()));
        let failures = Cache::builder().max_capacity(FAILURES).expire_after(ForAWhile).build();
        let broken = Cache::builder().max_capacity(FAILURES).eviction_policy(lru()).build();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            fetcher,
            archives: archives.eviction_policy(lru()).build(),
            trees: trees.eviction_policy(lru()).build(),
            failures,
            broken,
            unpacking: Slots::new(processors.max(2)),
        }
    }

    /// The files of an artifact below a folder, for somebody of this namespace. `own` reads what was published here, where it was.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn files(
        &self,
        namespace: &str,
        upstream: &Upstream,
        folder: &Folder,
        own: Option<impl Future<Output = Option<Bytes>>>,
    ) -> Result<Arc<Files>, SourceError> {
        if own.is_none() {
            // Judged each time: what one may ask for decides, not what is there already.
            self.fetcher.judge(&upstream.url)?;
        }
        let download = (upstream.url.clone(), upstream.digest.clone());
        let tree = (download.clone(), folder.clone());
        if let Some(error) = self.broken.get(&tree).await {
            return Err(SourceError::Archive(error));
        }
        let made = self.trees.try_get_with(tree.clone(), async {
            let own = match own {
                Some(own) => own.await,
                None => None,
            };
            let archive = match own {
                Some(archive) => archive,
                None => self.archive(namespace, &download, upstream).await?,
            };
            let _turn = self.unpacking.take(namespace).await;
            unpack(archive, folder.clone()).await
        });
        let made = made.await.map_err(|error| SourceError::clone(&error));
        if let Err(SourceError::Archive(error)) = &made {
            self.broken.insert(tree, Arc::clone(error)).await;
        }
        made
    }

    /// Files that are there already.
    pub async fn peek(&self, upstream: &Upstream, folder: &Folder) -> Option<Arc<Files>> {
        self.trees.get(&((upstream.url.clone(), upstream.digest.clone()), folder.clone())).await
    }

    /// Why there are none: a failure that is a moment old, or an archive that never can be used.
    pub async fn failure(&self, upstream: &Upstream, folder: &Folder) -> Option<SourceError> {
        let download = (upstream.url.clone(), upstream.digest.clone());
        if let Some(failure) = self.failures.get(&download).await {
            return Some(failure.into());
        }
        self.broken.get(&(download, folder.clone())).await.map(SourceError::Archive)
    }

    async fn archive(&self, namespace: &str, download: &Download, upstream: &Upstream) -> Result<Bytes, SourceError> {
        if let Some(failure) = self.failures.get(download).await {
            return Err(failure.into());
        }
        // Own artifacts that are not in the store any more are asked for like any other.
        self.fetcher.judge(&upstream.url)?;
        let fetched = self.archives.try_get_with(download.clone(), self.fetcher.fetch(namespace, upstream)).await;
        match fetched {
            Ok(archive) => Ok(archive),
            Err(error) => {
                self.failures.insert(download.clone(), FetchError::clone(&error)).await;
                Err(FetchError::clone(&error).into())
            }
        }
    }
}

/// The files of an archive.
async fn unpack(bytes: Bytes, folder: Folder) -> Result<Arc<Files>, SourceError> {
    let unpacked = tokio::task::spawn_blocking(move || archive::read(&*bytes, &folder, &Limits::default()));
    let unpacked = unpacked.await.unwrap_or_else(|stopped| Err(ArchiveError::Corrupt(std::io::Error::other(stopped))));
    unpacked.map(Arc::new).map_err(|error| SourceError::Archive(Arc::new(error)))
}

fn weight(bytes: usize) -> u32 {
    // An entry costs something even when it is empty.
    u32::try_from(bytes.saturating_add(256)).unwrap_or(u32::MAX)
}
