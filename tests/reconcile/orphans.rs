//! Files that nobody names any more go; every other one stays.

use std::fs;
use std::path::{Path, PathBuf};

use jaas_storage::{Key, Revision};
use jaas_tests::wait::{eventually, gone};
use kube::api::DeleteParams;
use serde_json::json;

use crate::field::{Field, PATIENCE, tail};

/// The age is never to be below the sum of the other two.
const ARGS: [&str; 4] =
    ["--storage-orphan-age=2s", "--storage-orphan-interval=1s", "--max-withdraw-wait=1s", "--artifact-gc-grace=1s"];

/// Ends the operator, and the snippet behind its back: no withdrawal takes place, as after a finalizer that was stripped by hand.
async fn vanish(field: &mut Field, name: &str) {
    field.operator.kill().await.unwrap();
    field.patch(name, json!({"metadata": {"finalizers": null}})).await;
    field.delete(name).await;
    gone(&field.snippets, name, PATIENCE).await.unwrap();
    // Kubernetes may have been faster: the snippet owned it.
    let _ = field.artifacts.delete(name, &DeleteParams::default()).await;
    gone(&field.artifacts, name, PATIENCE).await.unwrap();
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
}

/// Puts a file of an artifact's name where no reconcile would put one.
fn plant(root: &Path, namespace: &str, name: &str) -> PathBuf {
    let key = Key::new(namespace, name).unwrap();
    let path = root.join(key.path(&Revision::of_document(b"left by a crash")));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"left by a crash").unwrap();
    path
}

async fn collected(field: &Field, file: &Path) {
    let waited = eventually("the orphan to be collected", PATIENCE, async || {
        if file.exists() { Err(file.display().to_string()) } else { Ok(()) }
    });
    if let Err(error) = waited.await {
        panic!("{error:#}\nthe operator says:\n{}", tail(&field.operator.log()));
    }
}

#[tokio::test]
async fn what_nobody_names_is_collected_and_the_rest_is_served() {
    let mut field = Field::with("orphans", &ARGS).await;
    field.create("web", json!({"files": {"main.jsonnet": "1"}, "history": 2})).await;
    field.create_file("gone", "2").await;
    field.synced("web").await;
    field.synced("gone").await;
    let (earlier, orphan) = (field.file("web").await, field.file("gone").await);
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "3"}}})).await;
    field.synced("web").await;

    vanish(&mut field, "gone").await;
    let root = field.operator.storage_path().to_owned();
    let left = plant(&root, &field.namespace.name, "web");
    let unwatched = plant(&root, "elsewhere", "web");
    collected(&field, &orphan).await;
    collected(&field, &left).await;

    field.fetch("web").await;
    assert!(earlier.exists(), "the history names it");
    assert!(unwatched.exists(), "of a namespace that is none of ours");
    assert!(!orphan.parent().unwrap().exists(), "the folder goes with its last file");
    field.logged("Orphaned artifacts collected").await;
}

#[tokio::test]
async fn without_any_snippet_nothing_is_collected() {
    let mut field = Field::with("orphans-guard", &ARGS).await;
    field.create_file("last", "1").await;
    field.synced("last").await;
    let orphan = field.file("last").await;
    vanish(&mut field, "last").await;
    eventually("the guard to be told", PATIENCE, async || {
        let told = field.operator.log().contains("Orphaned artifacts are not collected");
        if told { Ok(()) } else { Err(tail(&field.operator.log())) }
    })
    .await
    .unwrap();
    assert!(orphan.exists());

    field.create_file("next", "2").await;
    collected(&field, &orphan).await;
    field.synced("next").await;
    field.fetch("next").await;
}
