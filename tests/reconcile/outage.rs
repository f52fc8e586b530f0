//! An object store that goes away and comes back, under consumers.

use std::fs;
use std::time::{Duration, Instant};

use jaas_tests::s3::faults::FaultServer;
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};
use jaas_tests::wait::eventually;
use jaas_tests::{http, wait};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::field::{Field, MARK, PATIENCE, empty, message};
use crate::repair::packed_by_others;

async fn on_bucket(name: &str, server: &Server, more: &[&str]) -> Field {
    let (endpoint, bucket) = (format!("--s3-endpoint={}", server.endpoint()), format!("--s3-bucket={BUCKET}"));
    let region = format!("--s3-region={REGION}");
    let ours = ["--storage-backend=s3", &endpoint, &bucket, &region, "--s3-use-ssl=false", "--s3-prefix=jaas"];
    Field::with(name, &[&ours[..], more].concat()).await
}

/// How long the service is away. `JAAS_OUTAGE_SECONDS=120` makes it the two minutes that the documentation promises.
fn outage() -> Duration {
    let seconds = std::env::var("JAAS_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(6))
}

#[tokio::test]
async fn every_current_revision_is_served_while_the_service_is_away_and_publishing_resumes() {
    let mut server = Server::start(Software::Versitygw).await.unwrap();
    let keys = [&format!("--s3-access-key={ACCESS_KEY}")[..], &format!("--s3-secret-key={SECRET_KEY}")[..]];
    let field = on_bucket("outage", &server, &keys).await;
    let mut urls = Vec::new();
    for n in 0..10 {
        let name = format!("s{n}");
        field.create_file(&name, &format!("'{name}'")).await;
        field.synced(&name).await;
        urls.push(field.artifact(&name).await.published().unwrap().url.clone());
    }
    server.stop().await.unwrap();
    field.create_file("late", "'late'").await;
    let begun = Instant::now();
    let mut answers = 0;
    while begun.elapsed() < outage() {
        for url in &urls {
            let answer = field.get(url).await;
            assert_eq!(answer.status, 200, "{url} after {:?}: {}", begun.elapsed(), answer.text());
            answers += 1;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(answers >= 10);
    let refused = field.judged("late", "StorageUnavailable").await;
    assert!(message(&refused).contains("cannot be reached"), "{}", message(&refused));
    let ready = field.get(&field.operator.management_url("/ready")).await;
    assert!(ready.status == 200 && ready.text().contains("StorageUnavailable"), "{}", ready.text());
    assert!(field.operator.metrics().await.unwrap().contains("jaas_storage_up{reason=\"StorageUnavailable\"} 0"));
    server.restart().await.unwrap();
    field.synced("late").await;
    field.fetch("late").await;
    eventually("the store to be well", PATIENCE, async || {
        let metrics = field.operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains("jaas_storage_up{reason=\"\"} 1") { Ok(()) } else { Err("in trouble".to_owned()) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_emptied_bucket_is_whole_again_without_a_write_to_the_api() {
    let server = Server::start(Software::Versitygw).await.unwrap();
    let keys = [&format!("--s3-access-key={ACCESS_KEY}")[..], &format!("--s3-secret-key={SECRET_KEY}")[..]];
    let field = on_bucket("emptied-bucket", &server, &keys).await;
    let mut known = Vec::new();
    for n in 0..10 {
        let name = format!("s{n}");
        field.create_file(&name, &format!("'{name}'")).await;
        field.synced(&name).await;
        let artifact = field.artifact(&name).await;
        known.push((artifact.published().unwrap().url.clone(), artifact.metadata.resource_version.clone()));
    }
    empty(&server.bucket_directory());
    for (url, _) in &known {
        eventually("the artifact", PATIENCE, async || {
            let status = field.get(url).await.status;
            assert!(matches!(status.as_u16(), 200 | 503), "{status}");
            if status == 200 { Ok(()) } else { Err(status) }
        })
        .await
        .unwrap();
    }
    field.logged("The store was emptied").await;
    for (n, (_, version)) in known.iter().enumerate() {
        field.fetch(&format!("s{n}")).await;
        let after = field.artifacts.get(&format!("s{n}")).await.unwrap();
        assert_eq!(&after.metadata.resource_version, version, "nothing was announced anew");
    }
}

#[tokio::test]
async fn what_other_software_left_in_a_bucket_is_taken_over_unchanged() {
    let server = FaultServer::start().await.unwrap();
    let endpoint = format!("--s3-endpoint={}", server.endpoint());
    let keys = ["--s3-bucket=artifacts", "--s3-region=any", "--s3-access-key=any", "--s3-secret-key=any"];
    let plain = ["--storage-backend=s3", &endpoint, "--s3-use-ssl=false"];
    let mut field = Field::with("adopt-bucket", &[&plain[..], &keys].concat()).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let published = field.artifact("web").await.published().unwrap().clone();
    field.operator.kill().await.unwrap();

    // Without our metadata, in other bytes, without a mark, and with an artifact that nobody owns.
    let foreign = packed_by_others(&server.object(&published.path).unwrap());
    let object = format!("http://{}/artifacts/{}", server.endpoint(), published.path);
    assert_eq!(http::read(http::client().unwrap().put(object).body(foreign.clone())).await.unwrap().status, 200);
    server.lose(MARK);
    let digest = jaas_storage::Digest::of(&foreign).to_string();
    let status = json!({"status": {"artifact": {"digest": digest, "size": foreign.len()}}});
    field.artifacts.patch_status("web", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    let owner = json!({"metadata": {"ownerReferences": null}});
    let left = field.artifacts.patch("web", &PatchParams::default(), &Patch::Merge(owner)).await.unwrap();
    let unknown = json!({"status": {"inputsDigest": null}});
    let snippet = field.snippets.patch_status("web", &PatchParams::default(), &Patch::Merge(unknown)).await.unwrap();
    drop(server.requests());

    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    let adopted = wait::object(&field.artifacts, "web", "has an owner", PATIENCE, |it| {
        it.metadata.owner_references.as_ref().is_some_and(|owners| !owners.is_empty())
    })
    .await
    .unwrap();
    assert_eq!((adopted.spec, adopted.status), (left.spec, left.status));
    field.logged("The store had no owner and is marked as ours").await;
    assert_eq!(field.fetch("web").await, crate::field::one_file("rendered.json", "1\n"));
    assert_eq!(server.object(&published.path).unwrap(), foreign);
    let after = field.snippets.get("web").await.unwrap();
    assert_eq!(after.metadata.resource_version, snippet.metadata.resource_version);
    let lasting = |request: &String| {
        (request.starts_with("PUT ") || request.starts_with("DELETE ")) && !request.contains(".jaas-probe/")
    };
    let changes: Vec<_> = server.requests().into_iter().filter(lasting).collect();
    assert!(changes.len() == 1 && changes[0].contains(MARK), "{changes:?}");
}

/// Makes `name` the only account beside the one that the server was started with.
fn only_account(server: &Server, name: &str) {
    let account = json!({
        "access": name, "secret": format!("secret-of-{name}"), "role": "admin", "userID": 0, "groupID": 0, "projectID": 0,
    });
    let fresh = server.accounts().with_extension("new");
    fs::write(&fresh, json!({"accessAccounts": {name: account}}).to_string()).unwrap();
    fs::rename(fresh, server.accounts()).unwrap();
}

#[tokio::test]
async fn keys_that_are_rotated_in_their_file_need_no_restart() {
    let server = Server::start(Software::Versitygw).await.unwrap();
    let secret = server.accounts().with_file_name("secret");
    let write = |key: &str| {
        fs::write(&secret, format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = secret-of-{key}\n"))
            .unwrap();
    };
    only_account(&server, "first");
    write("first");
    let file = format!("--s3-credentials-file={}", secret.display());
    let field = on_bucket("rotated", &server, &[&file]).await;
    field.create_file("web", "1").await;
    field.synced("web").await;

    only_account(&server, "second");
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "2"}}})).await;
    let refused = field.judged("web", "StorageDenied").await;
    assert!(message(&refused).contains("no restart is needed"), "{}", message(&refused));
    write("second");
    field.synced("web").await;
    assert_eq!(field.fetch("web").await, crate::field::one_file("rendered.json", "2\n"));
}
