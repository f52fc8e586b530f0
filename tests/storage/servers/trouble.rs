//! A server that is emptied, that goes away, and whose keys change, while it is used.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::{join, join_all};
use jaas_storage::store::ErrorKind;
use jaas_storage::{Cached, Content, Digest, Presence, S3Credentials, S3Options, S3Store, Store};
use jaas_tests::s3::{Server, Software};
use jaas_tests::wait::eventually;

use super::counted::Counted;
use crate::{document, keys, options, store, web};

const BOTH: [Software; 2] = [Software::Versitygw, Software::Minio];

async fn read(store: &dyn Store, content: &Content, digest: &Digest) -> Vec<u8> {
    let readable = store.open(&web(), content.revision(), Some(digest)).await.unwrap().unwrap();
    readable.into_stream().map(Result::unwrap).collect::<Vec<_>>().await.concat()
}

#[tokio::test]
async fn an_emptied_bucket_costs_one_request_for_each_artifact_to_fill() {
    let _alone = crate::alone().await;
    for software in BOTH {
        let server = Server::start(software).await.unwrap();
        let counted = Counted::before(&server.endpoint()).await;
        let ours = S3Store::open(options(&counted.endpoint(), "")).await.unwrap();
        let contents: Vec<Content> = (0..30).map(|n| document(&format!("{n}"))).collect();
        let mut digests = Vec::new();
        for content in &contents {
            digests.push(ours.put(&web(), content.clone()).await.unwrap().digest);
        }
        store(&server, "").await.delete(&web()).await.unwrap();
        for content in &contents {
            assert_eq!(ours.presence(&web(), content.revision()).await.unwrap(), Presence::Missing, "{software:?}");
        }
        drop(counted.methods());
        for (content, digest) in contents.iter().zip(&digests) {
            let stored = ours.put(&web(), content.clone()).await.unwrap();
            assert_eq!((stored.written, &stored.digest), (true, digest), "{software:?}");
        }
        assert_eq!(counted.methods(), vec!["PUT".to_owned(); contents.len()], "{software:?}");
        for (content, digest) in contents.iter().zip(&digests) {
            assert_eq!(read(&ours, content, digest).await, content.packed().unwrap(), "{software:?}");
        }
    }
}

#[tokio::test]
async fn consumers_notice_nothing_of_a_server_that_is_away_and_publishing_resumes() {
    let _alone = crate::alone().await;
    for software in BOTH {
        let mut server = Server::start(software).await.unwrap();
        let leader = Cached::new(Arc::new(store(&server, "").await), 64 << 20);
        let standby = Cached::new(Arc::new(store(&server, "").await), 64 << 20);
        let contents: Vec<Content> = (0..20).map(|n| document(&format!("{n}"))).collect();
        let mut announced = Vec::new();
        for content in contents {
            let digest = leader.put(&web(), content.clone()).await.unwrap().digest;
            read(&standby, &content, &digest).await;
            announced.push((content, digest));
        }
        let (over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
        let stores: [&dyn Store; 2] = [&leader, &standby];
        let readers = join_all(stores.into_iter().cycle().take(6).map(async |store| {
            for (content, digest) in announced.iter().cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
                assert_eq!(read(store, content, digest).await, content.packed().unwrap(), "{software:?}");
                reads.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }));
        let outage = async {
            server.stop().await.unwrap();
            let (begun, before) = (Instant::now(), reads.load(Ordering::Relaxed));
            while begun.elapsed() < Duration::from_secs(4) {
                let kind = leader.put(&web(), document("meanwhile")).await.unwrap_err().kind;
                assert_eq!(kind, ErrorKind::Unreachable, "{software:?}");
            }
            let meanwhile = reads.load(Ordering::Relaxed) - before;
            assert!(meanwhile > 100, "{software:?}: {meanwhile} reads while it was away");
            server.restart().await.unwrap();
            let resumes = async || leader.put(&web(), document("meanwhile")).await;
            eventually("publishing resumes", Duration::from_secs(5), resumes).await.unwrap();
            over.store(true, Ordering::Relaxed);
        };
        join(readers, outage).await;
    }
}

/// Accounts that a server knows, by their access keys.
fn set_accounts(server: &Server, accounts: &[&str]) {
    let accounts: BTreeMap<&str, serde_json::Value> = accounts
        .iter()
        .map(|name| {
            let (secret, numbers) = (secret_of(name), 0);
            let account = serde_json::json!({
                "access": name, "secret": secret, "role": "admin",
                "userID": numbers, "groupID": numbers, "projectID": numbers,
            });
            (*name, account)
        })
        .collect();
    let file = server.accounts();
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, serde_json::json!({ "accessAccounts": accounts }).to_string()).unwrap();
    fs::rename(fresh, file).unwrap();
}

fn secret_of(name: &str) -> String {
    format!("secret-of-{name}")
}

/// Writes an AWS credentials file, all at once.
fn rotate_file(root: &Path, name: &str) {
    let (fresh, secret) = (root.join("fresh"), secret_of(name));
    fs::write(&fresh, format!("[default]\naws_access_key_id = {name}\naws_secret_access_key = {secret}\n")).unwrap();
    fs::rename(fresh, root.join("credentials")).unwrap();
}

/// Changes a directory of files as a kubelet changes a mounted Secret: a link to all of them is replaced.
fn rotate_directory(root: &Path, name: &str) {
    let state = root.join(format!("..{name}"));
    fs::create_dir(&state).unwrap();
    fs::write(state.join("AWS_ACCESS_KEY_ID"), name).unwrap();
    fs::write(state.join("AWS_SECRET_ACCESS_KEY"), secret_of(name)).unwrap();
    symlink(&state, root.join("..fresh")).unwrap();
    fs::rename(root.join("..fresh"), root.join("..data")).unwrap();
    for file in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        if fs::symlink_metadata(root.join(file)).is_err() {
            symlink(format!("..data/{file}"), root.join(file)).unwrap();
        }
    }
}

/// Writes another key below a directory.
type Rotate = fn(&Path, &str);

#[tokio::test]
async fn publishing_goes_on_while_keys_are_rotated() {
    let _alone = crate::alone().await;
    let server = Server::start(Software::Versitygw).await.unwrap();
    let forms: [(&str, Rotate, &str); 2] = [("file", rotate_file, "credentials"), ("directory", rotate_directory, "")];
    for (form, rotate, source) in forms {
        let root = tempfile::TempDir::new().unwrap();
        let name = |generation: u32| format!("{form}-{generation}");
        set_accounts(&server, &[&name(0)]);
        rotate(root.path(), &name(0));
        let credentials = S3Credentials::File(root.path().join(source));
        let store = S3Store::open(S3Options { credentials, ..options(&server.endpoint(), form) }).await.unwrap();
        let (over, published) = (AtomicBool::new(false), AtomicU64::new(0));
        let publishing = async {
            while !over.load(Ordering::Relaxed) {
                let text = format!("{form} {}", published.load(Ordering::Relaxed));
                assert!(store.put(&web(), document(&text)).await.unwrap().written, "{form}");
                published.fetch_add(1, Ordering::Relaxed);
            }
        };
        let rotating = async {
            for generation in 1..=3 {
                let (old, new) = (name(generation - 1), name(generation));
                set_accounts(&server, &[&old, &new]);
                rotate(root.path(), &new);
                set_accounts(&server, &[&new]);
                let until = published.load(Ordering::Relaxed) + 20;
                let goes_on = async || (published.load(Ordering::Relaxed) >= until).then_some(());
                eventually("publishing goes on", Duration::from_secs(20), goes_on).await.unwrap();
                let withdrawn =
                    S3Options { credentials: keys(&old, &secret_of(&old)), ..options(&server.endpoint(), form) };
                let withdrawn = S3Store::open(withdrawn).await.unwrap();
                let refused = withdrawn.put(&web(), document("x")).await.unwrap_err().kind;
                assert_eq!(refused, ErrorKind::CredentialsRejected, "{form}");
            }
            over.store(true, Ordering::Relaxed);
        };
        join(publishing, rotating).await;
    }
}
