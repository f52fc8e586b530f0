//! Looks at everything that a reconcile decides upon. Reads caches and the store, never the API server.

use std::sync::Arc;

use jaas_api::status::SyncStatus;
use jaas_api::{ExternalArtifact, JsonnetSnippet, Reason};
use jaas_storage::{Key, Presence, Revision};
use kube::runtime::reflector::ObjectRef;

use super::artifact::{self, Ownership};
use super::outcome::{Announced, Attempt, Deferred, Refusal, storage_refusal};
use super::unwatched;
use super::world::World;
use crate::telemetry::metrics::Check;

/// What was seen.
pub struct Seen {
    /// Name of the snippet in the store.
    pub key: Key,
    /// The snippet.
    pub snippet: Arc<JsonnetSnippet>,
    /// The artifact of its name, ours or not.
    pub artifact: Option<Arc<ExternalArtifact>>,
    /// What our artifact announces; empty where there is none.
    pub published: Option<Revision>,
    /// What consumers are to find: what the artifact announces, else what the status records.
    pub current: Option<Announced>,
    /// State of the current file, where there is to be one and the store told.
    pub presence: Option<Presence>,
    /// Why the store did not tell.
    pub store_trouble: Option<Refusal>,
    /// Why changes of its sources are not seen, so that what the caches say of them may be old.
    pub unwatched: Option<Refusal>,
}

impl Seen {
    /// Whether its status says this already, of whatever generation.
    pub fn is_judged(&self, reason: Reason) -> bool {
        let ready = self.snippet.status.as_ref().and_then(SyncStatus::ready);
        ready.is_some_and(|ready| ready.reason == reason.as_str())
    }

    /// Whether there is to be a file that is not there.
    pub fn is_file_lost(&self) -> bool {
        matches!(self.presence, Some(Presence::Missing | Presence::Damaged { .. }))
    }

    /// Whether the current file is there by now.
    pub async fn is_there_now(&self, world: &World) -> bool {
        let Some(current) = &self.current else { return false };
        let presence = world.store.presence(&self.key, &current.revision).await;
        matches!(presence, Ok(Presence::Intact { .. }))
    }

    /// What is wrong with the current file, if it is there but damaged.
    pub fn damage(&self) -> Option<&str> {
        match &self.presence {
            Some(Presence::Damaged { .. }) => Some("damaged"),
            Some(Presence::Intact { .. } | Presence::Missing) | None => None,
        }
    }

    /// Whether nothing has to be done for these inputs: they were published, everything announced of them is right, and nobody
    /// asked for a fresh look.
    pub fn is_up_to_date(&self, inputs_digest: &str, world: &World) -> bool {
        let Some(status) = &self.snippet.status else { return false };
        let (Some(current), Some(Presence::Intact { digest, size })) = (&self.current, &self.presence) else {
            return false;
        };
        let synced = status.ready().is_some_and(|ready| ready.status == "True");
        let recorded = status.inputs_digest.as_deref() == Some(inputs_digest)
            || world.memory.is_confirmed(&self.key, &self.snippet, inputs_digest);
        let announced = artifact::announcement(world, &self.key, &current.revision, digest, *size);
        synced
            && recorded
            && self.unwatched.is_none()
            && !super::report::is_answer_due(&self.snippet)
            && status.revision.as_deref() == Some(current.revision.to_string().as_str())
            && status.artifact_url.as_deref() == Some(announced.url.as_str())
            && self.artifact.as_ref().is_some_and(|found| artifact::is_as_announced(found, &self.snippet, &announced))
    }
}

/// Looks. `None` means that the name cannot be one of ours.
///
/// # Errors
/// [`Deferred`] for a name that cannot be that of a file.
pub async fn observe(world: &World, snippet: Arc<JsonnetSnippet>) -> Attempt<Option<Seen>> {
    let (namespace, name) = match (&snippet.metadata.namespace, &snippet.metadata.name) {
        (Some(namespace), Some(name)) => (namespace.clone(), name.clone()),
        _ => return Ok(None),
    };
    let key = Key::new(&namespace, &name)
        .map_err(|error| Deferred::internal("naming the artifact", Reason::InvalidSpec, error))?;
    let snippet = world.memory.freshest_snippet(&key, &snippet);
    let cached = world.artifacts.get(&ObjectRef::new(&name).within(&namespace));
    let artifact = world.memory.freshest_artifact(&key, cached);
    let published = artifact
        .as_ref()
        .filter(|artifact| artifact::ownership(artifact, &snippet) == Ownership::Ours)
        .and_then(|artifact| artifact.published().cloned());
    let announced = published.as_ref().and_then(|published| {
        let digest = published.digest.as_deref().and_then(|digest| digest.parse().ok());
        published.revision.parse().ok().map(|revision| Announced { revision, digest })
    });
    let recorded = snippet
        .status
        .as_ref()
        .and_then(|status| status.revision.as_ref()?.parse().ok())
        .map(|revision| Announced { revision, digest: None });
    let mut current = announced.or_else(|| recorded.clone());
    let (mut presence, mut store_trouble) = (None, None);
    if let Some(wanted) = &current {
        match look_up(world, &key, wanted).await {
            Ok(found) => presence = Some(found),
            Err(trouble) => store_trouble = Some(trouble),
        }
    }
    // An announcement that leads nowhere, beside a record that does not: somebody edited the artifact.
    if matches!(presence, Some(Presence::Missing))
        && let Some(recorded) = recorded
        && current.as_ref().is_some_and(|current| current.revision != recorded.revision)
        && let Ok(found @ Presence::Intact { .. }) = look_up(world, &key, &recorded).await
    {
        (current, presence) = (Some(recorded), Some(found));
    }
    let published = published.and_then(|artifact| artifact.revision.parse().ok());
    let refusal = |kind, namespace: &str| world.sources.refusal(kind, namespace);
    let unwatched = unwatched::of(&snippet, &namespace, &world.libraries, refusal);
    Ok(Some(Seen { key, snippet, artifact, published, current, presence, store_trouble, unwatched }))
}

/// What our artifact of this name announces now, as far as is known.
pub fn announced_revision(world: &World, key: &Key) -> Option<Revision> {
    let cached = world.artifacts.get(&ObjectRef::new(key.name()).within(key.namespace()));
    world.memory.freshest_artifact(key, cached)?.published()?.revision.parse().ok()
}

async fn look_up(world: &World, key: &Key, current: &Announced) -> Result<Presence, Refusal> {
    let presence = world.store.presence(key, &current.revision).await.map_err(|error| storage_refusal(&error))?;
    match &presence {
        Presence::Intact { .. } => {}
        Presence::Missing => world.metrics.checked(Check::Missing),
        Presence::Damaged { .. } => world.metrics.checked(Check::Damaged),
    }
    Ok(presence)
}
