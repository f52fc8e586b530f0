//! `jaas-operator cleanup`: deletes every snippet before the operator goes, so that what they published is taken back.
//!
//! The running operator withdraws. What it has not withdrawn in time is let go without it: an uninstall that waits forever for an
//! operator that is broken would leave more behind than some files in a store.

use std::time::Duration;

use futures::{StreamExt, stream};
use jaas_api::{FINALIZER, JsonnetSnippet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::Selector;
use kube::{Api, Client};
use serde_json::json;
use tokio::time::{Instant, sleep};

/// Time between two looks at what is left.
const LOOK: Duration = Duration::from_secs(1);
/// Longest that letting go goes on for, after the snippets' own time.
const LETTING_GO: Duration = Duration::from_secs(30);
/// Snippets that are read at once, without what they hold: the memory of this does not grow with their number.
const PAGE: u32 = 100;
/// Requests that are under way at once.
const AT_ONCE: usize = 8;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Snippets that were deleted.
    pub deleted: usize,
    /// Those among them that were let go although nobody had withdrawn what they published.
    pub let_go: usize,
}

/// Deletes every snippet of these namespaces, or of all where there are none, that the selector matches, and waits until they are gone.
///
/// # Errors
/// What the API server said last, when snippets are left half a minute after `patience`.
pub async fn cleanup(
    client: &Client,
    namespaces: &[String],
    selector: &Selector,
    patience: Duration,
) -> Result<Done, kube::Error> {
    let scopes: Vec<Api<JsonnetSnippet>> = match namespaces {
        [] => vec![Api::all(client.clone())],
        some => some.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect(),
    };
    let start = Instant::now();
    let mut done = Done::default();
    loop {
        let late = start.elapsed() >= patience;
        match look(client, &scopes, selector, late, &mut done).await {
            Ok(true) => return Ok(done),
            Err(error) if start.elapsed() >= patience + LETTING_GO => return Err(error),
            Ok(false) | Err(_) => sleep(LOOK).await,
        }
    }
}

/// Deletes what is not being deleted yet and, when it is late, lets go what is. True when nothing is left.
async fn look(
    client: &Client,
    scopes: &[Api<JsonnetSnippet>],
    selector: &Selector,
    late: bool,
    done: &mut Done,
) -> Result<bool, kube::Error> {
    let (mut failed, mut any) = (None, false);
    for scope in scopes {
        let mut page = ListParams::default().labels_from(selector).limit(PAGE);
        loop {
            let listed = match scope.list_metadata(&page).await {
                Ok(listed) => listed,
                // There is no such kind, or no such namespace: nothing to delete.
                Err(error) if is_absent(&error) => break,
                Err(error) => return Err(error),
            };
            any |= !listed.items.is_empty();
            let steps = listed.items.iter().map(|snippet| step(client, &snippet.metadata, late));
            let steps: Vec<_> = stream::iter(steps).buffer_unordered(AT_ONCE).collect().await;
            for step in steps {
                match step {
                    Ok(one) => {
                        done.deleted += one.deleted;
                        done.let_go += one.let_go;
                    }
                    Err(error) => failed = Some(error),
                }
            }
            match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(!any),
    }
}

async fn step(client: &Client, snippet: &ObjectMeta, late: bool) -> Result<Done, kube::Error> {
    let namespace = snippet.namespace.as_deref().unwrap_or_default();
    let name = snippet.name.as_deref().unwrap_or_default();
    let api: Api<JsonnetSnippet> = Api::namespaced(client.clone(), namespace);
    if snippet.deletion_timestamp.is_none() {
        return match api.delete(name, &DeleteParams::background()).await {
            Ok(_) => Ok(Done { deleted: 1, let_go: 0 }),
            Err(error) if is_absent(&error) => Ok(Done::default()),
            Err(error) => Err(error),
        };
    }
    let finalizers = snippet.finalizers.as_deref().unwrap_or_default();
    let others: Vec<_> = finalizers.iter().filter(|name| *name != FINALIZER).collect();
    if !late || others.len() == finalizers.len() {
        return Ok(Done::default());
    }
    // Only what was seen is changed: the operator may be at it at the same moment.
    let metadata = json!({"finalizers": others, "resourceVersion": snippet.resource_version});
    match api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(json!({"metadata": metadata}))).await {
        Ok(_) => Ok(Done { deleted: 0, let_go: 1 }),
        Err(error) if is_absent(&error) => Ok(Done::default()),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
