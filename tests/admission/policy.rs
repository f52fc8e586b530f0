//! The policy that keeps others from changing artifacts of snippets.

use jaas_tests::manifests::custom;
use jaas_tests::wait::{eventually, gone, object};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::bench::{Bench, PATIENCE};

fn artifacts(client: &Client, namespace: &str) -> Api<DynamicObject> {
    custom(client, namespace, "source.toolkit.fluxcd.io", "v1", "ExternalArtifact")
}

#[tokio::test]
async fn artifacts_of_snippets_are_written_by_the_operator_alone() {
    let bench = Bench::new().await;
    let rendered = bench.rendered(&["operator.artifactPolicy.enabled=true"]);
    let policy =
        rendered.into_iter().filter(|object| object["kind"].as_str().unwrap().starts_with("ValidatingAdmissionPolicy"));
    let policy: Vec<Value> = policy.collect();
    assert_eq!(policy.len(), 2, "the policy and its binding");
    bench.plane.apply_objects(&policy).await.unwrap();
    let _operator = bench.operator(bench.port, &[]).await;
    let team = &bench.team.name;
    bench.create(team, "JsonnetSnippet", "web", json!({"files": {"main.jsonnet": "1"}})).await;
    assert_eq!(bench.judged(team, "web").await, "Synced");

    // An administrator, the tenant by hand, and an account of another namespace's.
    let spoil = Patch::Merge(json!({"metadata": {"annotations": {"by": "hand"}}}));
    let admin = artifacts(&bench.client, team);
    let refusal =
        eventually("the policy", PATIENCE, async || admin.patch("web", &PatchParams::default(), &spoil).await.err())
            .await
            .unwrap()
            .to_string();
    let expected = format!("ExternalArtifact {team}/web belongs to the JsonnetSnippet of the same name");
    assert!(refusal.contains(&expected), "{refusal}");
    let status = Patch::Merge(json!({"status": {"artifact": null}}));
    assert!(admin.patch_status("web", &PatchParams::default(), &status).await.is_err());
    let tenant = artifacts(&bench.plane.client(&bench.team.tenant()).await.unwrap(), team);
    assert!(tenant.patch("web", &PatchParams::default(), &spoil).await.is_err());

    // The operator goes on: it publishes another revision, and announces it.
    let before = admin.get("web").await.unwrap().data["status"]["artifact"]["revision"].clone();
    bench.patch("web", json!({"spec": {"files": {"main.jsonnet": "2"}}})).await.unwrap();
    object(&admin, "web", "announces the next revision", PATIENCE, |artifact| {
        artifact.data["status"]["artifact"]["revision"] != before
    })
    .await
    .unwrap();

    // One that belongs to nobody of ours is nobody's business.
    let foreign: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact", "metadata": {"name": "foreign"},
    }))
    .unwrap();
    admin.create(&PostParams::default(), &foreign).await.unwrap();
    admin.patch("foreign", &PatchParams::default(), &spoil).await.unwrap();

    // Deleted by hand it is made again; with its snippet it goes.
    let uid = admin.get("web").await.unwrap().metadata.uid;
    admin.delete("web", &DeleteParams::default()).await.unwrap();
    eventually("another artifact", PATIENCE, async || match admin.get_opt("web").await {
        Ok(Some(next)) if next.metadata.uid != uid && next.data["status"]["artifact"].is_object() => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    bench.api(team, "JsonnetSnippet").delete("web", &DeleteParams::default()).await.unwrap();
    gone(&admin, "web", PATIENCE).await.unwrap();
}

#[tokio::test]
async fn the_garbage_collector_is_not_kept_from_its_work() {
    let bench = Bench::new().await;
    let rendered = bench.rendered(&["operator.artifactPolicy.enabled=true"]);
    let policy: Vec<Value> = rendered
        .into_iter()
        .filter(|object| object["kind"].as_str().unwrap().starts_with("ValidatingAdmissionPolicy"))
        .collect();
    bench.plane.apply_objects(&policy).await.unwrap();
    let operator = bench.operator(bench.port, &[]).await;
    let team = &bench.team.name;
    bench.create(team, "JsonnetSnippet", "web", json!({"files": {"main.jsonnet": "1"}})).await;
    assert_eq!(bench.judged(team, "web").await, "Synced");
    operator.kill().await.unwrap();
    let admin = artifacts(&bench.client, team);
    // In the foreground the collector writes to the artifact before it deletes it; nobody else is there to do it.
    let snippets = bench.api(team, "JsonnetSnippet");
    snippets.delete("web", &DeleteParams::foreground()).await.unwrap();
    bench.patch("web", json!({"metadata": {"finalizers": ["foregroundDeletion"]}})).await.unwrap();
    gone(&admin, "web", PATIENCE).await.unwrap();
    gone(&snippets, "web", PATIENCE).await.unwrap();
}
