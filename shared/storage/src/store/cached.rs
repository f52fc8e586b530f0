//! Keeps verified artifacts in memory, so that they are served while the store behind is away.
//!
//! The store behind is asked first as long as it answers: what it says is missing is missing here, too. Only trouble, or silence, is
//! bridged, and only with bytes whose digest or content was verified.

#![deny(clippy::missing_trait_methods)]

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::mpsc;

use super::read::Body;
use super::{
    Claim, Health, Item, ItemKind, Key, OwnerMark, Presence, Readable, Removed, Store, StoreError, Stored, Swept,
    Upload, Usage,
};
use crate::artifact::{Content, Digest, Revision};

/// A client with a cached artifact at hand waits no longer than this for the store behind.
const PATIENCE: Duration = Duration::from_secs(1);
/// After trouble the store behind is not asked for what is cached for this long.
const PAUSE: Duration = Duration::from_secs(2);

/// A store with a memory. Which artifacts it keeps is decided by their last use.
#[derive(Debug)]
pub struct Cached<S: ?Sized> {
    cache: Cache<(Key, Revision), Kept>,
    trouble: Mutex<Option<Instant>>,
    away: AtomicBool,
    inner: Arc<S>,
}

#[derive(Clone, Debug)]
struct Kept {
    digest: Digest,
    bytes: Bytes,
    /// Whether the content, and not only the digest, is known to be right.
    judged: bool,
}

impl Kept {
    fn serves(&self, expected: Option<&Digest>) -> bool {
        expected.map_or(self.judged, |expected| self.digest == *expected)
    }

    fn readable(self) -> Readable {
        Readable { digest: self.digest, size: self.bytes.len() as u64, body: Body::Memory(self.bytes) }
    }
}

impl<S: Store + ?Sized> Cached<S> {
    /// Keeps at most `bytes` of artifacts of the store.
    pub fn new(inner: Arc<S>, bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, kept: &Kept| u32::try_from(kept.bytes.len()).unwrap_or(u32::MAX))
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { cache, trouble: Mutex::new(None), away: AtomicBool::new(false), inner }
    }

    /// Bytes that are kept.
    pub fn kept_bytes(&self) -> u64 {
        self.cache.run_pending_tasks();
        self.cache.weighted_size()
    }

    fn forget(&self, key: &Key, revision: &Revision) {
        self.cache.invalidate(&(key.clone(), revision.clone()));
    }

    fn forget_all_of(&self, key: &Key) {
        for (known, _) in &self.cache {
            if known.0 == *key {
                self.cache.invalidate(&*known);
            }
        }
    }

    fn is_paused(&self) -> bool {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.is_some_and(|since| since.elapsed() < PAUSE)
    }

    /// Notes whether the store behind answers, and tells of a change once.
    fn note(&self, away: bool, cause: &str) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = away.then(Instant::now);
        match (self.away.swap(away, Ordering::Relaxed), away) {
            (false, true) => tracing::warn!(cause, "the store is away; serving what is cached"),
            (true, false) => tracing::info!("the store answers again"),
            _ => {}
        }
    }

    /// The same artifact, kept at once or, where it is still to come, when all of it has come.
    fn kept_on_the_way(&self, key: &Key, revision: &Revision, readable: Readable, judged: bool) -> Readable {
        let (name, cache) = ((key.clone(), revision.clone()), self.cache.clone());
        let Readable { digest, size, body } = readable;
        let kept = |bytes: Bytes| Kept { digest: digest.clone(), bytes, judged };
        let body = match body {
            Body::Memory(bytes) => {
                cache.insert(name, kept(bytes.clone()));
                Body::Memory(bytes)
            }
            Body::Stream(mut coming) if cache.policy().max_capacity().is_none_or(|most| size <= most) => {
                let (sender, receiver) = mpsc::channel(1);
                let kept = kept(Bytes::new());
                tokio::spawn(async move {
                    let mut whole = BytesMut::new();
                    while let Some(piece) = coming.recv().await {
                        let good = piece.as_ref().map(|piece| whole.extend_from_slice(piece)).is_ok();
                        if good && whole.len() as u64 == size {
                            cache.insert(name.clone(), Kept { bytes: whole.split().freeze(), ..kept.clone() });
                        }
                        if sender.send(piece).await.is_err() || !good {
                            return;
                        }
                    }
                });
                Body::Stream(receiver)
            }
            other => other,
        };
        Readable { digest, size, body }
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Cached<S> {
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError> {
        let stored = self.inner.put(key, content.clone()).await?;
        // What other software packed has other bytes; a read will bring them.
        if let Some(bytes) = content.packed().ok().filter(|bytes| bytes.len() as u64 == stored.size)
            && Digest::of(&bytes) == stored.digest
        {
            let kept = Kept { digest: stored.digest.clone(), bytes, judged: true };
            self.cache.insert((key.clone(), content.revision().clone()), kept);
        }
        Ok(stored)
    }

    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let presence = self.inner.presence(key, revision).await?;
        if !matches!(presence, Presence::Intact { .. }) {
            self.forget(key, revision);
        }
        Ok(presence)
    }

    async fn verify(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let presence = self.inner.verify(key, revision).await?;
        if !matches!(presence, Presence::Intact { .. }) {
            self.forget(key, revision);
        }
        Ok(presence)
    }

    async fn open(
        &self,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError> {
        let kept = self.cache.get(&(key.clone(), revision.clone())).filter(|kept| kept.serves(expected));
        let asking = self.inner.open(key, revision, expected);
        let answer = match kept.clone() {
            None => asking.await,
            Some(kept) if self.is_paused() => return Ok(Some(kept.readable())),
            Some(kept) => match tokio::time::timeout(PATIENCE, asking).await {
                Ok(answer) => answer,
                Err(_) => {
                    self.note(true, "it did not answer in time");
                    return Ok(Some(kept.readable()));
                }
            },
        };
        match (answer, kept) {
            // A body that is still to come may break off; what is in memory is the same and cannot.
            (Ok(Some(readable)), Some(kept)) if readable.bytes().is_none() && readable.digest == kept.digest => {
                self.note(false, "");
                Ok(Some(kept.readable()))
            }
            (Ok(Some(readable)), kept) => {
                self.note(false, "");
                let judged = expected.is_none() || kept.is_some_and(|kept| kept.judged);
                Ok(Some(self.kept_on_the_way(key, revision, readable, judged)))
            }
            (Ok(None), _) => {
                self.forget(key, revision);
                Ok(None)
            }
            (Err(error), Some(kept)) => {
                self.note(true, &error.to_string());
                Ok(Some(kept.readable()))
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
        self.forget(key, revision);
        self.inner.set_aside(key, revision, run).await
    }

    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        self.forget(key, revision);
        self.inner.remove(key, revision).await
    }

    async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError> {
        if let (Some(key), ItemKind::Revision(revision)) = (&item.key, &item.kind) {
            self.forget(key, revision);
        }
        self.inner.remove_if(item).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.forget_all_of(key);
        self.inner.delete(key).await
    }

    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError> {
        self.inner.sweep(max_age).await
    }

    async fn list(&self) -> Result<Vec<Item>, StoreError> {
        self.inner.list().await
    }

    async fn uploads(&self) -> Result<Vec<Upload>, StoreError> {
        self.inner.uploads().await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        self.inner.usage().await
    }

    async fn read_owner(&self) -> Result<Option<OwnerMark>, StoreError> {
        self.inner.read_owner().await
    }

    async fn claim(&self, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError> {
        self.inner.claim(mark, take_over).await
    }

    async fn check(&self) -> Result<Health, StoreError> {
        let health = self.inner.check().await;
        match &health {
            Ok(_) => self.note(false, ""),
            Err(error) => self.note(true, &error.to_string()),
        }
        health
    }

    async fn probe(&self) -> Result<Health, StoreError> {
        self.inner.probe().await
    }
}
