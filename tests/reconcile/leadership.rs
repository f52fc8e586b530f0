//! Two replicas: one writes, the other serves and takes over.

use std::time::{Duration, Instant};

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::eventually;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::field::PATIENCE;

const LEASE: &str = "replicas-operator";

struct Replicas {
    namespace: Namespace,
    snippets: Api<jaas_api::JsonnetSnippet>,
    leases: Api<Lease>,
    leader: Operator,
    standby: Operator,
    /// Each publish gives another text.
    round: u32,
}

impl Replicas {
    async fn new(prefix: &str) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let namespace = plane.namespace(prefix).await.unwrap();
        let client = plane.admin().await.unwrap();
        let leases = Api::namespaced(client.clone(), &namespace.name);
        let leader = replica(plane, &namespace, None).await;
        holder(&leases, |holder| !holder.is_empty()).await;
        let standby = replica(plane, &namespace, Some(&leader)).await;
        let snippets = Api::namespaced(client, &namespace.name);
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace.name},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "0"}},
        });
        snippets.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        let mut replicas = Self { namespace, snippets, leases, leader, standby, round: 0 };
        replicas.publish().await;
        replicas
    }

    /// Changes the snippet, and answers how long it took until that was published and both replicas serve it.
    async fn publish(&mut self) -> Duration {
        self.round += 1;
        let begun = Instant::now();
        let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": self.round.to_string()}}}));
        let asked = self.snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
        let synced = jaas_tests::wait::object(&self.snippets, "web", "is published", PATIENCE, |snippet| {
            let status = snippet.status.clone().unwrap_or_default();
            status.observed_generation == asked.metadata.generation
                && status.ready().is_some_and(|ready| ready.status == "True")
        })
        .await
        .unwrap();
        let took = begun.elapsed();
        let url = synced.status.unwrap().artifact_url.unwrap();
        let (_, path) = url.split_once("//").unwrap().1.split_once('/').unwrap();
        for replica in [&self.leader, &self.standby] {
            if replica.process().exit().is_none() {
                let answer = jaas_tests::http::get(&format!("{}/{path}", replica.base_url())).await.unwrap();
                assert_eq!(answer.status, 200, "{path}");
            }
        }
        took
    }

    async fn holder(&self) -> String {
        holder(&self.leases, |_| true).await
    }
}

async fn holder(leases: &Api<Lease>, condition: impl Fn(&str) -> bool) -> String {
    eventually("the Lease's holder", PATIENCE, async || {
        let lease = leases.get(LEASE).await.map_err(|error| error.to_string())?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        if condition(&holder) { Ok(holder) } else { Err(holder) }
    })
    .await
    .unwrap()
}

/// A replica with short terms, on the store of the first one.
async fn replica(plane: &ControlPlane, namespace: &Namespace, first: Option<&Operator>) -> Operator {
    let mut options = OperatorOptions::watching([namespace.name.as_str()]);
    options.namespace = Some(namespace.name.clone());
    options.args = [
        "--leader-election=true".to_owned(),
        format!("--leader-election-id={LEASE}"),
        format!("--leader-election-namespace={}", namespace.name),
        "--leader-election-lease-duration=3s".to_owned(),
        "--leader-election-renew-deadline=2s".to_owned(),
        "--leader-election-retry-period=400ms".to_owned(),
        "--shutdown-delay=3s".to_owned(),
    ]
    .to_vec();
    if let Some(first) = first {
        options.storage_path = Some(first.storage_path().to_owned());
        options.args.push(format!("--storage-base-url={}", first.base_url()));
    }
    Operator::ready(plane, options).await.unwrap()
}

#[tokio::test]
async fn a_killed_leader_is_followed_within_its_lease() {
    let mut replicas = Replicas::new("killed").await;
    let before = replicas.holder().await;
    replicas.leader.kill().await.unwrap();
    let took = replicas.publish().await;
    assert!(took < Duration::from_secs(5), "{took:?}: a lease of 3 s and 2 s");
    assert_ne!(replicas.holder().await, before);
}

#[tokio::test]
async fn a_leader_that_ends_lets_go_before_it_stops_serving() {
    let mut replicas = Replicas::new("ended").await;
    let before = replicas.holder().await;
    let ending = async {
        let (exit, took) = replicas.leader.terminate().await.unwrap();
        assert!(exit.success() && took >= Duration::from_secs(3), "{exit:?} after {took:?}");
    };
    let begun = Instant::now();
    let following = async {
        holder(&replicas.leases, |holder| !holder.is_empty() && holder != before).await;
        begun.elapsed()
    };
    let ((), took) = tokio::join!(ending, following);
    assert!(took < Duration::from_secs(1), "{took:?}");
    let took = replicas.publish().await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_frozen_leader_writes_nothing_when_it_wakes() {
    let mut replicas = Replicas::new("frozen").await;
    let before = replicas.holder().await;
    replicas.leader.pause().unwrap();
    let begun = Instant::now();
    let after = holder(&replicas.leases, |holder| !holder.is_empty() && *holder != *before).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": "'while it was frozen'"}}}));
    replicas.snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
    replicas.leader.resume().unwrap();
    replicas.publish().await;
    assert_eq!(replicas.holder().await, after);
    let changes = replicas.leader.log().lines().filter(|line| line.contains("Leadership changed")).count();
    assert!(changes >= 2, "it led once, and does no more");
}

#[tokio::test]
async fn a_deleted_lease_and_a_step_down_end_in_one_leader() {
    let mut replicas = Replicas::new("handed").await;
    replicas.leases.delete(LEASE, &DeleteParams::default()).await.unwrap();
    let took = replicas.publish().await;
    assert!(took < Duration::from_secs(5), "{took:?}");

    let before = holder(&replicas.leases, |holder| !holder.is_empty()).await;
    let ask = Patch::Merge(json!({"metadata": {"annotations": {"jaas.metio.wtf/step-down": "please"}}}));
    replicas.leases.patch(LEASE, &PatchParams::default(), &ask).await.unwrap();
    let begun = Instant::now();
    holder(&replicas.leases, |holder| !holder.is_empty() && holder != before).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let lease = replicas.leases.get(LEASE).await.unwrap();
    let answered = lease.metadata.annotations.unwrap_or_default().remove("jaas.metio.wtf/step-down-answered");
    assert_eq!(answered.as_deref(), Some("please"));
    let took = replicas.publish().await;
    assert!(took < Duration::from_secs(2), "{took:?} in {}", replicas.namespace.name);
}
