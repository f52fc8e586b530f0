//! Suspended, failing, deleted and recreated snippets, and what is kept of old revisions.

use std::time::Duration;

use jaas_api::JsonnetSnippet;
use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::{eventually, gone};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::field::{Field, PATIENCE, message, one_file, status};

#[tokio::test]
async fn a_suspended_snippet_stays_published_and_wins_over_an_invalid_spec() {
    let field = Field::new("suspend").await;
    field.create_file("web", "1").await;
    let before = field.synced("web").await;
    field
        .patch(
            "web",
            json!({"spec": {"suspend": true, "files": {"main.jsonnet": "error 'no'"}, "serviceAccountName": ""}}),
        )
        .await;
    let paused = field.judged("web", "Suspended").await;
    assert_eq!(message(&paused), "spec.suspend is true; pause until the operator unsets it");
    assert_eq!(status(&paused).revision, status(&before).revision);
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "1\n"));
    field.ask("web", "while-suspended").await;

    field
        .patch(
            "web",
            json!({"spec": {"suspend": false, "files": {"main.jsonnet": "2"}, "serviceAccountName": "tenant"}}),
        )
        .await;
    field.synced("web").await;
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "2\n"));
}

#[tokio::test]
async fn a_failing_snippet_keeps_what_it_published() {
    let field = Field::new("failing").await;
    field.create_file("web", "1").await;
    let before = field.synced("web").await;
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "error 'no'"}}})).await;
    let failing = field.judged("web", "EvaluationFailed").await;
    assert_eq!(
        (status(&failing).revision, status(&failing).artifact_url, status(&failing).history),
        (status(&before).revision, status(&before).artifact_url, status(&before).history)
    );
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "1\n"));
}

#[tokio::test]
async fn a_deleted_snippet_leaves_nothing_and_can_come_again() {
    let field = Field::new("delete").await;
    for round in ["1", "2"] {
        field.create_file("web", round).await;
        field.synced("web").await;
        assert_eq!(field.fetch("web").await, one_file("rendered.json", &format!("{round}\n")));
        let url = field.artifact("web").await.published().unwrap().url.clone();
        field.delete("web").await;
        gone(&field.snippets, "web", PATIENCE).await.unwrap();
        gone(&field.artifacts, "web", PATIENCE).await.unwrap();
        assert_eq!(field.stored(), Vec::<String>::new());
        eventually("404 for what nobody announces", PATIENCE, async || {
            let answer = field.get(&url).await;
            if answer.status == 404 { Ok(()) } else { Err(answer.status) }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_deletion_waits_for_no_tenant_and_touches_no_foreign_finalizer() {
    let field = Field::new("orphan").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    field.patch("web", json!({"metadata": {"finalizers": ["example.com/mine", "jaas.metio.wtf/finalizer"]}})).await;
    // The account is gone, so nothing can be deleted on its behalf.
    let accounts: kube::Api<k8s_openapi::api::core::v1::ServiceAccount> =
        kube::Api::namespaced(field.client.clone(), &field.namespace.name);
    accounts.delete("tenant", &kube::api::DeleteParams::default()).await.unwrap();
    field.delete("web").await;
    let left = field
        .until("web", "has only the foreign finalizer", |snippet| snippet.finalizers() == ["example.com/mine"])
        .await;
    assert!(left.metadata.deletion_timestamp.is_some());
    assert_eq!(field.stored(), Vec::<String>::new());
    field.patch("web", json!({"metadata": {"finalizers": []}})).await;
    gone(&field.snippets, "web", PATIENCE).await.unwrap();
    // What could not be deleted as the tenant goes with its owner.
    gone(&field.artifacts, "web", PATIENCE).await.unwrap();
}

/// Makes a file one that not even root can delete, or an ordinary one again.
fn immutable(file: &std::path::Path, yes: bool) {
    let file = std::fs::File::open(file).unwrap();
    let flags = if yes { rustix::fs::IFlags::IMMUTABLE } else { rustix::fs::IFlags::empty() };
    rustix::fs::ioctl_setflags(&file, flags).unwrap_or_else(|error| panic!("these tests need root on Linux: {error}"));
}

#[tokio::test]
async fn a_store_that_refuses_a_deletion_is_told_and_holds_it_for_a_limited_time() {
    let field = Field::with("refused-deletion", &["--max-withdraw-wait=6s"]).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let file = field.file("web").await;
    immutable(&file, true);
    field.delete("web").await;
    let refused = field.judged("web", "StorageDenied").await;
    assert!(message(&refused).starts_with("withdraw artifact: deleting `"), "{}", message(&refused));
    gone(&field.snippets, "web", PATIENCE).await.unwrap();
    immutable(&file, false);
    // It lets go first and tells of it afterwards.
    field.logged("Force-dropping finalizer after MaxWithdrawWait").await;
    let log = field.operator.log();
    let tries = log.lines().filter(|line| line.contains("withdraw artifact")).count();
    assert!((3..20).contains(&tries), "{tries} tries in six seconds");
    let counted = format!(
        "jaas_snippet_force_drop_total{{namespace=\"{}\",name=\"web\",reason=\"withdraw_timed_out\"}} 1",
        field.namespace.name
    );
    eventually("the count of what was let go", PATIENCE, async || {
        let metrics = field.operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains(&counted) { Ok(()) } else { Err(metrics) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_namespace_with_snippets_can_be_deleted() {
    // Rights that hold in one namespace only go with it, possibly first; so this operator has them in the cluster, which needs a
    // control plane of its own.
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let namespace = plane.namespace("teardown").await.unwrap();
    let operator = Operator::ready(&plane, OperatorOptions::default()).await.unwrap();
    let snippets: Api<JsonnetSnippet> = Api::namespaced(plane.admin().await.unwrap(), &namespace.name);
    for n in 0..3 {
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": format!("s{n}"), "namespace": namespace.name},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "1"}},
        });
        plane.apply_objects(&[object]).await.unwrap();
    }
    for n in 0..3 {
        jaas_tests::wait::object(&snippets, &format!("s{n}"), "is synced", PATIENCE, |snippet| {
            status(snippet).ready().is_some_and(|ready| ready.status == "True")
        })
        .await
        .unwrap();
    }
    plane.delete_namespace(&namespace).await.unwrap();
    for n in 0..3 {
        gone(&snippets, &format!("s{n}"), PATIENCE).await.unwrap();
    }
    eventually("an empty store", PATIENCE, async || {
        let left: Vec<_> = std::fs::read_dir(operator.storage_path()).unwrap().map(|it| it.unwrap().path()).collect();
        let artifacts: Vec<_> = left.iter().filter(|path| path.is_dir()).collect();
        if artifacts.is_empty() { Ok(()) } else { Err(format!("{artifacts:?}")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn revisions_are_kept_by_number_and_go_after_their_grace() {
    let field = Field::with("history", &["--artifact-gc-grace=1s"]).await;
    field.create("web", json!({"files": {"main.jsonnet": "0"}, "history": 2})).await;
    field.synced("web").await;
    let mut urls = vec![field.artifact("web").await.published().unwrap().url.clone()];
    for text in ["1", "2"] {
        let before = field.snippets.get("web").await.unwrap();
        field.patch("web", json!({"spec": {"files": {"main.jsonnet": text}}})).await;
        field.until("web", "publishes anew", |snippet| status(snippet).revision != status(&before).revision).await;
        urls.push(field.artifact("web").await.published().unwrap().url.clone());
    }
    let snippet = field.synced("web").await;
    assert_eq!(status(&snippet).history.len(), 2);
    assert_eq!(status(&snippet).retired.len(), 1);
    eventually("the end of the oldest revision", PATIENCE, async || {
        let answers =
            [field.get(&urls[0]).await.status, field.get(&urls[1]).await.status, field.get(&urls[2]).await.status];
        if answers.map(|status| status.as_u16()) == [404, 200, 200] { Ok(()) } else { Err(format!("{answers:?}")) }
    })
    .await
    .unwrap();

    // Back to an older one: listed once, and not collected while it is current.
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "1"}}})).await;
    let back = field.until("web", "goes back", |snippet| status(snippet).artifact_url.as_ref() == Some(&urls[1])).await;
    assert_eq!(status(&back).history.len(), 2);
    field.patch("web", json!({"spec": {"history": 1}})).await;
    let short = field.until("web", "keeps one", |snippet| status(snippet).history.len() == 1).await;
    assert_eq!(status(&short).history[0].revision, status(&short).revision.unwrap());
    eventually("the end of the other", PATIENCE, async || {
        let answer = field.get(&urls[2]).await.status;
        if answer == 404 { Ok(()) } else { Err(answer) }
    })
    .await
    .unwrap();
    assert_eq!(field.get(&urls[1]).await.status, 200);
}

#[tokio::test]
async fn a_snippet_is_looked_at_again_after_its_interval() {
    let field = Field::new("interval").await;
    field.create("web", json!({"files": {"main.jsonnet": "1"}, "interval": "30s"})).await;
    field.synced("web").await;
    let file = field.file("web").await;
    std::fs::remove_file(&file).unwrap();
    // Nobody asks for the file: only the interval can notice.
    eventually("the file to come back", Duration::from_secs(45), async || file.exists().then_some(())).await.unwrap();
}
