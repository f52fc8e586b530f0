//! What the writers store: some contents, under many names.

use anyhow::{Context, Result};
use jaas_storage::{Content, Digest, Key, Revision};
use rand::Rng;

/// How many contents there are.
const CONTENTS: usize = 24;
/// How many of them several writers put under one key.
const SHARED: usize = 5;
/// Exponents of two between which the sizes lie: 2 KiB to 1 MiB.
const SIZES: (f64, f64) = (11.0, 20.0);

/// A revision of a snippet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Artifact {
    /// The snippet.
    pub(super) key: Key,
    /// The revision.
    pub(super) revision: Revision,
}

/// A content and what it must look like in the store.
#[derive(Debug)]
pub(super) struct Known {
    /// The content.
    pub(super) content: Content,
    /// Its stored bytes.
    pub(super) bytes: Vec<u8>,
    /// Their digest.
    pub(super) digest: Digest,
}

/// All contents.
#[derive(Debug)]
pub(super) struct Pool(Vec<Known>);

impl Pool {
    /// Contents of all orders of magnitude, the smaller ones more often, that do not compress.
    pub(super) fn draw(rng: &mut impl Rng) -> Result<Self> {
        let draw = |_| {
            let (least, most) = SIZES;
            let size = (least + (most - least) * rng.random::<f64>().powi(2)).exp2();
            let mut bytes = vec![0; size as usize];
            rng.fill(bytes.as_mut_slice());
            let content = Content::document("rendered.json", bytes);
            let bytes = content.packed().context("packing a content")?.to_vec();
            Ok(Known { content, digest: Digest::of(&bytes), bytes })
        };
        (0..CONTENTS).map(draw).collect::<Result<_>>().map(Self)
    }

    /// Any content.
    pub(super) fn any(&self, rng: &mut impl Rng) -> &Known {
        &self.0[rng.random_range(0..self.0.len())]
    }

    /// Any content for the key that several writers have in common; so few that they meet.
    pub(super) fn shared(&self, rng: &mut impl Rng) -> &Known {
        &self.0[rng.random_range(0..SHARED)]
    }

    /// The content of a revision, if it is one of ours.
    pub(super) fn get(&self, revision: &Revision) -> Option<&Known> {
        self.0.iter().find(|known| known.content.revision() == revision)
    }

    /// The content that a file's name promises, also after it was set aside.
    pub(super) fn promised_by(&self, path: &str) -> Option<&Known> {
        let name = path.rsplit('/').next()?;
        let hex = name.strip_prefix("sha256-")?.split_once(".tar.gz")?.0;
        self.0.iter().find(|known| known.content.revision().hex() == hex)
    }

    /// A digest that is not that of this content.
    pub(super) fn other_digest(&self, known: &Known) -> Option<&Digest> {
        self.0.iter().map(|other| &other.digest).find(|digest| **digest != known.digest)
    }
}
