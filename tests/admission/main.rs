//! What the API server accepts and refuses: by our definitions alone here, with the webhook and the policy in the other files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod bench;
mod certificate;
mod policy;
mod webhook;

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::manifests::custom;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// Refused with exactly this sentence somewhere in the answer.
type Refusal = &'static str;

fn snippet(spec: Value) -> Value {
    json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "x"}, "spec": spec})
}

fn library(spec: Value) -> Value {
    json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary", "metadata": {"name": "x"}, "spec": spec})
}

/// A spec with files and something more.
fn with(more: Value) -> Value {
    let mut spec = json!({"files": {"main.jsonnet": "{}"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    snippet(spec)
}

async fn dry_run(object: &Value) -> Result<DynamicObject, String> {
    let plane = ControlPlane::shared().await.unwrap();
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    let kind = object.types.clone().unwrap().kind;
    let api = custom(&plane.admin().await.unwrap(), "default", "jaas.metio.wtf", "v1", &kind);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    api.create(&params, &object).await.map_err(|error| error.to_string())
}

async fn accepted(object: Value) -> Value {
    let stored = dry_run(&object).await.unwrap_or_else(|error| panic!("{object}\n{error}"));
    stored.data["spec"].clone()
}

async fn refused(cases: Vec<(Value, Refusal)>) {
    for (object, expected) in cases {
        let error = dry_run(&object).await.err().unwrap_or_else(|| panic!("accepted: {object}"));
        assert!(error.contains(expected), "{object}\nexpected {expected:?} in\n{error}");
    }
}

#[tokio::test]
async fn files_and_source_exclude_each_other() {
    const RULE: Refusal = "exactly one of spec.files or spec.sourceRef must be set";
    let source = json!({"kind": "GitRepository", "name": "repo"});
    refused(vec![
        (snippet(json!({})), RULE),
        (snippet(json!({"files": {}})), RULE),
        (with(json!({"sourceRef": source})), RULE),
        (library(json!({})), RULE),
        (library(json!({"files": {"a": "b"}, "sourceRef": source})), RULE),
    ])
    .await;
    accepted(snippet(json!({"sourceRef": source}))).await;
    accepted(snippet(json!({"files": {}, "sourceRef": source}))).await;
    accepted(library(json!({"files": {"a": "b"}}))).await;
}

#[tokio::test]
async fn defaults_are_filled_in() {
    assert_eq!(
        accepted(with(json!({}))).await,
        json!({"files": {"main.jsonnet": "{}"}, "entryFile": "main.jsonnet", "output": "rendered", "history": 1})
    );
}

#[tokio::test]
async fn an_object_without_a_spec_is_admitted() {
    let bare = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "x"}});
    assert_eq!(accepted(bare).await, Value::Null);
}

#[tokio::test]
async fn the_entry_file_is_a_plain_relative_path() {
    for good in ["main.jsonnet", ".config.jsonnet", "dir/sub/main.jsonnet", &"a".repeat(255)] {
        accepted(with(json!({"entryFile": good}))).await;
    }
    refused(vec![
        (with(json!({"entryFile": ""})), "spec.entryFile"),
        (with(json!({"entryFile": "a".repeat(256)})), "spec.entryFile"),
        (with(json!({"entryFile": "a b"})), "spec.entryFile in body should match"),
        (with(json!({"entryFile": "a:b"})), "spec.entryFile in body should match"),
        (with(json!({"entryFile": "a\\b"})), "spec.entryFile in body should match"),
        (with(json!({"entryFile": "../x"})), "entryFile must not contain '..'"),
        (with(json!({"entryFile": "a/../../b"})), "entryFile must not contain '..'"),
    ])
    .await;
}

#[tokio::test]
async fn variables_have_names_of_their_own_and_code_has_a_value() {
    for list in ["tlas", "externalVariables"] {
        let of = |variables: Value| with(json!({ (list): variables }));
        accepted(of(json!([{"name": "a"}, {"name": "b", "value": ""}, {"name": "c", "value": "1 +", "code": true}])))
            .await;
        accepted(of(json!([{"name": "n".repeat(253)}]))).await;
        refused(vec![
            (of(json!([{"name": "a", "code": true}])), "value must be non-empty when code is true"),
            (of(json!([{"name": "a", "value": "", "code": true}])), "value must be non-empty when code is true"),
            (of(json!([{"name": "a"}, {"name": "a"}])), "Duplicate value"),
            (of(json!([{"name": ""}])), "name"),
            (of(json!([{"name": "n".repeat(254)}])), "name"),
            (of(json!([{"value": "x"}])), "name: Required value"),
        ])
        .await;
    }
    accepted(with(json!({"tlas": [{"name": "a"}], "externalVariables": [{"name": "a"}]}))).await;
}

#[tokio::test]
async fn numbers_durations_and_words_stay_in_their_ranges() {
    for good in [
        json!({"history": 1}),
        json!({"history": 50}),
        json!({"interval": "30s"}),
        json!({"interval": "24h"}),
        json!({"interval": "1h30m"}),
    ] {
        accepted(with(good)).await;
    }
    for word in ["rendered", "source", "manifests"] {
        accepted(with(json!({"output": word}))).await;
    }
    const INTERVAL: Refusal = "interval must be between 30s and 24h";
    refused(vec![
        (with(json!({"history": 0})), "spec.history"),
        (with(json!({"history": 51})), "spec.history"),
        (with(json!({"interval": "29s"})), INTERVAL),
        (with(json!({"interval": "24h1s"})), INTERVAL),
        (with(json!({"interval": "soon"})), "spec.interval"),
        (with(json!({"output": "bogus"})), "Unsupported value: \"bogus\""),
        (snippet(json!({"sourceRef": {"kind": "HelmChart", "name": "x"}})), "Unsupported value: \"HelmChart\""),
        (snippet(json!({"sourceRef": {"kind": "Bucket", "name": ""}})), "spec.sourceRef.name"),
        (snippet(json!({"sourceRef": {"kind": "Bucket"}})), "spec.sourceRef.name: Required value"),
        (with(json!({"libraries": [{"kind": "ConfigMap", "name": "x"}]})), "Unsupported value: \"ConfigMap\""),
        (with(json!({"libraries": [{"kind": "JsonnetLibrary", "name": ""}]})), "spec.libraries[0].name"),
        (with(json!({"libraries": [{"name": "x"}]})), "spec.libraries[0].kind: Required value"),
    ])
    .await;
}

#[tokio::test]
async fn kinds_have_their_short_names_columns_and_status() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.empty_namespace("columns").await.unwrap();
    let api = custom(&plane.admin().await.unwrap(), &namespace.name, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    let object: DynamicObject = serde_json::from_value(with(json!({}))).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    // The status is a subresource: it cannot be written with the object, and the object not with it.
    let both = json!({"spec": {"suspend": true}, "status": {"revision": "sha256:00", "history": [{"revision": "a", "time": "2026-01-01T00:00:00Z"}]}});
    let after = api.patch("x", &PatchParams::default(), &Patch::Merge(&both)).await.unwrap();
    assert_eq!((after.data["spec"]["suspend"].clone(), after.data.get("status")), (json!(true), None));
    let after = api.patch_status("x", &PatchParams::default(), &Patch::Merge(&both)).await.unwrap();
    assert_eq!(after.data["status"]["revision"], json!("sha256:00"));
    let twice = json!({"status": {"conditions": [
        {"type": "Ready", "status": "True", "reason": "A", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Ready", "status": "True", "reason": "A", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]}});
    let error = api.patch_status("x", &PatchParams::default(), &Patch::Merge(&twice)).await.unwrap_err().to_string();
    assert!(error.contains("Duplicate value"), "{error}");
    // By its short name, in the form that kubectl asks for.
    let path = format!("/apis/jaas.metio.wtf/v1/namespaces/{}/jsonnetsnippets", namespace.name);
    let request =
        http::Request::get(path).header("accept", "application/json;as=Table;g=meta.k8s.io;v=v1").body(Vec::new());
    let table: Value = plane.admin().await.unwrap().request(request.unwrap()).await.unwrap();
    let columns: Vec<_> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|column| column["name"].clone()).collect();
    assert_eq!(columns, ["Name", "Ready", "Reason", "Revision", "URL", "Suspend", "Age"]);
    let kinds: Value = plane
        .admin()
        .await
        .unwrap()
        .request(http::Request::get("/apis/jaas.metio.wtf/v1").body(Vec::new()).unwrap())
        .await
        .unwrap();
    let short: Vec<_> =
        kinds["resources"].as_array().unwrap().iter().filter_map(|kind| kind["shortNames"][0].as_str()).collect();
    assert!(short.contains(&"jsnip") && short.contains(&"jlib"), "{short:?}");
}
