//! What an artifact is: files in, bytes and identity out. Pure.

pub mod archive;
pub mod digest;
pub mod path;
pub mod unpack;

use std::collections::BTreeMap;

pub use archive::{PACKER, pack};
pub use digest::{Digest, Revision};
pub use unpack::{UnpackError, unpack};

/// Files of an artifact by their path inside it, in the order in which they are packed.
pub type Entries = BTreeMap<String, Vec<u8>>;

/// Largest file that Flux's consumers extract, in bytes.
pub const ENTRY_LIMIT: u64 = 16 << 20;
/// Largest sum of all files that Flux's consumers extract, in bytes.
pub const TOTAL_LIMIT: u64 = 64 << 20;

/// Files together with the identity that they give the artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    entries: Entries,
    revision: Revision,
}

impl Content {
    /// One file whose own hash identifies the artifact: rendered JSON or manifests.
    pub fn document(name: &str, bytes: Vec<u8>) -> Self {
        let revision = Revision::of_document(&bytes);
        Self { entries: Entries::from([(name.to_owned(), bytes)]), revision }
    }

    /// A tree of files, identified by all names and contents.
    pub fn tree(entries: Entries) -> Self {
        let revision = Revision::of_tree(&entries);
        Self { entries, revision }
    }

    /// The files.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The identity.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// Sum of all file sizes in bytes.
    pub fn size(&self) -> u64 {
        self.entries.values().map(|bytes| bytes.len() as u64).sum()
    }
}

/// Whether unpacked files are the content that `revision` names, be it one document or a tree.
pub fn is_content_of(entries: &Entries, revision: &Revision) -> bool {
    let document = match entries.len() {
        1 => entries.values().next(),
        _ => None,
    };
    document.is_some_and(|bytes| Revision::of_document(bytes) == *revision) || Revision::of_tree(entries) == *revision
}
