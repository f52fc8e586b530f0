//! Object stores: away, emptied, looked for at the wrong place, with other keys, with uploads that nobody finished.

use std::fs;

use jaas_tests::cluster::{Keys, Settings};
use jaas_tests::network;
use jaas_tests::s3::{ACCESS_KEY, SECRET_KEY, Server, Software};
use serde_json::json;

use super::bed::{Bed, bucket, empty, holds, keyless, next_second, opened};

/// In the same network as the operator.
async fn server() -> Server {
    network::join().unwrap();
    Server::start(Software::Versitygw).await.unwrap()
}

#[tokio::test]
async fn an_object_store_that_is_away_is_named_and_what_waited_is_published_when_it_is_back() {
    let mut server = server().await;
    let bed = Bed::on_bucket(&server, Settings::default()).await;
    bed.is_well().await;
    server.stop().await.unwrap();
    bed.write(&[("late", "3")]).await;
    bed.judged("late", "StorageUnavailable").await;
    let found = bed.finds(&["storage", "doctor"], "S407", "error").await;
    holds(&found.roots, &["S407".to_owned()]);
    // What is in memory is served meanwhile.
    assert!(found.get("A501").is_none(), "{:?}", found.codes());
    let evidence = found.get("S407").unwrap().to_string();
    assert!(evidence.contains("late"), "{evidence}");

    server.restart().await.unwrap();
    bed.row("kubectl jaas reconcile --failed --allow-empty", &[], 0).await;
    bed.judged("late", "Synced").await;
    bed.is_well().await;
}

#[tokio::test]
async fn an_emptied_bucket_is_found_and_filled_again() {
    let server = server().await;
    let bed = Bed::on_bucket(&server, Settings::default()).await;
    bed.hold().await;
    empty(&server.bucket_directory());
    bed.forget().await;
    let found = bed.finds(&["storage", "doctor"], "S409", "error").await;
    holds(&found.roots, &["S409".to_owned()]);
    bed.release().await;
    bed.operator(&["wait", "leader"], 0).await;
    bed.row("kubectl jaas reconcile --all", &[], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn a_changed_prefix_is_found_with_the_place_that_is_looked_at_and_filled() {
    let server = server().await;
    let mut bed = Bed::on_bucket(&server, Settings::default()).await;
    bed.hold().await;
    let store = bucket(&server, &["--s3-prefix=elsewhere"]);
    bed.installation.upgrade(|settings| settings.store = store).await.unwrap();
    let found = bed.row_finds("kubectl jaas storage doctor", "S409", "error").await;
    let told = found.get("S409").unwrap().to_string();
    assert!(told.contains("artifacts/elsewhere"), "{told}");
    holds(&found.roots, &["S409".to_owned()]);
    bed.release().await;
    bed.is_well().await;
    let there = server.bucket_directory().join("elsewhere").join(bed.path("a").await);
    assert!(there.exists(), "{}", there.display());
}

/// Makes this the only account besides the one that may do everything.
fn only_account(server: &Server, name: &str) {
    let account = json!({
        "access": name, "secret": secret(name), "role": "admin", "userID": 0, "groupID": 0, "projectID": 0,
    });
    let fresh = server.accounts().with_extension("new");
    fs::write(&fresh, json!({"accessAccounts": {name: account}}).to_string()).unwrap();
    fs::rename(fresh, server.accounts()).unwrap();
}

fn secret(name: &str) -> String {
    format!("secret-of-{name}")
}

/// Writes the Secret with these keys.
async fn write_keys(bed: &Bed, key: &str, secret: &str) {
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": bed.namespace.name},
        "stringData": {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}});
    bed.plane.apply_objects(&[object]).await.unwrap();
}

/// An operator whose keys are in a Secret.
async fn keyed(server: &Server, keys: Keys) -> Bed {
    let mut bed = Bed::new(Settings::default()).await;
    write_keys(&bed, ACCESS_KEY, SECRET_KEY).await;
    only_account(server, "first");
    write_keys(&bed, "first", &secret("first")).await;
    let store = keyless(server, keys);
    bed.installation.upgrade(|settings: &mut Settings| settings.store = store).await.unwrap();
    bed.publish(&[("a", "1")]).await;
    bed
}

#[tokio::test]
async fn keys_that_the_store_refuses_are_told_and_new_ones_in_a_mounted_secret_need_no_restart() {
    let server = server().await;
    let bed = keyed(&server, Keys::Mounted("keys".to_owned())).await;
    only_account(&server, "second");
    bed.write(&[("b", "2")]).await;
    bed.judged("b", "StorageDenied").await;
    let found = bed.row_finds("kubectl jaas storage doctor", "S406", "error").await;
    holds(&found.roots, &["S406".to_owned()]);
    let process = bed.installation.pod().unwrap().process().unwrap().pid();
    write_keys(&bed, "second", &secret("second")).await;
    bed.judged("b", "Synced").await;
    bed.is_well().await;
    assert_eq!(bed.installation.pod().unwrap().process().unwrap().pid(), process);
}

#[tokio::test]
async fn keys_in_the_environment_that_changed_need_the_restart_that_is_proposed() {
    let server = server().await;
    let bed = keyed(&server, Keys::Environment("keys".to_owned())).await;
    only_account(&server, "second");
    // The keys must be seen to be younger than the Pod.
    next_second().await;
    write_keys(&bed, "second", &secret("second")).await;
    let found = bed.finds(&["doctor"], "C204", "error").await;
    found.proposes("C204", "kubectl jaas restart");
    bed.write(&[("b", "2")]).await;
    bed.judged("b", "StorageDenied").await;
    bed.row("kubectl jaas restart", &["--yes", "--allow-outage"], 0).await;
    bed.judged("b", "Synced").await;
    let found = bed.is_well().await;
    assert!(found.get("C204").is_none(), "{:?}", found.codes());
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_named() {
    let server = server().await;
    let mut bed = Bed::on_bucket(&server, Settings::default()).await;
    let wrong = bucket(&server, &["--s3-bucket=nowhere"]);
    bed.installation.upgrading(|settings| settings.store = wrong).await.unwrap();
    let found = bed.row_finds("kubectl jaas storage doctor", "S408", "error").await;
    let told = found.get("S408").unwrap().to_string();
    assert!(told.contains("nowhere"), "{told}");
    let right = bucket(&server, &[]);
    bed.installation.upgrade(|settings: &mut Settings| settings.store = right).await.unwrap();
    bed.is_well().await;
}

#[tokio::test]
async fn a_rule_by_which_the_bucket_removes_live_artifacts_is_found() {
    network::join().unwrap();
    let server = Server::start(Software::Minio).await.unwrap();
    let mut bed = Bed::on_bucket(&server, Settings::default()).await;
    // Only the bucket tells, and only whoever has keys for it can ask.
    bed.env = vec![("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    let store = opened(&server).await;
    let found = bed.is_well().await;
    assert!(found.blind.iter().all(|check| check["code"] != "C210"), "{:?}", found.blind);
    store.expire_after(30).await;
    let found = bed.row_finds("kubectl jaas storage doctor --route s3", "C210", "error").await;
    let told = found.get("C210").unwrap().to_string();
    assert!(told.contains("save-room") && told.contains("30 days"), "{told}");
    store.expire_nothing().await;
    bed.is_well().await;
}
