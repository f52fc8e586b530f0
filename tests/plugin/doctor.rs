//! `doctor` and `storage doctor` beside a real operator.
//!
//! Deployment, Pod, Service and its addresses are objects that the test writes for the process: nothing here runs Pods. The storage
//! server is asked by its announced address, because an API server leads to no loopback address.

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::eventually;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::bench::{Bench, PATIENCE, code, document, exits, text};

const LEASE: &str = "doctor-operator";

/// An operator with two good snippets, and the objects that a cluster would have for it.
async fn ward() -> Bench {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("doctor").await.unwrap();
    let mut options = OperatorOptions::watching([namespace.name.as_str()]);
    options.namespace = Some(namespace.name.clone());
    let operator = Operator::ready(plane, options).await.unwrap();
    play(plane, &namespace.name, &operator).await;
    let bench = Bench { plane, namespace, _operator: operator };
    bench.plane.apply_objects(&[bench.snippet("a", "1"), bench.snippet("b", "2")]).await.unwrap();
    exits(&bench.admin(&["wait", "recovered", "a", "b"]).await, 0);
    bench
}

impl Bench {
    fn snippet(&self, name: &str, program: &str) -> Value {
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": program}}})
    }

    async fn doctor(&self, args: &[&str]) -> std::process::Output {
        let place = ["--operator-namespace", &self.namespace.name, "--route", "direct"];
        self.admin(&[args, &place].concat()).await
    }
}

async fn play(plane: &ControlPlane, namespace: &str, operator: &Operator) {
    let labels = json!({"app.kubernetes.io/name": "jaas"});
    let metadata = |name: &str| json!({"name": name, "namespace": namespace, "labels": labels});
    let path = operator.storage_path().display().to_string();
    let args = [
        format!("--storage-path={path}"),
        format!("--storage-base-url={}", operator.base_url()),
        format!("--watch-namespaces={namespace}"),
        "--leader-election=false".to_owned(),
    ];
    let container = json!({"name": "jaas", "image": "ghcr.io/metio/jaas:0.1.0", "args": args,
        "volumeMounts": [{"name": "storage", "mountPath": path}]});
    let volumes = json!([{"name": "storage", "hostPath": {"path": path}}]);
    let spec = json!({"serviceAccountName": "jaas", "containers": [container], "volumes": volumes});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("jaas"),
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata("jaas-one"), "spec": spec});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("jaas-storage"),
        "spec": {"clusterIP": "None", "selector": labels, "ports": [{"name": "storage", "port": 8082}]}});
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "jaas-storage-one", "namespace": namespace, "labels": {"kubernetes.io/service-name": "jaas-storage"}},
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}], "ports": [{"name": "storage", "port": 8082}]});
    plane.apply_objects(&[deployment, pod, service, slice]).await.unwrap();
    let admin = plane.admin().await.unwrap();
    let status = |status: Value| Patch::Merge(json!({ "status": status }));
    let deployments: Api<Deployment> = Api::namespaced(admin.clone(), namespace);
    let running = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1});
    deployments.patch_status("jaas", &PatchParams::default(), &status(running)).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(admin, namespace);
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    pods.patch_status("jaas-one", &PatchParams::default(), &status(ready)).await.unwrap();
}

fn check<'a>(document: &'a Value, code: &str) -> &'a Value {
    let checks = document["diagnosis"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["code"] == code).unwrap()
}

fn roots(document: &Value) -> Vec<&str> {
    let roots = document["diagnosis"]["triage"]["roots"].as_array().unwrap();
    roots.iter().filter(|root| root["severity"] != "warning").map(|root| root["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_healthy_installation_is_0_with_every_byte_proven_and_a_failing_snippet_is_4() {
    let bench = ward().await;
    for depth in ["quick", "standard", "full"] {
        exits(&bench.doctor(&["doctor", "--depth", depth]).await, 0);
    }
    let healthy = bench.doctor(&["storage", "doctor", "--depth", "full", "-o", "json"]).await;
    exits(&healthy, 0);
    let document = document(&healthy);
    for code in ["A501", "A502", "A503", "A504", "A505", "A507", "N301", "N304", "K010", "K011", "S400"] {
        assert_eq!(check(&document, code)["state"], "ok", "{code}: {document:#}");
    }
    bench.plane.apply_objects(&[bench.snippet("bad", "error 'no'")]).await.unwrap();
    exits(&bench.admin(&["reconcile", "bad"]).await, 3);
    let failing = bench.doctor(&["doctor", "-o", "json"]).await;
    exits(&failing, 4);
    let found = super::bench::document(&failing);
    assert_eq!(roots(&found), ["R717"], "{found:#}");
    exits(&bench.doctor(&["doctor", "--suppress", &format!("R717={}/bad", bench.namespace.name)]).await, 0);
    let explained = bench.admin(&["explain", "bad"]).await;
    assert!(text(&explained.stdout).contains("is Ready=False: EvaluationFailed"), "{}", text(&explained.stdout));
}

#[tokio::test]
async fn an_emptied_volume_is_found_while_nobody_may_fill_it_again() {
    let mut bench = ward().await;
    bench._operator.kill().await.unwrap();
    for entry in std::fs::read_dir(bench._operator.storage_path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    let stopped = bench.doctor(&["storage", "doctor", "-o", "json"]).await;
    exits(&stopped, 4);
    assert_eq!(roots(&document(&stopped)), ["N301"], "{:#}", document(&stopped));

    // Somebody else holds the Lease and does nothing, so that this one serves and may not write.
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": bench.namespace.name},
        "spec": {"holderIdentity": "ghost_1", "leaseDurationSeconds": 3600, "leaseTransitions": 0,
            "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z"}});
    bench.plane.apply_objects(&[lease]).await.unwrap();
    let args = bench._operator.args_mut();
    args.retain(|argument| !argument.starts_with("--leader-election"));
    let place = format!("--leader-election-namespace={}", bench.namespace.name);
    args.extend(["--leader-election=true".to_owned(), format!("--leader-election-id={LEASE}"), place]);
    bench._operator.restart().await.unwrap();
    bench._operator.wait_ready().await.unwrap();
    let emptied = bench.doctor(&["storage", "doctor", "-o", "json"]).await;
    exits(&emptied, 4);
    let found = document(&emptied);
    assert_eq!(roots(&found), ["A501"], "{found:#}");
    assert_eq!(found["diagnosis"]["findings"][0]["subjects"].as_array().map(Vec::len), Some(4), "{found:#}");

    // Once it leads it fills the volume again by itself.
    let free = r#"{"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}"#;
    exits(&bench.kubectl(&["patch", "lease", LEASE, "--type=merge", "-p", free]).await, 0);
    let whole = async || (code(&bench.doctor(&["storage", "doctor", "--depth", "full"]).await) == 0).then_some(());
    eventually("the whole store", PATIENCE, whole).await.unwrap();
}
