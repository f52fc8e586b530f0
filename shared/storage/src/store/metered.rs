//! Counts what the artifacts of each namespace take, so that a share of the store can be kept to without reading all of it for each put.
//!
//! What is changed through this store is counted as it is changed; what others change is learned by [`Ledger::count`]. Only artifacts
//! count: what a writer left behind, or was set aside, is not of a namespace's own making.

#![deny(clippy::missing_trait_methods)]

pub mod ledger;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use ledger::{Grant, Ledger};

use super::{
    Claim, Health, Item, ItemKind, Key, OwnerMark, Presence, Readable, Removed, Store, StoreError, Stored, Swept,
    Upload, Usage,
};
use crate::artifact::{Content, Digest, Revision};

/// A store that counts.
#[derive(Debug)]
pub struct Metered<S: ?Sized> {
    ledger: Arc<Ledger>,
    inner: Arc<S>,
}

impl<S: Store + ?Sized> Metered<S> {
    /// Counts what changes. Each artifact is charged in whole blocks of this many bytes, as [`Usage::bytes`] of the store does.
    pub fn new(inner: Arc<S>, block: u64) -> Self {
        Self { ledger: Arc::new(Ledger::new(block)), inner }
    }

    /// The count.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }
}

impl Ledger {
    /// Counts everything anew by a listing of the store. Changes that are made meanwhile are counted, too; a second caller waits for the
    /// first and counts again.
    ///
    /// # Errors
    /// Those of [`Store::list`]; the count is then as before.
    pub async fn count<S: Store + ?Sized>(&self, store: &S) -> Result<(), StoreError> {
        let counting = self.counting().await;
        let items = store.list().await?;
        counting.finish(items.into_iter().filter_map(|item| match (item.kind, item.key) {
            (ItemKind::Revision(revision), Some(key)) => Some((key, revision, item.size)),
            _ => None,
        }));
        Ok(())
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Metered<S> {
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError> {
        let revision = content.revision().clone();
        let stored = self.inner.put(key, content).await?;
        self.ledger.holds_now(key, &revision, stored.size);
        Ok(stored)
    }

    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        let presence = self.inner.presence(key, revision).await?;
        if presence == Presence::Missing {
            self.ledger.removed(key, revision);
        }
        Ok(presence)
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
        self.inner.open(key, revision, expected).await
    }

    async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
        let done = self.inner.set_aside(key, revision, run).await?;
        self.ledger.removed(key, revision);
        Ok(done)
    }

    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        self.inner.remove(key, revision).await?;
        self.ledger.removed(key, revision);
        Ok(())
    }

    async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError> {
        let removed = self.inner.remove_if(item).await?;
        if removed != Removed::Changed
            && let (ItemKind::Revision(revision), Some(key)) = (&item.kind, &item.key)
        {
            self.ledger.removed(key, revision);
        }
        Ok(removed)
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.delete(key).await?;
        self.ledger.deleted(key);
        Ok(())
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
        self.inner.check().await
    }

    async fn probe(&self) -> Result<Health, StoreError> {
        self.inner.probe().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::conformance::{self, Directory, Subject};
    use super::*;
    use crate::LocalStore;

    fn content(text: &str) -> Content {
        Content::document("rendered.json", text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn the_wrapper_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let store = Metered::new(Arc::new(LocalStore::open(folder.path()).unwrap()), 4096);
        conformance::all(Subject { store: &store, raw: &Directory(folder.path().to_owned()) }).await;
    }

    #[tokio::test]
    async fn what_is_counted_as_it_changes_is_what_a_listing_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Metered::new(Arc::new(LocalStore::open(folder.path()).unwrap()), 4096);
        let ledger = store.ledger();
        let key = |text: &str| Key::new("team-a", text).unwrap();
        for (name, text) in [("web", "1"), ("web", "2"), ("web", "3"), ("web", "3"), ("api", "1"), ("old", "1")] {
            store.put(&key(name), content(text)).await.unwrap();
        }
        let elsewhere = Key::new("team-b", "web").unwrap();
        store.put(&elsewhere, content("1")).await.unwrap();
        assert_eq!((ledger.bytes("team-a"), ledger.bytes("team-b")), (5 * 4096, 4096));
        store.remove(&key("web"), content("1").revision()).await.unwrap();
        store.set_aside(&key("web"), content("2").revision(), "1").await.unwrap();
        store.delete(&key("old")).await.unwrap();
        let items = store.list().await.unwrap();
        let found = items.iter().find(|item| item.key.as_ref() == Some(&elsewhere)).unwrap();
        assert_eq!(store.remove_if(found).await.unwrap(), Removed::Gone);
        let told = ledger.all();
        assert_eq!(told.get("team-a"), Some(&(2 * 4096)));
        assert_eq!(told.get("team-b"), None, "a namespace without artifacts has no number");
        ledger.count(&store).await.unwrap();
        assert_eq!(ledger.all(), told);

        // Somebody else removes a file: whoever misses it tells the count.
        std::fs::remove_file(folder.path().join(key("api").path(content("1").revision()))).unwrap();
        assert_eq!(ledger.bytes("team-a"), 2 * 4096);
        store.presence(&key("api"), content("1").revision()).await.unwrap();
        assert_eq!(ledger.bytes("team-a"), 4096);
        std::fs::remove_dir_all(folder.path().join("team-a")).unwrap();
        ledger.count(&store).await.unwrap();
        assert!(ledger.all().is_empty());
    }
}
