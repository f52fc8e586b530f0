//! What consumers may expect under a path: the answer to "is this file supposed to be there?". Reads caches only.

use std::sync::Arc;

use jaas_storage::store::ArtifactPath;
use jaas_storage::{Digest, Key, Revision};
use kube::runtime::reflector::ObjectRef;
use tokio_util::sync::CancellationToken;

use crate::snippet::World;
use crate::snippet::artifact::{self, Ownership};

/// What the caches say of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The first lists are not in: nothing can be said.
    Unjudged,
    /// The artifact announces it, with this digest if it names one.
    Current(Option<Digest>),
    /// The artifact announces it, but it is gone and cannot be rendered again.
    Lost,
    /// Nobody announces it, or not any more.
    NotCurrent,
}

/// Judges paths.
#[derive(Clone)]
pub struct Catalog {
    world: Arc<World>,
    listed: CancellationToken,
}

impl Catalog {
    /// Judges by the caches of `world`, once `listed` says that they are complete.
    pub fn new(world: Arc<World>, listed: CancellationToken) -> Self {
        Self { world, listed }
    }

    /// What the caches say of a path.
    pub fn standing(&self, path: &ArtifactPath) -> Standing {
        if !self.listed.is_cancelled() {
            return Standing::Unjudged;
        }
        match self.announced(&path.key) {
            Some((revision, _)) if revision == path.revision && self.world.memory.is_lost(&path.key, &revision) => {
                Standing::Lost
            }
            Some((revision, digest)) if revision == path.revision => Standing::Current(digest),
            Some(_) | None => Standing::NotCurrent,
        }
    }

    /// Every file that an artifact of ours announces.
    pub fn all(&self) -> Vec<(Key, Revision)> {
        let named = self.world.artifacts.state().into_iter().filter_map(|artifact| {
            Key::new(artifact.metadata.namespace.as_deref()?, artifact.metadata.name.as_deref()?).ok()
        });
        named.filter_map(|key| self.announced(&key).map(|(revision, _)| (key, revision))).collect()
    }

    fn announced(&self, key: &Key) -> Option<(Revision, Option<Digest>)> {
        let snippet = self.world.snippets.get(&ObjectRef::new(key.name()).within(key.namespace()))?;
        let cached = self.world.artifacts.get(&ObjectRef::new(key.name()).within(key.namespace()));
        let found = self.world.memory.freshest_artifact(key, cached)?;
        if artifact::ownership(&found, &snippet) == Ownership::Foreign {
            return None;
        }
        let published = found.published()?;
        let digest = published.digest.as_deref().and_then(|digest| digest.parse().ok());
        Some((published.revision.parse().ok()?, digest))
    }
}
