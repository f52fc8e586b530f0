//! Stores an artifact, then announces it. Never the other way round: consumers fetch at once what is announced.

use std::sync::Arc;

use jaas_api::{ExternalArtifact, Reason};
use jaas_storage::store::Stored;
use jaas_storage::{Digest, Presence, Revision};
use jiff::Timestamp;
use kube::Api;
use tracing::Instrument;

use super::artifact::{self, Announcement, Ownership};
use super::check;
use super::evaluate::Content;
use super::gather::{self, Tenant};
use super::observe::Seen;
use super::outcome::{Attempt, Published, Refusal, chain, storage_refusal, tenant_request};
use super::stopwatch::Stopwatch;
use super::world::World;
use crate::artifacts::{room, scrub};
use crate::cluster::classify::{Meaning, meaning};
use crate::cluster::{RequestError, request, write};
use crate::leadership::Permit;
use crate::quota::{self, NotAdmitted};
use crate::telemetry::metrics::Stage;
use crate::telemetry::trace;

/// What requests are made for, in messages.
const CONTEXT: &str = "publishing the ExternalArtifact";

/// Stores and announces.
///
/// # Errors
/// [`super::outcome::Deferred`] for what may pass.
pub async fn publish(
    world: &World,
    seen: &Seen,
    tenant: &Tenant,
    content: Content,
    stopwatch: &mut Stopwatch,
) -> Attempt<Result<Published, Refusal>> {
    let retained = seen.snippet.status.as_ref().map_or(0, |status| status.history.len());
    let span = trace::publish(content.rendered_bytes, retained);
    let published = store_and_announce(world, seen, tenant, content, stopwatch).instrument(span.clone()).await;
    trace::ended(&span, &published, true);
    match &published {
        Ok(Ok(published)) => {
            span.record("jaas.publish.revision", published.revision.to_string());
        }
        Ok(Err(refusal)) => world.metrics.flow().publish_failed(refusal.reason),
        Err(deferred) => {
            world.metrics.flow().publish_failed(deferred.reason);
            let (namespace, name, error) = (seen.key.namespace(), seen.key.name(), chain(deferred));
            tracing::error!(namespace, name, error, "Publish errored");
        }
    }
    published
}

async fn store_and_announce(
    world: &World,
    seen: &Seen,
    tenant: &Tenant,
    content: Content,
    stopwatch: &mut Stopwatch,
) -> Attempt<Result<Published, Refusal>> {
    if let Some(found) = &seen.artifact
        && artifact::ownership(found, &seen.snippet) == Ownership::Foreign
    {
        return Ok(Err(conflict(found)));
    }
    let revision = content.content.revision().clone();
    // An artifact without a status is consumed by nobody, so it may be there before the file is.
    let (stored, existing) = stopwatch
        .time(world, Stage::Store, async {
            tokio::join!(put(world, seen, content.content), existing(world, seen, tenant))
        })
        .await;
    let stored = match stored? {
        Ok(stored) => stored,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let existing = match existing? {
        Ok(existing) => existing,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let announced = Announcement {
        source_revision: Some(content.source_revision.clone()),
        ..artifact::announcement(world, &seen.key, &revision, &stored.digest, stored.size)
    };
    let announcing = announce(world, seen, tenant, existing, &announced);
    if let Err(refusal) = stopwatch.time(world, Stage::Artifact, announcing).await? {
        return Ok(Err(refusal));
    }
    world.metrics.rendered(&seen.key, content.rendered_bytes);
    Ok(Ok(Published {
        revision,
        url: announced.url,
        rendered_bytes: content.rendered_bytes,
        files: content.files,
        inputs_digest: content.inputs_digest,
        mounted: content.mounted,
        source_revision: content.source_revision,
    }))
}

async fn put(world: &World, seen: &Seen, content: jaas_storage::Content) -> Attempt<Result<Stored, Refusal>> {
    let _room = match quota::admit(world, seen, &content).await {
        Ok(room) => room,
        Err(NotAdmitted::Share(refusal)) => return Ok(Err(refusal)),
        Err(NotAdmitted::Store(error)) => {
            world.memory.refused(&seen.key);
            return Ok(Err(storage_refusal(&error)));
        }
    };
    let permit = world.permit()?;
    set_damage_aside(world, &permit, seen, content.revision()).await;
    let mut answer = world.store.put(&seen.key, content.clone()).await;
    let full = answer.as_ref().is_err_and(|error| error.kind.is_full());
    if full && room::make(world, &seen.key).await {
        answer = world.store.put(&seen.key, content).await;
    }
    if answer.is_err() {
        // Told before the store's condition is, which ends when nobody waits any more.
        world.memory.refused(&seen.key);
    }
    world.condition.wrote(&answer);
    Ok(answer.map_err(|error| storage_refusal(&error)))
}

/// Keeps damaged bytes for a person to look at. Where that does not work the put writes over them.
async fn set_damage_aside(world: &World, permit: &Permit, seen: &Seen, revision: &Revision) {
    let damaged = matches!(seen.presence, Some(Presence::Damaged { .. }));
    if damaged && seen.current.as_ref().is_some_and(|current| current.revision == *revision) {
        scrub::set_aside(world, permit, &seen.key, revision).await;
    }
}

/// Repairs the announcement of a file that is there, for a snippet that is suspended or refused. What cannot be repaired for want
/// of rights is logged: the snippet has something else to tell.
///
/// # Errors
/// [`super::outcome::Deferred`] for what may pass.
pub async fn announce_again(world: &World, seen: &Seen, digest: &Digest, size: u64) -> Attempt<()> {
    let Some(current) = &seen.current else { return Ok(()) };
    let announced = artifact::announcement(world, &seen.key, &current.revision, digest, size);
    if seen.artifact.as_ref().is_some_and(|found| artifact::is_as_announced(found, &seen.snippet, &announced)) {
        return Ok(());
    }
    let refused = |refusal: Refusal| {
        let (namespace, name, error) = (seen.key.namespace(), seen.key.name(), refusal.message);
        tracing::warn!(namespace, name, error, "The ExternalArtifact could not be repaired");
    };
    let account = match check::account(&seen.snippet, &world.settings) {
        Ok(account) => account,
        Err(refusal) => {
            refused(refusal);
            return Ok(());
        }
    };
    let repaired = match gather::tenant(world, &account).await? {
        Ok(tenant) => match existing(world, seen, &tenant).await? {
            Ok(existing) => announce(world, seen, &tenant, existing, &announced).await?,
            Err(refusal) => Err(refusal),
        },
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = repaired {
        refused(refusal);
    }
    Ok(())
}

/// The artifact of the snippet's name, created where there is none. A cache may be a moment behind: then the API server says so,
/// and its answer is used.
async fn existing(world: &World, seen: &Seen, tenant: &Tenant) -> Attempt<Result<ExternalArtifact, Refusal>> {
    match &seen.artifact {
        Some(found) => Ok(Ok(ExternalArtifact::clone(found))),
        None => create(world, seen, tenant).await,
    }
}

/// Puts the artifact in order: owner and producer first, then what it announces.
async fn announce(
    world: &World,
    seen: &Seen,
    tenant: &Tenant,
    existing: ExternalArtifact,
    announced: &Announcement,
) -> Attempt<Result<(), Refusal>> {
    if artifact::ownership(&existing, &seen.snippet) == Ownership::Foreign {
        return Ok(Err(conflict(&existing)));
    }
    let permit = world.permit()?;
    let mut current = existing;
    if let Some(patch) = artifact::object_patch(&current, &seen.snippet) {
        match write::patch(&permit, &tenant.client, &current, patch).await {
            Ok(written) => current = written,
            Err(error) => return refuse(world, seen, error),
        }
        world.memory.wrote_artifact(&seen.key, current.clone());
    }
    let status = artifact::status_patch(&current, announced, Timestamp::now());
    if !status.is_empty() {
        match write::patch_status(&permit, &tenant.client, &current, status).await {
            Ok(written) => world.memory.wrote_artifact(&seen.key, written),
            Err(error) => return refuse(world, seen, error),
        }
    }
    Ok(Ok(()))
}

async fn create(world: &World, seen: &Seen, tenant: &Tenant) -> Attempt<Result<ExternalArtifact, Refusal>> {
    let permit = world.permit()?;
    let wanted = artifact::new(&seen.key, &seen.snippet);
    match write::create_artifact(&permit, &tenant.client, &wanted).await {
        Ok(created) => {
            world.memory.wrote_artifact(&seen.key, created.clone());
            Ok(Ok(created))
        }
        Err(error) if meaning(&error) == Meaning::AlreadyExists => {
            let artifacts: Api<ExternalArtifact> = Api::namespaced(tenant.client.clone(), seen.key.namespace());
            match request(artifacts.get(seen.key.name())).await {
                Ok(found) => Ok(Ok(found)),
                Err(error) => refuse(world, seen, error),
            }
        }
        Err(error) => refuse(world, seen, error),
    }
}

fn refuse<T>(world: &World, seen: &Seen, error: RequestError) -> Attempt<Result<T, Refusal>> {
    if matches!(meaning(&error), Meaning::NotFound | Meaning::Conflict) {
        // What this was decided upon is out of date.
        world.memory.forget_artifact(&seen.key);
    }
    tenant_request(CONTEXT, Arc::new(error)).map(Err)
}

fn conflict(found: &ExternalArtifact) -> Refusal {
    let producer = found.spec.source_ref.clone().unwrap_or_default();
    let owner = match (&producer.kind, &producer.name) {
        (Some(kind), Some(name)) => format!("{kind} {name:?}"),
        _ => "no producer".to_owned(),
    };
    Refusal::new(
        Reason::ArtifactConflict,
        format!(
            "an ExternalArtifact of this name exists and names {owner} as its source; it is left alone. Rename the snippet, or delete the artifact if nobody needs it"
        ),
    )
}
