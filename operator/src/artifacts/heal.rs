//! Brings back files that are gone.
//!
//! One consumer that misses one file is reason enough to look for all of them: a volume is rarely lost by halves. What is missing
//! is handed to the controller, whose ordinary reconcile renders it again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jaas_api::JsonnetSnippet;
use jaas_storage::Key;
use jaas_storage::store::Presence;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;
use crate::snippet::World;
use crate::telemetry::metrics::Check;

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

    /// The store refused these snippets and may not refuse them now.
    pub fn try_again(&self, keys: Vec<Key>) {
        keys.iter().for_each(|key| self.bring_back(key));
    }

    fn bring_back(&self, key: &Key) {
        // Nobody listens only while the process ends.
        let _ = self.missing.send(ObjectRef::new(key.name()).within(key.namespace()));
    }
}

/// Checks everything at every interval while the process leads, and whenever an alarm was raised, until the process ends. An
/// interval of zero leaves the alarms alone.
pub async fn run(world: Arc<World>, alarm: Alarm, catalog: Catalog, interval: Duration, stop: CancellationToken) {
    loop {
        let due = async {
            if interval.is_zero() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(interval).await;
        };
        let alarmed = tokio::select! {
            () = stop.cancelled() => return,
            () = alarm.check_all.notified() => true,
            () = due => false,
        };
        if alarmed || world.authority.permit().is_ok() {
            check_all(&alarm, &catalog, &world).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn check_all(alarm: &Alarm, catalog: &Catalog, world: &World) {
    let all = catalog.all();
    let checked = all.len();
    let missing = futures::stream::iter(all)
        .map(|(key, revision)| async move {
            match world.store.presence(&key, &revision).await {
                Ok(Presence::Missing | Presence::Damaged { .. }) => Some(key),
                Ok(Presence::Intact { .. }) => {
                    world.metrics.checked(Check::Intact);
                    None
                }
                // What the store cannot tell of one artifact, its condition tells of all.
                Err(_) => None,
            }
        })
        .buffer_unordered(PARALLEL)
        .filter_map(std::future::ready)
        .inspect(|key| alarm.bring_back(key))
        .count()
        .await;
    if missing > 0 {
        world.custody.doubt();
        tracing::warn!(checked, missing, "Published artifacts are missing from the store; rendering them again");
    }
}
