//! Feeds snippets to [`crate::snippet::reconcile`]: what wakes them, how many run at once, and when to try again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use jaas_api::{ExternalArtifact, JAAS_RECONCILE_REQUEST, JsonnetLibrary, JsonnetSnippet, RECONCILE_REQUEST, Reason};
use jaas_storage::Key;
use kube::ResourceExt;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{PredicateConfig, WatchStreamExt, watcher};
use tokio_util::sync::CancellationToken;

use crate::artifacts::heal::Missing;
use crate::fair::Slots;
use crate::graph::{Graph, Input, Name};
use crate::snippet::outcome::{Deferred, chain};
use crate::snippet::{Next, World, withdraw};
use crate::source::watch::{Wakes, of_artifact, references};
use crate::telemetry::metrics::queue::Ending;

/// Changes that the caches have taken in.
pub struct Changes {
    /// Of snippets.
    pub snippets: BoxStream<'static, Result<JsonnetSnippet, watcher::Error>>,
    /// Of libraries.
    pub libraries: BoxStream<'static, Result<JsonnetLibrary, watcher::Error>>,
    /// Of artifacts.
    pub artifacts: BoxStream<'static, Result<ExternalArtifact, watcher::Error>>,
    /// Snippets that changes of sources wake.
    pub sources: Wakes,
    /// Cancelled once each of the caches holds its first list.
    pub listed: Vec<CancellationToken>,
}

struct Context {
    world: Arc<World>,
    gate: Slots,
    listed: Vec<CancellationToken>,
    stop: CancellationToken,
}

/// Reconciles while the process leads, and everything anew whenever a term begins. Runs until `stop`, and then until the reconciles that have started are done.
pub async fn run(
    world: Arc<World>,
    changes: Changes,
    missing: Missing,
    terms: impl Stream<Item = ()> + Send + 'static,
    stop: CancellationToken,
) {
    let snippets = note_snippets(changes.snippets, Arc::clone(&world))
        .predicate_filter(worth_a_look as fn(&JsonnetSnippet) -> Option<u64>, PredicateConfig::default());
    let (libraries, artifacts) = (changes.libraries, changes.artifacts);
    let (owner, of_libraries) = (Arc::clone(&world), Arc::clone(&world));
    let gate = Slots::new(world.settings.max_concurrent_reconciles);
    world.metrics.queue().limit(world.settings.max_concurrent_reconciles);
    let context = Arc::new(Context { gate, world, listed: changes.listed, stop: stop.clone() });
    let store = context.world.snippets.clone();
    // kube's controller heeds a stop only once the first list is in. Before, no reconcile has begun that would have to be waited for.
    let (listed, stopped) = (context.listed.clone(), stop.clone());
    let never_begun = async move {
        stopped.cancelled().await;
        if listed.iter().all(CancellationToken::is_cancelled) {
            std::future::pending::<()>().await;
        }
    };

    let running = Controller::for_stream(snippets, store)
        .with_config(Config::default())
        .watches_stream(libraries, move |library| {
            library_changed(&of_libraries.graph, &of_libraries.libraries, &library)
        })
        .watches_stream(artifacts, move |artifact| artifact_changed(&owner, &artifact))
        .reconcile_on(futures::stream::select(missing_stream(missing), changes.sources))
        .reconcile_all_on(terms)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, retry, context)
        .for_each(|outcome| async move {
            match outcome {
                Ok(_) | Err(kube::runtime::controller::Error::ReconcilerFailed(..)) => {}
                // The object was deleted between the event and its turn.
                Err(kube::runtime::controller::Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::error!(error = chain(&error), "Failed to watch"),
            }
        });
    tokio::select! {
        () = running => {}
        () = never_begun => {}
    }
}

fn missing_stream(mut missing: Missing) -> impl Stream<Item = ObjectRef<JsonnetSnippet>> {
    futures::stream::poll_fn(move |context| missing.poll_recv(context))
}

/// What of a snippet a reconcile answers. Our own writes change nothing of it.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a predicate")]
fn worth_a_look(snippet: &JsonnetSnippet) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    snippet.metadata.generation.hash(&mut hasher);
    snippet.metadata.deletion_timestamp.is_some().hash(&mut hasher);
    for annotation in [RECONCILE_REQUEST, JAAS_RECONCILE_REQUEST] {
        snippet.annotations().get(annotation).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Whom a change of an artifact wakes: the snippet whose it is, where somebody else made it, and those that are made of it.
fn artifact_changed(world: &World, artifact: &ExternalArtifact) -> Vec<ObjectRef<JsonnetSnippet>> {
    let gone = world.artifacts.get(&ObjectRef::from_obj(artifact)).is_none();
    let users = of_artifact(&world.graph, artifact, gone);
    producer(world, artifact).into_iter().chain(users).collect()
}

/// The snippet whose artifact somebody else changed.
fn producer(world: &World, artifact: &ExternalArtifact) -> Option<ObjectRef<JsonnetSnippet>> {
    let (namespace, name) = (artifact.namespace()?, artifact.name_any());
    let producer = artifact.spec.source_ref.as_ref().is_some_and(|producer| producer.names_snippet(&name));
    let reference = ObjectRef::new(&name).within(&namespace);
    // One that has lost its producer is still the snippet's business, for as long as the snippet exists.
    if !producer && world.snippets.get(&reference).is_none() {
        return None;
    }
    let key = Key::new(&namespace, &name).ok()?;
    let gone = world.artifacts.get(&ObjectRef::new(&name).within(&namespace)).is_none();
    if gone {
        world.memory.artifact_deleted(&key, artifact);
    } else if world.memory.is_own_write(&key, artifact) {
        return None;
    }
    Some(reference)
}

fn note_snippets(
    snippets: BoxStream<'static, Result<JsonnetSnippet, watcher::Error>>,
    world: Arc<World>,
) -> impl Stream<Item = Result<JsonnetSnippet, watcher::Error>> + Send {
    snippets.inspect(move |snippet| {
        let Ok(snippet) = snippet else { return };
        // One that is gone names nothing any more.
        let is_there = world.snippets.get(&ObjectRef::from_obj(snippet)).is_some();
        world.graph.note_snippet(&name_of(snippet), is_there.then_some(&snippet.spec));
        if is_there && let Some(status) = &snippet.status {
            world.graph.recall_mounted(&name_of(snippet), &status.mounted_libraries);
        }
        if !is_there && let Ok(key) = Key::new(&snippet.namespace().unwrap_or_default(), &snippet.name_any()) {
            world.forget(&key);
        }
    })
}

/// Takes in what a library names, and answers whom its change wakes.
fn library_changed(
    graph: &Graph,
    cache: &Store<JsonnetLibrary>,
    library: &JsonnetLibrary,
) -> Vec<ObjectRef<JsonnetSnippet>> {
    let name = name_of(library);
    let is_there = cache.get(&ObjectRef::from_obj(library)).is_some();
    graph.note_library(&name, is_there.then_some(&library.spec));
    let input = Input::Library(name);
    let mut hasher = DefaultHasher::new();
    // A status or a label is no change of what snippets import.
    (is_there, library.metadata.generation, &library.metadata.uid).hash(&mut hasher);
    if !graph.is_news(&input, hasher.finish()) {
        return Vec::new();
    }
    references(graph.users(&input)).collect()
}

fn name_of(object: &impl ResourceExt) -> Name {
    Name::new(&object.namespace().unwrap_or_default(), &object.name_any())
}

/// A panic in one snippet is that snippet's trouble: uncaught it would end the controller, and with it all others.
async fn reconcile(snippet: Arc<JsonnetSnippet>, context: Arc<Context>) -> Result<Action, Deferred> {
    let name = format!("{}/{}", snippet.namespace().unwrap_or_default(), snippet.name_any());
    let queue = context.world.metrics.queue().clone();
    if context.world.authority.permit().is_err() {
        // Whoever leads does it; should this process lead one day, everything is looked at.
        return Ok(Action::await_change());
    }
    // Without its artifact or its libraries in the caches a snippet looks as if they were not there.
    let waiting = queue.waits();
    for list in &context.listed {
        tokio::select! {
            () = list.cancelled() => {}
            () = context.stop.cancelled() => return Ok(Action::await_change()),
        }
    }
    let _turn = context.gate.take(&snippet.namespace().unwrap_or_default()).await;
    let working = waiting.begins();
    let contained = AssertUnwindSafe(async {
        if context.stop.is_cancelled() {
            return Ok(Next::OnChange);
        }
        // One that goes has nothing to be evaluated for.
        if snippet.metadata.deletion_timestamp.is_none()
            && let Ok(key) = Key::new(&snippet.namespace().unwrap_or_default(), &snippet.name_any())
            && let Some(wait) = context.world.suspects.wait(&key, context.gate.in_demand() <= 1)
        {
            return Ok(Next::After(wait));
        }
        crate::snippet::reconcile(&context.world, snippet).await
    })
    .catch_unwind()
    .await;
    working.ends(match &contained {
        Ok(Ok(Next::OnChange)) => Ending::Success,
        Ok(Ok(Next::After(_))) => Ending::RequeueAfter,
        Ok(Err(_)) => Ending::Error,
        Err(_) => Ending::Panic,
    });
    match contained {
        Ok(Ok(Next::OnChange)) => Ok(Action::await_change()),
        Ok(Ok(Next::After(delay))) => Ok(Action::requeue(delay)),
        Ok(Err(deferred)) => Err(deferred),
        Err(panic) => {
            let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!(snippet = name, panic = words, "A reconcile panicked; the snippet is tried again");
            let error = std::io::Error::other(format!("panicked: {words}"));
            Err(Deferred::internal("reconciling", Reason::EvaluationFailed, error))
        }
    }
}

fn retry(snippet: Arc<JsonnetSnippet>, deferred: &Deferred, context: Arc<Context>) -> Action {
    let (namespace, name) = (snippet.namespace().unwrap_or_default(), snippet.name_any());
    match Key::new(&namespace, &name) {
        Ok(key) => {
            let delay = context.world.memory.backoff(&key, deferred);
            let longest = withdraw::longest_pause(&snippet, context.world.settings.max_withdraw_wait);
            Action::requeue(longest.map_or(delay, |longest| delay.min(longest)))
        }
        Err(_) => Action::await_change(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaas_api::snippet::SnippetSpec;

    #[test]
    fn our_own_writes_are_not_worth_a_look() {
        let plain = JsonnetSnippet::new("a", "one", SnippetSpec::default());
        let mut ours = plain.clone();
        ours.metadata.finalizers = Some(vec!["x".to_owned()]);
        ours.metadata.resource_version = Some("9".to_owned());
        assert_eq!(worth_a_look(&plain), worth_a_look(&ours));
        let asked = |annotation: &str| {
            let mut snippet = plain.clone();
            snippet.annotations_mut().insert(annotation.to_owned(), "now".to_owned());
            worth_a_look(&snippet)
        };
        assert_ne!(worth_a_look(&plain), asked(RECONCILE_REQUEST));
        assert_ne!(asked(JAAS_RECONCILE_REQUEST), asked(RECONCILE_REQUEST));
        assert_eq!(worth_a_look(&plain), asked("other"));
    }
}
