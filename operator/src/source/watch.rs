//! What sources announce, kept current by watches, and whom a change wakes.
//!
//! A kind that is not installed or may not be watched is a matter of that kind alone: snippets on it are then looked at when they ask,
//! and now and then (see [`crate::snippet::unwatched`]).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use jaas_api::flux::{Bucket, GitRepository, Kind, OciRepository, Source};
use jaas_api::source::SourceKind;
use jaas_api::{ExternalArtifact, JsonnetSnippet};
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cluster::health::{Cause, Refusal, Watches};
use crate::cluster::watch::{Scope, Watched, watch as watch_kind};
use crate::graph::{Graph, Input, Name};
use crate::snippet::outcome::chain;

/// Caches of the kinds that only provide files.
#[derive(Clone)]
pub struct Sources {
    git: Store<Source<GitRepository>>,
    oci: Store<Source<OciRepository>>,
    buckets: Store<Source<Bucket>>,
    watches: Watches,
    /// Namespaces that are watched; all when empty.
    namespaces: Vec<String>,
    listed: [(SourceKind, CancellationToken); 3],
}

impl Sources {
    /// The source as the cache has it, in the form that the API server gives; `None` where it is not there, or not watched.
    pub fn get(&self, kind: SourceKind, name: &Name) -> Option<Value> {
        match kind {
            SourceKind::GitRepository => get(&self.git, name),
            SourceKind::OCIRepository => get(&self.oci, name),
            SourceKind::Bucket => get(&self.buckets, name),
            SourceKind::ExternalArtifact => None,
        }
    }

    /// Whether all that is there of a kind was heard of at least once, or there can be none. Artifacts have a cache of their own.
    pub fn is_listed(&self, kind: SourceKind) -> bool {
        let is_missing = |kind: SourceKind| {
            self.watches.troubles().get(kind.as_str()).is_some_and(|trouble| trouble.cause == Cause::Missing)
        };
        self.listed.iter().all(|(listed, done)| *listed != kind || done.is_cancelled() || is_missing(kind))
    }

    /// Whether changes in this namespace are told at all.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|watched| watched == namespace)
    }

    /// Why the operator is not told of changes of this kind in this namespace; `None` where it is, or where the reason is no missing
    /// right of its own.
    pub fn refusal(&self, kind: SourceKind, namespace: &str) -> Option<Refusal> {
        self.watches.refusal(kind.as_str(), namespace)
    }
}

fn get<K: Kind>(cache: &Store<Source<K>>, name: &Name) -> Option<Value> {
    let source = cache.get(&ObjectRef::new(&name.name).within(&name.namespace))?;
    Some(json!({"status": source.status}))
}

/// Snippets that a change of a source wakes.
pub type Wakes = BoxStream<'static, ObjectRef<JsonnetSnippet>>;

/// Watches the kinds that only provide files. The stream must be polled for the caches to move.
pub fn watch(scope: &Scope, graph: &Arc<Graph>) -> (Sources, Wakes) {
    let git = watch_kind::<Source<GitRepository>>(scope, false);
    let oci = watch_kind::<Source<OciRepository>>(scope, false);
    let buckets = watch_kind::<Source<Bucket>>(scope, false);
    let sources = Sources {
        git: git.store.clone(),
        oci: oci.store.clone(),
        buckets: buckets.store.clone(),
        watches: scope.watches.clone(),
        namespaces: scope.namespaces.clone(),
        listed: [
            (SourceKind::GitRepository, git.listed.clone()),
            (SourceKind::OCIRepository, oci.listed.clone()),
            (SourceKind::Bucket, buckets.listed.clone()),
        ],
    };
    let refusals = refusals(&scope.watches, graph);
    let wakes = [wakes(git, graph), wakes(oci, graph), wakes(buckets, graph), refusals];
    (sources, wakes.into_iter().collect::<SelectAll<_>>().boxed())
}

/// The snippets on a kind that has come to be refused, or is watched again.
fn refusals(watches: &Watches, graph: &Arc<Graph>) -> Wakes {
    let begin = (watches.refusals(), BTreeMap::new(), Arc::clone(graph));
    let turns = futures::stream::unfold(begin, |(mut refusals, known, graph)| async move {
        refusals.changed().await.ok()?;
        let now = refusals.borrow_and_update().clone();
        let turned = |kind: &SourceKind| now.get(kind.as_str()) != known.get(kind.as_str());
        let kinds = SourceKind::ALL.into_iter().filter(turned);
        let users: Vec<_> = kinds.flat_map(|kind| graph.users_of_kind(kind)).collect();
        Some((users, (refusals, now, graph)))
    });
    turns.flat_map(|users| futures::stream::iter(references(users))).boxed()
}

fn wakes<K: Kind>(watched: Watched<Source<K>>, graph: &Arc<Graph>) -> Wakes {
    let graph = Arc::clone(graph);
    let changes = watched.changes.map(move |change| changed(change, &watched.store, &graph));
    changes.flat_map(futures::stream::iter).boxed()
}

fn changed<K: Kind>(
    change: Result<Source<K>, watcher::Error>,
    cache: &Store<Source<K>>,
    graph: &Graph,
) -> Vec<ObjectRef<JsonnetSnippet>> {
    match change {
        Ok(source) => {
            let gone = cache.get(&ObjectRef::from_obj(&source)).is_none();
            let name = Name::new(&source.namespace().unwrap_or_default(), &source.name_any());
            let state = (!gone).then(|| state(&json!({"status": source.status})));
            news(graph, &Input::Source(K::KIND, name), state)
        }
        Err(error) => {
            // Told by the watch itself, once.
            tracing::debug!(kind = K::KIND.as_str(), error = chain(&error), "A watch failed");
            Vec::new()
        }
    }
}

/// The snippets that are made of an artifact that has changed.
pub fn of_artifact(graph: &Graph, artifact: &ExternalArtifact, gone: bool) -> Vec<ObjectRef<JsonnetSnippet>> {
    let name = Name::new(&artifact.namespace().unwrap_or_default(), &artifact.name_any());
    let input = Input::Source(SourceKind::ExternalArtifact, name);
    // A plain structure of strings and numbers always serialises.
    let state = (!gone).then(|| state(&serde_json::to_value(artifact).unwrap_or_default()));
    news(graph, &input, state)
}

/// Whom an input wakes in this state, or with its end.
fn news(graph: &Graph, input: &Input, state: Option<u64>) -> Vec<ObjectRef<JsonnetSnippet>> {
    let news = match state {
        Some(state) => graph.is_news(input, state),
        None => {
            graph.forget(input);
            true
        }
    };
    if !news {
        return Vec::new();
    }
    references(graph.users(input)).collect()
}

/// Snippets by their names.
pub fn references(names: Vec<Name>) -> impl Iterator<Item = ObjectRef<JsonnetSnippet>> {
    names.into_iter().map(|name| ObjectRef::new(&name.name).within(&name.namespace))
}

/// What a snippet sees of a source: whether it is usable, and what it announces. Times, sizes and messages are heartbeats.
fn state(source: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match jaas_sources::upstream::read(source) {
        Ok(upstream) => (upstream.url, upstream.digest, upstream.revision).hash(&mut hasher),
        Err(error) => error.to_string().hash(&mut hasher),
    }
    hasher.finish()
}
