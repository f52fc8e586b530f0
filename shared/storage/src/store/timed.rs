//! Ends what takes too long. A volume that hangs answers nothing at all, and must not hold whoever asked it.
//!
//! What was begun may still come to its end behind the error: the contract of a store says that this does no harm.

#![deny(clippy::missing_trait_methods)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Claim, ErrorKind, Health, Item, Key, OwnerMark, Presence, Readable, Removed, Store, StoreError, Stored, Swept,
    Upload, Usage,
};
use crate::artifact::{Content, Digest, Revision};

/// How long a store may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For a question about one artifact or about the store.
    pub question: Duration,
    /// For a change of one artifact, and for reading one whole.
    pub change: Duration,
    /// For what walks over everything.
    pub walk: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { question: Duration::from_secs(15), change: Duration::from_secs(60), walk: Duration::from_secs(15 * 60) }
    }
}

/// A store whose every answer comes in time, if only as [`ErrorKind::TimedOut`].
#[derive(Debug)]
pub struct Timed<S: ?Sized> {
    deadlines: Deadlines,
    inner: Arc<S>,
}

impl<S: Store + ?Sized> Timed<S> {
    /// Bounds every method of the store.
    pub fn new(inner: Arc<S>, deadlines: Deadlines) -> Self {
        Self { deadlines, inner }
    }
}

async fn within<T>(
    deadline: Duration,
    operation: &'static str,
    path: &str,
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, work).await {
        Ok(answer) => answer,
        Err(_) => {
            let silence = format!("no answer within {} s", deadline.as_secs_f64());
            Err(StoreError::local(ErrorKind::TimedOut, operation, path, silence))
        }
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Timed<S> {
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError> {
        let path = key.path(content.revision());
        within(self.deadlines.change, "writing", &path, self.inner.put(key, content)).await
    }

    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        within(self.deadlines.question, "checking", &key.path(revision), self.inner.presence(key, revision)).await
    }

    async fn verify(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        within(self.deadlines.change, "verifying", &key.path(revision), self.inner.verify(key, revision)).await
    }

    async fn open(
        &self,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError> {
        let asked = self.inner.open(key, revision, expected);
        within(self.deadlines.question, "reading", &key.path(revision), asked).await
    }

    async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
        let asked = self.inner.set_aside(key, revision, run);
        within(self.deadlines.change, "setting aside", &key.path(revision), asked).await
    }

    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        within(self.deadlines.change, "removing", &key.path(revision), self.inner.remove(key, revision)).await
    }

    async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError> {
        within(self.deadlines.change, "removing", &item.path, self.inner.remove_if(item)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        within(self.deadlines.change, "removing", &key.to_string(), self.inner.delete(key)).await
    }

    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError> {
        within(self.deadlines.walk, "sweeping", "the store", self.inner.sweep(max_age)).await
    }

    async fn list(&self) -> Result<Vec<Item>, StoreError> {
        within(self.deadlines.walk, "listing", "the store", self.inner.list()).await
    }

    async fn uploads(&self) -> Result<Vec<Upload>, StoreError> {
        within(self.deadlines.walk, "listing the uploads of", "the store", self.inner.uploads()).await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        within(self.deadlines.walk, "measuring", "the store", self.inner.usage()).await
    }

    async fn read_owner(&self) -> Result<Option<OwnerMark>, StoreError> {
        within(self.deadlines.question, "reading the owner of", "the store", self.inner.read_owner()).await
    }

    async fn claim(&self, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError> {
        within(self.deadlines.change, "claiming", "the store", self.inner.claim(mark, take_over)).await
    }

    async fn check(&self) -> Result<Health, StoreError> {
        within(self.deadlines.question, "checking", "the store", self.inner.check()).await
    }

    async fn probe(&self) -> Result<Health, StoreError> {
        within(self.deadlines.change, "probing", "the store", self.inner.probe()).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::conformance::{self, Directory, Subject};
    use super::super::faulty::{Fault, Faulty, Operation};
    use super::*;
    use crate::LocalStore;

    #[tokio::test]
    async fn the_wrapper_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let store = Timed::new(Arc::new(LocalStore::open(folder.path()).unwrap()), Deadlines::default());
        conformance::all(Subject { store: &store, raw: &Directory(folder.path().to_owned()) }).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_an_error_of_its_own_kind() {
        let folder = tempfile::tempdir().unwrap();
        let hangs = Arc::new(Faulty::new(Arc::new(LocalStore::open(folder.path()).unwrap())));
        for operation in Operation::ALL {
            hangs.always(operation, Fault::Delay(Duration::from_secs(24 * 3600)));
        }
        let store = Timed::new(hangs, Deadlines::default());
        let key = Key::new("team-a", "web").unwrap();
        let content = Content::document("rendered.json", b"{}".to_vec());
        let revision = content.revision().clone();
        let mark = OwnerMark {
            format: OwnerMark::FORMAT,
            cluster: "c".to_owned(),
            release: "a/b".to_owned(),
            scope: String::new(),
            selector: String::new(),
        };
        let errors = [
            store.put(&key, content).await.unwrap_err(),
            store.presence(&key, &revision).await.unwrap_err(),
            store.verify(&key, &revision).await.unwrap_err(),
            store.open(&key, &revision, None).await.err().unwrap(),
            store.set_aside(&key, &revision, "1").await.unwrap_err(),
            store.remove(&key, &revision).await.unwrap_err(),
            store.remove_if(&Item::of(&key.path(&revision), 1)).await.unwrap_err(),
            store.delete(&key).await.unwrap_err(),
            store.sweep(Duration::ZERO).await.unwrap_err(),
            store.list().await.unwrap_err(),
            store.uploads().await.unwrap_err(),
            store.usage().await.unwrap_err(),
            store.read_owner().await.unwrap_err(),
            store.claim(&mark, false).await.unwrap_err(),
            store.check().await.unwrap_err(),
            store.probe().await.unwrap_err(),
        ];
        assert_eq!(errors.len(), Operation::ALL.len());
        for error in errors {
            assert_eq!(error.kind, ErrorKind::TimedOut, "{error}");
        }
    }
}
