//! Flux's real kustomize-controller applies what a snippet publishes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use jaas_sources::digest::Algorithm;
use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::flux::{self, KustomizeController};
use jaas_tests::manifests::custom;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::upstream::{Archives, KINDS, Reply, Source, archive};
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

#[tokio::test]
async fn what_comes_from_a_source_is_applied_and_goes_with_it() {
    // One of its own: the other test's consumer would work on the same objects.
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let namespace = plane.namespace("sourced").await.unwrap().name;
    let archives = Archives::start().await.unwrap();
    let options = OperatorOptions { args: vec![archives.flag()], ..OperatorOptions::default() };
    let _consumer = KustomizeController::start(&plane, &["--interval-jitter-percentage=0"]).await.unwrap();
    let _operator = Operator::ready(&plane, options).await.unwrap();
    let client = plane.admin().await.unwrap();
    // Of each kind, a snippet's own file and a library that another snippet imports.
    let mut sources = Vec::new();
    for kind in KINDS {
        let name = kind.to_lowercase();
        sources.push(Source::create(&client, kind, &namespace, &name).await.unwrap());
        let reference = |path: &str| json!({"kind": kind, "name": name, "path": path});
        let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "jaas.metio.wtf/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec});
        let sourced = json!({"serviceAccountName": "tenant", "output": "manifests", "sourceRef": reference("app")});
        let library = json!([{"kind": "JsonnetLibrary", "name": name, "importPath": "lib"}]);
        let imports = json!({"serviceAccountName": "tenant", "output": "manifests", "files": {"main.jsonnet": "import 'lib'"},
            "libraries": library});
        let objects = [
            object("JsonnetSnippet", &format!("own-{name}"), sourced),
            object("JsonnetLibrary", &name, json!({"sourceRef": reference("lib")})),
            object("JsonnetSnippet", &format!("imports-{name}"), imports),
        ];
        plane.apply_objects(&objects).await.unwrap();
    }
    let published = |kind: &str| ["own", "imports"].map(|how| format!("{how}-{}", kind.to_lowercase()));
    let publish = async |sources: &[Source], text: &str, commit: &str| {
        for (kind, source) in KINDS.iter().zip(sources) {
            let [entry, library] = published(kind).map(|name| map(&name, text));
            let files =
                BTreeMap::from([("app/main.jsonnet", entry.as_str()), ("lib/main.libsonnet", library.as_str())]);
            let bytes = archive(&files).unwrap();
            let mut hasher = Algorithm::Sha256.hasher();
            hasher.update(&bytes);
            let path = format!("/{kind}/{commit}");
            archives.set(&path, Reply::Bytes(bytes));
            source.announces(&archives.url(&path), &hasher.finish().to_string(), commit).await.unwrap();
        }
    };
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let applied = async |text: &str| {
        for name in KINDS.iter().flat_map(|kind| published(kind)) {
            wait::object(&maps, &name, text, 2 * PATIENCE, |map| {
                map.data.as_ref().is_some_and(|data| data.get("text").map(String::as_str) == Some(text))
            })
            .await
            .unwrap();
        }
    };
    publish(&sources, "first", "main@sha1:01").await;
    for name in KINDS.iter().flat_map(|kind| published(kind)) {
        flux::consume(&plane, &namespace, &name).await.unwrap();
    }
    applied("first").await;
    publish(&sources, "second", "main@sha1:02").await;
    applied("second").await;
    // A push that was forced brings the older content back.
    publish(&sources, "first", "main@sha1:03").await;
    applied("first").await;
    // Without its source everything stays as it is, and goes on when there is one again.
    for source in &sources {
        source.delete().await.unwrap();
    }
    let snippets = custom(&client, &namespace, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    for name in KINDS.iter().flat_map(|kind| published(kind)) {
        wait::object(&snippets, &name, "misses its source", 2 * PATIENCE, |snippet| {
            snippet.data["status"]["conditions"][0]["reason"] == "SourceFetchFailed"
        })
        .await
        .unwrap();
    }
    applied("first").await;
    let mut again = Vec::new();
    for kind in KINDS {
        again.push(Source::create(&client, kind, &namespace, &kind.to_lowercase()).await.unwrap());
    }
    publish(&again, "third", "main@sha1:04").await;
    applied("third").await;
}
