//! Whose store it is. The leader marks it as ours; what is another installation's is served and added to, but nothing in it is ever
//! removed, until a person says so with `--storage-take-over`.
//!
//! The mark also tells a loss from a move: it goes with the files. Where the store was at is noted on the Lease, so that the next
//! leader knows an emptied store from another place.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jaas_storage::Store;
use jaas_storage::store::{Claim, OwnerMark};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::Selector;
use kube::{Api, Client, ResourceExt};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::cluster::{RequestError, request, write};
use crate::leadership::Authority;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

/// Annotation of the Lease: where the store of the installation was, when a leader last marked it.
pub const STORE: &str = "jaas.metio.wtf/store";

/// The namespace whose uid stands for the cluster, as the field has it: it is made with the cluster and cannot be deleted.
const CLUSTER: &str = "kube-system";
/// How often the mark is looked at.
const INTERVAL: Duration = Duration::from_secs(60);
/// How soon again after that could not be done.
const AGAIN: Duration = Duration::from_secs(2);
/// Longest that somebody who wants to remove something waits for the first look.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of the store's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// Nothing yet, or not any more, and why.
    Unknown(String),
    /// This installation, by this mark.
    Ours(OwnerMark),
    /// Another one.
    Foreign(OwnerMark),
}

/// Why nothing may be removed from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// It is not known whose it is.
    Unknown(String),
    /// It is another installation's.
    Foreign(OwnerMark),
}

impl fmt::Display for NotOurs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) => write!(formatter, "it is not known whose the store is: {why}"),
            Self::Foreign(mark) => write!(
                formatter,
                "the store belongs to the installation {} of the cluster {}; give this one a store of its own, or pass --storage-take-over",
                mark.release, mark.cluster
            ),
        }
    }
}

/// What the process knows of the store's owner. Clones share it.
#[derive(Clone, Debug)]
pub struct Custody(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    owner: watch::Sender<Owner>,
    /// Our own mark, once it is known.
    identity: OnceLock<OwnerMark>,
    doubt: Notify,
}

impl Default for Custody {
    fn default() -> Self {
        let owner = watch::Sender::new(Owner::Unknown("its mark was not read yet".to_owned()));
        Self(Arc::new(Inner { owner, identity: OnceLock::new(), doubt: Notify::new() }))
    }
}

impl Custody {
    /// Our mark, where files may be removed from the store. Waits a moment for the first look at it.
    ///
    /// # Errors
    /// [`NotOurs`] where the store is another installation's, or that cannot be told.
    pub async fn may_remove(&self) -> Result<OwnerMark, NotOurs> {
        let mut owner = self.0.owner.subscribe();
        let known = owner.wait_for(|owner| !matches!(owner, Owner::Unknown(_)));
        // Whatever is known after that time decides.
        let _ = tokio::time::timeout(PATIENCE, known).await;
        match &*self.0.owner.borrow() {
            Owner::Ours(mark) => Ok(mark.clone()),
            Owner::Unknown(why) => Err(NotOurs::Unknown(why.clone())),
            Owner::Foreign(mark) => Err(NotOurs::Foreign(mark.clone())),
        }
    }

    /// Our own mark, whatever the store carries; `None` until it is known, which takes a term of this process.
    pub fn identity(&self) -> Option<&OwnerMark> {
        self.0.identity.get()
    }

    /// Files are gone that should be there, so the mark may be, too.
    pub fn doubt(&self) {
        self.0.doubt.notify_one();
    }

    /// Takes in what was found, and answers whether that is news.
    fn found(&self, owner: Owner) -> bool {
        self.0.owner.send_if_modified(|known| {
            let news = *known != owner;
            *known = owner;
            news
        })
    }
}

/// What custody is about.
pub struct Settings {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The operator's own client.
    pub client: Client,
    /// The right to write.
    pub authority: Authority,
    /// Where the state is told.
    pub metrics: Metrics,
    /// Namespace of the installation.
    pub namespace: String,
    /// Name of the installation in it, which is that of its Lease.
    pub release: String,
    /// Namespaces whose snippets it serves; empty means all.
    pub scope: Vec<String>,
    /// Labels of the snippets that it serves.
    pub selector: Selector,
    /// Whether there is a Lease.
    pub elects: bool,
    /// Whether another installation's store is to be made ours.
    pub take_over: bool,
}

/// Marks the store as ours whenever a term begins, and looks after the mark while the process leads.
pub async fn run(
    custody: Custody,
    settings: Settings,
    mut terms: impl futures::Stream<Item = ()> + Send + Unpin,
    stop: CancellationToken,
) {
    let mut keeper = Keeper { custody, take_over: settings.take_over, settings, cluster: None, place: None };
    loop {
        let pause = keeper.look().await;
        tokio::select! {
            () = stop.cancelled() => return,
            Some(()) = futures::StreamExt::next(&mut terms) => {}
            () = keeper.custody.0.doubt.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Keeper {
    custody: Custody,
    settings: Settings,
    /// Only the first claim of a process may take over: two that both may would never end.
    take_over: bool,
    cluster: Option<String>,
    /// Where the mark was ours.
    place: Option<String>,
}

impl Keeper {
    /// Looks at the mark, and answers when to look again.
    async fn look(&mut self) -> Duration {
        if self.settings.authority.permit().is_err() {
            self.settings.metrics.store_owned(false);
            self.custody.found(Owner::Unknown("another replica leads".to_owned()));
            return INTERVAL;
        }
        let (owner, pause) = match self.claim().await {
            Ok(owner) => (owner, INTERVAL),
            Err(why) => (Owner::Unknown(why), AGAIN),
        };
        self.settings.metrics.store_owned(matches!(owner, Owner::Ours(_)));
        if self.custody.found(owner.clone()) {
            match owner {
                Owner::Ours(_) => tracing::info!(place = self.place, "The store is ours"),
                Owner::Unknown(reason) => {
                    tracing::warn!(reason, "It is not known whose the store is; nothing is removed from it");
                }
                Owner::Foreign(mark) => {
                    let reason = NotOurs::Foreign(mark).to_string();
                    tracing::error!(reason, "Nothing is removed from the store");
                }
            }
        }
        pause
    }

    async fn claim(&mut self) -> Result<Owner, String> {
        let cluster = match &self.cluster {
            Some(known) => known.clone(),
            None => self.cluster.insert(self.read_cluster().await?).clone(),
        };
        let mark = OwnerMark {
            format: OwnerMark::FORMAT,
            cluster,
            release: format!("{}/{}", self.settings.namespace, self.settings.release),
            scope: self.settings.scope.join(","),
            selector: self.settings.selector.to_string(),
        };
        let _ = self.custody.0.identity.set(mark.clone());
        let claim = {
            let _permit = self.settings.authority.permit().map_err(|error| error.to_string())?;
            let claim = self.settings.store.claim(&mark, self.take_over).await;
            claim.map_err(|error| chain(&error))?
        };
        if let Claim::Foreign(mark) = claim {
            return Ok(Owner::Foreign(mark));
        }
        self.take_over = false;
        if let Claim::Rescoped(before) = &claim {
            tracing::warn!(
                from = before.scope_words(),
                to = mark.scope_words(),
                "The scope has changed: what falls outside of it stays served and untouched; kubectl jaas storage ls --out-of-scope lists it"
            );
        }
        let place = self.settings.store.check().await.map_err(|error| chain(&error))?.place;
        if let Err(error) = self.note_place(&claim, &place).await {
            tracing::warn!(error = chain(&error), "Where the store is could not be noted on the Lease");
        }
        self.place = Some(place);
        Ok(Owner::Ours(mark))
    }

    async fn read_cluster(&self) -> Result<String, String> {
        let namespaces: Api<Namespace> = Api::all(self.settings.client.clone());
        let read = request(namespaces.get(CLUSTER)).await;
        let namespace = read.map_err(|error| format!("reading the namespace {CLUSTER}: {}", chain(&error)))?;
        namespace.uid().ok_or_else(|| format!("the namespace {CLUSTER} has no uid"))
    }

    /// Says what the mark and the place together tell, and notes the place.
    async fn note_place(&self, claim: &Claim, place: &str) -> Result<(), RequestError> {
        let (before, lease) = if self.settings.elects {
            let leases: Api<Lease> = Api::namespaced(self.settings.client.clone(), &self.settings.namespace);
            let lease = request(leases.get(&self.settings.release)).await?;
            (lease.annotations().get(STORE).cloned(), Some(lease))
        } else {
            (None, None)
        };
        match history(claim, before.as_deref(), self.place.as_deref(), place) {
            History::Known => {}
            History::New => tracing::info!(place, "The store had no owner and is marked as ours"),
            History::Moved(from) => tracing::warn!(
                from,
                to = place,
                "The store is at another place than before: everything is rendered again, and what is at the old place stays there"
            ),
            History::Emptied => {
                tracing::warn!(
                    place,
                    "The store was emptied: its owner mark is gone; what is missing is rendered again"
                );
            }
            History::TakenOver(from) => {
                tracing::warn!(from, place, "The store was another installation's and is ours now")
            }
        }
        match lease {
            Some(lease) if before.as_deref() != Some(place) => {
                let permit = self.settings.authority.permit()?;
                write::annotate_lease(&permit, &self.settings.client, lease, STORE, place).await
            }
            _ => Ok(()),
        }
    }
}

/// What has become of the store since it was last marked.
#[derive(Debug, PartialEq, Eq)]
enum History {
    /// It is as it was.
    Known,
    /// Nobody had it.
    New,
    /// Before, ours was somewhere else.
    Moved(String),
    /// It was ours, here, and the mark is gone.
    Emptied,
    /// It was another installation's.
    TakenOver(String),
}

/// Compares the mark with where the store was: `noted` on the Lease, or `seen` by this process.
fn history(claim: &Claim, noted: Option<&str>, seen: Option<&str>, place: &str) -> History {
    let before = seen.or(noted);
    match (claim, before) {
        (Claim::TakenOver(from), _) => {
            let from = from.as_ref().map_or("of an unreadable mark".to_owned(), |mark| mark.release.clone());
            History::TakenOver(from)
        }
        (Claim::Claimed, Some(before)) if before != place => History::Moved(before.to_owned()),
        (Claim::Claimed, Some(_)) => History::Emptied,
        (Claim::Claimed, None) => History::New,
        (Claim::Held | Claim::Rescoped(_) | Claim::Foreign(_), _) => History::Known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_a_move_and_a_beginning_are_three_things() {
        let told = |claim: Claim, noted, seen| history(&claim, noted, seen, "/data");
        assert_eq!(told(Claim::Claimed, None, None), History::New);
        assert_eq!(told(Claim::Claimed, Some("/data"), None), History::Emptied);
        assert_eq!(told(Claim::Claimed, None, Some("/data")), History::Emptied);
        assert_eq!(told(Claim::Claimed, Some("/old"), None), History::Moved("/old".to_owned()));
        assert_eq!(told(Claim::Held, Some("/old"), None), History::Known, "the mark came along, so the files did");
        assert_eq!(told(Claim::Held, Some("/data"), None), History::Known);
        assert_eq!(told(Claim::Held, None, None), History::Known);
        assert_eq!(
            told(Claim::TakenOver(None), Some("/data"), None),
            History::TakenOver("of an unreadable mark".to_owned())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_removed_from_a_store_that_is_not_known_to_be_ours() {
        let custody = Custody::default();
        assert!(matches!(custody.may_remove().await, Err(NotOurs::Unknown(_))));
        let mark = |release: &str| OwnerMark {
            format: 1,
            cluster: "c".to_owned(),
            release: release.to_owned(),
            scope: String::new(),
            selector: String::new(),
        };
        assert!(custody.found(Owner::Ours(mark("ns/ours"))));
        assert!(!custody.found(Owner::Ours(mark("ns/ours"))));
        assert_eq!(custody.may_remove().await, Ok(mark("ns/ours")));
        custody.found(Owner::Foreign(mark("ns/other")));
        let refused = custody.may_remove().await.map_err(|why| why.to_string());
        assert!(refused.is_err_and(|why| why.contains("ns/other") && why.contains("--storage-take-over")));
    }
}
