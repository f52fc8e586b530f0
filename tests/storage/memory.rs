//! How much memory an artifact costs on its way to and from a service.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use futures::StreamExt;
use jaas_storage::{Cached, Content, Entries, S3Options, S3Store, Store};
use jaas_tests::s3::faults::FaultServer;

use crate::{document, options, web};

/// The endpoint that the measured process uses; it is set in that process alone.
const ENDPOINT: &str = "JAAS_TEST_MEMORY_ENDPOINT";
/// Bytes of the artifact, in two files since none may have more than 16 MiB.
const SIZE: usize = 32 << 20;
/// What a put may take beside the bytes that it sends, and a read beside nothing.
const CONSTANT: u64 = 8 << 20;

#[tokio::test]
async fn an_artifact_costs_its_own_size_and_a_constant() {
    if let Ok(endpoint) = std::env::var(ENDPOINT) {
        return measure(&endpoint).await;
    }
    let _alone = crate::alone().await;
    let server = FaultServer::start().await.unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "memory::an_artifact_costs_its_own_size_and_a_constant", "--nocapture"]);
    child.env(ENDPOINT, server.endpoint());
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    // Whatever the process did, it did it here.
    assert!(server.object(&web().path(artifact().revision())).is_some_and(|sent| sent.len() > SIZE), "{told}");
}

/// Runs in a process of its own.
async fn measure(endpoint: &str) {
    let store = S3Store::open(S3Options { buffered: 1 << 20, ..options(endpoint, "") }).await.unwrap();
    let cached = Cached::new(Arc::new(store.clone()), 64 << 20);
    cached.put(&web(), document("the first costs what every process costs")).await.unwrap();
    let content = artifact();
    let (before, limit) = (reset_peak(), SIZE as u64 + CONSTANT);
    let stored = cached.put(&web(), content.clone()).await.unwrap();
    assert!(stored.written);
    let put = peak().saturating_sub(before);
    assert!((stored.size / 2..limit).contains(&put), "a put of {} bytes took {put}", stored.size);
    let before = reset_peak();
    let readable = store.open(&web(), content.revision(), Some(&stored.digest)).await.unwrap().unwrap();
    let pieces = readable.into_stream().map(|piece| piece.unwrap().len() as u64);
    assert_eq!(pieces.fold(0, async |sum, piece| sum + piece).await, stored.size);
    let read = peak().saturating_sub(before);
    assert!(read < CONSTANT, "a read of {} bytes took {read}", stored.size);
}

/// Bytes that do not compress, so that the artifact is as large as its files.
fn artifact() -> Content {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state ^ (state >> 29)).to_le_bytes()
    });
    let bytes: Vec<u8> = noise.take(SIZE / 8).flatten().collect();
    let (first, second) = bytes.split_at(SIZE / 2);
    Content::tree(Entries::from([("a".to_owned(), first.to_vec()), ("b".to_owned(), second.to_vec())]))
}

/// Lets the kernel forget the greatest size of this process so far, and returns the present one in bytes.
fn reset_peak() -> u64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

/// Greatest size of this process since [`reset_peak`], in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}
