//! Feeds snippets to [`crate::snippet::reconcile`]: what wakes them, how many run at once, and when to try again.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use jaas_api::snippet::SnippetSpec;
use jaas_api::{ExternalArtifact, JAAS_RECONCILE_REQUEST, JsonnetLibrary, JsonnetSnippet, RECONCILE_REQUEST, Reason};
use jaas_storage::Key;
use kube::ResourceExt;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{PredicateConfig, WatchStreamExt, watcher};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::artifacts::heal::Missing;
use crate::snippet::outcome::{Deferred, chain};
use crate::snippet::{Next, World};

/// Changes that the caches have taken in.
pub struct Changes {
    /// Of snippets.
    pub snippets: BoxStream<'static, Result<JsonnetSnippet, watcher::Error>>,
    /// Of libraries.
    pub libraries: BoxStream<'static, Result<JsonnetLibrary, watcher::Error>>,
    /// Of artifacts.
    pub artifacts: BoxStream<'static, Result<ExternalArtifact, watcher::Error>>,
    /// Cancelled once each of the caches holds its first list.
    pub listed: Vec<CancellationToken>,
}

struct Context {
    world: Arc<World>,
    gate: Semaphore,
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
    let dependents = Arc::new(Dependents::default());
    let snippets = note_dependents(changes.snippets, Arc::clone(&dependents), world.snippets.clone())
        .predicate_filter(worth_a_look as fn(&JsonnetSnippet) -> Option<u64>, PredicateConfig::default());
    let libraries =
        changes.libraries.predicate_filter(kube::runtime::predicates::resource_version, PredicateConfig::default());
    let artifacts = changes.artifacts;
    let own_writes = Arc::clone(&world);
    let gate = Semaphore::new(world.settings.max_concurrent_reconciles);
    let context = Arc::new(Context { gate, world, listed: changes.listed, stop: stop.clone() });
    let store = context.world.snippets.clone();

    Controller::for_stream(snippets, store)
        .with_config(Config::default())
        .watches_stream(libraries, move |library| dependents.of(&library))
        .watches_stream(artifacts, move |artifact| producer(&own_writes, &artifact))
        .reconcile_on(missing_stream(missing))
        .reconcile_all_on(terms)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, retry, context)
        .for_each(|outcome| async move {
            match outcome {
                Ok(_) | Err(kube::runtime::controller::Error::ReconcilerFailed(..)) => {}
                // The object was deleted between the event and its turn.
                Err(kube::runtime::controller::Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(error = chain(&error), "Failed to watch"),
            }
        })
        .await;
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

/// Which snippets import a library.
#[derive(Default)]
struct Dependents(Mutex<Edges>);

#[derive(Default)]
struct Edges {
    /// Snippets by the library that they name.
    by_library: BTreeMap<(String, String), BTreeSet<(String, String)>>,
    /// Libraries by the snippet that names them.
    by_snippet: BTreeMap<(String, String), BTreeSet<(String, String)>>,
}

impl Dependents {
    fn of(&self, library: &JsonnetLibrary) -> Vec<ObjectRef<JsonnetSnippet>> {
        let edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (library.namespace().unwrap_or_default(), library.name_any());
        let snippets = edges.by_library.get(&id).into_iter().flatten();
        snippets.map(|(namespace, name)| ObjectRef::new(name).within(namespace)).collect()
    }

    /// Takes in what a snippet names now.
    fn note(&self, snippet: &JsonnetSnippet) {
        let namespace = snippet.namespace().unwrap_or_default();
        let id = (namespace.clone(), snippet.name_any());
        let named: BTreeSet<_> = snippet
            .spec
            .libraries
            .iter()
            .map(|library| (library.namespace_or(&namespace).to_owned(), library.name.clone()))
            .collect();
        let mut edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = edges.by_snippet.remove(&id).unwrap_or_default();
        for gone in before.difference(&named) {
            if let Some(snippets) = edges.by_library.get_mut(gone) {
                snippets.remove(&id);
                if snippets.is_empty() {
                    edges.by_library.remove(gone);
                }
            }
        }
        for library in &named {
            edges.by_library.entry(library.clone()).or_default().insert(id.clone());
        }
        if !named.is_empty() {
            edges.by_snippet.insert(id, named);
        }
    }
}

fn note_dependents(
    snippets: BoxStream<'static, Result<JsonnetSnippet, watcher::Error>>,
    dependents: Arc<Dependents>,
    cache: Store<JsonnetSnippet>,
) -> impl Stream<Item = Result<JsonnetSnippet, watcher::Error>> + Send {
    snippets.inspect(move |snippet| {
        let Ok(snippet) = snippet else { return };
        match cache.get(&ObjectRef::from_obj(snippet)) {
            Some(_) => dependents.note(snippet),
            // It is gone, and names nothing any more.
            None => dependents.note(&JsonnetSnippet { spec: SnippetSpec::default(), ..snippet.clone() }),
        }
    })
}

/// A panic in one snippet is that snippet's trouble: uncaught it would end the controller, and with it all others.
async fn reconcile(snippet: Arc<JsonnetSnippet>, context: Arc<Context>) -> Result<Action, Deferred> {
    let name = format!("{}/{}", snippet.namespace().unwrap_or_default(), snippet.name_any());
    if context.world.authority.permit().is_err() {
        // Whoever leads does it; should this process lead one day, everything is looked at.
        return Ok(Action::await_change());
    }
    // Without its artifact or its libraries in the caches a snippet looks as if they were not there.
    for list in &context.listed {
        tokio::select! {
            () = list.cancelled() => {}
            () = context.stop.cancelled() => return Ok(Action::await_change()),
        }
    }
    let contained = AssertUnwindSafe(async {
        let _turn = context
            .gate
            .acquire()
            .await
            .map_err(|error| Deferred::internal("waiting for a turn", Reason::ApiUnavailable, error))?;
        if context.stop.is_cancelled() {
            return Ok(Next::OnChange);
        }
        crate::snippet::reconcile(&context.world, snippet).await
    })
    .catch_unwind()
    .await;
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
        Ok(key) => Action::requeue(context.world.memory.backoff(&key, deferred)),
        Err(_) => Action::await_change(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaas_api::source::LibraryRef;

    fn snippet(name: &str, libraries: &[(&str, Option<&str>)]) -> JsonnetSnippet {
        let libraries = libraries.iter().map(|(name, namespace)| LibraryRef {
            name: (*name).to_owned(),
            namespace: namespace.map(str::to_owned),
            ..LibraryRef::default()
        });
        JsonnetSnippet::new("a", name, SnippetSpec { libraries: libraries.collect(), ..SnippetSpec::default() })
    }

    fn dependents(dependents: &Dependents, namespace: &str, name: &str) -> Vec<String> {
        let library = JsonnetLibrary::new(namespace, name, jaas_api::library::LibrarySpec::default());
        dependents.of(&library).into_iter().map(|reference| reference.name).collect()
    }

    #[test]
    fn a_library_wakes_exactly_the_snippets_that_name_it() {
        let graph = Dependents::default();
        graph.note(&snippet("one", &[("lib", None), ("far", Some("b"))]));
        graph.note(&snippet("two", &[("lib", Some("a"))]));
        graph.note(&snippet("three", &[]));
        assert_eq!(dependents(&graph, "a", "lib"), ["one", "two"]);
        assert_eq!(dependents(&graph, "b", "far"), ["one"]);
        assert_eq!(dependents(&graph, "b", "lib"), Vec::<String>::new());

        graph.note(&snippet("one", &[("far", Some("b"))]));
        assert_eq!(dependents(&graph, "a", "lib"), ["two"]);
    }

    #[test]
    fn our_own_writes_are_not_worth_a_look() {
        let plain = snippet("one", &[]);
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
