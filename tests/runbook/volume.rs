//! A volume that was lost, and a switch between volumes.

use jaas_tests::cluster::{CLAIM, Settings, Store};
use jaas_tests::wait;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::bed::{Bed, PATIENCE, empty, holds, next_second};

/// Deletes the claim and everything on its volume, as whoever deletes a claim with `Delete` as its reclaim policy does.
async fn lose_the_claim(bed: &mut Bed) {
    bed.installation.upgrade(|settings| settings.replicas = 0).await.unwrap();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(bed.client.clone(), &bed.namespace.name);
    claims.delete(CLAIM, &DeleteParams::default()).await.unwrap();
    // The controller that takes this finalizer away once no Pod uses the claim does not run here.
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    claims.patch(CLAIM, &PatchParams::default(), &free).await.unwrap();
    wait::gone(&claims, CLAIM, PATIENCE).await.unwrap();
    empty(&bed.installation.volume());
    // The new claim must be seen to be younger.
    next_second().await;
}

#[tokio::test]
async fn a_lost_volume_is_found_and_filled_again_by_itself() {
    let mut bed = Bed::on_volume(Settings::default()).await;
    bed.is_well().await;
    lose_the_claim(&mut bed).await;
    let down = bed.finds(&["doctor"], "P108", "critical").await;
    holds(&down.roots, &["P108".to_owned()]);
    bed.plane.apply_objects(&[bed.held()]).await.unwrap();
    bed.installation.upgrade(|settings| settings.replicas = 1).await.unwrap();
    let found = bed.finds(&["storage", "doctor"], "S404", "error").await;
    assert_eq!(found.get("A501").map(|finding| &finding["severity"]), Some(&json!("error")), "{:?}", found.codes());
    holds(&found.roots, &["S404".to_owned()]);
    assert!(
        !found.roots.contains(&"A501".to_owned()),
        "the cause is told, not what follows from it: {:?}",
        found.roots
    );

    bed.release().await;
    bed.operator(&["wait", "leader"], 0).await;
    bed.row("kubectl jaas wait recovered --timeout 10m", &[], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn an_emptied_volume_is_filled_again_by_one_command() {
    // Without the looks that the operator takes by itself, and with nobody who fetches, the command is what repairs it.
    let args = vec!["--storage-check-interval=0".to_owned()];
    let bed = Bed::on_volume(Settings { args, ..Settings::default() }).await;
    let file = bed.installation.volume().join(bed.path("a").await);
    empty(&bed.installation.volume());
    assert!(!file.exists());
    // Nothing of it is known to the API server.
    bed.operator(&["wait", "ready", "--all"], 0).await;
    let soon = ["wait", "recovered", "--timeout", "15s", "--route", "admin", "-o", "json"];
    let waited = bed.operator(&soon, 124).await;
    let waited: Value = serde_json::from_str(&waited).unwrap();
    assert!(waited["targets"].as_array().unwrap().iter().all(|it| it["reason"] == "A501"), "{waited:#}");
    bed.row("kubectl jaas reconcile --all", &[], 0).await;
    assert!(file.is_file());
    bed.operator(&["wait", "recovered"], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn a_store_in_the_pod_is_told_and_comes_back_with_each_new_pod() {
    let bed = Bed::new(Settings::default()).await;
    bed.publish(&[("a", "1"), ("b", "2")]).await;
    let found = bed.finds(&["doctor"], "C201", "warning").await;
    assert_eq!(found.code, 0, "{:?}", found.codes());
    let advice = bed.row("kubectl jaas storage advise persistence", &[], 0).await;
    assert!(advice.contains("operator.storage.persistence"), "{advice}");
    let version = bed.artifacts().get("a").await.unwrap().metadata.resource_version;
    let pod = bed.installation.pod().unwrap().name.clone();
    bed.plane.apply_objects(&[bed.held()]).await.unwrap();
    assert!(bed.kubectl(&["delete", "pod", &pod]).await.status.success());
    bed.installation.wait_done().await.unwrap();
    let found = bed.finds(&["storage", "doctor"], "A501", "error").await;
    assert!(found.get("C201").is_some(), "{:?}", found.codes());
    bed.release().await;
    bed.is_well().await;
    let after = bed.artifacts().get("a").await.unwrap().metadata.resource_version;
    assert_eq!(after, version, "the same bytes need no new announcement");
}

#[tokio::test]
async fn a_switch_between_a_store_in_the_pod_and_a_volume_leaves_no_gap_behind() {
    let mut bed = Bed::new(Settings::default()).await;
    bed.publish(&[("a", "1"), ("b", "2")]).await;
    bed.installation.upgrade(|settings| settings.store = Store::Claim).await.unwrap();
    bed.row("kubectl jaas wait recovered", &[], 0).await;
    let found = bed.is_well().await;
    assert!(found.get("C201").is_none(), "{:?}", found.codes());
    let file = bed.installation.volume().join(bed.path("a").await);
    assert!(file.is_file());
    bed.installation.upgrade(|settings| settings.store = Store::EmptyDir).await.unwrap();
    let found = bed.is_well().await;
    assert!(found.get("C201").is_some(), "{:?}", found.codes());
}

#[tokio::test]
async fn only_what_is_missing_is_rendered_again() {
    let args = vec!["--storage-check-interval=0".to_owned(), "--storage-cache=0".to_owned()];
    let bed = Bed::on_volume(Settings { args, ..Settings::default() }).await;
    bed.publish(&[("c", "3")]).await;
    let volume = bed.installation.volume();
    let (gone, kept) = (volume.join(bed.path("a").await), volume.join(bed.path("b").await));
    let written = std::fs::metadata(&kept).unwrap().modified().unwrap();
    std::fs::remove_file(&gone).unwrap();
    // Nobody fetches, and the operator does not look by itself, so the command is what brings it back.
    bed.row("kubectl jaas reconcile --missing", &[], 0).await;
    assert!(gone.is_file());
    assert_eq!(std::fs::metadata(&kept).unwrap().modified().unwrap(), written);
    bed.is_well().await;
}
