//! The same for a bucket.

use std::time::Duration;

use jaas_api::admin::{self as wire, Action, ActionOutcome, ActionRequest, FileClass};
use jaas_storage::store::Store;
use jaas_storage::{Content, Key, S3Credentials, S3Options, S3Store};
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};

use serde_json::json;

use crate::bench::{Bench, problem};

#[tokio::test]
async fn a_bucket_is_listed_its_orphans_go_and_an_unfinished_upload_is_swept() {
    let server = Server::start(Software::Versitygw).await.unwrap();
    let endpoint = format!("--s3-endpoint={}", server.endpoint());
    let keys = [format!("--s3-access-key={ACCESS_KEY}"), format!("--s3-secret-key={SECRET_KEY}")];
    let args = [
        "--storage-backend=s3",
        &endpoint,
        "--s3-bucket=artifacts",
        "--s3-prefix=pre/fix",
        "--s3-region=eu-test-1",
        "--s3-use-ssl=false",
        &keys[0],
        &keys[1],
        "--max-withdraw-wait=1s",
        "--artifact-gc-grace=0",
        "--storage-sweep-max-tmp-age=1s",
    ];
    let bench = Bench::new("bucket", &args).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let current = bench.announced("web").await;
    let credentials = S3Credentials::Static {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        session_token: None,
    };
    let options = S3Options {
        use_ssl: false,
        prefix: "pre/fix".to_owned(),
        region: Some(REGION.to_owned()),
        credentials,
        ..S3Options::new(server.endpoint(), BUCKET)
    };
    let store = S3Store::open(options).await.unwrap();
    let (gone, content) =
        (Key::new(&bench.namespace.name, "gone").unwrap(), Content::document("x", b"orphan".to_vec()));
    store.put(&gone, content.clone()).await.unwrap();
    let orphan = gone.path(content.revision());
    let unfinished = format!("{gone}/sha256-{}.tar.gz", "0".repeat(64));
    store.begin_upload(&unfinished).await;

    let (files, end) = bench.inventory(&bench.token, "").await;
    let class = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.class);
    assert!(end.complete && end.uploads_unknown.is_none(), "{end:?}");
    assert_eq!(class(&current), Some(FileClass::Revision));
    assert_eq!(class(&orphan), Some(FileClass::Revision));
    assert_eq!(class(".jaas-owner.json"), Some(FileClass::OwnerMark));
    assert_eq!(class(&unfinished), Some(FileClass::Multipart), "{files:?}");

    let outcome = jaas_tests::wait::eventually("the orphan to be old enough", Duration::from_secs(20), async || {
        let done = bench.act(Action::DeleteOrphans, &[&orphan, &current], true).await.0;
        let outcomes: Vec<_> = done.iter().map(|done| done.outcome).collect();
        if outcomes == [ActionOutcome::WouldRemove, ActionOutcome::Kept] { Ok(()) } else { Err(format!("{done:?}")) }
    });
    outcome.await.unwrap();
    let (done, end) = bench.act(Action::DeleteOrphans, &[&orphan, &current], false).await;
    let outcomes: Vec<_> = done.iter().map(|done| done.outcome).collect();
    assert_eq!((outcomes, end.removed), (vec![ActionOutcome::Removed, ActionOutcome::Kept], 1));
    assert_eq!(store.presence(&gone, content.revision()).await.unwrap(), jaas_storage::Presence::Missing);

    let sweep = |dry_run| ActionRequest {
        action: Action::Sweep,
        items: vec![],
        older_than: None,
        dry_run,
        reason: String::new(),
    };
    let (told, _) = bench.ask(sweep(true)).await;
    assert_eq!(told.iter().map(|done| done.path.as_str()).collect::<Vec<_>>(), [&unfinished]);
    assert_eq!(store.uploads().await.unwrap().len(), 1, "a dry run changes nothing");
    assert_eq!(bench.ask(sweep(false)).await.1.removed, 1);
    assert_eq!(store.uploads().await.unwrap(), []);
    assert_eq!(bench.ask(sweep(false)).await.1.removed, 0);

    server.stop().await.unwrap();
    for (call, body) in [(wire::INVENTORY, None), (wire::ACTIONS, Some(json!({"action": "sweep"})))] {
        let answer = match body {
            None => bench.get(&bench.token, call).await,
            Some(body) => bench.post(&bench.token, call, body).await,
        };
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(problem(&answer).message.contains("artifacts"), "the message names the place");
    }
    let answer = bench.get(&bench.token, wire::STATS).await;
    let stats: wire::Stats = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(stats.health.unwrap().state, wire::HealthState::Unavailable);
    assert!(!stats.owner_known && stats.usage.is_none() && stats.place.contains("s3://artifacts/pre/fix"));
}
