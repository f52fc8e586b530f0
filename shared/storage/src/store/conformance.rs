//! What every store must do, whatever it is made of. A store that does not pass may not exist.
//!
//! Each function is one guarantee. They use namespaces of their own, so they may run one after another on one store; [`all`] does so.

#![allow(clippy::unwrap_used, reason = "a failed expectation ends the test that calls")]

mod changes;
mod reading;
mod whole;

use std::path::PathBuf;

use async_trait::async_trait;
use futures::StreamExt;

use super::{Key, Store, Stored};
use crate::artifact::{Content, Digest, Entries};

pub use changes::{
    a_second_put_writes_nothing, adopted_content_keeps_its_bytes, deleting_takes_one_key_only, many_writers_agree,
    missing_things_are_no_error, only_the_state_that_was_seen_is_removed, removing_takes_one_revision_only,
    what_was_put_is_read,
};
pub use reading::{
    a_large_artifact_is_read_whole, damage_is_never_read_and_a_put_repairs_it, large_damage_is_never_read_to_its_end,
    the_expected_digest_decides, verifying_trusts_nothing,
};
pub use whole::{
    a_complete_object_is_no_upload, a_listing_names_everything, a_mark_is_never_taken_by_accident,
    a_probe_leaves_nothing, a_sweep_spares_artifacts, what_is_set_aside_is_not_served,
};

/// A way to the stored bytes past the store, as a person or other software has it.
#[async_trait]
pub trait Raw: Send + Sync {
    /// Puts bytes where the store will find them.
    async fn plant(&self, path: &str, bytes: &[u8]);
    /// Takes the bytes as they are.
    async fn look(&self, path: &str) -> Option<Vec<u8>>;
}

/// The files of a directory.
#[derive(Clone, Debug)]
pub struct Directory(pub PathBuf);

#[async_trait]
impl Raw for Directory {
    async fn plant(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    async fn look(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(path)).ok()
    }
}

/// A store under test.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "neither part has one")]
pub struct Subject<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The way past it.
    pub raw: &'a dyn Raw,
}

/// All guarantees, on a store that holds nothing.
pub async fn all(subject: Subject<'_>) {
    a_probe_leaves_nothing(subject).await;
    a_listing_names_everything(subject).await;
    a_mark_is_never_taken_by_accident(subject).await;
    what_was_put_is_read(subject).await;
    a_second_put_writes_nothing(subject).await;
    adopted_content_keeps_its_bytes(subject).await;
    the_expected_digest_decides(subject).await;
    damage_is_never_read_and_a_put_repairs_it(subject).await;
    verifying_trusts_nothing(subject).await;
    missing_things_are_no_error(subject).await;
    removing_takes_one_revision_only(subject).await;
    only_the_state_that_was_seen_is_removed(subject).await;
    a_complete_object_is_no_upload(subject).await;
    deleting_takes_one_key_only(subject).await;
    what_is_set_aside_is_not_served(subject).await;
    many_writers_agree(subject).await;
    a_sweep_spares_artifacts(subject).await;
    a_large_artifact_is_read_whole(subject).await;
    large_damage_is_never_read_to_its_end(subject).await;
}

impl Subject<'_> {
    async fn put(&self, key: &Key, content: &Content) -> Stored {
        self.store.put(key, content.clone()).await.unwrap()
    }

    /// The bytes as a consumer gets them: none, all, or an end before the announced length.
    async fn read(&self, key: &Key, content: &Content, expected: Option<&Digest>) -> Option<Result<Vec<u8>, Cut>> {
        let readable = self.store.open(key, content.revision(), expected).await.unwrap()?;
        let size = readable.size;
        let mut bytes = Vec::new();
        let mut stream = std::pin::pin!(readable.into_stream());
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(_) => return Some(Err(Cut(bytes.len() as u64))),
            }
        }
        assert_eq!(bytes.len() as u64, size, "a stream that ends without an error is as long as announced");
        Some(Ok(bytes))
    }
}

/// A body that ended early, after so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut(u64);

fn key(namespace: &str, name: &str) -> Key {
    Key::new(namespace, name).unwrap()
}

fn document(text: &str) -> Content {
    Content::document("rendered.json", text.as_bytes().to_vec())
}

fn packed(content: &Content) -> Vec<u8> {
    content.packed().unwrap().to_vec()
}

/// The same content in other bytes, as another packer makes them.
fn packed_by_others(content: &Content) -> Vec<u8> {
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed(content).as_slice()), &mut tar).unwrap();
    let mut foreign = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut foreign, &tar).unwrap();
    foreign.finish().unwrap()
}

/// An artifact whose packed form is a little larger than `bytes`.
fn large(bytes: usize) -> Content {
    // A linear congruential generator gives bytes that do not compress.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    Content::document("rendered.json", noise.take(bytes).collect())
}

fn tree() -> Content {
    Content::tree(Entries::from([("a.jsonnet".to_owned(), b"1".to_vec()), ("b/c".to_owned(), b"2".to_vec())]))
}
