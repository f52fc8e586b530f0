//! A store in a directory.
//!
//! Every access goes through a handle on the root and follows no link, so nothing outside can be reached. A put writes to a
//! temporary file of its own, holds a lock on it while it lives, and makes file, name and new folders durable in that order.

mod directory;
mod inspect;
mod listing;
mod owner;
mod remove;
mod tally;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::directory::Root;
use self::inspect::Verdicts;
use self::tally::Tally;
use super::{
    Claim, Health, Item, Key, OwnerMark, Presence, Readable, Removed, Store, StoreError, Stored, Swept, Usage,
};
use crate::artifact::{Content, Digest, Revision};

/// A store in a directory of this machine.
#[derive(Clone, Debug)]
pub struct LocalStore {
    inner: Arc<Inner>,
}

/// What may be chosen for a store in a directory.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalOptions {
    /// Bytes that the store may take. A put that would take more fails with [`super::ErrorKind::QuotaReached`].
    pub quota: Option<u64>,
}

#[derive(Debug)]
struct Inner {
    root: Root,
    verdicts: Verdicts,
    tally: Tally,
}

impl LocalStore {
    /// Every file counts in whole blocks of this many bytes.
    pub const BLOCK: u64 = tally::BLOCK;

    /// Opens the store, creating its directory where it is missing.
    ///
    /// # Errors
    /// Where the directory cannot be created or opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, LocalOptions::default())
    }

    /// Opens the store with options.
    ///
    /// # Errors
    /// Where the directory cannot be created or opened.
    pub fn open_with(path: &Path, options: LocalOptions) -> Result<Self, StoreError> {
        let root = Root::open(path)?;
        let inner = Inner { root, verdicts: Verdicts::new(), tally: Tally::new(options.quota) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Runs `work` where it may block. A panic inside is an error of the store like any other.
    async fn blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .unwrap_or_else(|stopped| Err(StoreError::new("using", "the store", io::Error::other(stopped))))
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError> {
        let key = key.clone();
        self.blocking(move |inner| write::put(inner, &key, &content)).await
    }

    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let (key, revision) = (key.clone(), revision.clone());
        self.blocking(move |inner| inspect::presence(&inner.root, &inner.verdicts, &key, &revision)).await
    }

    async fn verify(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let (key, revision) = (key.clone(), revision.clone());
        self.blocking(move |inner| inspect::verify(&inner.root, &inner.verdicts, &key, &revision)).await
    }

    async fn open(
        &self,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError> {
        let (key, revision, expected) = (key.clone(), revision.clone(), expected.cloned());
        self.blocking(move |inner| inspect::open(&inner.root, &inner.verdicts, &key, &revision, expected.as_ref()))
            .await
    }

    async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
        let (key, revision, run) = (key.clone(), revision.clone(), run.to_owned());
        self.blocking(move |inner| remove::set_aside(&inner.root, &key, &revision, &run)).await
    }

    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        let (key, revision) = (key.clone(), revision.clone());
        self.blocking(move |inner| remove::remove(inner, &key, &revision)).await
    }

    async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError> {
        let item = item.clone();
        self.blocking(move |inner| remove::remove_if(inner, &item)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let key = key.clone();
        self.blocking(move |inner| remove::delete(inner, &key)).await
    }

    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError> {
        self.blocking(move |inner| remove::sweep(inner, max_age)).await
    }

    async fn list(&self) -> Result<Vec<Item>, StoreError> {
        self.blocking(listing::list).await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        self.blocking(listing::usage).await
    }

    async fn read_owner(&self) -> Result<Option<OwnerMark>, StoreError> {
        self.blocking(|inner| owner::read(&inner.root)).await
    }

    async fn claim(&self, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError> {
        let mark = mark.clone();
        self.blocking(move |inner| {
            let claimed = owner::claim(&inner.root, &mark, take_over)?;
            // The mark takes a block too.
            inner.tally.forget();
            Ok(claimed)
        })
        .await
    }

    async fn check(&self) -> Result<Health, StoreError> {
        self.blocking(|inner| owner::check(&inner.root)).await
    }

    async fn probe(&self) -> Result<Health, StoreError> {
        self.blocking(|inner| owner::probe(&inner.root)).await
    }
}
