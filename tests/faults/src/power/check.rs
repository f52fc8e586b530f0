//! What must be true after a cut, and again once the store has recovered.

use std::error::Error;
use std::fs;

use anyhow::{Context, Result};
use jaas_storage::store::{Item, ItemKind, StoreError};
use jaas_storage::{Digest, Presence, Store};

use super::artifacts::{Artifact, Known};
use super::ledger::History;
use super::site::{Site, mark};

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The invariant.
    pub(super) invariant: &'static str,
    /// What was seen.
    pub(super) seen: String,
    /// Whether it is a file that holds something else than its name says, and that the store does not hand out.
    pub(super) damage: bool,
}

impl Finding {
    /// The store failed though nothing stood in its way.
    pub(super) fn trouble(error: &StoreError) -> Self {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::new("I7", format!("{error}{cause}"))
    }

    fn new(invariant: &'static str, seen: impl Into<String>) -> Self {
        Self { invariant, seen: seen.into(), damage: false }
    }

    fn damage(seen: impl Into<String>) -> Self {
        Self { damage: true, ..Self::new("I1", seen) }
    }
}

/// Looks at what the cut left. Writes nothing.
pub(super) async fn after_the_cut(site: &Site) -> Result<Vec<Finding>> {
    let history = site.ledger.history();
    let mut findings = names(site, &history, false).await?;
    let owed = history.owed();
    for artifact in history.named() {
        let found = look(site, &artifact, owed.contains(&artifact)).await;
        findings.extend(found.filter(|found| !is_excused(site, &history, &artifact, found)));
    }
    findings.extend(set_aside(site, &history));
    findings.extend(owner(site).await);
    Ok(findings)
}

/// Lets the store recover, and looks again.
pub(super) async fn recovered(site: &Site) -> Result<Vec<Finding>> {
    let past = site.ledger.history();
    if let Err(finding) = recover(site).await {
        return Ok(vec![finding]);
    }
    let mut findings = names(site, &past, true).await?;
    for artifact in past.wanted() {
        findings.extend(look(site, &artifact, true).await);
    }
    site.ledger.settle(&past);
    Ok(findings)
}

/// What the operator does after a start: one sweep, everything that is wanted is put, what is not wanted any more is removed.
pub(super) async fn recover(site: &Site) -> Result<(), Finding> {
    let history = site.ledger.history();
    let wanted = history.wanted();
    let work = async {
        site.sweep().await?;
        for artifact in &wanted {
            if let Some(known) = site.pool.get(&artifact.revision) {
                site.put(&artifact.key, known).await?;
            }
        }
        for artifact in history.named().difference(&wanted) {
            site.remove(artifact).await?;
        }
        Ok(())
    };
    work.await.map_err(|error| Finding::trouble(&error))
}

/// Every file with the name of an artifact is that artifact, and there are no files but the store's; after a sweep none of a writer
/// that is gone.
async fn names(site: &Site, history: &History, swept: bool) -> Result<Vec<Finding>> {
    let items = match site.store.list().await {
        Ok(items) => items,
        Err(error) => return Ok(vec![Finding::trouble(&error)]),
    };
    let mut findings = Vec::new();
    for Item { path, kind, key, .. } in items {
        match kind {
            ItemKind::Temporary if swept => findings.push(Finding::new("I4", format!("{path} is left after a sweep"))),
            ItemKind::Temporary | ItemKind::OwnerMark => {}
            ItemKind::Foreign => findings.push(Finding::new("I7", format!("{path}, which nobody wrote"))),
            ItemKind::Trash if site.returns_damaged => {}
            ItemKind::Trash => findings.extend(bytes(site, &path)?),
            ItemKind::Revision(revision) => {
                let artifact = key.map(|key| Artifact { key, revision });
                let excused = |found: &Finding| {
                    !swept && artifact.is_some_and(|artifact| is_excused(site, history, &artifact, found))
                };
                findings.extend(bytes(site, &path)?.filter(|found| !excused(found)));
            }
        }
    }
    Ok(findings)
}

/// The bytes behind a name are those that it promises.
fn bytes(site: &Site, path: &str) -> Result<Option<Finding>> {
    let found = fs::read(site.root().join(path)).context("reading past the store")?;
    let known = site.pool.promised_by(path);
    if known.is_some_and(|known| known.bytes == found) {
        return Ok(None);
    }
    let promised = known.map_or(0, |known| known.bytes.len());
    let right = known.map_or(0, |known| known.bytes.iter().zip(&found).take_while(|(a, b)| a == b).count());
    let seen = format!("{path} is damaged: {} bytes, of {promised} that were written {right} are right", found.len());
    Ok(Some(Finding::damage(seen)))
}

/// Whether the file system may return this artifact damaged, because it was being taken away. It must not be opened even then.
fn is_excused(site: &Site, history: &History, artifact: &Artifact, found: &Finding) -> bool {
    site.returns_damaged && found.damage && history.is_taken(artifact) && !history.owed().contains(artifact)
}

/// Asks for an artifact in every way.
async fn look(site: &Site, artifact: &Artifact, owed: bool) -> Option<Finding> {
    if let Err(finding) = read(site, artifact, owed).await {
        return Some(finding);
    }
    let path = artifact.key.path(&artifact.revision);
    match site.store.presence(&artifact.key, &artifact.revision).await {
        Err(error) => Some(Finding::trouble(&error)),
        Ok(Presence::Damaged { cause }) => Some(Finding::damage(format!("{path} is damaged: {cause}"))),
        Ok(Presence::Missing) if owed => Some(Finding::new("I6", format!("{path} is said to be missing"))),
        Ok(Presence::Intact { .. } | Presence::Missing) => None,
    }
}

/// Reads an artifact by its digest, without one and by a wrong one.
pub(super) async fn read(site: &Site, artifact: &Artifact, owed: bool) -> Result<(), Finding> {
    let Some(known) = site.pool.get(&artifact.revision) else { return Ok(()) };
    read_by(site, artifact, known, Some(&known.digest), owed).await?;
    read_by(site, artifact, known, None, owed).await?;
    let Some(wrong) = site.pool.other_digest(known) else { return Ok(()) };
    match site.store.open(&artifact.key, &artifact.revision, Some(wrong)).await {
        Err(error) => Err(Finding::trouble(&error)),
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            let path = artifact.key.path(&artifact.revision);
            Err(Finding::new("I1", format!("{path} opens as {wrong}, but is {}", known.digest)))
        }
    }
}

async fn read_by(
    site: &Site,
    artifact: &Artifact,
    known: &Known,
    expected: Option<&Digest>,
    owed: bool,
) -> Result<(), Finding> {
    let path = artifact.key.path(&artifact.revision);
    let asked = expected.map_or("no digest", |_| "its digest");
    let opened = site.store.open(&artifact.key, &artifact.revision, expected).await;
    match opened.map_err(|error| Finding::trouble(&error))? {
        None if owed => Err(Finding::new("I6", format!("{path} was acknowledged, but does not open by {asked}"))),
        None => Ok(()),
        Some(readable) => {
            let right =
                readable.digest == known.digest && readable.bytes().is_some_and(|bytes| **bytes == *known.bytes);
            let wrong =
                || Finding::new("I1", format!("{path} opens by {asked} with wrong bytes, {} of them", readable.size));
            if right { Ok(()) } else { Err(wrong()) }
        }
    }
}

/// What was set aside is there, under one name or the other.
fn set_aside(site: &Site, history: &History) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (artifact, run) in history.aside() {
        let path = artifact.key.path(&artifact.revision);
        let (old, new) = (site.root().join(&path), site.root().join(format!("{path}.trash-{run}")));
        if !old.exists() && !new.exists() {
            findings.push(Finding::new("I7", format!("{path} was set aside for {run}, and is nowhere")));
        }
    }
    findings
}

/// The mark is the last that was answered, or a later one.
async fn owner(site: &Site) -> Option<Finding> {
    let scopes = site.ledger.scopes();
    let is_right = |scope: u32| scopes.contains(&scope);
    match site.store.read_owner().await {
        Err(error) => Some(Finding::trouble(&error)),
        Ok(None) => (!is_right(0)).then(|| Finding::new("I7", format!("the mark is gone; {scopes:?} were claimed"))),
        Ok(Some(found)) => {
            let right = found.scope.parse().is_ok_and(is_right) && found.is_same_installation(&mark(0));
            (!right).then(|| Finding::new("I7", format!("the mark is {found:?}; {scopes:?} were claimed")))
        }
    }
}
