#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::ErrorKind;
use crate::store::conformance::{self, Directory, Subject};
use crate::store::faulty::{Fault, Faulty, Operation};
use crate::store::local::{LocalOptions, LocalStore};

struct Fixture {
    directory: tempfile::TempDir,
    faulty: Arc<Faulty<LocalStore>>,
    cached: Cached<Faulty<LocalStore>>,
    key: Key,
    content: Content,
}

fn fixture(bytes: u64) -> Fixture {
    let directory = tempfile::TempDir::new().unwrap();
    let local = LocalStore::open_with(directory.path(), LocalOptions::default()).unwrap();
    let faulty = Arc::new(Faulty::new(Arc::new(local)));
    let cached = Cached::new(Arc::clone(&faulty), bytes);
    let key = Key::new("team-a", "web").unwrap();
    Fixture { directory, faulty, cached, key, content: Content::document("rendered.json", b"{ }\n".to_vec()) }
}

impl Fixture {
    async fn is_served(&self) -> Result<bool, ErrorKind> {
        let opened = self.cached.open(&self.key, self.content.revision(), None).await;
        opened.map(|readable| readable.is_some()).map_err(|error| error.kind)
    }
}

#[tokio::test]
async fn every_wrapper_keeps_the_contract() {
    let fixture = fixture(64 << 20);
    let raw = Directory(fixture.directory.path().to_owned());
    conformance::all(Subject { store: &fixture.cached, raw: &raw }).await;
}

#[tokio::test]
async fn what_was_put_is_served_while_the_store_is_away() {
    let fixture = fixture(1 << 20);
    let stored = fixture.cached.put(&fixture.key, fixture.content.clone()).await.unwrap();
    fixture.faulty.always(Operation::Open, Fault::Fail(ErrorKind::Unreachable));
    assert_eq!(fixture.is_served().await, Ok(true));
    let revision = fixture.content.revision();
    let readable = fixture.cached.open(&fixture.key, revision, Some(&stored.digest)).await.unwrap().unwrap();
    assert_eq!(Digest::of(readable.bytes().unwrap()), stored.digest);
    assert_eq!(fixture.faulty.calls(Operation::Open), 1, "a store in trouble is not asked for each request");
    let other = Digest::of(b"other");
    assert!(fixture.cached.open(&fixture.key, revision, Some(&other)).await.is_err());
}

#[tokio::test]
async fn what_was_never_seen_is_trouble_and_not_missing() {
    let fixture = fixture(1 << 20);
    fixture.faulty.always(Operation::Open, Fault::Fail(ErrorKind::Denied));
    assert_eq!(fixture.is_served().await, Err(ErrorKind::Denied));
}

#[tokio::test]
async fn a_read_fills_the_cache_and_a_loss_empties_it() {
    let fixture = fixture(1 << 20);
    fixture.faulty.put(&fixture.key, fixture.content.clone()).await.unwrap();
    assert_eq!(fixture.is_served().await, Ok(true));
    fixture.faulty.next(Operation::Open, Fault::Fail(ErrorKind::TimedOut));
    assert_eq!(fixture.is_served().await, Ok(true));
    fixture.faulty.remove(&fixture.key, fixture.content.revision()).await.unwrap();
    fixture.cached.presence(&fixture.key, fixture.content.revision()).await.unwrap();
    assert_eq!(fixture.is_served().await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_costs_a_second_at_most() {
    let fixture = fixture(1 << 20);
    fixture.cached.put(&fixture.key, fixture.content.clone()).await.unwrap();
    fixture.faulty.always(Operation::Open, Fault::Delay(Duration::from_secs(60)));
    let begun = tokio::time::Instant::now();
    assert_eq!(fixture.is_served().await, Ok(true));
    assert!(begun.elapsed() <= PATIENCE + Duration::from_millis(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_cache_keeps_to_its_size() {
    let fixture = fixture(4096);
    for n in 0..100_u32 {
        let content = Content::document("rendered.json", format!("{n}").into_bytes());
        fixture.cached.put(&fixture.key, content).await.unwrap();
    }
    assert!((1..=4096).contains(&fixture.cached.kept_bytes()), "{}", fixture.cached.kept_bytes());
}
