//! Brings back files that are gone.
//!
//! One consumer that misses one file is reason enough to look for all of them: a volume is rarely lost by halves. What is missing
//! is handed to the controller, whose ordinary reconcile renders it again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jaas_api::JsonnetSnippet;
use jaas_storage::store::Presence;
use jaas_storage::{Key, Store};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;

/// Files that are looked for at once.
const PARALLEL: usize = 16;
/// Least time between two checks of everything, so that a consumer who insists costs little.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells that a file is missing.
#[derive(Clone, Debug)]
pub struct Alarm {
    missing: mpsc::UnboundedSender<ObjectRef<JsonnetSnippet>>,
    check_all: Arc<Notify>,
}

/// Snippets whose files are to be brought back.
pub type Missing = mpsc::UnboundedReceiver<ObjectRef<JsonnetSnippet>>;

impl Alarm {
    /// An alarm, and the snippets that it names.
    pub fn new() -> (Self, Missing) {
        let (missing, receiver) = mpsc::unbounded_channel();
        (Self { missing, check_all: Arc::new(Notify::new()) }, receiver)
    }

    /// A consumer missed this snippet's file.
    pub fn missed(&self, key: &Key) {
        self.bring_back(key);
        self.check_all.notify_one();
    }

    fn bring_back(&self, key: &Key) {
        // Nobody listens only while the process ends.
        let _ = self.missing.send(ObjectRef::new(key.name()).within(key.namespace()));
    }
}

/// Checks everything whenever an alarm was raised, until the process ends.
pub async fn run(alarm: Alarm, catalog: Catalog, store: Arc<dyn Store>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = alarm.check_all.notified() => {}
        }
        check_all(&alarm, &catalog, &*store).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn check_all(alarm: &Alarm, catalog: &Catalog, store: &dyn Store) {
    let all = catalog.all();
    let checked = all.len();
    let missing = futures::stream::iter(all)
        .map(|(key, revision)| async move {
            let presence = store.presence(&key, &revision).await;
            matches!(presence, Ok(Presence::Missing | Presence::Damaged { .. })).then_some(key)
        })
        .buffer_unordered(PARALLEL)
        .filter_map(std::future::ready)
        .inspect(|key| alarm.bring_back(key))
        .count()
        .await;
    if missing > 0 {
        tracing::warn!(checked, missing, "Published artifacts are missing from the store; rendering them again");
    }
}
