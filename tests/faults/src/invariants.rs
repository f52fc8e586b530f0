//! What must be true after every case.
//!
//! A class keeps a [`Ledger`] of what the store has acknowledged. The functions here compare it with what a store serves, and with
//! the files themselves. Names of invariants: `I1` never a wrong byte, `I2` nothing acknowledged is lost, `I3` nothing removed is
//! back, `I4` no residue, `I5` what is told agrees with what is there, `I6` nothing is acknowledged before it is flushed, `I7` it
//! converges by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use jaas_storage::artifact::{is_content_of, unpack};
use jaas_storage::store::{ArtifactPath, ItemKind};
use jaas_storage::{Digest, Key, Presence, Revision, Store};

use crate::tally::Violation;

/// An invariant that does not hold, of a case that is not named yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The invariant.
    pub invariant: &'static str,
    /// What was seen.
    pub seen: String,
}

impl Broken {
    /// What was seen instead.
    #[must_use]
    pub fn new(invariant: &'static str, seen: impl Into<String>) -> Self {
        Self { invariant, seen: seen.into() }
    }

    /// The same with its case.
    #[must_use]
    pub fn at(self, case: &str) -> Violation {
        Violation { case: case.to_owned(), invariant: self.invariant.to_owned(), seen: self.seen }
    }
}

/// What is known of one revision from the store's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A put of it was acknowledged with this digest, and nobody asked to take it away since.
    Kept(Digest),
    /// Either way: a change was not acknowledged.
    Unsure,
    /// That it was taken away was acknowledged.
    Gone,
}

/// What a store has acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    fates: BTreeMap<(Key, Revision), Fate>,
    planted: BTreeMap<String, Vec<u8>>,
}

impl Ledger {
    /// Notes what became of a revision.
    pub fn note(&mut self, key: &Key, revision: &Revision, fate: Fate) {
        self.fates.insert((key.clone(), revision.clone()), fate);
    }

    /// What became of a revision; of one that nobody spoke of, [`Fate::Gone`].
    #[must_use]
    pub fn fate(&self, key: &Key, revision: &Revision) -> Fate {
        self.fates.get(&(key.clone(), revision.clone())).cloned().unwrap_or(Fate::Gone)
    }

    /// Notes the same for all revisions of a key.
    pub fn note_all(&mut self, key: &Key, fate: &Fate) {
        for (_, noted) in self.fates.iter_mut().filter(|((of, _), _)| of == key) {
            *noted = fate.clone();
        }
    }

    /// Notes bytes that were put into a file past the store: as long as they are there, they are not the store's fault.
    pub fn plant(&mut self, path: String, bytes: Vec<u8>) {
        self.planted.insert(path, bytes);
    }

    /// Paths of what must be there.
    pub fn kept_paths(&self) -> impl Iterator<Item = String> {
        let kept = self.fates.iter().filter(|(_, fate)| matches!(fate, Fate::Kept(_)));
        kept.map(|((key, revision), _)| key.path(revision))
    }
}

/// What the store serves of every revision that anybody spoke of.
pub async fn served(store: &dyn Store, ledger: &Ledger) -> Vec<Broken> {
    let mut broken = Vec::new();
    for ((key, revision), fate) in &ledger.fates {
        let path = key.path(revision);
        if let Fate::Kept(digest) = fate {
            match opened(store, key, revision, Some(digest)).await {
                Ok(Some(told)) if told == *digest => {}
                other => {
                    broken.push(Broken::new("I2", format!("{path}: acknowledged as {digest}, opened as {other:?}")))
                }
            }
        }
        let presence = store.presence(key, revision).await.map_err(|error| error.to_string());
        match (opened(store, key, revision, None).await, fate, presence) {
            (Err(wrong), ..) => broken.push(wrong),
            (Ok(Some(_)), Fate::Gone, _) => broken.push(Broken::new("I3", format!("{path}: removed, but served"))),
            (Ok(Some(told)), _, Ok(Presence::Intact { digest, .. })) if told == digest => {}
            (Ok(None), Fate::Unsure | Fate::Gone, Ok(Presence::Missing | Presence::Damaged { .. })) => {}
            (opened, _, presence) => {
                broken.push(Broken::new(
                    "I5",
                    format!("{path}: {fate:?}, opened as {opened:?}, present as {presence:?}"),
                ));
            }
        }
    }
    broken
}

/// Opens a revision and reads it; the digest that was told. What is opened must be what it is said to be.
async fn opened(
    store: &dyn Store,
    key: &Key,
    revision: &Revision,
    expected: Option<&Digest>,
) -> Result<Option<Digest>, Broken> {
    let path = key.path(revision);
    let readable = match store.open(key, revision, expected).await {
        Ok(readable) => readable,
        Err(error) => return Err(Broken::new("I7", format!("{path}: {error} ({})", error.source))),
    };
    let Some(readable) = readable else { return Ok(None) };
    let Some(bytes) = readable.bytes() else {
        return Err(Broken::new("I1", format!("{path}: {} bytes that were not verified in memory", readable.size)));
    };
    right(bytes, &readable.digest, readable.size, revision)
        .map_err(|seen| Broken::new("I1", format!("{path}: {seen}")))?;
    Ok(Some(readable.digest.clone()))
}

/// Whether bytes are what they are said to be: of this digest and size, and of the content that the revision names.
///
/// # Errors
/// What is wrong with them.
pub fn right(bytes: &[u8], digest: &Digest, size: u64, revision: &Revision) -> Result<(), String> {
    let hashed = Digest::of(bytes);
    if hashed != *digest {
        return Err(format!("{} bytes that hash to {hashed} and not to the announced {digest}", bytes.len()));
    }
    if bytes.len() as u64 != size {
        return Err(format!("{} bytes where {size} were announced", bytes.len()));
    }
    if is_artifact_of(bytes, revision) { Ok(()) } else { Err(format!("bytes whose content is not {revision}")) }
}

/// Whether bytes are an artifact of the content that a revision names.
#[must_use]
pub fn is_artifact_of(bytes: &[u8], revision: &Revision) -> bool {
    unpack(bytes).is_ok_and(|entries| is_content_of(&entries, revision))
}

/// Every file with the name of an artifact is that artifact, whole, or the damage that was planted.
///
/// # Errors
/// When the directory cannot be read.
pub fn named(root: &Path, ledger: &Ledger) -> Result<Vec<Broken>> {
    let mut broken = Vec::new();
    for (path, bytes) in tree(root)?.files {
        let Some(artifact) = ArtifactPath::parse(&path) else { continue };
        if !is_artifact_of(&bytes, &artifact.revision) && ledger.planted.get(&path) != Some(&bytes) {
            let seen = format!("{path}: its {} bytes are not what its name says", bytes.len());
            broken.push(Broken::new("I1", seen));
        }
    }
    Ok(broken)
}

/// After one sweep there is no temporary file and no empty folder, and all that must be there is listed.
///
/// # Errors
/// When the directory cannot be read.
pub async fn swept(root: &Path, store: &dyn Store, ledger: &Ledger) -> Result<Vec<Broken>> {
    let mut broken = Vec::new();
    if let Err(error) = store.sweep(Duration::ZERO).await {
        broken.push(Broken::new("I7", format!("sweep: {error} ({})", error.source)));
    }
    let tree = tree(root)?;
    let temporary = tree.files.keys().filter(|path| path.ends_with(".tmp"));
    broken.extend(temporary.chain(&tree.empty).map(|path| Broken::new("I4", format!("{path} is left after a sweep"))));
    match store.list().await {
        Err(error) => broken.push(Broken::new("I7", format!("list: {error} ({})", error.source))),
        Ok(items) => {
            let listed: Vec<_> = items.iter().filter(|item| matches!(item.kind, ItemKind::Revision(_))).collect();
            let unlisted = ledger.kept_paths().filter(|path| !listed.iter().any(|item| item.path == *path));
            broken.extend(unlisted.map(|path| Broken::new("I5", format!("{path}: there, but not listed"))));
        }
    }
    Ok(broken)
}

/// What a directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Regular files by their path below it.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Folders that hold nothing.
    pub empty: Vec<String>,
    /// Links, pipes and the like.
    pub others: Vec<String>,
}

/// Reads a directory without following a link.
///
/// # Errors
/// When it cannot be read.
pub fn tree(root: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    descend(root, "", &mut tree).with_context(|| format!("reading {}", root.display()))?;
    tree.empty.sort();
    tree.others.sort();
    Ok(tree)
}

fn descend(root: &Path, below: &str, tree: &mut Tree) -> Result<()> {
    let mut held = 0;
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        held += 1;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            descend(root, &path, tree)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path())?;
            tree.files.insert(path, bytes);
        } else {
            tree.others.push(path);
        }
    }
    if held == 0 && !below.is_empty() {
        tree.empty.push(below.to_owned());
    }
    Ok(())
}
