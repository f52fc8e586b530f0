//! Consumers that do not get through.

use jaas_tests::cluster::Settings;
use serde_json::json;

use super::bed::{Bed, holds};

#[tokio::test]
async fn a_storage_service_that_leads_nowhere_is_found() {
    let bed = Bed::on_volume(Settings::default()).await;
    let select = async |value: &str| {
        let patch = json!({"spec": {"selector": {"app.kubernetes.io/name": value}}}).to_string();
        let patched = bed.kubectl(&["patch", "service", "jaas-storage", "--type=merge", "-p", &patch]).await;
        assert!(patched.status.success());
    };
    select("nobody").await;
    let found = bed.row_finds("kubectl jaas storage doctor", "N304", "error").await;
    holds(&found.roots, &["N304".to_owned()]);
    select("jaas").await;
    bed.is_well().await;
    assert!(bed.kubectl(&["delete", "service", "jaas-storage"]).await.status.success());
    bed.finds(&["storage", "doctor"], "N307", "error").await;
}

#[tokio::test]
async fn a_network_policy_that_keeps_consumers_out_is_named() {
    let bed = Bed::on_volume(Settings::default()).await;
    let (flux, place) = (bed.plane.empty_namespace("flux").await.unwrap().name, &bed.namespace.name);
    // The Pod that fetches; nobody runs it, its labels are what counts.
    let consumer = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "kustomize-controller-0", "namespace": flux, "labels": {"app": "kustomize-controller", "app.kubernetes.io/part-of": "flux"}},
        "spec": {"containers": [{"name": "manager", "image": "kustomize-controller:1"}], "serviceAccountName": "default"}});
    let kustomization = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": place},
        "spec": {"interval": "1h", "prune": true, "sourceRef": {"kind": "ExternalArtifact", "name": "a"}}});
    let policy = |labels: serde_json::Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "jaas", "namespace": place},
            "spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "jaas"}}, "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": labels}}],
                    "ports": [{"port": 8082, "protocol": "TCP"}]}]}})
    };
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": flux}});
    bed.plane
        .apply_objects(&[account, consumer, kustomization, policy(json!({"app": "source-controller"}))])
        .await
        .unwrap();
    let found = bed.row_finds("kubectl jaas doctor network", "N303", "error").await;
    let told = found.get("N303").unwrap().to_string();
    assert!(told.contains("kustomize-controller-0"), "{told}");
    holds(&found.roots, &["N303".to_owned()]);
    bed.plane.apply_objects(&[policy(json!({"app": "kustomize-controller"}))]).await.unwrap();
    let found = bed.is_well().await;
    assert!(found.get("N303").is_none(), "{:?}", found.codes());
}

#[tokio::test]
async fn a_storage_server_that_hangs_is_found() {
    let bed = Bed::on_volume(Settings::default()).await;
    let pod = bed.installation.pod().unwrap();
    pod.freeze().unwrap();
    // Without any flag somebody who waits is not held up for the whole limit of a call.
    let found = bed.finds(&["storage", "doctor"], "N301", "error").await;
    let told = found.get("N301").unwrap().to_string();
    assert!(told.contains("within 10s"), "{told}");
    bed.row_finds("kubectl jaas storage doctor --request-timeout 5s", "N301", "error").await;
    pod.thaw().unwrap();
    bed.is_well().await;
}

#[tokio::test]
async fn what_answers_inside_its_pod_and_not_through_its_service_is_told() {
    let bed = Bed::on_volume(Settings::default()).await;
    bed.is_well().await;
    // A port at which nobody listens: what a policy that drops everything looks like from the other end of the cluster.
    let patch = r#"{"spec": {"ports": [{"name": "storage", "port": 8082, "targetPort": 9}]}}"#;
    assert!(bed.kubectl(&["patch", "service", "jaas-storage", "--type=merge", "-p", patch]).await.status.success());
    bed.row_finds("kubectl jaas storage doctor", "N302", "warning").await;
}
