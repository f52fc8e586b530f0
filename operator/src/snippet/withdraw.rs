//! Takes back what a deleted snippet had published.
//!
//! The artifact is deleted with the tenant's rights where that works, and otherwise left to its owner reference: a tenant that
//! lost rights, account or namespace delays nothing. The files are the operator's own, and only a store that refuses holds the
//! snippet, for a limited time.

use std::time::Duration;

use jaas_api::{FINALIZER, JsonnetSnippet, Reason};
use jaas_storage::store::StoreError;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::artifact::{self, Ownership};
use super::check;
use super::gather;
use super::observe::Seen;
use super::outcome::{Attempt, Deferred, chain, storage_reason};
use super::world::World;
use crate::artifacts::custody::NotOurs;
use crate::cluster::classify::{Meaning, meaning};
use crate::cluster::write;

/// A try that comes when the time is over is not repeated sooner.
const SOONEST: Duration = Duration::from_secs(1);
/// Label and event of a finalizer that was dropped although the store refused.
const TIMED_OUT: &str = "withdraw_timed_out";

/// Withdraws.
///
/// # Errors
/// [`Deferred`] for what may pass.
pub async fn withdraw(world: &World, seen: &Seen) -> Attempt<()> {
    // Looking at the store takes time, in which the snippet may have gone.
    if is_gone(world, seen) { Ok(()) } else { take_back(world, seen).await }
}

/// The same for a snippet that no cache holds.
///
/// # Errors
/// As [`withdraw`].
pub async fn take_back(world: &World, seen: &Seen) -> Attempt<()> {
    let is_held = seen.snippet.finalizers().iter().any(|name| name == FINALIZER);
    if !is_held || world.memory.is_let_go(&seen.key, &seen.snippet) {
        return Ok(());
    }
    delete_artifact(world, seen).await?;
    let forced = match delete_files(world, seen).await? {
        Ok(()) => None,
        Err(error) => {
            let waited = terminating_for(&seen.snippet);
            if waited < world.settings.max_withdraw_wait {
                return Err(Deferred {
                    operation: "withdraw artifact".to_owned(),
                    soon: false,
                    reason: storage_reason(error.kind),
                    source: Some(std::sync::Arc::new(error)),
                });
            }
            Some((waited, error))
        }
    };
    remove_finalizer(world, seen).await?;
    if let Some((waited, error)) = forced {
        world.forced.add(seen.key.clone());
        tell_forced(world, seen, waited, &error);
    }
    let (namespace, name) = (seen.key.namespace(), seen.key.name());
    tracing::info!(namespace, name, "Finalizer removed; JsonnetSnippet may now be garbage-collected");
    Ok(())
}

/// Deletes the artifact as the tenant. Whatever goes wrong is left to the owner reference, but for a change that somebody else made
/// first: whose the artifact is now is looked at again.
async fn delete_artifact(world: &World, seen: &Seen) -> Attempt<()> {
    let Some(found) = &seen.artifact else { return Ok(()) };
    if artifact::ownership(found, &seen.snippet) == Ownership::Foreign {
        return Ok(());
    }
    let (namespace, name) = (seen.key.namespace(), seen.key.name());
    let left = |error: String| {
        tracing::warn!(namespace, name, error, "The ExternalArtifact is left to its owner reference");
        Ok(())
    };
    let account = match check::account(&seen.snippet, &world.settings) {
        Ok(account) => account,
        Err(refusal) => return left(refusal.message),
    };
    let tenant = match gather::tenant(world, &account).await {
        Ok(Ok(tenant)) => tenant,
        Ok(Err(refusal)) => return left(refusal.message),
        Err(deferred) => return left(chain(&deferred)),
    };
    let permit = match world.permit() {
        Ok(permit) => permit,
        Err(deferred) => return left(chain(&deferred)),
    };
    match write::delete_artifact(&permit, &tenant.client, found).await {
        Ok(()) => Ok(()),
        Err(error) if meaning(&error) == Meaning::NotFound => Ok(()),
        Err(error)
            if meaning(&error) == Meaning::Conflict
                && terminating_for(&seen.snippet) < world.settings.max_withdraw_wait =>
        {
            world.memory.forget_artifact(&seen.key);
            Err(Deferred::request("deleting the ExternalArtifact", error))
        }
        Err(error) => left(chain(&error)),
    }
}

/// Removes the snippet's files. In a store that is another installation's they may be that one's, so they stay.
async fn delete_files(world: &World, seen: &Seen) -> Attempt<Result<(), StoreError>> {
    match world.custody.may_remove().await {
        Ok(_) => {}
        Err(why @ NotOurs::Foreign(_)) => {
            let (namespace, name, reason) = (seen.key.namespace(), seen.key.name(), why.to_string());
            tracing::warn!(namespace, name, reason, "The files of a deleted snippet stay");
            return Ok(Ok(()));
        }
        Err(why @ NotOurs::Unknown(_)) if terminating_for(&seen.snippet) < world.settings.max_withdraw_wait => {
            let why = std::io::Error::other(why.to_string());
            return Err(Deferred::internal("withdraw artifact", Reason::StorageUnavailable, why));
        }
        // It has been waited for long enough; the store itself has the last word.
        Err(NotOurs::Unknown(_)) => {}
    }
    let permit = world.permit()?;
    let deleted = permit.during(world.store.delete(&seen.key)).await.map_err(Deferred::not_leader)?;
    if deleted.is_err() {
        world.memory.refused(&seen.key);
        world.condition.wrote(&deleted);
    }
    Ok(deleted)
}

async fn remove_finalizer(world: &World, seen: &Seen) -> Attempt<()> {
    let others: Vec<_> = seen.snippet.finalizers().iter().filter(|name| *name != FINALIZER).collect();
    let permit = world.permit()?;
    match write::patch_finalizers(&permit, &world.client, &seen.snippet, &others).await {
        Ok(_) => {}
        Err(error) if meaning(&error) == Meaning::NotFound => {}
        Err(error) => return Err(Deferred::request("removing the finalizer from the snippet", error)),
    }
    // The cache shows the finalizer for a moment more, and whatever wakes the snippet meanwhile must not withdraw it again.
    world.memory.let_go(&seen.key, &seen.snippet);
    if is_gone(world, seen) {
        world.forget(&seen.key);
    }
    Ok(())
}

fn is_gone(world: &World, seen: &Seen) -> bool {
    let cached = world.snippets.get(&ObjectRef::from_obj(&*seen.snippet));
    cached.is_none_or(|cached| cached.uid() != seen.snippet.uid())
}

fn tell_forced(world: &World, seen: &Seen, waited: Duration, error: &StoreError) {
    let (namespace, name) = (seen.key.namespace(), seen.key.name());
    let error = chain(error);
    let elapsed = kube::core::Duration::from(Duration::from_secs(waited.as_secs()));
    tracing::warn!(
        namespace,
        name,
        elapsed = %elapsed,
        reason = TIMED_OUT,
        lastError = error,
        "Force-dropping finalizer after MaxWithdrawWait"
    );
    world.metrics.force_dropped(&seen.key, TIMED_OUT);
    let files = known_files(seen);
    let note = format!(
        "WithdrawForced after {elapsed} of failing Withdraw — finalizer dropped; storage may carry orphaned tarballs under {}/ that an operator must remove by hand (known revisions: {files}). Last error: {error}",
        seen.key
    );
    world.events.announce(&seen.snippet, true, "WithdrawForced", &note);
    // The namespace of the snippet may be on its way out, and its events with it.
    world.events.repeat_at_home(&seen.snippet, true, "WithdrawForced", &note);
}

fn known_files(seen: &Seen) -> String {
    let status = seen.snippet.status.clone().unwrap_or_default();
    let known: Vec<_> = status
        .history
        .iter()
        .chain(&status.retired)
        .filter_map(|record| Some(seen.key.path(&record.revision.parse().ok()?)))
        .collect();
    if known.is_empty() { format!("{}/<rev>.tar.gz", seen.key) } else { known.join(", ") }
}

/// How long a deleted snippet that could not be withdrawn waits at most: it is let go when its time is over, and not when the next
/// try happens to come. `None` for one that is not deleted.
pub fn longest_pause(snippet: &JsonnetSnippet, max_withdraw_wait: Duration) -> Option<Duration> {
    snippet.metadata.deletion_timestamp.as_ref()?;
    Some(max_withdraw_wait.saturating_sub(terminating_for(snippet)).max(SOONEST))
}

/// How long ago the deletion was asked for.
pub fn terminating_for(snippet: &JsonnetSnippet) -> Duration {
    let since = snippet.metadata.deletion_timestamp.as_ref();
    since.map_or(Duration::ZERO, |since| {
        Duration::try_from(Timestamp::now().duration_since(since.0)).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaas_api::snippet::SnippetSpec;
    use jiff::SignedDuration;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    #[test]
    fn the_last_try_comes_when_the_time_is_over() {
        let pause = |seconds_ago: Option<i64>| {
            let mut snippet = JsonnetSnippet::new("a", "web", SnippetSpec::default());
            snippet.metadata.deletion_timestamp =
                seconds_ago.map(|ago| Time(Timestamp::now() - SignedDuration::from_secs(ago)));
            longest_pause(&snippet, Duration::from_secs(100)).map(|pause| pause.as_secs_f64().round())
        };
        assert_eq!(pause(None), None);
        assert_eq!((pause(Some(0)), pause(Some(60))), (Some(100.0), Some(40.0)));
        assert_eq!((pause(Some(100)), pause(Some(900)), pause(Some(-50))), (Some(1.0), Some(1.0), Some(100.0)));
    }
}
