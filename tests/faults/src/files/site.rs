//! A small store, and a place outside of it that nothing may reach.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jaas_storage::store::OwnerMark;
use jaas_storage::{Content, Digest, Entries, Key, LocalStore, Store};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use crate::invariants::{self, Tree};
use crate::scratch;

/// One artifact of the small store.
#[derive(Clone, Debug)]
pub(super) struct Artifact {
    pub(super) key: Key,
    pub(super) content: Content,
    /// Its bytes, as the store writes them.
    pub(super) packed: Vec<u8>,
    /// Digest of the bytes.
    pub(super) digest: Digest,
    /// Path below the root.
    pub(super) path: String,
}

impl Artifact {
    fn new(namespace: &str, name: &str, content: Content) -> Result<Self> {
        let key = Key::new(namespace, name).context("naming an artifact")?;
        let packed = content.packed().context("packing")?.to_vec();
        let path = key.path(content.revision());
        Ok(Self { digest: Digest::of(&packed), key, content, packed, path })
    }
}

/// The artifacts: a document and a tree of one snippet, and one document of each of its neighbours.
///
/// # Errors
/// Never with these names.
pub(super) fn artifacts() -> Result<Vec<Artifact>> {
    let document = |seed: u64| {
        let text: String =
            (1..=60_u64).map(|line| format!("line {line}: {}\n", line * seed * 7919 % 104_729)).collect();
        Content::document("rendered.json", text.into_bytes())
    };
    let tree = Content::tree(Entries::from([
        ("main.jsonnet".to_owned(), b"import 'lib/a.libsonnet'\n".to_vec()),
        ("lib/a.libsonnet".to_owned(), b"{ a: 1 }\n".to_vec()),
    ]));
    Ok(vec![
        Artifact::new("team-a", "web", document(1))?,
        Artifact::new("team-a", "web", tree)?,
        Artifact::new("team-a", "api", document(2))?,
        Artifact::new("team-b", "web", document(3))?,
    ])
}

/// Whose the small store is.
pub(super) fn mark() -> OwnerMark {
    OwnerMark {
        format: OwnerMark::FORMAT,
        cluster: "cluster".to_owned(),
        release: "jaas/jaas".to_owned(),
        scope: String::new(),
        selector: String::new(),
    }
}

/// The small store of one case. It goes with its handle.
#[derive(Debug)]
pub(super) struct Site {
    directory: TempDir,
}

impl Site {
    /// Fills a store; the one that filled it has verified and read every file.
    ///
    /// # Errors
    /// When the store does not work although nothing is wrong.
    pub(super) async fn new(artifacts: &[Artifact]) -> Result<(Self, LocalStore)> {
        let site = Self { directory: scratch::directory()? };
        let store = LocalStore::open(&site.root())?;
        store.claim(&mark(), false).await?;
        fs::create_dir(site.outside())?;
        for artifact in artifacts {
            let stored = store.put(&artifact.key, artifact.content.clone()).await?;
            store.open(&artifact.key, artifact.content.revision(), Some(&stored.digest)).await?.context("reading")?;
            fs::write(site.copy_of(artifact), &artifact.packed)?;
        }
        let mode = Mode::from_raw_mode(0o644);
        mknodat(CWD, site.outside().join("pipe"), FileType::Fifo, mode, 0).context("making a pipe")?;
        Ok((site, store))
    }

    /// Directory of the store.
    pub(super) fn root(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// A directory beside the store.
    pub(super) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    /// An exact copy of an artifact, outside.
    pub(super) fn copy_of(&self, artifact: &Artifact) -> PathBuf {
        self.outside().join(format!("{}.copy", artifact.digest.hex()))
    }

    /// All that is outside.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn seen_outside(&self) -> Result<Tree> {
        invariants::tree(&self.outside())
    }

    /// Whether a regular file with these bytes is at a path below the root, reached through no link.
    pub(super) fn holds(&self, path: &str, bytes: &[u8]) -> bool {
        let whole = self.root().join(path);
        let plain =
            whole.canonicalize().is_ok_and(|real| self.root().canonicalize().is_ok_and(|root| real == root.join(path)));
        plain
            && whole.symlink_metadata().is_ok_and(|meta| meta.is_file())
            && fs::read(&whole).is_ok_and(|found| found == bytes)
    }
}

/// Whether anything has this name.
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
