//! Everything that a reconcile may touch. Built once, in [`crate::app`].

use std::sync::Arc;

use jaas_api::{ExternalArtifact, JsonnetLibrary, JsonnetSnippet};
use jaas_render::worker::Pool;
use jaas_storage::Key;
use kube::Client;
use kube::runtime::reflector::Store as Cache;

use super::memory::Memory;
use super::outcome::{Attempt, Deferred};
use super::pace::Paces;
use super::suspects::Suspects;
use crate::artifacts::condition::Condition;
use crate::artifacts::custody::Custody;
use crate::artifacts::heal::Alarm;
use crate::artifacts::orphans::forced::Forced;
use crate::artifacts::room::Room;
use crate::cluster::events::Events;
use crate::cluster::tenant::Tenants;
use crate::config::Snippets;
use crate::fair::Slots;
use crate::graph::Graph;
use crate::leadership::{Authority, Permit};
use crate::mounted::Mounted;
use crate::quota::Quotas;
use crate::source::Shelf;
use crate::source::watch::Sources;
use crate::telemetry::metrics::Metrics;

/// Settings, caches and effects.
pub struct World {
    /// Brings snippets back before their time.
    pub alarm: Alarm,
    /// How snippets are judged.
    pub settings: Snippets,
    /// Address under which consumers reach the storage server, without a slash at the end.
    pub base_url: String,
    /// Depth of an evaluation's stack; zero means the engine's own.
    pub max_stack: u32,
    /// The operator's own client.
    pub client: Client,
    /// Clients of the snippets' accounts.
    pub tenants: Tenants,
    /// The right to write.
    pub authority: Authority,
    /// The store.
    pub store: Arc<dyn jaas_storage::Store>,
    /// Whose the store is.
    pub custody: Custody,
    /// Snippets that were let go with their files in place.
    pub forced: Forced,
    /// How the store is.
    pub condition: Condition,
    /// Room on a full store.
    pub room: Room,
    /// What each namespace takes of the store, and may.
    pub quotas: Quotas,
    /// Workers that evaluate.
    pub workers: Arc<Pool>,
    /// Turns at the workers.
    pub turns: Slots,
    /// Who was being evaluated when the process died.
    pub suspects: Suspects,
    /// All watched snippets.
    pub snippets: Cache<JsonnetSnippet>,
    /// All watched libraries.
    pub libraries: Cache<JsonnetLibrary>,
    /// All watched artifacts.
    pub artifacts: Cache<ExternalArtifact>,
    /// How often each snippet was rendered of late.
    pub paces: Paces,
    /// What snippets are made of.
    pub graph: Arc<Graph>,
    /// What sources announce.
    pub sources: Sources,
    /// Libraries in folders of the operator.
    pub mounted: Mounted,
    /// Downloads and trees of sources.
    pub shelf: Shelf,
    /// What this process knows besides.
    pub memory: Memory,
    /// Kubernetes Events.
    pub events: Events,
    /// Metrics.
    pub metrics: Metrics,
}

impl World {
    /// The right to write now.
    ///
    /// # Errors
    /// [`Deferred`] where another replica has it.
    pub fn permit(&self) -> Attempt<Permit> {
        self.authority.permit().map_err(Deferred::not_leader)
    }

    /// The snippet of this name is gone.
    pub fn forget(&self, key: &Key) {
        self.memory.forget(key);
        self.paces.tidy();
        self.metrics.forget(key);
    }
}
