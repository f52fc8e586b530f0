//! The store under test, with every change of it noted before it is asked and after it was answered.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jaas_storage::store::{Claim, OwnerMark, StoreError, Swept};
use jaas_storage::{Key, LocalStore, Store};

use super::artifacts::{Artifact, Known, Pool};
use super::disk::Disk;
use super::ledger::{Change, Ledger};

/// A store as one process has it, from a mount to the next cut.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The store.
    pub(super) store: LocalStore,
    /// What it may hold.
    pub(super) pool: Arc<Pool>,
    /// What was asked of it.
    pub(super) ledger: Arc<Ledger>,
    root: PathBuf,
    /// Whether what is removed may come back with the bytes of another file, see [`Disk::reuses_at_once`].
    pub(super) returns_damaged: bool,
}

impl Site {
    /// Opens the store on the disk.
    pub(super) fn open(disk: &Disk, pool: &Arc<Pool>, ledger: &Arc<Ledger>) -> Result<Self> {
        let root = disk.path().join("store");
        let store = LocalStore::open(&root)?;
        let (pool, ledger) = (Arc::clone(pool), Arc::clone(ledger));
        Ok(Self { store, pool, ledger, root, returns_damaged: disk.reuses_at_once() })
    }

    /// The store's directory, for a look past the store.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps an artifact.
    pub(super) async fn put(&self, key: &Key, known: &Known) -> Result<(), StoreError> {
        let artifact = Artifact { key: key.clone(), revision: known.content.revision().clone() };
        let begun = self.ledger.begin(Change::Put(artifact));
        self.store.put(key, known.content.clone()).await?;
        self.ledger.answer(begun);
        Ok(())
    }

    /// Removes an artifact.
    pub(super) async fn remove(&self, artifact: &Artifact) -> Result<(), StoreError> {
        let begun = self.ledger.begin(Change::Remove(artifact.clone()));
        self.store.remove(&artifact.key, &artifact.revision).await?;
        self.ledger.answer(begun);
        Ok(())
    }

    /// Renames an artifact.
    pub(super) async fn set_aside(&self, artifact: &Artifact, run: &str) -> Result<(), StoreError> {
        let begun = self.ledger.begin(Change::SetAside(artifact.clone(), run.to_owned()));
        match self.store.set_aside(&artifact.key, &artifact.revision, run).await? {
            true => self.ledger.answer(begun),
            false => self.ledger.forget(begun),
        }
        Ok(())
    }

    /// Removes all of a key.
    pub(super) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let begun = self.ledger.begin(Change::Delete(key.clone()));
        self.store.delete(key).await?;
        self.ledger.answer(begun);
        Ok(())
    }

    /// Sweeps what dead writers left, however young.
    pub(super) async fn sweep(&self) -> Result<Swept, StoreError> {
        self.store.sweep(Duration::ZERO).await
    }

    /// Writes the mark, with a scope that it never had.
    pub(super) async fn claim(&self) -> Result<Claim, StoreError> {
        let scope = self.ledger.next_scope();
        let claim = self.store.claim(&mark(scope), false).await?;
        self.ledger.claimed(scope);
        Ok(claim)
    }
}

/// The mark with this scope.
pub(super) fn mark(scope: u32) -> OwnerMark {
    let [cluster, release, scope] = ["cluster".to_owned(), "jaas/jaas".to_owned(), scope.to_string()];
    OwnerMark { format: OwnerMark::FORMAT, cluster, release, scope, selector: String::new() }
}
