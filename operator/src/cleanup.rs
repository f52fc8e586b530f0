//! `jaas-operator cleanup`: deletes every snippet before the operator goes, so that what they published is taken back.
//!
//! The running operator withdraws. What it has not withdrawn in time is let go without it: an uninstall that waits forever for an
//! operator that is broken would leave more behind than some files in a store.

use std::time::Duration;

use futures::{StreamExt, stream};
use jaas_api::{FINALIZER, JsonnetSnippet};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, sleep};

/// Time between two looks at what is left.
const LOOK: Duration = Duration::from_secs(1);
/// Longest that letting go goes on for, after the snippets' own time.
const LETTING_GO: Duration = Duration::from_secs(30);
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

/// Deletes every snippet of these namespaces, or of all where there are none, and waits until they are gone.
///
/// # Errors
/// What the API server said last, when snippets are left half a minute after `patience`.
pub async fn cleanup(client: &Client, namespaces: &[String], patience: Duration) -> Result<Done, kube::Error> {
    let scopes: Vec<Api<JsonnetSnippet>> = match namespaces {
        [] => vec![Api::all(client.clone())],
        some => some.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect(),
    };
    let start = Instant::now();
    let mut done = Done::default();
    loop {
        let late = start.elapsed() >= patience;
        let looked = look(client, &scopes, late, &mut done).await;
        match looked {
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
    late: bool,
    done: &mut Done,
) -> Result<bool, kube::Error> {
    let mut left = Vec::new();
    for scope in scopes {
        match scope.list(&ListParams::default()).await {
            Ok(list) => left.extend(list.items),
            // There is no such kind, or no such namespace: nothing to delete.
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let steps = left.iter().map(|snippet| step(client, snippet, late));
    let steps: Vec<_> = stream::iter(steps).buffer_unordered(AT_ONCE).collect().await;
    let mut failed = None;
    for step in steps {
        match step {
            Ok(one) => {
                done.deleted += one.deleted;
                done.let_go += one.let_go;
            }
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(left.is_empty()),
    }
}

async fn step(client: &Client, snippet: &JsonnetSnippet, late: bool) -> Result<Done, kube::Error> {
    let (namespace, name) = (snippet.namespace().unwrap_or_default(), snippet.name_any());
    let api: Api<JsonnetSnippet> = Api::namespaced(client.clone(), &namespace);
    if snippet.metadata.deletion_timestamp.is_none() {
        return match api.delete(&name, &DeleteParams::background()).await {
            Ok(_) => Ok(Done { deleted: 1, let_go: 0 }),
            Err(error) if is_absent(&error) => Ok(Done::default()),
            Err(error) => Err(error),
        };
    }
    let others: Vec<_> = snippet.finalizers().iter().filter(|name| *name != FINALIZER).collect();
    if !late || others.len() == snippet.finalizers().len() {
        return Ok(Done::default());
    }
    // Only what was seen is changed: the operator may be at it at the same moment.
    let metadata = json!({"finalizers": others, "resourceVersion": snippet.metadata.resource_version});
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(json!({"metadata": metadata}))).await {
        Ok(_) => Ok(Done { deleted: 0, let_go: 1 }),
        Err(error) if is_absent(&error) => Ok(Done::default()),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
