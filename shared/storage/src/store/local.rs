//! A store in a directory.
//!
//! Every access goes through a handle on the root and follows no link, so nothing outside can be reached. A put writes to a
//! temporary file of its own, holds a lock on it while it lives, and makes file, name and new folders durable in that order.

mod directory;
mod inspect;
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
use super::{Key, Presence, Readable, Store, StoreError, Stored, Swept};
use crate::artifact::{Content, Digest, Revision};

/// A store in a directory of this machine.
#[derive(Clone, Debug)]
pub struct LocalStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: Root,
    verdicts: Verdicts,
}

impl LocalStore {
    /// Opens the store, creating its directory where it is missing.
    ///
    /// # Errors
    /// Where the directory cannot be created or opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let root = Root::open(path)?;
        Ok(Self { inner: Arc::new(Inner { root, verdicts: Verdicts::new() }) })
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
        self.blocking(move |inner| write::put(&inner.root, &inner.verdicts, &key, &content)).await
    }

    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let (key, revision) = (key.clone(), revision.clone());
        self.blocking(move |inner| inspect::presence(&inner.root, &inner.verdicts, &key, &revision)).await
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

    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        let (key, revision) = (key.clone(), revision.clone());
        self.blocking(move |inner| write::remove(&inner.root, &key, &revision)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let key = key.clone();
        self.blocking(move |inner| write::delete(&inner.root, &key)).await
    }

    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError> {
        self.blocking(move |inner| write::sweep(&inner.root, max_age)).await
    }
}
