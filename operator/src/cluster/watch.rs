//! Caches of what is in the cluster, kept current by watches.
//!
//! One watch covers the cluster, or each watched namespace has its own; either way there is one cache for each kind. A cache
//! answers without the API server and may be a moment old.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};
use kube::api::Api;
use kube::core::Selector;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::health::{self, Kind, Watches};
use super::observe::{is_expired, observed};
use crate::snippet::outcome::chain;

/// What is watched, and how.
#[derive(Clone)]
pub struct Scope {
    /// Whom to ask.
    pub client: Client,
    /// Namespaces; all where none is given.
    pub namespaces: Vec<String>,
    /// How long a watch may bring nothing before it is begun anew, in whole seconds.
    pub timeout: Duration,
    /// What is told of the watches.
    pub watches: Watches,
}

/// A cache and the changes that it has taken in.
pub struct Watched<K: Resource<DynamicType = ()> + Clone + 'static> {
    /// The cache.
    pub store: Store<K>,
    /// The changed objects, deleted ones included, each after the cache has taken it in. Must be polled for the cache to move. Never an
    /// error: what is wrong is told by [`Watches`].
    pub changes: BoxStream<'static, Result<K, watcher::Error>>,
    /// Cancelled once the cache holds the first complete list.
    pub listed: CancellationToken,
}

/// Watches a kind, without which nothing can be judged if it is needed.
pub fn watch<K>(scope: &Scope, needed: bool) -> Watched<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    watch_selected(scope, &Selector::default(), needed)
}

/// The same, for objects with certain labels only. One that loses them is reported as deleted.
pub fn watch_selected<K>(scope: &Scope, labels: &Selector, needed: bool) -> Watched<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let name = match K::kind(&()) {
        Cow::Borrowed(name) => name,
        Cow::Owned(_) => "unknown",
    };
    let kind = Kind { name, gvk: format!("{}, Kind={name}", K::api_version(&())), needed };
    let api = |namespace: Option<&str>| {
        let part = scope.watches.part(kind.clone(), namespace);
        let client = observed(&scope.client, part.clone());
        let api: Api<K> = match namespace {
            None => Api::all(client),
            Some(namespace) => Api::namespaced(client, namespace),
        };
        (api, part)
    };
    let apis: Vec<_> = if scope.namespaces.is_empty() {
        vec![api(None)]
    } else {
        scope.namespaces.iter().map(|namespace| api(Some(namespace))).collect()
    };
    let seconds = u32::try_from(scope.timeout.as_secs()).unwrap_or(u32::MAX).max(1);
    let config = watcher::Config::default().timeout(seconds);
    let config = if labels.selects_all() { config } else { config.labels_from(labels) };
    let streams: Vec<_> = apis
        .into_iter()
        .map(|(api, part)| watcher(api, config.clone()).backoff(Pause(part)).modify(forget_managers).boxed())
        .collect();
    let writer = Writer::default();
    let store = writer.as_reader();
    let listed = CancellationToken::new();
    let complete = listed.clone();
    let events = once_cached(reflector(writer, merge(streams, store.clone()))).inspect(move |event| {
        // The cache's own signal wakes only the last of those who wait for it. Here, whoever hears of changes has heard of the whole list.
        if matches!(event, Ok(Event::InitDone)) {
            complete.cancel();
        }
    });
    // Told by the watch itself, once. A controller that hears of an error would be deaf to everything else for a while.
    let watches = scope.watches.clone();
    let changes = events.touched_objects().filter(move |change| {
        if let Err(error) = change {
            tracing::debug!(kind = name, error = chain(error), "A watch failed");
            if is_expired(error) {
                watches.expired(name);
            }
        }
        std::future::ready(change.is_ok())
    });
    Watched { store, changes: changes.boxed(), listed }
}

/// Passes the objects of a list on once the cache has them, all at its end: whoever is told of one looks there whether it still exists.
fn once_cached<K: Send + 'static>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send {
    let mut listed = Vec::new();
    let passed = events.map(move |event| match event {
        Ok(Event::Init) => {
            listed.clear();
            Vec::new()
        }
        Ok(Event::InitApply(object)) => {
            listed.push(object);
            Vec::new()
        }
        Ok(Event::InitDone) => {
            let objects = std::mem::take(&mut listed).into_iter().map(|object| Ok(Event::Apply(object)));
            objects.chain([Ok(Event::InitDone)]).collect()
        }
        other => vec![other],
    });
    passed.flat_map(futures::stream::iter)
}

/// Waits after a failure as long as the failures in a row say. A part knows when they are over; the stream takes the beginning of an
/// attempt for its success.
struct Pause(health::Part);

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0.pause())
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {}
}

/// What happens to the objects of a kind, in the given namespaces or in all. Nothing is kept of them.
pub fn follow<K>(client: &Client, namespaces: &[String]) -> BoxStream<'static, Result<Event<K>, watcher::Error>>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let apis: Vec<Api<K>> = if namespaces.is_empty() {
        vec![Api::all(client.clone())]
    } else {
        namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    };
    let watched = |api| watcher(api, watcher::Config::default()).default_backoff().modify(forget_managers).boxed();
    futures::stream::select_all(apis.into_iter().map(watched)).boxed()
}

/// Nobody here reads managedFields, and they are a good part of every object.
fn forget_managers<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// One stream of events from several watches of the same kind. A watch that starts anew replaces only what it had reported
/// itself: what it no longer reports is deleted.
fn merge<K, S>(streams: Vec<S>, store: Store<K>) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    S: Stream<Item = Result<Event<K>, watcher::Error>> + Send + Unpin + 'static,
{
    let mut all = SelectAll::new();
    let mut parts = Vec::new();
    for (index, stream) in streams.into_iter().enumerate() {
        all.push(stream.map(move |event| (index, event)));
        parts.push(Part::new());
    }
    let mut parts = Merge { parts, announced: false };
    all.map(move |(index, event)| match event {
        Ok(event) => parts.take(index, event, &store).into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    })
    .flat_map(futures::stream::iter)
}

/// What one watch has reported.
struct Part<K: Resource<DynamicType = ()>> {
    known: HashSet<ObjectRef<K>>,
    listing: HashSet<ObjectRef<K>>,
    /// What it reported before all first lists were in: only then does the cache get to see it.
    pending: HashMap<ObjectRef<K>, K>,
    complete: bool,
}

impl<K: Resource<DynamicType = ()>> Part<K> {
    fn new() -> Self {
        Self { known: HashSet::new(), listing: HashSet::new(), pending: HashMap::new(), complete: false }
    }
}

struct Merge<K: Resource<DynamicType = ()>> {
    parts: Vec<Part<K>>,
    announced: bool,
}

impl<K> Merge<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
    ObjectRef<K>: Hash + Eq,
{
    /// Translates an event of one watch. Until all first lists are in, the cache sees nothing; then one long list; from then on
    /// single changes.
    fn take(&mut self, index: usize, event: Event<K>, store: &Store<K>) -> Vec<Event<K>> {
        let announced = self.announced;
        let part = &mut self.parts[index];
        match event {
            Event::Init => {
                part.listing = HashSet::new();
                Vec::new()
            }
            Event::InitApply(object) | Event::Apply(object) => {
                let key = ObjectRef::from_obj(&object);
                part.known.insert(key.clone());
                part.listing.insert(key.clone());
                if announced {
                    return vec![Event::Apply(object)];
                }
                part.pending.insert(key, object);
                Vec::new()
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut part.listing);
                let gone: Vec<_> = part.known.difference(&listed).filter_map(|key| store.get(key)).collect();
                part.pending.retain(|key, _| listed.contains(key));
                part.known = listed;
                part.complete = true;
                if announced {
                    return gone.into_iter().map(|object| Event::Delete(K::clone(&object))).collect();
                }
                self.announce()
            }
            Event::Delete(object) => {
                let key = ObjectRef::from_obj(&object);
                part.known.remove(&key);
                part.pending.remove(&key);
                if announced { vec![Event::Delete(object)] } else { Vec::new() }
            }
        }
    }

    /// The one long list, if every part is complete.
    fn announce(&mut self) -> Vec<Event<K>> {
        if !self.parts.iter().all(|part| part.complete) {
            return Vec::new();
        }
        self.announced = true;
        let objects = self.parts.iter_mut().flat_map(|part| std::mem::take(&mut part.pending).into_values());
        std::iter::once(Event::Init).chain(objects.map(Event::InitApply)).chain([Event::InitDone]).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_api::JsonnetSnippet;
    use jaas_api::snippet::SnippetSpec;

    type Script = Vec<Vec<Event<JsonnetSnippet>>>;

    fn snippet(name: &str) -> JsonnetSnippet {
        JsonnetSnippet::new("a", name, SnippetSpec::default())
    }

    /// Plays each watch to its end, one after the other, and tells what the cache then holds.
    async fn cache_after(script: Script) -> (Vec<String>, bool) {
        let writer = Writer::default();
        let store = writer.as_reader();
        let mut merge = Merge { parts: script.iter().map(|_| Part::new()).collect(), announced: false };
        let mut writer = writer;
        for (index, events) in script.into_iter().enumerate() {
            for event in events {
                for translated in merge.take(index, event, &store) {
                    writer.apply_watcher_event(&translated);
                }
            }
        }
        let mut names: Vec<_> = store.state().iter().map(|object| object.metadata.name.clone().unwrap()).collect();
        names.sort();
        (names, merge.announced)
    }

    fn list(names: &[&str]) -> Vec<Event<JsonnetSnippet>> {
        let items = names.iter().map(|name| Event::InitApply(snippet(name)));
        std::iter::once(Event::Init).chain(items).chain([Event::InitDone]).collect()
    }

    #[tokio::test]
    async fn the_cache_is_ready_when_every_list_is_in() {
        assert_eq!(cache_after(vec![list(&["x"]), vec![]]).await, (vec![], false));
        let both = (vec!["x".to_owned(), "y".to_owned()], true);
        assert_eq!(cache_after(vec![list(&["x"]), list(&["y"])]).await, both);
    }

    #[tokio::test]
    async fn a_watch_that_starts_anew_keeps_what_others_reported() {
        let restarted = [list(&["y", "z"]), list(&["z"])].concat();
        let (names, _) = cache_after(vec![list(&["x"]), restarted]).await;
        assert_eq!(names, ["x", "z"]);
    }

    #[tokio::test]
    async fn what_an_interrupted_list_reported_is_no_ghost() {
        let torn = || vec![Event::Init, Event::InitApply(snippet("ghost"))];
        let (names, _) = cache_after(vec![[torn(), list(&["x"])].concat()]).await;
        assert_eq!(names, ["x"]);
        let (names, _) = cache_after(vec![[list(&["x"]), torn(), list(&["x"])].concat()]).await;
        assert_eq!(names, ["x"]);
    }

    #[tokio::test]
    async fn what_is_deleted_before_all_lists_are_in_stays_deleted() {
        let early = [
            list(&["x", "w"]),
            vec![Event::Delete(snippet("x")), Event::Delete(snippet("w")), Event::Apply(snippet("w"))],
        ]
        .concat();
        let (names, _) = cache_after(vec![early, list(&["y"])]).await;
        assert_eq!(names, ["w", "y"]);
    }
}
