//! A store that fails on demand, for tests.

#![deny(clippy::missing_trait_methods)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Claim, ErrorKind, Health, Item, Key, OwnerMark, Presence, Readable, Removed, Store, StoreError, Stored, Swept,
    Upload, Usage,
};
use crate::artifact::{Content, Digest, Revision};

/// What may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the method of the same name")]
pub enum Operation {
    Put,
    Presence,
    Verify,
    Open,
    SetAside,
    Remove,
    RemoveIf,
    Delete,
    Sweep,
    List,
    Uploads,
    Usage,
    ReadOwner,
    Claim,
    Check,
    Probe,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Put,
        Self::Presence,
        Self::Verify,
        Self::Open,
        Self::SetAside,
        Self::Remove,
        Self::RemoveIf,
        Self::Delete,
        Self::Sweep,
        Self::List,
        Self::Uploads,
        Self::Usage,
        Self::ReadOwner,
        Self::Claim,
        Self::Check,
        Self::Probe,
    ];
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not done.
    Fail(ErrorKind),
    /// It is done, and the answer is lost.
    Lose(ErrorKind),
    /// It is done later.
    Delay(Duration),
    /// It is done as if nothing were wrong; keeps a place in a script.
    Pass,
}

/// A wrapper that follows a script.
#[derive(Debug)]
pub struct Faulty<S: ?Sized> {
    script: Mutex<Script>,
    inner: Arc<S>,
}

#[derive(Debug, Default)]
struct Script {
    next: HashMap<Operation, VecDeque<Fault>>,
    always: HashMap<Operation, Fault>,
    calls: HashMap<Operation, u64>,
}

impl<S: Store + ?Sized> Faulty<S> {
    /// Does nothing until told.
    pub fn new(inner: Arc<S>) -> Self {
        Self { script: Mutex::default(), inner }
    }

    /// The next call of the operation, or the one after those that were told before, meets this fault.
    pub fn next(&self, operation: Operation, fault: Fault) {
        self.script().next.entry(operation).or_default().push_back(fault);
    }

    /// Every call of the operation that has no fault of its own meets this one.
    pub fn always(&self, operation: Operation, fault: Fault) {
        self.script().always.insert(operation, fault);
    }

    /// Nothing is wrong any more.
    pub fn heal(&self) {
        let mut script = self.script();
        script.next.clear();
        script.always.clear();
    }

    /// How often the operation was called.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.script().calls.get(&operation).copied().unwrap_or_default()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, operation: Operation) -> Fault {
        let mut script = self.script();
        *script.calls.entry(operation).or_default() += 1;
        let next = script.next.get_mut(&operation).and_then(VecDeque::pop_front);
        next.or_else(|| script.always.get(&operation).copied()).unwrap_or(Fault::Pass)
    }

    async fn run<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let failed = |kind| StoreError::remote(kind, "testing", "a scripted fault", "injected");
        match self.fault(operation) {
            Fault::Pass => work.await,
            Fault::Fail(kind) => Err(failed(kind)),
            Fault::Lose(kind) => {
                work.await?;
                Err(failed(kind))
            }
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                work.await
            }
        }
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Faulty<S> {
    async fn put(&self, key: &Key, content: Content) -> Result<Stored, StoreError> {
        self.run(Operation::Put, self.inner.put(key, content)).await
    }

    async fn presence(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        self.run(Operation::Presence, self.inner.presence(key, revision)).await
    }

    async fn verify(&self, key: &Key, revision: &Revision) -> Result<Presence, StoreError> {
        self.run(Operation::Verify, self.inner.verify(key, revision)).await
    }

    async fn open(
        &self,
        key: &Key,
        revision: &Revision,
        expected: Option<&Digest>,
    ) -> Result<Option<Readable>, StoreError> {
        self.run(Operation::Open, self.inner.open(key, revision, expected)).await
    }

    async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
        self.run(Operation::SetAside, self.inner.set_aside(key, revision, run)).await
    }

    async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        self.run(Operation::Remove, self.inner.remove(key, revision)).await
    }

    async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError> {
        self.run(Operation::RemoveIf, self.inner.remove_if(item)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        self.run(Operation::Delete, self.inner.delete(key)).await
    }

    async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError> {
        self.run(Operation::Sweep, self.inner.sweep(max_age)).await
    }

    async fn list(&self) -> Result<Vec<Item>, StoreError> {
        self.run(Operation::List, self.inner.list()).await
    }

    async fn uploads(&self) -> Result<Vec<Upload>, StoreError> {
        self.run(Operation::Uploads, self.inner.uploads()).await
    }

    async fn usage(&self) -> Result<Usage, StoreError> {
        self.run(Operation::Usage, self.inner.usage()).await
    }

    async fn read_owner(&self) -> Result<Option<OwnerMark>, StoreError> {
        self.run(Operation::ReadOwner, self.inner.read_owner()).await
    }

    async fn claim(&self, mark: &OwnerMark, take_over: bool) -> Result<Claim, StoreError> {
        self.run(Operation::Claim, self.inner.claim(mark, take_over)).await
    }

    async fn check(&self) -> Result<Health, StoreError> {
        self.run(Operation::Check, self.inner.check()).await
    }

    async fn probe(&self) -> Result<Health, StoreError> {
        self.run(Operation::Probe, self.inner.probe()).await
    }
}
