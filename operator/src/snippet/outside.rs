//! Snippets that the operator's label selector leaves out. They stay published as they are, and nothing is done about them but one
//! thing: one that is being deleted would wait for ever for a finalizer of ours that nobody removes, so it is withdrawn.
//!
//! Two operators may share a namespace by their selectors, each with a store of its own. Whose a snippet is says the address at which
//! its artifact is announced. What another operator announces is left to that one, for twice the time that a store may hold a deletion:
//! by then it would have been let go if that operator were there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use jaas_api::{ExternalArtifact, FINALIZER, JsonnetSnippet};
use jaas_storage::Key;
use kube::core::{ObjectMeta, PartialObjectMeta, Selector, SelectorExt};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use kube::{Api, ResourceExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::observe;
use super::outcome::chain;
use super::withdraw::{longest_pause, take_back, terminating_for};
use super::world::World;
use crate::cluster::classify::{Meaning, meaning};
use crate::cluster::request;

/// How soon a snippet is looked at again that cannot be decided upon now: the API server is away, or another replica leads.
const AGAIN: Duration = Duration::from_secs(5);
/// How often one is looked at that is left to another operator.
const LEFT: Duration = Duration::from_secs(60);
/// Withdrawals at once.
const AT_ONCE: usize = 8;

/// What happens to the metadata of all snippets, whatever their labels.
pub type Changes = BoxStream<'static, Result<Event<PartialObjectMeta<JsonnetSnippet>>, watcher::Error>>;

/// Withdraws what `selector` leaves out and somebody deletes, while the process leads, once `listed` says that the caches are complete.
pub async fn run(
    world: Arc<World>,
    selector: Selector,
    mut changes: Changes,
    listed: CancellationToken,
    stop: CancellationToken,
) {
    tokio::select! {
        () = stop.cancelled() => return,
        () = listed.cancelled() => {}
    }
    let mut waiting = BTreeMap::<Key, Instant>::new();
    let mut told = false;
    loop {
        let next = waiting.values().min().copied();
        tokio::select! {
            () = stop.cancelled() => return,
            Some(change) = changes.next() => match change {
                Ok(Event::Apply(snippet) | Event::InitApply(snippet)) => {
                    told = false;
                    if is_due(&snippet.metadata, &selector) && let Some(key) = key(&snippet.metadata) {
                        waiting.insert(key, Instant::now());
                    }
                }
                // A replica that does not lead looks at nothing, and is not to wait for what others have done.
                Ok(Event::Delete(snippet)) => drop(key(&snippet.metadata).and_then(|key| waiting.remove(&key))),
                Ok(Event::Init | Event::InitDone) => {}
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(error = chain(&error), "Snippets outside of the label selector cannot be watched; one that is deleted waits");
                }
                Err(_) => {}
            },
            () = until(next) => {
                let now = Instant::now();
                let due: Vec<_> = waiting.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
                let (world, selector) = (&*world, &selector);
                let attended = futures::stream::iter(due)
                    .map(|key| async move { (attend(world, selector, &key).await, key) })
                    .buffer_unordered(AT_ONCE)
                    .collect::<Vec<_>>();
                let attended = tokio::select! {
                    () = stop.cancelled() => return,
                    attended = attended => attended,
                };
                for (again, key) in attended {
                    match again {
                        Some(delay) => drop(waiting.insert(key, Instant::now() + delay)),
                        None => drop(waiting.remove(&key)),
                    }
                }
            }
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn key(metadata: &ObjectMeta) -> Option<Key> {
    Key::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?).ok()
}

/// Looks at one, and answers when to look again; `None` where nothing is left to do.
async fn attend(world: &World, selector: &Selector, key: &Key) -> Option<Duration> {
    if world.authority.permit().is_err() {
        return Some(AGAIN);
    }
    let snippets: Api<JsonnetSnippet> = Api::namespaced(world.client.clone(), key.namespace());
    let snippet = match request(snippets.get(key.name())).await {
        Ok(snippet) => snippet,
        Err(error) if meaning(&error) == Meaning::NotFound => return None,
        Err(error) => {
            tracing::debug!(snippet = %key, error = chain(&error), "A deleted snippet outside of the label selector could not be read");
            return Some(AGAIN);
        }
    };
    if !is_due(&snippet.metadata, selector) {
        return None;
    }
    let artifact = world.artifacts.get(&ObjectRef::new(key.name()).within(key.namespace()));
    if let Some(delay) = is_left_for(&world.base_url, &snippet, artifact.as_deref(), world.settings.max_withdraw_wait) {
        return Some(delay.min(LEFT));
    }
    let longest = longest_pause(&snippet, world.settings.max_withdraw_wait);
    let withdrawn = async {
        match observe::observe(world, Arc::new(snippet)).await? {
            Some(seen) => take_back(world, &seen).await,
            None => Ok(()),
        }
    };
    match withdrawn.await {
        Ok(()) => {
            world.forget(key);
            None
        }
        Err(deferred) => {
            tracing::warn!(
                snippet = %key,
                error = chain(&deferred),
                "A deleted snippet outside of the label selector could not be withdrawn yet"
            );
            // Counted, so that the delay grows.
            let _ = world.memory.transient_failure(key, &deferred);
            let delay = world.memory.backoff(key, &deferred);
            Some(longest.map_or(delay, |longest| delay.min(longest)))
        }
    }
}

/// Whether it waits for a finalizer of ours that the ordinary way does not remove.
fn is_due(metadata: &ObjectMeta, selector: &Selector) -> bool {
    let is_held = metadata.finalizers.iter().flatten().any(|name| name == FINALIZER);
    let is_left_out = !selector.matches(metadata.labels.as_ref().unwrap_or(&BTreeMap::new()));
    metadata.deletion_timestamp.is_some() && is_held && is_left_out
}

/// How long it is still left to another operator; `None` where it is ours, or nobody's, or that operator had its time.
fn is_left_for(
    base_url: &str,
    snippet: &JsonnetSnippet,
    artifact: Option<&ExternalArtifact>,
    wait: Duration,
) -> Option<Duration> {
    let announced = artifact.and_then(ExternalArtifact::published).map(|published| published.url.as_str());
    let recorded = || snippet.status.as_ref()?.artifact_url.as_deref();
    let url = announced.filter(|url| !url.is_empty()).or_else(recorded)?;
    if url.strip_prefix(base_url).is_some_and(|path| path.starts_with('/')) {
        return None;
    }
    let left = wait.saturating_mul(2).saturating_sub(terminating_for(snippet));
    if left.is_zero() {
        tracing::warn!(
            namespace = snippet.namespace(),
            name = snippet.name_any(),
            url,
            "A deleted snippet outside of the label selector was left to the operator that publishes it, which did not let it go in twice --max-withdraw-wait; it is let go now"
        );
        return None;
    }
    Some(left)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_api::artifact::{Artifact, ExternalArtifactSpec, ExternalArtifactStatus};
    use jaas_api::snippet::SnippetSpec;
    use jaas_api::status::SyncStatus;
    use jiff::{SignedDuration, Timestamp};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    const WAIT: Duration = Duration::from_secs(100);

    fn deleted(seconds_ago: i64, url: Option<&str>) -> JsonnetSnippet {
        let mut snippet = JsonnetSnippet::new("a", "web", SnippetSpec::default());
        snippet.metadata.deletion_timestamp = Some(Time(Timestamp::now() - SignedDuration::from_secs(seconds_ago)));
        snippet.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        snippet.status = Some(SyncStatus { artifact_url: url.map(str::to_owned), ..SyncStatus::default() });
        snippet
    }

    fn announces(url: &str) -> ExternalArtifact {
        let mut artifact = ExternalArtifact::new("a", "web", ExternalArtifactSpec::default());
        let published = Artifact { url: url.to_owned(), ..Artifact::default() };
        artifact.status = Some(ExternalArtifactStatus { artifact: Some(published), ..Default::default() });
        artifact
    }

    #[test]
    fn only_what_is_deleted_held_and_left_out_is_attended_to() {
        let selector = jaas_api::selector::parse("team=a").unwrap();
        let mut snippet = deleted(0, None).metadata;
        assert!(is_due(&snippet, &selector));
        snippet.labels = Some(BTreeMap::from([("team".to_owned(), "b".to_owned())]));
        assert!(is_due(&snippet, &selector));
        snippet.labels = Some(BTreeMap::from([("team".to_owned(), "a".to_owned())]));
        assert!(!is_due(&snippet, &selector), "that is the ordinary way");
        let free = ObjectMeta { finalizers: Some(vec!["example.com/theirs".to_owned()]), ..deleted(0, None).metadata };
        let stays = ObjectMeta { deletion_timestamp: None, ..deleted(0, None).metadata };
        assert!(!is_due(&free, &selector) && !is_due(&stays, &selector));
    }

    #[test]
    fn what_another_operator_announces_is_left_to_it_for_a_while() {
        let left = |snippet: &JsonnetSnippet, artifact: Option<&ExternalArtifact>| {
            is_left_for("http://ours:1", snippet, artifact, WAIT).is_some()
        };
        assert!(!left(&deleted(0, None), None), "nobody's");
        assert!(!left(&deleted(0, Some("http://ours:1/a/web/x")), None));
        assert!(!left(&deleted(0, Some("http://theirs/a/web/x")), Some(&announces("http://ours:1/a/web/x"))));
        assert!(left(&deleted(0, Some("http://ours:10/a/web/x")), None), "another port");
        assert!(left(&deleted(0, Some("http://ours:1/a/web/x")), Some(&announces("http://theirs/a/web/x"))));
        assert!(left(&deleted(190, None), Some(&announces("http://theirs/a/web/x"))));
        assert!(!left(&deleted(201, None), Some(&announces("http://theirs/a/web/x"))));
    }
}
