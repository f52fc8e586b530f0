//! Revisions of living snippets that nothing holds go, and no others.

use std::collections::BTreeMap;

use jaas_api::admin::{Action, ActionItem, ActionOutcome, ActionRequest};
use jaas_tests::controlplane::ControlPlane;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::bench::Bench;

/// Current, kept, retired and left-over revisions of one snippet.
struct Four {
    current: String,
    kept: String,
    retired: String,
    left: String,
}

async fn four(bench: &Bench) -> Four {
    bench.create("web", "1", 2).await;
    let retired = bench.announced("web").await;
    bench.change("web", json!({"files": {"main.jsonnet": "2"}})).await;
    let kept = bench.announced("web").await;
    bench.change("web", json!({"files": {"main.jsonnet": "3"}})).await;
    let current = bench.announced("web").await;
    bench.owned().await;
    Four { current, kept, retired, left: bench.plant("web", "left by a crash") }
}

fn outcomes(done: &[jaas_api::admin::ActionDone]) -> BTreeMap<&str, ActionOutcome> {
    done.iter().map(|done| (done.path.as_str(), done.outcome)).collect()
}

#[tokio::test]
async fn what_a_status_or_a_grace_holds_stays_and_a_second_run_changes_nothing() {
    let bench = Bench::new("prune", &["--artifact-gc-grace=1h"]).await;
    let four = four(&bench).await;
    let all = [&*four.current, &four.kept, &four.retired, &four.left];
    use ActionOutcome::{Kept, Missing, Removed, WouldRemove};
    for (action, dry_run, expected) in [
        (Action::PruneExpired, true, [Kept, Kept, Kept, WouldRemove]),
        (Action::PruneBeyondKeep, true, [Kept, Kept, WouldRemove, WouldRemove]),
        (Action::PruneExpired, false, [Kept, Kept, Kept, Removed]),
        (Action::PruneExpired, false, [Kept, Kept, Kept, Missing]),
        (Action::PruneBeyondKeep, false, [Kept, Kept, Removed, Missing]),
        (Action::PruneBeyondKeep, false, [Kept, Kept, Missing, Missing]),
    ] {
        let before: Vec<bool> = all.iter().map(|path| bench.file(path).exists()).collect();
        let (done, end) = bench.act(action, &all, dry_run).await;
        assert_eq!(outcomes(&done), all.iter().copied().zip(expected).collect(), "{action:?} {dry_run}: {done:?}");
        let gone = expected.iter().filter(|outcome| matches!(outcome, Removed | WouldRemove)).count() as u64;
        assert_eq!((end.removed, end.stopped), (gone, None));
        assert_eq!(end.bytes > 0, gone > 0);
        for ((path, outcome), before) in all.iter().zip(expected).zip(before) {
            assert_eq!(bench.file(path).exists(), before && outcome != Removed, "{path}");
        }
        assert!(done.iter().all(|done| matches!(done.outcome, Removed | WouldRemove) || !done.why.is_empty()));
    }
    let log = bench.operator.log();
    for words in ["A person asked for a change of the store", "went at a person's request", &four.left, "a test"] {
        assert!(log.contains(words), "{words} is missing in\n{log}");
    }
}

#[tokio::test]
async fn only_the_state_that_was_seen_goes_and_nothing_else_of_the_store() {
    let plane = ControlPlane::shared().await.unwrap();
    let other = plane.namespace("unwatched").await.unwrap();
    let bench = Bench::new("seen", &[]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let left = bench.plant("web", "left by a crash");
    let seen = bench.listed(&left).await;
    bench.write(&left, b"written again");
    let item = |path: &str, version: &str| ActionItem { path: path.to_owned(), version: version.to_owned() };
    let ask = async |items: Vec<ActionItem>| {
        let request = ActionRequest {
            action: Action::PruneExpired,
            items,
            older_than: None,
            dry_run: false,
            reason: String::new(),
        };
        bench.ask(request).await.0.into_iter().map(|done| done.outcome).collect::<Vec<_>>()
    };
    use ActionOutcome::{Changed, Refused};
    assert_eq!(ask(vec![item(&left, &seen.version), item(&left, "")]).await, [Changed, Changed]);
    assert!(bench.file(&left).exists());
    let elsewhere = left.replace(&bench.namespace.name, &other.name);
    bench.write(&elsewhere, b"theirs");
    let note = format!("{}/web/notes.txt", bench.namespace.name);
    bench.write(&note, b"a person's");
    let trash = format!("{left}.trash-1");
    bench.write(&trash, b"aside");
    for path in [".jaas-owner.json", &*note, &trash, &elsewhere, "../outside", "/etc/passwd", "", "a"] {
        let version = bench.inventory(&bench.token, "").await.0.into_iter().find(|file| file.path == path);
        let version = version.map(|file| file.version).unwrap_or_default();
        assert_eq!(ask(vec![item(path, &version)]).await, [Refused], "{path}");
    }
    for path in [".jaas-owner.json", &*note, &trash, &elsewhere] {
        assert!(bench.file(path).exists(), "{path}");
    }
}

#[tokio::test]
async fn what_is_named_meanwhile_stays() {
    let bench = Bench::new("meanwhile", &[]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let left = bench.plant("web", "left by a crash");
    // Somebody edits the artifact, as a person does who goes back by hand.
    let patch = Patch::Merge(json!({"spec": {"suspend": true}}));
    bench.snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
    jaas_tests::wait::object(&bench.snippets, "web", "is suspended", crate::bench::PATIENCE, |snippet| {
        snippet.status.clone().unwrap_or_default().observed_generation == snippet.metadata.generation
    })
    .await
    .unwrap();
    let revision = jaas_storage::Revision::of_document(b"left by a crash").to_string();
    let artifact = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"name": "apart", "namespace": bench.namespace.name}, "spec": {},
    });
    bench.artifacts.create(&PostParams::default(), &serde_json::from_value(artifact).unwrap()).await.unwrap();
    let announce = Patch::Merge(json!({"status": {"artifact": {
        "path": left, "url": "http://x/y", "revision": revision, "digest": revision, "lastUpdateTime": "2024-01-01T00:00:00Z",
    }}}));
    bench.artifacts.patch_status("apart", &PatchParams::default(), &announce).await.unwrap();
    // An artifact of another name names nothing of this snippet.
    assert_eq!(bench.act(Action::PruneExpired, &[&left], true).await.0[0].outcome, ActionOutcome::WouldRemove);
    bench.announce_another("web", &left, &revision).await;
    let done = bench.act_on(Action::PruneExpired, &left).await;
    assert_eq!(done.outcome, ActionOutcome::Kept, "{done:?}");
    assert!(done.why.contains("ExternalArtifact"), "{done:?}");
    assert!(bench.file(&left).exists());
}

#[tokio::test]
async fn files_of_a_snippet_that_the_selector_leaves_out_are_not_touched() {
    let bench = Bench::new("left-out", &["--label-selector=!out"]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let (left, announced) = (bench.plant("web", "left by a crash"), bench.announced("web").await);
    let label = async |value: Value| {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"out": value}}}));
        bench.snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
    };
    label(json!("yes")).await;
    for (action, path) in
        [(Action::PruneExpired, &left), (Action::PruneBeyondKeep, &left), (Action::Repair, &announced)]
    {
        let done = bench.act_on(action, path).await;
        assert_eq!(done.outcome, ActionOutcome::Refused, "{done:?}");
        assert!(done.why.contains("--label-selector"), "{done:?}");
    }
    assert!(bench.file(&left).exists() && bench.file(&announced).exists());
    label(Value::Null).await;
    assert_eq!(bench.act_on(Action::Repair, &announced).await.outcome, ActionOutcome::Kept);
    assert_eq!(bench.act_on(Action::PruneBeyondKeep, &left).await.outcome, ActionOutcome::Removed);
    assert!(!bench.file(&left).exists() && bench.file(&announced).exists());
}
