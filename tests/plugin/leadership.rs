//! `leader`, `wait leader`, `force-handover`, with two operators that elect.
//!
//! Both are real processes. Deployment and Pods are objects that the test writes for them: nothing here runs Pods. Each process has
//! a host name of its own, as in a Pod, by which its identity names the Pod.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::environment;
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::eventually;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::bench::{Bench, PATIENCE, document, exits, text};

const LEASE: &str = "plugin-operator";
const PODS: [&str; 2] = ["jaas-one", "jaas-two"];

struct Pair {
    bench: Bench,
    _other: Operator,
}

impl Pair {
    async fn new() -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let namespace = plane.namespace("pair").await.unwrap();
        let one = replica(plane, &namespace, PODS[0], None).await;
        let two = replica(plane, &namespace, PODS[1], Some(&one)).await;
        let snippet = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": "web", "namespace": namespace.name},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "1"}},
        });
        plane.apply_objects(&[snippet]).await.unwrap();
        play(plane, &namespace.name).await;
        Self { bench: Bench { plane, namespace, _operator: one }, _other: two }
    }

    /// The operator's namespace is that of the snippets.
    async fn jaas(&self, args: &[&str]) -> std::process::Output {
        let args = [args, &["--operator-namespace", &self.bench.namespace.name]].concat();
        self.bench.admin(&args).await
    }

    /// A Lease that was deleted and made anew has another.
    async fn uid(&self) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.bench.plane.admin().await.unwrap(), &self.bench.namespace.name);
        leases.get(LEASE).await.unwrap().metadata.uid
    }

    async fn holder(&self) -> (String, i32) {
        let leases: Api<Lease> = Api::namespaced(self.bench.plane.admin().await.unwrap(), &self.bench.namespace.name);
        let spec = leases.get(LEASE).await.unwrap().spec.unwrap();
        (spec.holder_identity.unwrap_or_default(), spec.lease_transitions.unwrap_or_default())
    }
}

/// The operator with a host name of its own.
fn program(plane: &ControlPlane, namespace: &str, pod: &str) -> PathBuf {
    let operator = environment::value(environment::OPERATOR).unwrap();
    let path = plane.work().join(format!("{namespace}-{pod}.sh"));
    let script = format!(
        "#!/bin/sh\nexec unshare --map-root-user --uts /bin/sh -c \
         'echo {pod} > /proc/sys/kernel/hostname; exec {operator} \"$@\"' sh \"$@\"\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn replica(plane: &ControlPlane, namespace: &Namespace, pod: &str, first: Option<&Operator>) -> Operator {
    let mut options = OperatorOptions::watching([namespace.name.as_str()]);
    options.namespace = Some(namespace.name.clone());
    options.program = Some(program(plane, &namespace.name, pod));
    options.args = [
        "--leader-election=true".to_owned(),
        format!("--leader-election-id={LEASE}"),
        format!("--leader-election-namespace={}", namespace.name),
        "--leader-election-lease-duration=3s".to_owned(),
        "--leader-election-renew-deadline=2s".to_owned(),
        "--leader-election-retry-period=400ms".to_owned(),
    ]
    .to_vec();
    if let Some(first) = first {
        options.storage_path = Some(first.storage_path().to_owned());
        options.args.push(format!("--storage-base-url={}", first.base_url()));
    }
    Operator::ready(plane, options).await.unwrap()
}

/// Writes the Deployment and the Pods that a cluster would have.
async fn play(plane: &ControlPlane, namespace: &str) {
    let labels = json!({"app.kubernetes.io/name": "jaas"});
    let container = json!({"name": "jaas", "image": "ghcr.io/metio/jaas:2026.8.18",
        "args": [format!("--leader-election-id={LEASE}"), "--storage-backend=s3", "--s3-bucket=b"]});
    let metadata = json!({"name": "jaas", "namespace": namespace, "labels": labels});
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}});
    let pod = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"nodeName": "node-a", "containers": [container]}})
    };
    plane.apply_objects(&[deployment, pod(PODS[0]), pod(PODS[1])]).await.unwrap();
    let admin = plane.admin().await.unwrap();
    let status = |status: Value| Patch::Merge(json!({ "status": status }));
    let params = PatchParams::default();
    let deployments: Api<Deployment> = Api::namespaced(admin.clone(), namespace);
    let running = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2});
    deployments.patch_status("jaas", &params, &status(running)).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(admin, namespace);
    for name in PODS {
        let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        pods.patch_status(name, &params, &status(ready)).await.unwrap();
    }
}

#[tokio::test]
async fn leadership_is_shown_handed_over_and_proven() {
    let pair = Pair::new().await;
    exits(&pair.jaas(&["wait", "leader"]).await, 0);
    let leader = pair.jaas(&["leader", "-o", "json"]).await;
    exits(&leader, 0);
    let shown = document(&leader)["leader"].clone();
    let (before, transitions) = pair.holder().await;
    assert_eq!((&shown["holder"], &shown["transitions"]), (&json!(before), &json!(transitions)), "{shown:#}");
    assert_eq!((&shown["podReady"], &shown["standbys"], &shown["alive"]), (&json!(true), &json!(1), &json!(true)));
    let status = document(&pair.jaas(&["status", "-o", "json"]).await);
    assert_eq!(status["status"]["operator"]["version"], "2026.8.18", "{status:#}");
    assert_eq!(status["status"]["leader"]["holder"], json!(before));

    let unasked = pair.jaas(&["force-handover"]).await;
    exits(&unasked, 5);
    let dry = pair.jaas(&["force-handover", "--dry-run=server"]).await;
    exits(&dry, 0);
    assert!(text(&dry.stdout).contains("would ask jaas-"), "{}", text(&dry.stdout));
    assert_eq!(pair.holder().await, (before.clone(), transitions));
    let uid = pair.uid().await;
    for method in ["evict", "delete", "lease"] {
        // The API server checks and drops it: Pods and Lease stay.
        exits(&pair.jaas(&["force-handover", "--method", method, "--allow-outage", "--dry-run=server"]).await, 0);
    }
    assert_eq!((pair.holder().await, pair.uid().await), ((before.clone(), transitions), uid));
    let pods = pair.bench.kubectl(&["get", "pods", PODS[0], PODS[1], "-o", "json"]).await;
    exits(&pods, 0);
    // A Pod without a kubelet would stay and only say that it is on its way out.
    assert!(!text(&pods.stdout).contains("deletionTimestamp"), "{}", text(&pods.stdout));

    let canary = format!("{}/web", pair.bench.namespace.name);
    let args = ["force-handover", "--yes", "--reason", "INC-4711", "--canary", &canary, "-o", "json"];
    let moved = pair.jaas(&args).await;
    exits(&moved, 0);
    let report = document(&moved);
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    let expected =
        ["lease", "method", "standby", "steady", "rollout", "store", "act", "release", "leader", "renewal", "canary"];
    assert_eq!(steps, expected, "{report:#}");
    let gap = report["figures"]["secondsWithoutLeader"].as_f64().unwrap();
    println!("force-handover: {gap} s without a leader, {} s in all", report["figures"]["seconds"]);
    assert!(gap < 3.0, "{gap}: longer than a lease");
    let (after, changes) = pair.holder().await;
    assert!(after != before && changes > transitions, "{before} {transitions} {after} {changes}");
    assert_eq!(document(&pair.jaas(&["leader", "-o", "json"]).await)["leader"]["holder"], json!(after));
    let told = async || {
        let events = pair.bench.kubectl(&["get", "events", "-o", "json"]).await;
        let events: Value = serde_json::from_slice(&events.stdout).ok()?;
        let is_told = |event: &Value| event["reason"] == "HandoverByHand" && event["involvedObject"]["name"] == LEASE;
        events["items"].as_array()?.iter().any(is_told).then_some(())
    };
    eventually("the event on the lease", PATIENCE, told).await.unwrap();
}

#[tokio::test]
async fn a_handover_without_another_ready_replica_is_refused() {
    let pair = Pair::new().await;
    exits(&pair.jaas(&["wait", "leader"]).await, 0);
    let (before, transitions) = pair.holder().await;
    let other = PODS.into_iter().find(|pod| !before.starts_with(pod)).unwrap();
    let pods: Api<Pod> = Api::namespaced(pair.bench.plane.admin().await.unwrap(), &pair.bench.namespace.name);
    let failing = Patch::Merge(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
    pods.patch_status(other, &PatchParams::default(), &failing).await.unwrap();
    let refused = pair.jaas(&["force-handover", "--yes"]).await;
    exits(&refused, 5);
    assert!(text(&refused.stderr).contains("no other replica is ready"), "{}", text(&refused.stderr));
    assert_eq!(pair.holder().await, (before, transitions));
    let by_lease = pair.jaas(&["force-handover", "--method", "lease", "--allow-outage"]).await;
    exits(&by_lease, 5);
    let words = format!("--confirm 'delete lease {}/{LEASE}'", pair.bench.namespace.name);
    assert!(text(&by_lease.stderr).contains(&words), "{}", text(&by_lease.stderr));
}

#[tokio::test]
async fn without_a_lease_or_an_operator_it_is_6() {
    let bench = Bench::new().await;
    let place = ["--operator-namespace", &bench.namespace.name, "--lease", "nope"];
    exits(&bench.admin(&[&["leader"][..], &place].concat()).await, 6);
    exits(&bench.admin(&[&["force-handover", "--yes"][..], &place].concat()).await, 6);
    exits(&bench.admin(&["restart", "--yes", "--operator-namespace", &bench.namespace.name]).await, 6);
    let nobody = bench.run(&bench.namespace.tenant(), &["leader", "-n", &bench.namespace.name]).await;
    exits(&nobody, 7);
}
