//! What an artifact is: files in, bytes and identity out. Pure.

pub mod archive;
pub mod digest;
pub mod path;
pub mod unpack;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

pub use archive::{PACKER, pack};
pub use digest::{Digest, Revision};
pub use unpack::{UnpackError, unpack};

/// Files of an artifact by their path inside it, in the order in which they are packed.
pub type Entries = BTreeMap<String, Vec<u8>>;

/// Largest file that Flux's consumers extract, in bytes.
pub const ENTRY_LIMIT: u64 = 16 << 20;
/// Largest sum of all files that Flux's consumers extract, in bytes.
pub const TOTAL_LIMIT: u64 = 64 << 20;

/// Files together with the identity that they give the artifact. A clone shares them.
#[derive(Clone, Debug)]
pub struct Content(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Entries,
    revision: Revision,
    packed: OnceLock<Bytes>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        (&self.0.entries, &self.0.revision) == (&other.0.entries, &other.0.revision)
    }
}

impl Eq for Content {}

impl Content {
    /// One file whose own hash identifies the artifact: rendered JSON or manifests.
    pub fn document(name: &str, bytes: Vec<u8>) -> Self {
        let revision = Revision::of_document(&bytes);
        Self::new(Entries::from([(name.to_owned(), bytes)]), revision)
    }

    /// A tree of files, identified by all names and contents.
    pub fn tree(entries: Entries) -> Self {
        let revision = Revision::of_tree(&entries);
        Self::new(entries, revision)
    }

    fn new(entries: Entries, revision: Revision) -> Self {
        Self(Arc::new(Shared { entries, revision, packed: OnceLock::new() }))
    }

    /// The stored form, packed once for all clones.
    ///
    /// # Errors
    /// Those of [`pack`].
    pub fn packed(&self) -> io::Result<Bytes> {
        if let Some(packed) = self.0.packed.get() {
            return Ok(packed.clone());
        }
        let packed = Bytes::from(pack(&self.0.entries)?);
        Ok(self.0.packed.get_or_init(|| packed).clone())
    }

    /// The files.
    pub fn entries(&self) -> &Entries {
        &self.0.entries
    }

    /// The identity.
    pub fn revision(&self) -> &Revision {
        &self.0.revision
    }

    /// Sum of all file sizes in bytes.
    pub fn size(&self) -> u64 {
        self.0.entries.values().map(|bytes| bytes.len() as u64).sum()
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
