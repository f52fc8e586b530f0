//! What a program may have learned about an installation. Plain data: whoever gathers it decides nothing.
//!
//! No list has an order: the same facts in another order give the same findings. Whatever may be out of reach is [`Known`].

pub mod flags;
pub mod network;
pub mod operator;
pub mod signals;
pub mod snippets;
pub mod store;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use flags::Flags;
pub use network::{Answer, Client, Network, Policy, Reply, Road, RoadKind};
pub use operator::{Implementation, Lease, Operator, Pod, Volume, VolumeKind};
pub use signals::{Consumer, Event, LogRecord, Metrics, Signals};
pub use snippets::{Artifact, Ready, Request, RevisionAt, Snippet, Snippets};
pub use store::{File, FileClass, Health, HealthState, Inventory, LifecycleRule, Owner, Store, Usage};

use crate::known::Known;

/// Everything that was learned in one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    /// When the look was taken, by the clock of the API server where that is known. Ages count from here.
    pub at: Timestamp,
    /// The operator and what it runs on.
    #[serde(default)]
    pub operator: Operator,
    /// The Lease of the leader; `None` where there is none.
    #[serde(default)]
    pub lease: Known<Option<Lease>>,
    /// Services, policies, and the roads to the storage server.
    #[serde(default)]
    pub network: Network,
    /// The snippets.
    #[serde(default)]
    pub snippets: Known<Snippets>,
    /// ExternalArtifacts that name a snippet as their producer, or carry a snippet's name.
    #[serde(default)]
    pub artifacts: Known<Vec<Artifact>>,
    /// The store.
    #[serde(default)]
    pub store: Store,
    /// Events, log records, metrics, consumers.
    #[serde(default)]
    pub signals: Signals,
}

impl Facts {
    /// Facts of a moment at which nothing was asked yet.
    pub fn empty(at: Timestamp) -> Self {
        Self {
            at,
            operator: Operator::default(),
            lease: Known::default(),
            network: Network::default(),
            snippets: Known::default(),
            artifacts: Known::default(),
            store: Store::default(),
            signals: Signals::default(),
        }
    }

    /// Seconds from `then` to the look; 0 for what lies in the future.
    pub fn seconds_since(&self, then: Timestamp) -> u64 {
        u64::try_from(self.at.as_second() - then.as_second()).unwrap_or_default()
    }
}
