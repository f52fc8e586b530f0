//! Files of snippets that are gone go, once they are old enough and nobody names them.

use std::fs::File;
use std::time::{Duration, SystemTime};

use jaas_api::admin::{Action, ActionOutcome};
use jaas_tests::controlplane::ControlPlane;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use crate::bench::Bench;

fn backdate(bench: &Bench, path: &str, seconds: u64) {
    let file = File::options().write(true).open(bench.file(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn a_snippet_that_is_gone_leaves_orphans_and_one_that_exists_does_not() {
    let mut bench = Bench::new("gone", &["--max-withdraw-wait=50s", "--artifact-gc-grace=10s"]).await;
    bench.create("web", "1", 1).await;
    bench.create("lives", "1", 1).await;
    let (orphan, living) = (bench.announced("web").await, bench.announced("lives").await);
    bench.vanish("web").await;
    bench.owned().await;
    let trash = format!("{orphan}.trash-1");
    bench.write(&trash, b"aside");
    let left = bench.plant("lives", "left");
    for path in [&orphan, &trash, &living, &left] {
        backdate(&bench, path, 40);
    }
    use ActionOutcome::{Kept, Missing, Refused, Removed, WouldRemove};
    let all = [&*orphan, &trash, &living, &left];
    let outcomes = async |action, dry_run| {
        let (done, end) = bench.act(action, &all, dry_run).await;
        assert_eq!(end.stopped, None);
        done.into_iter().map(|done| done.outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(Action::DeleteOrphans, false).await, [Kept, Kept, Kept, Kept], "too young");
    for path in all {
        backdate(&bench, path, 100);
    }
    assert_eq!(outcomes(Action::PruneBeyondKeep, true).await, [Refused, Refused, Kept, WouldRemove]);
    assert_eq!(outcomes(Action::DeleteOrphans, true).await, [WouldRemove, WouldRemove, Kept, Kept]);
    assert!(all.iter().all(|path| bench.file(path).exists()));
    assert_eq!(outcomes(Action::DeleteOrphans, false).await, [Removed, Removed, Kept, Kept]);
    assert!(!bench.file(&orphan).exists() && !bench.file(&trash).exists() && bench.file(&living).exists());
    assert!(!bench.file(&orphan).parent().unwrap().exists(), "the empty folder goes, too");
    assert_eq!(outcomes(Action::DeleteOrphans, false).await, [Missing, Missing, Kept, Kept]);
}

#[tokio::test]
async fn what_cannot_be_judged_or_is_still_named_stays() {
    let plane = ControlPlane::shared().await.unwrap();
    let (ending, other) = (plane.namespace("ending").await.unwrap(), plane.namespace("unwatched").await.unwrap());
    let bench = Bench::beside("judge", &["--max-withdraw-wait=1s", "--artifact-gc-grace=1s"], &[&ending]).await;
    bench.owned().await;
    let named = bench.plant("web", "named");
    let unwatched = named.replace(&bench.namespace.name, &other.name);
    let terminating = named.replace(&bench.namespace.name, &ending.name);
    for path in [&unwatched, &terminating] {
        bench.write(path, b"named");
    }
    for path in [&named, &unwatched, &terminating] {
        backdate(&bench, path, 100);
    }
    let revision = jaas_storage::Revision::of_document(b"named").to_string();
    let artifact = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"name": "web", "namespace": bench.namespace.name}, "spec": {},
    });
    bench.artifacts.create(&PostParams::default(), &serde_json::from_value(artifact).unwrap()).await.unwrap();
    let announce = Patch::Merge(json!({"status": {"artifact": {
        "path": named, "url": "http://x/y", "revision": revision, "digest": revision, "lastUpdateTime": "2024-01-01T00:00:00Z",
    }}}));
    bench.artifacts.patch_status("web", &PatchParams::default(), &announce).await.unwrap();
    // An object with a finalizer of somebody else holds the namespace.
    let held = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": ending.name, "finalizers": ["example.com/held"]},
    });
    plane.apply_objects(&[held]).await.unwrap();
    plane.delete_namespace(&ending).await.unwrap();
    let kept = bench.act_on(Action::DeleteOrphans, &named).await;
    assert_eq!(kept.outcome, ActionOutcome::Kept);
    assert!(kept.why.contains("announces"), "{kept:?}");
    let outside = bench.act_on(Action::DeleteOrphans, &unwatched).await;
    assert_eq!(outside.outcome, ActionOutcome::Refused);
    assert!(outside.why.contains("does not watch"), "{outside:?}");
    let half = bench.act_on(Action::DeleteOrphans, &terminating).await;
    assert_eq!(half.outcome, ActionOutcome::Kept);
    assert!(half.why.contains("being deleted"), "{half:?}");
    let release = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": ending.name, "finalizers": []},
    });
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::namespaced(bench.client.clone(), &ending.name);
    maps.patch("held", &PatchParams::default(), &Patch::Merge(json!({"metadata": release["metadata"]}))).await.unwrap();
}
