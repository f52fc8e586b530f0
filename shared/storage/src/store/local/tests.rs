#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use futures::StreamExt;
use tempfile::TempDir;

use super::*;
use crate::artifact::{Entries, pack};
use crate::store::conformance::{self, Directory, Subject};
use crate::store::{ErrorKind, ItemKind};

struct Fixture {
    directory: TempDir,
    store: LocalStore,
    key: Key,
}

impl Fixture {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = LocalStore::open(directory.path()).unwrap();
        Self { directory, store, key: Key::new("team-a", "web").unwrap() }
    }

    fn file(&self, content: &Content) -> PathBuf {
        self.directory.path().join(self.key.path(content.revision()))
    }

    async fn put(&self, content: &Content) -> Stored {
        self.store.put(&self.key, content.clone()).await.unwrap()
    }

    async fn read(&self, content: &Content, expected: Option<&Digest>) -> Option<Vec<u8>> {
        let readable = self.store.open(&self.key, content.revision(), expected).await.unwrap()?;
        let mut bytes = Vec::new();
        let mut stream = readable.into_stream();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        Some(bytes)
    }

    fn listing(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.directory.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                found.push(path.strip_prefix(self.directory.path()).unwrap().display().to_string());
            }
        }
        found.sort();
        found
    }
}

fn document(text: &str) -> Content {
    Content::document("rendered.json", text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_put_is_read_back_with_its_digest() {
    let fixture = Fixture::new();
    let content = document("{ }\n");
    let stored = fixture.put(&content).await;
    let packed = pack(content.entries()).unwrap();
    assert_eq!(stored, Stored { digest: Digest::of(&packed), size: packed.len() as u64, written: true });
    assert_eq!(fixture.read(&content, Some(&stored.digest)).await, Some(packed));
    assert_eq!(fixture.listing(), ["team-a".to_owned(), "team-a/web".to_owned(), fixture.key.path(content.revision())]);
}

#[tokio::test]
async fn a_second_put_touches_nothing() {
    let fixture = Fixture::new();
    let content = document("x");
    let first = fixture.put(&content).await;
    let before = fs::metadata(fixture.file(&content)).unwrap().modified().unwrap();
    let second = fixture.put(&content).await;
    assert_eq!(second, Stored { written: false, ..first });
    assert_eq!(fs::metadata(fixture.file(&content)).unwrap().modified().unwrap(), before);
}

#[tokio::test]
async fn an_artifact_packed_by_other_software_is_adopted_unchanged() {
    let fixture = Fixture::new();
    let content =
        Content::tree(Entries::from([("a.jsonnet".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())]));
    // Another compression level gives other bytes of the same content, as another packer does.
    let mut tar = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(pack(content.entries()).unwrap().as_slice()),
        &mut tar,
    )
    .unwrap();
    let mut foreign = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut foreign, &tar).unwrap();
    let foreign = foreign.finish().unwrap();
    assert_ne!(foreign, pack(content.entries()).unwrap());
    fs::create_dir_all(fixture.file(&content).parent().unwrap()).unwrap();
    fs::write(fixture.file(&content), &foreign).unwrap();

    let stored = fixture.put(&content).await;
    assert_eq!(stored, Stored { digest: Digest::of(&foreign), size: foreign.len() as u64, written: false });
    assert_eq!(fs::read(fixture.file(&content)).unwrap(), foreign);
}

#[tokio::test]
async fn damage_is_never_served_and_a_put_repairs_it() {
    let fixture = Fixture::new();
    let content = document("right");
    let stored = fixture.put(&content).await;
    let right = fs::read(fixture.file(&content)).unwrap();
    let other = pack(&Entries::from([("rendered.json".to_owned(), b"wrong".to_vec())])).unwrap();
    let mut flipped = right.clone();
    flipped[30] ^= 1;
    for damage in [Vec::new(), right[..right.len() / 2].to_vec(), b"garbage".to_vec(), flipped, other] {
        fs::write(fixture.file(&content), &damage).unwrap();
        assert!(matches!(
            fixture.store.presence(&fixture.key, content.revision()).await.unwrap(),
            Presence::Damaged { .. }
        ));
        assert_eq!(fixture.read(&content, Some(&stored.digest)).await, None);
        assert_eq!(fixture.read(&content, None).await, None);
        assert_eq!(fixture.put(&content).await, stored);
        assert_eq!(fs::read(fixture.file(&content)).unwrap(), right);
    }
}

#[tokio::test]
async fn right_content_of_another_digest_is_served_only_to_who_expects_none() {
    let fixture = Fixture::new();
    let content = document("x");
    let stored = fixture.put(&content).await;
    assert_eq!(fixture.read(&content, Some(&Digest::of(b"announced"))).await, None);
    assert!(fixture.read(&content, None).await.is_some());
    assert!(fixture.read(&content, Some(&stored.digest)).await.is_some());
}

#[tokio::test]
async fn planted_links_fifos_and_folders_are_neither_followed_nor_waited_for() {
    let fixture = Fixture::new();
    let content = document("x");
    let stored = fixture.put(&content).await;
    let file = fixture.file(&content);
    let outside = TempDir::new().unwrap();
    let copy = outside.path().join("copy.tar.gz");
    fs::copy(&file, &copy).unwrap();

    let plant_link = || symlink(&copy, &file).unwrap();
    let plant_fifo = || {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &file,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
    };
    let plant_folder = || fs::create_dir_all(file.join("full")).unwrap();
    for plant in [&plant_link as &dyn Fn(), &plant_fifo, &plant_folder] {
        fs::remove_file(&file).unwrap();
        plant();
        let listed = fixture.store.list().await.unwrap();
        let item = listed.into_iter().find(|item| file.ends_with(&item.path)).unwrap();
        let removed = fixture.store.remove_if(&item).await.unwrap();
        assert_eq!(removed, Removed::Changed, "what is no file is never what was seen");
        assert_eq!(fixture.store.presence(&fixture.key, content.revision()).await.unwrap(), Presence::Missing);
        assert_eq!(fixture.read(&content, Some(&stored.digest)).await, None);
        assert_eq!(fixture.put(&content).await, stored);
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_link_in_place_of_a_folder_leads_nowhere() {
    let fixture = Fixture::new();
    let outside = TempDir::new().unwrap();
    fs::create_dir(outside.path().join("web")).unwrap();
    symlink(outside.path(), fixture.directory.path().join("team-a")).unwrap();
    let error = fixture.store.put(&fixture.key, document("x")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(fs::read_dir(outside.path().join("web")).unwrap().count(), 0);
}

#[tokio::test]
async fn deleting_leaves_no_file_and_no_empty_folder() {
    let fixture = Fixture::new();
    let neighbour = Key::new("team-a", "other").unwrap();
    fixture.put(&document("1")).await;
    fixture.put(&document("2")).await;
    fixture.store.put(&neighbour, document("1")).await.unwrap();
    fixture.store.delete(&fixture.key).await.unwrap();
    assert_eq!(fixture.listing().len(), 3);
    fixture.store.delete(&neighbour).await.unwrap();
    fixture.store.delete(&neighbour).await.unwrap();
    assert_eq!(fixture.listing(), Vec::<String>::new());
}

#[tokio::test]
async fn removing_one_revision_keeps_the_others() {
    let fixture = Fixture::new();
    let (one, two) = (document("1"), document("2"));
    fixture.put(&one).await;
    fixture.put(&two).await;
    fixture.store.remove(&fixture.key, one.revision()).await.unwrap();
    fixture.store.remove(&fixture.key, one.revision()).await.unwrap();
    assert_eq!(fixture.store.presence(&fixture.key, one.revision()).await.unwrap(), Presence::Missing);
    assert!(matches!(fixture.store.presence(&fixture.key, two.revision()).await.unwrap(), Presence::Intact { .. }));
}

#[tokio::test]
async fn a_sweep_takes_what_dead_writers_left_and_spares_living_ones() {
    let fixture = Fixture::new();
    let content = document("x");
    fixture.put(&content).await;
    let folder = fixture.file(&content).parent().unwrap().to_owned();
    let dead = folder.join("sha256-00.0123456789abcdef.tar.gz.tmp");
    let of_the_go_implementation = folder.join("sha256-00.tar.gz.tmp");
    let alive = folder.join("sha256-00.fedcba9876543210.tar.gz.tmp");
    let foreign = folder.join("notes.tmp");
    for file in [&dead, &of_the_go_implementation, &alive, &foreign] {
        fs::write(file, b"x").unwrap();
    }
    let writer = fs::File::open(&alive).unwrap();
    writer.lock().unwrap();
    assert_eq!(fixture.store.sweep(Duration::from_secs(1800)).await.unwrap(), Swept { removed: 2 });
    assert_eq!(
        [dead.exists(), of_the_go_implementation.exists(), alive.exists(), foreign.exists()],
        [false, false, true, true]
    );
    drop(writer);
    assert_eq!(fixture.store.sweep(Duration::from_secs(1800)).await.unwrap(), Swept { removed: 1 });
    assert!(fixture.file(&content).exists());
}

#[tokio::test]
async fn many_writers_of_one_revision_agree() {
    let fixture = Fixture::new();
    let content = document("x");
    let puts = futures::future::join_all((0..32).map(|_| fixture.put(&content))).await;
    assert!(puts.iter().all(|stored| stored.digest == puts[0].digest));
    assert_eq!(fixture.listing().len(), 3);
}

#[tokio::test]
async fn puts_and_deletes_of_neighbours_do_not_disturb_each_other() {
    let fixture = Fixture::new();
    let rounds = (0..16).map(|n| {
        let store = fixture.store.clone();
        async move {
            let key = Key::new("team-a", &format!("s{n}")).unwrap();
            for round in 0..10 {
                store.put(&key, document(&format!("{n} {round}"))).await.unwrap();
                store.delete(&key).await.unwrap();
            }
        }
    });
    futures::future::join_all(rounds).await;
    assert_eq!(fixture.listing(), Vec::<String>::new());
}

#[tokio::test]
async fn a_large_artifact_is_streamed_and_cut_off_when_it_changes() {
    let fixture = Fixture::new();
    // A linear congruential generator gives bytes that do not compress.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(6 << 20)
    .collect();
    let content = Content::document("rendered.json", noise);
    let stored = fixture.put(&content).await;
    assert_eq!(fixture.read(&content, Some(&stored.digest)).await, Some(fs::read(fixture.file(&content)).unwrap()));

    let readable = fixture.store.open(&fixture.key, content.revision(), Some(&stored.digest)).await.unwrap().unwrap();
    assert_eq!(readable.bytes(), None);
    let mut stream = readable.into_stream();
    stream.next().await.unwrap().unwrap();
    fs::OpenOptions::new().write(true).open(fixture.file(&content)).unwrap().set_len(stored.size).unwrap();
    std::os::unix::fs::FileExt::write_at(
        &fs::OpenOptions::new().write(true).open(fixture.file(&content)).unwrap(),
        b"!",
        stored.size - 1,
    )
    .unwrap();
    let rest: Vec<_> = stream.collect().await;
    assert!(rest.last().unwrap().is_err());
}

#[tokio::test]
async fn an_error_names_file_operation_and_remedy() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), b"").unwrap();
    let error = LocalStore::open(&directory.path().join("file/store")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "opening `{}/file/store`: the store does not answer as it should; check the volume",
            directory.path().display()
        )
    );
}

#[tokio::test]
async fn the_directory_keeps_the_contract() {
    let fixture = Fixture::new();
    let raw = Directory(fixture.directory.path().to_owned());
    conformance::all(Subject { store: &fixture.store, raw: &raw }).await;
}

#[tokio::test]
async fn the_quota_is_kept_and_room_that_was_freed_is_used() {
    let directory = TempDir::new().unwrap();
    let store = LocalStore::open_with(directory.path(), LocalOptions { quota: Some(3 * 4096) }).unwrap();
    let key = Key::new("team-a", "web").unwrap();
    for n in 0..3 {
        store.put(&key, document(&format!("{n}"))).await.unwrap();
    }
    let error = store.put(&key, document("3")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::QuotaReached);
    assert!(error.kind.is_full());
    assert!(error.detail.starts_with("needs 4.0 KiB, 12.0 KiB of 12.0 KiB used, "), "{}", error.detail);
    assert!(store.put(&key, document("1")).await.is_ok(), "what is there needs no room");
    store.remove(&key, document("0").revision()).await.unwrap();
    store.put(&key, document("3")).await.unwrap();
    // Removed by a person, without the store's knowledge.
    fs::remove_file(directory.path().join(key.path(document("1").revision()))).unwrap();
    store.put(&key, document("4")).await.unwrap();
    let usage = store.usage().await.unwrap();
    assert_eq!((usage.bytes, usage.files, usage.quota), (3 * 4096, 3, Some(3 * 4096)));
}

#[tokio::test]
async fn a_root_that_was_removed_is_made_anew() {
    let fixture = Fixture::new();
    let content = document("x");
    fixture.put(&content).await;
    fs::remove_dir_all(fixture.directory.path()).unwrap();
    assert_eq!(fixture.store.presence(&fixture.key, content.revision()).await.unwrap(), Presence::Missing);
    fixture.put(&content).await;
    assert!(fixture.file(&content).exists());
}

#[tokio::test]
async fn a_listing_tells_of_what_is_no_file_without_entering_it() {
    let fixture = Fixture::new();
    let file = fixture.file(&document("x"));
    fs::create_dir_all(&file).unwrap();
    fs::create_dir(fixture.directory.path().join("lost+found")).unwrap();
    symlink("/", fixture.directory.path().join("team-b")).unwrap();
    let items = fixture.store.list().await.unwrap();
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|item| item.kind == ItemKind::Foreign), "{items:?}");
}

#[tokio::test]
async fn a_sweep_takes_empty_folders_and_old_halves_of_marks() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.directory.path().join("team-a/empty")).unwrap();
    fs::create_dir(fixture.directory.path().join("team-b")).unwrap();
    fs::write(fixture.directory.path().join(".jaas-owner.json.0011.tmp"), b"half").unwrap();
    assert_eq!(fixture.store.sweep(Duration::from_secs(60)).await.unwrap(), Swept { removed: 1 });
    assert_eq!(fixture.listing(), Vec::<String>::new());
}
