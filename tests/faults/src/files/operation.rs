//! What the store is asked, and what it may answer.

use std::time::Duration;

use jaas_storage::store::{Claim, ItemKind, StoreError};
use jaas_storage::{LocalStore, Presence, Store};

use super::plant::{Place, Plant};
use super::site::{self, Artifact, Site};
use crate::invariants::{Broken, is_artifact_of, right};

/// What the store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    /// To open the artifact, with its digest expected.
    Open,
    /// To open it, with no digest expected.
    OpenAny,
    Presence,
    Verify,
    Put,
    List,
    Usage,
    Sweep,
    SetAside,
    Remove,
    Delete,
    ReadOwner,
    Claim,
    TakeOver,
    Probe,
}

impl Operation {
    /// What is asked where something is planted.
    pub(super) fn at(place: Place) -> &'static [Self] {
        use Operation::{
            Claim, Delete, List, Open, OpenAny, Presence, Probe, Put, ReadOwner, Remove, SetAside, Sweep, TakeOver,
            Usage, Verify,
        };
        match place {
            Place::Mark | Place::MarkTemporary => {
                &[Open, Put, List, Usage, Sweep, Delete, ReadOwner, Claim, TakeOver, Probe]
            }
            _ => &[Open, OpenAny, Presence, Verify, Put, List, Usage, Sweep, SetAside, Remove, Delete],
        }
    }

    /// Whether it takes `other` away when it is asked of `artifact`.
    pub(super) fn takes_away(self, other: &Artifact, artifact: &Artifact) -> bool {
        match self {
            Self::SetAside | Self::Remove => other.path == artifact.path,
            Self::Delete => other.key == artifact.key,
            _ => false,
        }
    }
}

/// What was planted where, and the store that is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) site: &'a Site,
    pub(super) artifact: &'a Artifact,
    /// All artifacts that nothing was done to.
    pub(super) others: &'a [&'a Artifact],
    pub(super) place: Place,
    pub(super) plant: Plant,
}

impl Question<'_> {
    /// Asks, and says what is wrong with the answer.
    pub(super) async fn ask(&self, store: &LocalStore, operation: Operation) -> Option<Broken> {
        match self.answer(store, operation).await {
            Ok(Ok(())) => None,
            Ok(Err(broken)) => Some(broken),
            Err(_) if self.may_refuse(operation) => None,
            Err(error) => Some(Broken::new("I7", format!("{error} ({})", error.source))),
        }
    }

    /// A store makes no folder where something else is, and takes no mark that it cannot read, but on demand.
    fn may_refuse(&self, operation: Operation) -> bool {
        match (self.place, operation) {
            (Place::Folder | Place::Namespace, Operation::Put) => true,
            (Place::Mark, Operation::ReadOwner | Operation::Claim) => true,
            (Place::Mark, Operation::TakeOver) => self.plant.is_folder(),
            _ => false,
        }
    }

    async fn answer(&self, store: &LocalStore, operation: Operation) -> Result<Result<(), Broken>, StoreError> {
        let Artifact { key, content, .. } = self.artifact;
        let revision = content.revision();
        Ok(match operation {
            Operation::Open => self.read(store, true).await?,
            Operation::OpenAny => self.read(store, false).await?,
            Operation::Presence => self.present(&store.presence(key, revision).await?),
            Operation::Verify => self.present(&store.verify(key, revision).await?),
            Operation::Put => {
                let stored = store.put(key, content.clone()).await?;
                let readable = store.open(key, revision, Some(&stored.digest)).await?;
                let read = readable.and_then(|readable| readable.bytes().cloned());
                let whole = read.is_some_and(|bytes| self.site.holds(&self.artifact.path, &bytes));
                check(whole, "I2", "put, but not there")
            }
            Operation::List => {
                let items = store.list().await?;
                let listed = |artifact: &&Artifact| {
                    let kind = ItemKind::Revision(artifact.content.revision().clone());
                    items.iter().any(|item| item.path == artifact.path && item.kind == kind)
                };
                check(self.others.iter().all(listed), "I5", &format!("lists {items:?}"))
            }
            Operation::Usage => {
                let usage = store.usage().await?;
                check(usage.files >= self.others.len() as u64, "I5", &format!("counts {usage:?}"))
            }
            Operation::Sweep => {
                store.sweep(Duration::ZERO).await?;
                let residue = matches!(self.place, Place::Temporary | Place::MarkTemporary)
                    && matches!(self.plant, Plant::Text | Plant::HardLink);
                check(!(residue && self.is_there(self.place)), "I4", "left after a sweep")
            }
            Operation::SetAside => {
                store.set_aside(key, revision, "run-1").await?;
                check(!self.is_there(Place::File), "I3", "set aside, but still there")
            }
            Operation::Remove => {
                store.remove(key, revision).await?;
                check(!self.is_there(Place::File), "I3", "removed, but still there")
            }
            Operation::Delete => {
                store.delete(key).await?;
                check(!self.is_there(Place::Folder), "I3", "deleted, but still there")
            }
            Operation::ReadOwner => {
                let owner = store.read_owner().await?;
                let untouched = self.place != Place::Mark || !self.plant.is_link();
                check(untouched || owner.is_none(), "I1", "a mark that a link leads to")
            }
            Operation::Claim => {
                let claim = store.claim(&site::mark(), false).await?;
                check(!matches!(claim, Claim::Foreign(_)), "I5", "called another's")
            }
            Operation::TakeOver => {
                store.claim(&site::mark(), true).await?;
                let owner = store.read_owner().await?;
                check(owner == Some(site::mark()), "I5", &format!("taken over, but that of {owner:?}"))
            }
            Operation::Probe => {
                store.probe().await?;
                Ok(())
            }
        })
    }

    async fn read(&self, store: &LocalStore, digest: bool) -> Result<Result<(), Broken>, StoreError> {
        let Artifact { key, content, .. } = self.artifact;
        let expected = digest.then_some(&self.artifact.digest);
        let Some(readable) = store.open(key, content.revision(), expected).await? else {
            let harmless = matches!(self.place, Place::Temporary | Place::Mark | Place::MarkTemporary);
            return Ok(check(!harmless, "I2", "not served, although it is whole"));
        };
        let Some(bytes) = readable.bytes() else {
            return Ok(Err(Broken::new("I1", "served without having been read")));
        };
        let wanted = expected.unwrap_or(&readable.digest);
        let judged = right(bytes, wanted, readable.size, content.revision());
        let inside = self.site.holds(&self.artifact.path, bytes);
        Ok(judged.map_err(|seen| Broken::new("I1", seen)).and(check(inside, "I1", "served what is not in the store")))
    }

    fn present(&self, presence: &Presence) -> Result<(), Broken> {
        let Presence::Intact { digest, size } = presence else {
            let harmless = matches!(self.place, Place::Temporary | Place::Mark | Place::MarkTemporary);
            return check(!harmless, "I2", &format!("{presence:?}, although it is whole"));
        };
        let bytes = std::fs::read(self.site.root().join(&self.artifact.path)).unwrap_or_default();
        let judged = right(&bytes, digest, *size, self.artifact.content.revision());
        let inside = self.site.holds(&self.artifact.path, &bytes);
        judged.map_err(|seen| Broken::new("I1", seen)).and(check(inside, "I1", "present, but not in the store"))
    }

    /// Whether anything is at a place, reached without a link above it.
    fn is_there(&self, place: Place) -> bool {
        let blocked = match place {
            Place::File | Place::Temporary => matches!(self.place, Place::Folder | Place::Namespace),
            Place::Folder => self.place == Place::Namespace,
            Place::Namespace | Place::Mark | Place::MarkTemporary => false,
        };
        !blocked && site::exists(&self.site.root().join(place.path(self.artifact)))
    }

    /// What a new store makes of it: it serves the others, and a put brings the artifact back.
    pub(super) async fn heal(&self, store: &LocalStore) -> Option<Broken> {
        if matches!(self.place, Place::Folder | Place::Namespace) {
            return None;
        }
        let Artifact { key, content, path, .. } = self.artifact;
        let stored = match store.put(key, content.clone()).await {
            Ok(stored) => stored,
            Err(error) => return Some(Broken::new("I7", format!("not put again: {error} ({})", error.source))),
        };
        let bytes = std::fs::read(self.site.root().join(path)).unwrap_or_default();
        let healed = self.site.holds(path, &bytes) && is_artifact_of(&bytes, content.revision());
        let served = match store.open(key, content.revision(), Some(&stored.digest)).await {
            Ok(readable) => {
                readable.is_some_and(|readable| readable.bytes().is_some_and(|served| served[..] == bytes[..]))
            }
            Err(_) => false,
        };
        check(healed && served, "I7", "put again, but not there").err()
    }
}

fn check(holds: bool, invariant: &'static str, seen: &str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::new(invariant, seen)) }
}
