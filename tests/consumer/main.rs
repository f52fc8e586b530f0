//! Flux's real kustomize-controller applies what a snippet publishes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

use std::time::Duration;

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::flux::{self, KustomizeController};
use jaas_tests::manifests::custom;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

fn snippet(namespace: &str, code: &str, more: &Value) -> DynamicObject {
    let mut object = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"serviceAccountName": "tenant", "output": "manifests", "files": {"main.jsonnet": code}},
    });
    object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn map(name: &str, text: &str) -> String {
    format!("{{ apiVersion: 'v1', kind: 'ConfigMap', metadata: {{ name: '{name}' }}, data: {{ text: '{text}' }} }}")
}

#[tokio::test]
async fn changes_are_applied_and_what_is_gone_is_pruned_down_to_nothing() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("consumer").await.unwrap().name;
    let _consumer = KustomizeController::start(plane, &["--interval-jitter-percentage=0"]).await.unwrap();
    let _operator = Operator::ready(plane, OperatorOptions::watching([namespace.as_str()])).await.unwrap();
    let client = plane.admin().await.unwrap();
    let snippets = custom(&client, &namespace, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let text = |name: &'static str, expected: &'static str| {
        let maps = maps.clone();
        async move {
            wait::object(&maps, name, expected, PATIENCE, |map| {
                map.data.as_ref().is_some_and(|data| data.get("text").map(String::as_str) == Some(expected))
            })
            .await
            .unwrap()
        }
    };

    let both = format!("[{}, {}]", map("one", "first"), map("two", "first"));
    snippets.create(&PostParams::default(), &snippet(&namespace, &both, &json!({}))).await.unwrap();
    flux::consume(plane, &namespace, "web").await.unwrap();
    text("one", "first").await;
    text("two", "first").await;

    let patch = |code: String, allow: bool| {
        let patch = json!({"spec": {"files": {"main.jsonnet": code}, "allowEmpty": allow}});
        let snippets = snippets.clone();
        async move { snippets.patch("web", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap() }
    };
    patch(map("one", "second"), false).await;
    text("one", "second").await;
    wait::gone(&maps, "two", PATIENCE).await.unwrap();

    // A result without objects is refused, so nothing is pruned by accident.
    patch("{}".to_owned(), false).await;
    wait::object(&snippets, "web", "is refused", PATIENCE, |snippet| {
        snippet.data["status"]["conditions"][0]["reason"] == "NoManifests"
    })
    .await
    .unwrap();
    text("one", "second").await;

    // On purpose it deletes everything.
    patch("{}".to_owned(), true).await;
    wait::gone(&maps, "one", PATIENCE).await.unwrap();
}
