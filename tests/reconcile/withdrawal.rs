//! Snippets that are deleted while the store comes and goes, by tenants that are gone themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use jaas_api::JsonnetSnippet;
use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};
use jaas_tests::wait::eventually;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, ListParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::field::tail;

/// How long a store that refuses may hold a deletion here.
const HELD: Duration = Duration::from_secs(10);
/// What the documentation grants on top of that: the last try, and those that wait for their turn before it.
const MARGIN: Duration = Duration::from_secs(60);
/// Age at which a file that nothing names goes: the shortest that such a wait and such a grace allow.
const AGE: Duration = Duration::from_secs(11);
/// How long the store is away, and then there, while it flaps.
const FLAP: Duration = Duration::from_secs(2);
/// Longest that all of this may take besides; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// Number of snippets. `JAAS_DELETIONS=1000` makes it the thousand of `docs/figures.md`.
fn deletions() -> usize {
    std::env::var("JAAS_DELETIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// What becomes of a tenant before its snippets are deleted.
const FATES: [&str; 4] = ["lives", "roleless", "accountless", "namespaceless"];

/// What was seen of the deletions.
#[derive(Default)]
struct Watch {
    /// The longest that a finalizer was seen to be held after its deletion.
    longest: Duration,
}

impl Watch {
    /// Looks once, and answers how many deleted snippets are still there.
    async fn look(&mut self, client: &Client) -> usize {
        let snippets: Api<PartialObjectMeta<JsonnetSnippet>> = Api::all(client.clone());
        let Ok(listed) = snippets.list(&ListParams::default()).await else { return usize::MAX };
        let now = Timestamp::now();
        let held = listed.items.iter().filter_map(|snippet| snippet.metadata.deletion_timestamp.as_ref());
        let mut count = 0;
        for since in held {
            count += 1;
            self.longest = self.longest.max(Duration::try_from(now.duration_since(since.0)).unwrap_or_default());
        }
        count
    }

    /// Looks for a while, and answers early where nothing is left and that is enough.
    async fn during(&mut self, client: &Client, time: Duration, enough: bool) -> usize {
        let begun = Instant::now();
        loop {
            let left = self.look(client).await;
            if begun.elapsed() >= time || enough && left == 0 {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn files(directory: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "gz") {
                found.push(path.strip_prefix(directory).unwrap().display().to_string());
            }
        }
    }
    found
}

async fn publish(plane: &ControlPlane, namespaces: &BTreeMap<&str, Namespace>, prefix: &str, count: usize) {
    let client = plane.admin().await.unwrap();
    for n in 0..count {
        let namespace = &namespaces[FATES[n % FATES.len()]].name;
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": format!("{prefix}{n}"), "namespace": namespace},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": format!("'{prefix}{n}'")}},
        });
        let snippets: Api<JsonnetSnippet> = Api::namespaced(client.clone(), namespace);
        snippets.create(&Default::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    let all: Api<JsonnetSnippet> = Api::all(client);
    eventually(
        "everything to be published",
        PATIENCE + Duration::from_millis(500) * u32::try_from(count).unwrap(),
        async || {
            let listed = all.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let waiting: Vec<_> = listed
                .items
                .iter()
                .filter(|snippet| {
                    let ready = snippet.status.as_ref().and_then(|status| status.ready());
                    ready.is_none_or(|ready| ready.status != "True")
                })
                .map(ResourceExt::name_any)
                .collect();
            if waiting.is_empty() { Ok(()) } else { Err(format!("{} wait, such as {}", waiting.len(), waiting[0])) }
        },
    )
    .await
    .unwrap();
}

async fn delete(client: &Client, namespaces: &BTreeMap<&str, Namespace>) {
    for (fate, namespace) in namespaces {
        if *fate == "namespaceless" {
            continue;
        }
        let snippets: Api<JsonnetSnippet> = Api::namespaced(client.clone(), &namespace.name);
        for snippet in snippets.list(&ListParams::default()).await.unwrap().items {
            snippets.delete(&snippet.name_any(), &DeleteParams::background()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_store_that_comes_and_goes_holds_no_deletion_for_long_and_keeps_no_file() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let client = plane.admin().await.unwrap();
    let mut server = Server::start(Software::Versitygw).await.unwrap();
    let home = plane.empty_namespace("jaas-system").await.unwrap().name;
    let args = [
        "--storage-backend=s3".to_owned(),
        format!("--s3-endpoint={}", server.endpoint()),
        format!("--s3-bucket={BUCKET}"),
        format!("--s3-region={REGION}"),
        "--s3-use-ssl=false".to_owned(),
        format!("--s3-access-key={ACCESS_KEY}"),
        format!("--s3-secret-key={SECRET_KEY}"),
        format!("--max-withdraw-wait={}s", HELD.as_secs()),
        "--artifact-gc-grace=1s".to_owned(),
        format!("--storage-orphan-age={}s", AGE.as_secs()),
        "--storage-orphan-interval=2s".to_owned(),
        "--leader-election=true".to_owned(),
        format!("--leader-election-namespace={home}"),
    ];
    let options = OperatorOptions { args: args.to_vec(), namespace: Some(home.clone()), ..OperatorOptions::default() };
    let operator = Operator::ready(&plane, options).await.unwrap();
    let mut namespaces = BTreeMap::new();
    for fate in FATES {
        namespaces.insert(fate, plane.namespace(fate).await.unwrap());
    }
    let (flapping, away) = (deletions() / 2, deletions() - deletions() / 2);
    let mut watch = Watch::default();

    // One half goes while the store is away every other moment.
    publish(&plane, &namespaces, "flapping", flapping).await;
    assert_eq!(files(&server.bucket_directory()).len(), flapping);
    part_with_tenants(&plane, &client, &namespaces).await;
    server.stop().await.unwrap();
    delete(&client, &namespaces).await;
    let begun = Instant::now();
    let mut is_up = false;
    loop {
        let left = watch.during(&client, FLAP, false).await;
        if left == 0 {
            break;
        }
        assert!(begun.elapsed() < HELD + MARGIN + PATIENCE, "{left} are held:\n{}", tail(&operator.log()));
        is_up = !is_up;
        if is_up { server.restart().await.unwrap() } else { server.stop().await.unwrap() }
    }
    if !is_up {
        server.restart().await.unwrap();
    }
    emptied(&server, &operator).await;

    // The other half goes while it is away for longer than a deletion is held.
    for fate in ["accountless", "roleless", "namespaceless"] {
        namespaces.insert(fate, plane.namespace(fate).await.unwrap());
    }
    publish(&plane, &namespaces, "away", away).await;
    let stored = files(&server.bucket_directory());
    assert_eq!(stored.len(), away);
    part_with_tenants(&plane, &client, &namespaces).await;
    server.stop().await.unwrap();
    delete(&client, &namespaces).await;
    let left = watch.during(&client, HELD + MARGIN + PATIENCE, true).await;
    assert_eq!(left, 0, "held by a store that is away:\n{}", tail(&operator.log()));
    assert!(watch.longest < HELD + MARGIN, "a finalizer was held for {:?}", watch.longest);
    let told = told_at_home(&client, &home, away).await;
    server.restart().await.unwrap();
    let begun = Instant::now();
    emptied(&server, &operator).await;
    figures(away, watch.longest, begun.elapsed(), told);
}

/// Takes away what tenants need; a namespace takes its snippets along.
async fn part_with_tenants(plane: &ControlPlane, client: &Client, namespaces: &BTreeMap<&str, Namespace>) {
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), &namespaces["roleless"].name);
    bindings.delete("tenant", &DeleteParams::default()).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespaces["accountless"].name);
    accounts.delete("tenant", &DeleteParams::default()).await.unwrap();
    plane.delete_namespace(&namespaces["namespaceless"]).await.unwrap();
}

/// Waits until no file is left, which is at most the age after the store is back, and the time of two looks.
async fn emptied(server: &Server, operator: &Operator) {
    let waited = eventually("an empty bucket", AGE + PATIENCE, async || {
        let left = files(&server.bucket_directory());
        if left.is_empty() { Ok(()) } else { Err(format!("{} files, such as {}", left.len(), left[0])) }
    });
    if let Err(error) = waited.await {
        panic!("{error:#}\nthe operator says:\n{}", tail(&operator.log()));
    }
}

/// Every snippet that was let go is told of in the operator's own namespace, also those whose namespace is gone.
async fn told_at_home(client: &Client, home: &str, count: usize) -> usize {
    let events: Api<Event> = Api::namespaced(client.clone(), home);
    eventually("an event at home for each", PATIENCE, async || {
        let listed = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let forced: Vec<_> =
            listed.items.into_iter().filter(|event| event.reason.as_deref() == Some("WithdrawForced")).collect();
        let about_lease =
            |about: &ObjectReference| (about.kind.as_deref(), about.name.is_some()) == (Some("Lease"), true);
        assert!(forced.iter().all(|event| event.regarding.as_ref().is_some_and(about_lease)), "{forced:?}");
        let related = |fate: &str| {
            let named = forced.iter().filter_map(|event| event.related.as_ref());
            named
                .filter(|snippet| snippet.kind.as_deref() == Some("JsonnetSnippet"))
                .filter(|snippet| snippet.namespace.as_deref().is_some_and(|name| name.starts_with(fate)))
                .filter(|snippet| snippet.name.as_deref().is_some_and(|name| name.starts_with("away")))
                .count()
        };
        let told: Vec<_> = FATES.iter().map(|fate| related(fate)).collect();
        let all: usize = told.iter().sum();
        if all == count { Ok(all) } else { Err(format!("{told:?} of {count}")) }
    })
    .await
    .unwrap()
}

#[expect(clippy::print_stderr, reason = "figures for whoever asks with --no-capture")]
fn figures(count: usize, longest: Duration, emptied: Duration, told: usize) {
    eprintln!(
        "{count} deleted in an outage: held for {longest:?} at most, {told} told of, no file left {emptied:?} after it"
    );
}
