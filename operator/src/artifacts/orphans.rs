//! Collects files that nobody names any more: those of snippets that went without being withdrawn, and what crashes left.
//!
//! The store is listed first and the API server asked afterwards, so that a file which is written meanwhile is not in the listing
//! and one that is announced meanwhile is seen to be. [`mod@decide`] compares the two. Whatever could not be seen is left alone, and
//! nothing is taken for an orphan before it has been seen as one for a long time by this very process: neither the times of files
//! nor those of a clock that people set decide anything.

pub mod decide;
pub mod forced;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_storage::store::{Item, ItemKind};
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::custody::NotOurs;
use crate::cluster::{RequestError, request};
use crate::snippet::World;
use crate::snippet::outcome::chain;
use decide::{Known, Lists, Namespace, Orphan, decide};

/// Objects in one answer of the API server. A snippet carries its files, so more would be a lot of memory.
const PAGE: u32 = 100;

/// Looks at once and then at every interval while the process leads; an interval of zero never. Where `namespaces` are given, only
/// those are considered.
pub async fn run(
    world: Arc<World>,
    namespaces: Vec<String>,
    age: Duration,
    interval: Duration,
    stop: CancellationToken,
) {
    if interval.is_zero() {
        return;
    }
    let mut collector = Collector {
        world,
        watched: namespaces.into_iter().collect(),
        age,
        stop,
        known: Known::new(),
        unlisted: BTreeSet::new(),
        told: None,
    };
    loop {
        collector.round().await;
        tokio::select! {
            () = collector.stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

struct Collector {
    world: Arc<World>,
    /// The namespaces that are considered; all when empty.
    watched: BTreeSet<String>,
    age: Duration,
    stop: CancellationToken,
    known: Known,
    /// Namespaces that are left alone, so that each is told once.
    unlisted: BTreeSet<String>,
    /// Why nothing was removed the last time, so that it is told once.
    told: Option<String>,
}

impl Collector {
    async fn round(&mut self) {
        if self.world.authority.permit().is_err() {
            // Another replica collects meanwhile; what this one knew is out of date when it leads again.
            self.known.clear();
            return;
        }
        let stop = self.stop.clone();
        // Before the listing: what is let go later may have left what is not in it.
        let forced = self.world.forced.all();
        let seen = tokio::select! {
            () = stop.cancelled() => return,
            seen = self.look() => seen,
        };
        let (listing, lists) = match seen {
            Ok(seen) => seen,
            Err(reason) => {
                self.known.clear();
                return self.leave(reason);
            }
        };
        let decision = decide(&listing, &lists, &self.known, &forced, self.age, Instant::now());
        self.known = decision.known;
        self.world.forced.tidy(&forced, &listing);
        match decision.verdict {
            Ok(due) => self.collect(due).await,
            Err(guard) => self.leave(guard.to_string()),
        }
    }

    /// The store, and then what the API server says of the namespaces in it; or why that cannot be seen.
    async fn look(&mut self) -> Result<(Vec<Item>, Lists), String> {
        let store = Arc::clone(&self.world.store);
        let listing = store.list().await.map_err(|error| chain(&error))?;
        let ours = self.world.custody.may_remove().await.map_err(|why| why.to_string())?;
        // Custody looks now and then only; somebody else may have taken the store since.
        match store.read_owner().await.map_err(|error| chain(&error))? {
            Some(found) if ours.is_same_installation(&found) => {}
            Some(found) => return Err(NotOurs::Foreign(found).to_string()),
            None => return Err("the store lost its owner mark".to_owned()),
        }
        let lists = self.ask(namespaces_in(&listing, &self.watched)).await;
        Ok((listing, lists))
    }

    /// Lists what is in the namespaces, as it is now. One that cannot be listed is left out.
    async fn ask(&mut self, namespaces: BTreeSet<String>) -> Lists {
        let (mut lists, mut unlisted) = (Lists::new(), BTreeSet::new());
        for namespace in namespaces {
            match list_namespace(&self.world.client, &namespace).await {
                Ok(listed) => {
                    lists.insert(namespace, listed);
                }
                Err(error) => {
                    if !self.unlisted.contains(&namespace) {
                        let error = chain(&error);
                        tracing::warn!(
                            namespace,
                            error,
                            "Orphaned artifacts of a namespace that cannot be listed stay"
                        );
                    }
                    unlisted.insert(namespace);
                }
            }
        }
        for namespace in self.unlisted.difference(&unlisted) {
            tracing::info!(namespace, "Orphaned artifacts of the namespace are looked for again");
        }
        self.unlisted = unlisted;
        lists
    }

    async fn collect(&mut self, due: Vec<Orphan>) {
        let candidates = self.known.len();
        let (mut count, mut bytes, mut trouble) = (0_u64, 0_u64, None);
        for orphan in due {
            if self.stop.is_cancelled() {
                break;
            }
            let file = (orphan.key, orphan.revision);
            let (key, revision) = (&file.0, &file.1);
            if is_named(&self.world, &key.path(revision), key.namespace(), key.name()) {
                self.known.remove(&file);
                continue;
            }
            // Held until the removal is over: whoever leads next waits for it.
            let removed = match self.world.authority.permit() {
                Ok(permit) => match permit.during(self.world.store.remove(key, revision)).await {
                    Ok(removed) => removed.map_err(|error| chain(&error)),
                    Err(error) => Err(error.to_string()),
                },
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = removed {
                trouble = Some(error);
                break;
            }
            self.known.remove(&file);
            count += 1;
            bytes = bytes.saturating_add(orphan.size);
        }
        if count > 0 {
            tracing::info!(count, bytes, candidates, "Orphaned artifacts collected");
        }
        match trouble {
            Some(reason) => self.leave(reason),
            None => self.told = None,
        }
    }

    fn leave(&mut self, reason: String) {
        if self.told.as_ref() != Some(&reason) {
            tracing::warn!(reason, candidates = self.known.len(), "Orphaned artifacts are not collected");
            self.told = Some(reason);
        }
    }
}

async fn list_namespace(client: &Client, name: &str) -> Result<Namespace, RequestError> {
    let mut namespace = Namespace::default();
    each(client, name, |snippet: &JsonnetSnippet| namespace.snippet(snippet)).await?;
    each(client, name, |artifact: &ExternalArtifact| namespace.artifact(artifact)).await?;
    Ok(namespace)
}

/// Takes in every object of a kind. The list names no resourceVersion, so it is as new as the API server's own store; what breaks
/// in the middle is an error.
async fn each<K>(client: &Client, namespace: &str, mut take_in: impl FnMut(&K)) -> Result<(), RequestError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let objects: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = request(objects.list(&page)).await?;
        list.items.iter().for_each(&mut take_in);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => return Ok(()),
        }
    }
}

/// Namespaces of the artifacts in the store that are to be considered.
fn namespaces_in(listing: &[Item], watched: &BTreeSet<String>) -> BTreeSet<String> {
    let artifacts = listing.iter().filter(|item| matches!(item.kind, ItemKind::Revision(_)));
    let namespaces = artifacts.filter_map(|item| Some(item.key.as_ref()?.namespace().to_owned()));
    namespaces.filter(|namespace| watched.is_empty() || watched.contains(namespace)).collect()
}

/// Whether the caches or our own last writes have come to name the file since the lists were read.
fn is_named(world: &World, path: &str, namespace: &str, name: &str) -> bool {
    let cached = world.artifacts.get(&ObjectRef::new(name).within(namespace));
    let Some(snippet) = world.snippets.get(&ObjectRef::new(name).within(namespace)) else {
        // Nothing is published for a snippet that is not in the cache; what we wrote for an earlier one says nothing.
        return cached.is_some_and(|artifact| decide::named_by_artifact(&artifact).iter().any(|named| named == path));
    };
    let Ok(key) = jaas_storage::Key::new(namespace, name) else { return true };
    if world.memory.is_busy(&key) {
        return true;
    }
    let snippet = world.memory.freshest_snippet(&key, &snippet);
    let artifact = world.memory.freshest_artifact(&key, cached);
    let mut named = decide::named_by_snippet(&snippet);
    named.extend(artifact.iter().flat_map(|artifact| decide::named_by_artifact(artifact)));
    named.iter().any(|named| named == path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;

    use jaas_storage::{Key, Revision};
    use serde_json::json;

    #[test]
    fn only_namespaces_with_artifacts_are_asked_for_and_only_watched_ones() {
        let item =
            |namespace: &str, kind| Item { key: Some(Key::new(namespace, "web").unwrap()), kind, ..Item::of("", 1) };
        let revision = || ItemKind::Revision(Revision::of_document(b"x"));
        let listing =
            [item("a", revision()), item("b", revision()), item("b", revision()), item("c", ItemKind::Foreign)];
        let asked = |watched: &[&str]| {
            let watched = watched.iter().map(|&name| name.to_owned()).collect();
            namespaces_in(&listing, &watched).into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(asked(&[]), "a b");
        assert_eq!(asked(&["b", "c", "d"]), "b");
    }

    /// An API server that gives each request the answer of the first pattern that its path and query contain; without an answer
    /// for it, a request is forbidden.
    fn server(answers: Vec<(&'static str, serde_json::Value)>) -> (Client, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let uri = request.uri().to_string();
            let forbidden = json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403});
            let found = answers.iter().find(|(pattern, _)| uri.contains(pattern)).map(|(_, answer)| answer.clone());
            let (status, body) = found.map_or((403, forbidden), |body| (200, body));
            log.lock().unwrap().push(uri);
            let body = kube::client::Body::from(body.to_string().into_bytes());
            std::future::ready(Ok::<_, std::io::Error>(http::Response::builder().status(status).body(body).unwrap()))
        });
        (Client::new(service, "default"), asked)
    }

    fn page(next: &str, names: &[&str]) -> serde_json::Value {
        let revision = Revision::of_document(b"x").to_string();
        let item = |name: &&str| {
            let metadata = json!({"namespace": "a", "name": name});
            json!({"metadata": metadata, "spec": {}, "status": {"revision": revision}})
        };
        let items: Vec<_> = names.iter().map(item).collect();
        let metadata = json!({"continue": next, "resourceVersion": "7"});
        json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items})
    }

    #[tokio::test]
    async fn every_page_of_a_fresh_list_is_read() {
        let answers = vec![
            ("continue=two", page("", &["z"])),
            ("jsonnetsnippets", page("two", &["x", "y"])),
            ("externalartifacts", page("", &[])),
        ];
        let (client, asked) = server(answers);
        let namespace = list_namespace(&client, "a").await.unwrap();
        assert_eq!((namespace.snippets, namespace.named.len()), (3, 3));
        let asked = asked.lock().unwrap().join(" ");
        assert!(asked.contains("/namespaces/a/") && !asked.contains("resourceVersion"), "{asked}");
    }

    #[tokio::test]
    async fn half_a_list_is_none() {
        for (what, answers) in [
            ("second page", vec![("continue=two", json!("?")), ("jsonnetsnippets", page("two", &["x"]))]),
            ("artifacts", vec![("jsonnetsnippets", page("", &["x"]))]),
            ("snippets", vec![("externalartifacts", page("", &[]))]),
        ] {
            let (client, _) = server(answers);
            assert!(list_namespace(&client, "a").await.is_err(), "{what}");
        }
    }
}
