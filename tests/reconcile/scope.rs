//! An operator that watches less than before: what falls outside of its scope stays served and untouched.

use std::path::{Path, PathBuf};

use jaas_api::{ExternalArtifact, FINALIZER, JsonnetSnippet};
use jaas_storage::{Key, Revision};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::{eventually, gone};
use kube::Api;
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::field::{Field, PATIENCE, one_file, status, tail};

/// Orphans go after two seconds, looked for every second.
const SOON: [&str; 4] =
    ["--storage-orphan-age=2s", "--storage-orphan-interval=1s", "--max-withdraw-wait=1s", "--artifact-gc-grace=1s"];

/// Creates a snippet with a label `team`.
async fn create(field: &Field, name: &str, team: &str, code: &str) -> JsonnetSnippet {
    let object = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": name, "namespace": field.namespace.name, "labels": {"team": team}},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": code}},
    });
    field.snippets.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
}

async fn label(field: &Field, name: &str, team: Value) -> JsonnetSnippet {
    field.patch(name, json!({"metadata": {"labels": {"team": team}}})).await
}

/// Puts a file of an artifact's name where nothing names it.
fn plant(root: &Path, namespace: &str, name: &str) -> PathBuf {
    let path = root.join(Key::new(namespace, name).unwrap().path(&Revision::of_document(b"left by a crash")));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"left by a crash").unwrap();
    path
}

/// Waits until an orphan that is planted now is collected: whatever else was an orphan before that is gone, too.
async fn collection_has_passed(field: &Field, name: &str) {
    let orphan = plant(field.operator.storage_path(), &field.namespace.name, name);
    collected(field, &orphan).await;
}

async fn collected(field: &Field, orphan: &Path) {
    let waited = eventually("the orphan to be collected", PATIENCE * 2, async || {
        if orphan.exists() { Err(orphan.display().to_string()) } else { Ok(()) }
    });
    if let Err(error) = waited.await {
        panic!("{error:#}\nthe operator says:\n{}", tail(&field.operator.log()));
    }
}

async fn served(field: &Field, url: &str) {
    let answer = field.get(url).await;
    assert_eq!(answer.status, 200, "{url}: {}", answer.text());
}

/// Replaces a flag for the next start.
fn set(operator: &mut Operator, flag: &str, value: &str) {
    let args = operator.args_mut();
    args.retain(|arg| !arg.starts_with(&format!("--{flag}=")));
    args.push(format!("--{flag}={value}"));
}

#[tokio::test]
async fn narrowed_namespaces_leave_the_rest_served_and_widening_writes_nothing() {
    let plane = jaas_tests::controlplane::ControlPlane::shared().await.unwrap();
    let (stays, leaves) = (plane.namespace("stays").await.unwrap(), plane.namespace("leaves").await.unwrap());
    let both = vec![stays.name.clone(), leaves.name.clone()];
    let options = OperatorOptions {
        watch_namespaces: both.clone(),
        args: SOON.map(str::to_owned).to_vec(),
        ..OperatorOptions::default()
    };
    let client = plane.admin().await.unwrap();
    let mut field = Field {
        snippets: Api::namespaced(client.clone(), &stays.name),
        libraries: Api::namespaced(client.clone(), &stays.name),
        artifacts: Api::namespaced(client.clone(), &stays.name),
        plane,
        operator: Operator::ready(plane, options).await.unwrap(),
        client: client.clone(),
        namespace: stays,
    };
    let snippets: Api<JsonnetSnippet> = Api::namespaced(client.clone(), &leaves.name);
    let artifacts: Api<ExternalArtifact> = Api::namespaced(client, &leaves.name);
    let web = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": leaves.name},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "'left'"}},
    });
    snippets.create(&PostParams::default(), &serde_json::from_value(web).unwrap()).await.unwrap();
    field.create_file("web", "'stays'").await;
    field.synced("web").await;
    let before = jaas_tests::wait::object(&snippets, "web", "is synced", PATIENCE, |snippet| {
        status(snippet).ready().is_some_and(|ready| ready.status == "True")
    })
    .await
    .unwrap();
    let url = status(&before).artifact_url.unwrap();
    let artifact = artifacts.get("web").await.unwrap();
    let file = field.operator.storage_path().join(&artifact.published().unwrap().path);
    let written = file.metadata().unwrap().modified().unwrap();
    assert_eq!(field.mark()["scope"], both.join(","));

    let narrow = both[0].clone();
    set(&mut field.operator, "watch-namespaces", &narrow);
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("The scope has changed").await;
    assert_eq!(field.mark()["scope"], narrow);
    let outside = plant(field.operator.storage_path(), &leaves.name, "web");
    collection_has_passed(&field, "lost").await;
    collection_has_passed(&field, "lost-again").await;
    assert!(outside.exists() && file.exists(), "nothing out of scope is an orphan");
    served(&field, &url).await;

    set(&mut field.operator, "watch-namespaces", &both.join(","));
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    collected(&field, &outside).await;
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "'changed'"}}})).await;
    field.until("web", "follows", |snippet| status(snippet).observed_generation == Some(2)).await;
    served(&field, &url).await;
    let after = (snippets.get("web").await.unwrap(), artifacts.get("web").await.unwrap());
    assert_eq!(after.0.metadata.resource_version, before.metadata.resource_version);
    assert_eq!(after.1.metadata.resource_version, artifact.metadata.resource_version);
    assert_eq!(file.metadata().unwrap().modified().unwrap(), written, "the file was not written again");
}

#[tokio::test]
async fn a_snippet_that_leaves_the_selector_stays_served_and_comes_back_without_a_write() {
    let mut field = Field::with("leaver", &[&SOON[..], &["--label-selector=team in (a, x)"]].concat()).await;
    field.create_file("never", "1").await;
    create(&field, "web", "a", "'one'").await;
    create(&field, "other", "x", "1").await;
    field.synced("web").await;
    field.synced("other").await;
    let artifact = field.artifact("web").await;
    let url = artifact.published().unwrap().url.clone();
    assert_eq!(field.mark()["selector"], "team in (a,x)");

    // While the operator runs.
    let left = label(&field, "web", Value::Null).await;
    collection_has_passed(&field, "lost").await;
    served(&field, &url).await;
    let unchanged = field.snippets.get("web").await.unwrap();
    assert_eq!(unchanged.metadata.resource_version, left.metadata.resource_version);
    assert_eq!(unchanged.finalizers(), [FINALIZER]);
    let back = label(&field, "web", json!("a")).await;
    field.patch("other", json!({"spec": {"files": {"main.jsonnet": "2"}}})).await;
    field.until("other", "follows", |snippet| status(snippet).observed_generation == Some(2)).await;
    let unchanged = field.snippets.get("web").await.unwrap();
    assert_eq!(unchanged.metadata.resource_version, back.metadata.resource_version, "nothing had changed");
    assert_eq!(field.artifact("web").await.metadata.resource_version, artifact.metadata.resource_version);

    // By a narrower selector, and with a change meanwhile.
    field.operator.terminate().await.unwrap();
    set(&mut field.operator, "label-selector", "team=x");
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "'two'"}}})).await;
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("The scope has changed").await;
    collection_has_passed(&field, "lost-again").await;
    served(&field, &url).await;
    assert_eq!(status(&field.snippets.get("web").await.unwrap()).observed_generation, Some(1), "it is not rendered");

    set(&mut field.operator, "label-selector", "team");
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.until("web", "is picked up", |snippet| status(snippet).observed_generation == Some(2)).await;
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "\"two\"\n"));
    let never = field.snippets.get("never").await.unwrap();
    assert_eq!((never.status, never.metadata.finalizers), (None, None), "it never had the label");
}

#[tokio::test]
async fn a_deleted_snippet_outside_of_the_selector_does_not_wait_for_ever() {
    let mut field = Field::with("left-deleted", &["--label-selector=team=a"]).await;
    for (name, code) in [("running", "1"), ("stopped", "2"), ("broken", "error 'no'"), ("kept", "3")] {
        create(&field, name, "a", code).await;
    }
    for name in ["running", "stopped", "kept"] {
        field.synced(name).await;
    }
    field.judged("broken", "EvaluationFailed").await;
    for name in ["running", "broken"] {
        label(&field, name, json!("b")).await;
        field.delete(name).await;
        gone(&field.snippets, name, PATIENCE).await.unwrap();
    }
    gone(&field.artifacts, "running", PATIENCE).await.unwrap();

    field.operator.terminate().await.unwrap();
    label(&field, "stopped", Value::Null).await;
    field.delete("stopped").await;
    field.operator.restart().await.unwrap();
    gone(&field.snippets, "stopped", PATIENCE).await.unwrap();
    gone(&field.artifacts, "stopped", PATIENCE).await.unwrap();
    field.fetch("kept").await;
    let stored = field.stored();
    assert!(stored.iter().all(|path| !path.contains("running") && !path.contains("stopped")), "{stored:?}");
}

#[tokio::test]
async fn two_operators_share_a_namespace_by_its_labels() {
    let field = Field::with("shared-labels", &[&SOON[..], &["--label-selector=team=a"]].concat()).await;
    let args = [&SOON[..], &["--label-selector=team=b"]].concat();
    let options = OperatorOptions {
        watch_namespaces: vec![field.namespace.name.clone()],
        args: args.into_iter().map(str::to_owned).collect(),
        ..OperatorOptions::default()
    };
    let other = Operator::ready(field.plane, options).await.unwrap();
    create(&field, "mine", "a", "'a'").await;
    create(&field, "theirs", "b", "'b'").await;
    create(&field, "moves", "a", "'moves'").await;
    for (name, at) in
        [("mine", field.operator.base_url()), ("theirs", other.base_url()), ("moves", field.operator.base_url())]
    {
        field.synced(name).await;
        let url = field.artifact(name).await.published().unwrap().url.clone();
        assert!(url.starts_with(&format!("{at}/")), "{name}: {url}");
        served(&field, &url).await;
    }
    let is_in = |store: &Path, name: &str| store.join(&field.namespace.name).join(name).exists();
    let (ours, others) = (field.operator.storage_path(), other.storage_path());
    assert!(is_in(ours, "mine") && !is_in(ours, "theirs") && !is_in(others, "mine") && is_in(others, "theirs"));

    // A snippet goes from one to the other.
    let before = field.artifact("moves").await.published().unwrap().url.clone();
    label(&field, "moves", json!("b")).await;
    jaas_tests::wait::object(&field.artifacts, "moves", "is announced by the other", PATIENCE, |artifact| {
        artifact.published().is_some_and(|published| published.url.starts_with(&format!("{}/", other.base_url())))
    })
    .await
    .unwrap();
    field.fetch("moves").await;
    served(&field, &before).await;

    // Collection in both stores has passed, and took nothing that is named.
    collection_has_passed(&field, "lost").await;
    let orphan = plant(others, &field.namespace.name, "lost");
    collected(&field, &orphan).await;
    for name in ["mine", "theirs", "moves"] {
        field.fetch(name).await;
    }
    field.delete("moves").await;
    field.delete("theirs").await;
    for name in ["moves", "theirs"] {
        gone(&field.snippets, name, PATIENCE).await.unwrap();
        gone(&field.artifacts, name, PATIENCE).await.unwrap();
    }
    eventually("files of the gone to go", PATIENCE * 2, async || {
        let left: Vec<_> = [(ours, "moves"), (others, "moves"), (others, "theirs")]
            .into_iter()
            .filter(|(store, name)| is_in(store, name))
            .collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
    .unwrap();
    field.fetch("mine").await;
}
