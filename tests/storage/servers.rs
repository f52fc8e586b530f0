//! versitygw and MinIO.

mod counted;
mod late;
mod trouble;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use jaas_storage::store::conformance::{self, Raw, Subject};
use jaas_storage::store::{Claim, ErrorKind, OwnerMark};
use jaas_storage::{Cached, Presence, S3Credentials, S3Options, S3Store, Store};
use jaas_tests::s3::{ACCESS_KEY, SECRET_KEY, Server, Software};

use crate::{document, keys, options, store, web};

async fn conforms(software: Software) {
    let server = Server::start(software).await.unwrap();
    for prefix in ["", "deep/prefix"] {
        let store = store(&server, prefix).await;
        conformance::all(Subject { store: &store, raw: &store }).await;
        let claimed = store.claim(&mark(), true).await.unwrap();
        assert!(matches!(claimed, Claim::TakenOver(_) | Claim::Held), "{claimed:?}");
        // What one prefix holds is foreign to the next test, so the bucket is left with the marks only.
        for item in store.list().await.unwrap() {
            if let Some(key) = item.key {
                store.delete(&key).await.unwrap();
            }
        }
    }
}

fn mark() -> OwnerMark {
    OwnerMark {
        format: OwnerMark::FORMAT,
        cluster: "c".to_owned(),
        release: "jaas/jaas".to_owned(),
        scope: String::new(),
        selector: String::new(),
    }
}

#[tokio::test]
async fn versitygw_keeps_the_contract() {
    let _alone = crate::alone().await;
    conforms(Software::Versitygw).await;
}

#[tokio::test]
async fn minio_keeps_the_contract() {
    let _alone = crate::alone().await;
    conforms(Software::Minio).await;
}

#[tokio::test]
async fn a_cached_bucket_keeps_the_contract() {
    let _alone = crate::alone().await;
    let server = Server::start(Software::Versitygw).await.unwrap();
    let store = Arc::new(store(&server, "cached").await);
    let cached = Cached::new(Arc::clone(&store), 64 << 20);
    conformance::all(Subject { store: &cached, raw: &*store }).await;
}

#[tokio::test]
async fn the_probe_tells_the_two_servers_apart() {
    let _alone = crate::alone().await;
    for (software, conditional_delete) in [(Software::Versitygw, true), (Software::Minio, false)] {
        let server = Server::start(software).await.unwrap();
        let found = store(&server, "").await.probe().await.unwrap().capabilities;
        assert_eq!(found.create_only, Some(true), "{software:?}");
        assert_eq!(found.conditional_delete, Some(conditional_delete), "{software:?}");
        assert_eq!(found.checksums, Some(true), "{software:?}");
        assert_eq!(found.missing_is_told, Some(true), "{software:?}");
        assert_eq!(found.pagination, Some(true), "{software:?}");
        assert!(found.clock_ahead_seconds.unwrap().abs() <= 2, "{software:?}");
    }
}

#[tokio::test]
async fn trouble_has_its_own_name_on_both_servers() {
    let _alone = crate::alone().await;
    for software in [Software::Versitygw, Software::Minio] {
        let mut server = Server::start(software).await.unwrap();
        let endpoint = server.endpoint();
        let kind = async |options: S3Options| {
            let store = S3Store::open(options).await.unwrap();
            let read = store.open(&web(), document("x").revision(), None).await.unwrap_err().kind;
            let looked = store.presence(&web(), document("x").revision()).await.unwrap_err().kind;
            let written = store.put(&web(), document("x")).await.unwrap_err().kind;
            assert_eq!((read, looked), (written, written), "{software:?}: a read, a look and a put agree");
            written
        };
        let right = || options(&endpoint, "");
        let bucket = S3Options { bucket: "nowhere".to_owned(), ..right() };
        assert_eq!(kind(bucket).await, ErrorKind::BucketMissing, "{software:?}");
        let unknown = S3Options { credentials: keys("nobody", SECRET_KEY), ..right() };
        assert_eq!(kind(unknown).await, ErrorKind::CredentialsRejected, "{software:?}");
        let wrong = S3Options { credentials: keys(ACCESS_KEY, "wrong-secret"), ..right() };
        assert_eq!(kind(wrong).await, ErrorKind::CredentialsRejected, "{software:?}");
        let anonymous = S3Options { credentials: S3Credentials::Anonymous, ..right() };
        assert_eq!(kind(anonymous).await, ErrorKind::Denied, "{software:?}");
        server.stop().await.unwrap();
        assert_eq!(kind(right()).await, ErrorKind::Unreachable, "{software:?}");
        server.restart().await.unwrap();
        let store = store(&server, "").await;
        assert!(store.put(&web(), document("x")).await.unwrap().written);
        server.freeze().unwrap();
        let begun = Instant::now();
        assert_eq!(kind(right()).await, ErrorKind::TimedOut, "{software:?}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        server.thaw().unwrap();
    }
}

#[tokio::test]
async fn the_region_is_learned_from_the_service() {
    let _alone = crate::alone().await;
    for software in [Software::Versitygw, Software::Minio] {
        let server = Server::start(software).await.unwrap();
        let wrong = S3Options { region: Some("us-wrong-1".to_owned()), ..options(&server.endpoint(), "") };
        let store = S3Store::open(wrong).await.unwrap();
        assert!(store.put(&web(), document("x")).await.unwrap().written, "{software:?}");
        let health = store.check().await.unwrap();
        assert_eq!(health.capabilities.region.as_deref(), Some("eu-test-1"), "{software:?}");
    }
}

#[tokio::test]
async fn rotated_keys_in_the_file_need_no_restart() {
    let _alone = crate::alone().await;
    let server = Server::start(Software::Versitygw).await.unwrap();
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("credentials");
    let write = |secret: &str| {
        let text = format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {secret}\n");
        fs::write(&file, text).unwrap();
    };
    write("of-yesterday");
    let options = S3Options { credentials: S3Credentials::File(file.clone()), ..options(&server.endpoint(), "") };
    let store = S3Store::open(options).await.unwrap();
    assert_eq!(store.put(&web(), document("x")).await.unwrap_err().kind, ErrorKind::CredentialsRejected);
    write(SECRET_KEY);
    assert!(store.put(&web(), document("x")).await.unwrap().written);
}

#[tokio::test]
async fn current_revisions_are_served_while_the_server_is_away() {
    let _alone = crate::alone().await;
    let mut server = Server::start(Software::Versitygw).await.unwrap();
    let store = Arc::new(store(&server, "").await);
    let cached = Cached::new(Arc::clone(&store), 64 << 20);
    let contents: Vec<_> = (0..50).map(|n| document(&format!("{n}"))).collect();
    for content in &contents {
        cached.put(&web(), content.clone()).await.unwrap();
    }
    server.stop().await.unwrap();
    let begun = Instant::now();
    let key = web();
    for _ in 0..20 {
        let reads = contents.iter().map(|content| cached.open(&key, content.revision(), None));
        assert!(join_all(reads).await.into_iter().all(|read| read.unwrap().is_some()));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(cached.put(&web(), document("new")).await.unwrap_err().kind, ErrorKind::Unreachable);
    server.restart().await.unwrap();
    assert!(cached.put(&web(), document("new")).await.unwrap().written);
}

#[tokio::test]
async fn an_emptied_bucket_is_noticed_and_filled_again() {
    let _alone = crate::alone().await;
    let server = Server::start(Software::Minio).await.unwrap();
    let (ours, other) = (store(&server, "").await, store(&server, "").await);
    let content = document("x");
    let stored = ours.put(&web(), content.clone()).await.unwrap();
    other.delete(&web()).await.unwrap();
    assert!(ours.open(&web(), content.revision(), Some(&stored.digest)).await.unwrap().is_none());
    assert_eq!(ours.presence(&web(), content.revision()).await.unwrap(), Presence::Missing);
    assert_eq!(ours.put(&web(), content.clone()).await.unwrap(), stored);
    assert!(other.look(&web().path(content.revision())).await.is_some());
}
