//! Whose the store is, and what is found out about it without anybody asking.

use std::fs;

use jaas_tests::http;
use jaas_tests::wait::{eventually, gone};
use serde_json::json;

use crate::field::{Field, MARK, PATIENCE, empty};

#[tokio::test]
async fn nothing_is_removed_from_another_installations_store_until_somebody_says_so() {
    let quick =
        ["--storage-orphan-age=1s", "--storage-orphan-interval=1s", "--max-withdraw-wait=1s", "--artifact-gc-grace=0"];
    let mut field = Field::with("owner", &quick).await;
    field.create_file("web", "1").await;
    field.create_file("other", "1").await;
    field.synced("web").await;
    field.synced("other").await;
    let ours = field.mark();
    assert!(ours["release"].as_str().unwrap().ends_with("/jaas-operator"), "{ours}");
    assert!(!ours["cluster"].as_str().unwrap().is_empty());
    field.operator.terminate().await.unwrap();

    let mut foreign = ours.clone();
    foreign["cluster"] = json!("another-cluster");
    fs::write(field.operator.storage_path().join(MARK), foreign.to_string()).unwrap();
    let residue = field.operator.storage_path().join(&field.namespace.name).join("web/sha256-0.0.tar.gz.tmp");
    fs::write(&residue, b"half").unwrap();
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("belongs to the installation").await;
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "2"}, "history": 1}})).await;
    field.synced("web").await;
    assert_eq!(field.fetch("web").await, crate::field::one_file("rendered.json", "2\n"));
    let before = field.stored();
    field.delete("other").await;
    gone(&field.snippets, "other", PATIENCE).await.unwrap();
    field.ask("web", "now").await;
    assert_eq!(field.stored(), before, "withdrawal, retention, sweep and collection leave everything");
    let metrics = field.operator.metrics().await.unwrap();
    assert!(metrics.contains("jaas_storage_owned 0"), "{metrics}");

    field.operator.args_mut().push("--storage-take-over".to_owned());
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("The store was another installation's and is ours now").await;
    assert_eq!(field.mark(), ours);
    eventually("what nobody names to go", PATIENCE, async || {
        let stored: Vec<_> = field.stored().into_iter().filter(|path| path.contains('.')).collect();
        if stored.len() == 1 && !residue.exists() { Ok(()) } else { Err(stored.join(" ")) }
    })
    .await
    .unwrap();
    field.fetch("web").await;
}

#[tokio::test]
async fn an_emptied_store_and_another_place_are_told_apart() {
    let mut field = Field::elected("moved").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    field.logged("The store had no owner and is marked as ours").await;
    // The annotation may meet the leader's renewal once.
    field.logged("The store is ours").await;
    let first = field.operator.storage_path().to_owned();
    empty(&first);
    let url = field.artifact("web").await.published().unwrap().url.clone();
    assert_eq!(field.get(&url).await.status, 503);
    field.logged("The store was emptied").await;
    eventually("the artifact", PATIENCE, async || {
        let status = field.get(&url).await.status;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await
    .unwrap();

    let second = first.with_file_name("elsewhere");
    fs::create_dir_all(&second).unwrap();
    field.operator.args_mut().push(format!("--storage-path={}", second.display()));
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.logged("The store is at another place than before").await;
    eventually("the artifact at the new place", PATIENCE, async || {
        let status = field.get(&url).await.status;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await
    .unwrap();
    assert!(first.join(MARK).exists(), "the old place stays as it is");
}

#[tokio::test]
async fn what_is_missing_is_noticed_without_a_consumer() {
    let field = Field::with("noticed", &["--storage-check-interval=1s"]).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let file = field.file("web").await;
    let right = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    eventually("the file", PATIENCE, async || fs::read(&file).map_err(|error| error.to_string()).map(drop))
        .await
        .unwrap();
    assert_eq!(fs::read(&file).unwrap(), right);
}

#[tokio::test]
async fn a_damaged_file_is_found_by_reading_set_aside_and_rendered_again() {
    let field = Field::with("scrub", &["--storage-scrub-period=1s", "--storage-check-interval=0"]).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let file = field.file("web").await;
    let right = fs::read(&file).unwrap();
    let mut wrong = right.clone();
    wrong[20] ^= 1;
    fs::write(&file, &wrong).unwrap();
    field.logged("A damaged artifact was set aside").await;
    eventually("the file", PATIENCE, async || {
        let bytes = fs::read(&file).map_err(|error| error.to_string())?;
        if bytes == right { Ok(()) } else { Err("wrong".to_owned()) }
    })
    .await
    .unwrap();
    let trash: Vec<_> = field.stored().into_iter().filter(|path| path.contains(".trash-")).collect();
    assert_eq!(trash.len(), 1, "{trash:?}");
    assert_eq!(fs::read(field.operator.storage_path().join(&trash[0])).unwrap(), wrong);
    let base = field.operator.base_url();
    assert_eq!(http::get(&format!("{base}/{}", trash[0])).await.unwrap().status, 404, "it is never served");
    eventually("what was found to be counted", PATIENCE, async || {
        let metrics = field.operator.metrics().await.map_err(|error| error.to_string())?;
        let counted =
            |result| metrics.contains(&format!("jaas_storage_artifacts_checked_total{{result=\"{result}\"}}"));
        if ["intact", "damaged", "restored"].into_iter().all(counted) { Ok(()) } else { Err(metrics) }
    })
    .await
    .unwrap();
}
