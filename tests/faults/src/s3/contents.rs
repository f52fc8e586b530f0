//! What is published.

use std::io;

use bytes::Bytes;
use jaas_storage::{Content, Key};
use rand::rngs::StdRng;
use rand::{Rng, RngCore};

use super::ledger::Ledger;

/// Artifacts above this size are verified while they stream; see `S3Options::buffered`.
pub(super) const BUFFERED: u64 = 16 << 10;

/// A document that is read whole before it is sent, or one that is streamed.
pub(super) fn document(dice: &mut StdRng, large: bool) -> Content {
    let size = if large { dice.random_range(24 << 10..48 << 10) } else { dice.random_range(100..4000) };
    let mut bytes = vec![0; size];
    // Random bytes do not compress, so the size is that of the artifact.
    dice.fill_bytes(&mut bytes);
    Content::document("rendered.json", bytes)
}

/// So many documents, one of them large, entered under a key; returns their paths.
pub(super) fn revisions(ledger: &mut Ledger, key: &Key, count: usize, dice: &mut StdRng) -> io::Result<Vec<String>> {
    let large = dice.random_range(0..count);
    let paths = (0..count).map(|index| {
        let content = document(dice, index == large);
        let packed: Bytes = content.packed()?;
        Ok(ledger.enter(key, &content, packed))
    });
    paths.collect()
}
