//! SIGKILL in the middle of publishing.

use std::fs;
use std::time::Duration;

use jaas_storage::Digest;
use jaas_tests::wait::eventually;
use kube::api::ListParams;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::field::{Field, PATIENCE};

const ROUNDS: u32 = 5;
const COUNT: usize = 12;

/// Every artifact that is announced is served whole, or will be soon: never another byte.
async fn no_wrong_byte(field: &Field) {
    for artifact in field.artifacts.list(&ListParams::default()).await.unwrap().items {
        let Some(published) = artifact.published() else { continue };
        let answer = field.get(&published.url).await;
        match answer.status.as_u16() {
            200 => assert_eq!(Some(Digest::of(&answer.body).to_string()), published.digest, "{}", published.url),
            503 => {}
            other => panic!("{} answers {other}", published.url),
        }
    }
}

#[tokio::test]
async fn killed_while_publishing_it_converges_without_a_wrong_byte_or_a_residue() {
    // The moments of the kills; another seed gives others.
    let seed = std::env::var("JAAS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut moments = StdRng::seed_from_u64(seed);
    let mut field = Field::with("crash", &["--storage-sweep-interval=1s"]).await;
    for n in 0..COUNT {
        field.create_file(&format!("s{n}"), "0").await;
    }
    for round in 1..=ROUNDS {
        for n in 0..COUNT {
            // Enough bytes that a put takes a moment.
            let code = format!("std.join('', [std.md5('{round} {n} ' + i) for i in std.range(1, 3000)])");
            field.patch(&format!("s{n}"), json!({"spec": {"files": {"main.jsonnet": code}}})).await;
        }
        tokio::time::sleep(Duration::from_millis(moments.random_range(1..400))).await;
        field.operator.kill().await.unwrap();
        field.operator.restart().await.unwrap();
        field.operator.wait_ready().await.unwrap();
        no_wrong_byte(&field).await;
    }
    for n in 0..COUNT {
        field.synced(&format!("s{n}")).await;
        field.fetch(&format!("s{n}")).await;
    }
    // A residue of the kind that a kill leaves, so that the sweep has something to find for certain.
    let folder = field.file("s0").await.parent().unwrap().to_owned();
    fs::write(folder.join("sha256-00.0123456789abcdef.tar.gz.tmp"), b"torn").unwrap();
    eventually("no residue", PATIENCE, async || {
        let residue: Vec<_> = field.stored().into_iter().filter(|path| path.ends_with(".tmp")).collect();
        if residue.is_empty() { Ok(()) } else { Err(format!("{residue:?}")) }
    })
    .await
    .unwrap();
    assert!(field.operator.log().contains("Storage sweep removed orphaned .tmp files"));
}
