//! A namespace's share of the store. Who has used it up is refused alone: the others publish, and what is published stays.
//!
//! A put is admitted before it is made. What is announced already, or is there already, is admitted always: bringing it back must not fail
//! because of what came after it.

pub mod share;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use jaas_api::Reason;
use jaas_storage::store::StoreError;
use jaas_storage::store::metered::{Grant, Ledger};
use jaas_storage::{Content, Key};
use tokio_util::sync::CancellationToken;

use share::Denial;
pub use share::Share;

use crate::artifacts::heal::Alarm;
use crate::artifacts::room;
use crate::snippet::World;
use crate::snippet::observe::Seen;
use crate::snippet::outcome::{Refusal, chain};

/// A refusal is based on a count that is no older: somebody may have made room by hand.
const FRESH: Duration = Duration::from_secs(5);
/// A refused snippet is looked at again after this time, doubled with each refusal; at once where its namespace is seen to take less.
const AGAIN: Duration = Duration::from_secs(2);
/// Longest such time.
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);
/// Changes that come close to each other are told together.
const SETTLE: Duration = Duration::from_millis(200);
/// How often all is counted anew.
const COUNT: Duration = Duration::from_secs(5 * 60);
/// How often that is tried while it fails.
const COUNT_AGAIN: Duration = Duration::from_secs(15);

/// What each namespace takes, and what one may take.
#[derive(Debug)]
pub struct Quotas {
    share: Option<Share>,
    ledger: Arc<Ledger>,
    counting: tokio::sync::Mutex<()>,
    /// Size of what a percentage is a share of, once it is known.
    whole: Mutex<Option<u64>>,
    /// Who was refused, by namespace, and how often in a row.
    waiting: Mutex<HashMap<String, HashMap<Key, u32>>>,
}

/// Why a put is not admitted.
#[derive(Debug)]
pub enum NotAdmitted {
    /// The namespace has used up its share.
    Share(Refusal),
    /// The store does not tell what is used.
    Store(StoreError),
}

impl Quotas {
    /// A limit, if there is one, and the count that it is compared with.
    pub fn new(share: Option<Share>, ledger: Arc<Ledger>) -> Self {
        Self {
            share,
            ledger,
            counting: tokio::sync::Mutex::default(),
            whole: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// Bytes that the artifacts of one namespace may take; `None` where nothing limits them, or where the size of the whole is not known.
    pub fn limit(&self) -> Option<u64> {
        self.share?.limit(*self.whole.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts everything anew, and measures what a percentage is a share of.
    async fn count(&self, world: &World) -> Result<(), StoreError> {
        if matches!(self.share, Some(Share::Percent(_))) {
            let usage = world.store.usage().await?;
            *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = usage.quota.or(usage.total_bytes);
        }
        self.ledger.count(&*world.store).await
    }

    fn is_fresh(&self, age: Duration) -> bool {
        self.ledger.counted().is_some_and(|at| at.elapsed() < age)
    }

    /// The snippet is refused. Answers when it is looked at again.
    fn waits(&self, key: &Key) -> Duration {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let times = waiting.entry(key.namespace().to_owned()).or_default().entry(key.clone()).or_default();
        *times = times.saturating_add(1);
        AGAIN.saturating_mul(1 << (*times - 1).min(10)).min(AGAIN_AT_MOST)
    }

    fn take_waiting(&self, namespaces: &HashSet<String>) -> Vec<Key> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        namespaces.iter().filter_map(|namespace| waiting.remove(namespace)).flatten().map(|(key, _)| key).collect()
    }
}

/// Room for the put of a snippet's content; nothing is taken where there is no limit.
///
/// # Errors
/// [`NotAdmitted`] where the namespace has used up its share and nothing of its own can go, or where that cannot be found out.
pub async fn admit(world: &World, seen: &Seen, content: &Content) -> Result<Option<Grant>, NotAdmitted> {
    let quotas = &world.quotas;
    let (Some(share), key) = (quotas.share, &seen.key) else { return Ok(None) };
    if quotas.ledger.counted().is_none() {
        quotas.count(world).await.map_err(NotAdmitted::Store)?;
    }
    // What was published before is put again without asking. A record of it counts that nobody but the operator writes: artifacts are the
    // tenants' to write.
    let revision = content.revision().to_string();
    let is_recorded = seen.snippet.status.as_ref().is_some_and(|status| status.revision.as_ref() == Some(&revision));
    let Some(limit) = quotas.limit().filter(|_| !is_recorded && !quotas.ledger.holds(key, content.revision())) else {
        return Ok(None);
    };
    let Some(length) = packed(content.clone()).await else { return Ok(None) };
    let needed = quotas.ledger.charged(length);
    let ask = || quotas.ledger.grant(key.namespace(), needed, limit);
    if let Ok(grant) = ask() {
        return Ok(Some(grant));
    }
    {
        // Of many who are refused at once one counts, and the others believe it.
        let _counting = quotas.counting.lock().await;
        if !quotas.is_fresh(FRESH) {
            quotas.count(world).await.map_err(NotAdmitted::Store)?;
        }
    }
    if let Ok(grant) = ask() {
        return Ok(Some(grant));
    }
    // Noted before the last look, so that room that is made right after it wakes the snippet.
    let retry = Some(quotas.waits(key));
    room::make_in(world, key).await;
    ask().map(Some).map_err(|used| {
        let message = Denial { share, limit, used, needed }.message(key.namespace());
        NotAdmitted::Share(Refusal { retry, ..Refusal::new(Reason::StorageFull, message) })
    })
}

/// Length of the stored form. Trouble with packing is told by the put.
async fn packed(content: Content) -> Option<u64> {
    let packing = tokio::task::spawn_blocking(move || content.packed());
    Some(packing.await.ok()?.ok()?.len() as u64)
}

/// Counts now and then and at the beginning of each term, tells what each namespace takes, and wakes those who were refused once their
/// namespace takes less; until the process ends.
pub async fn run(
    world: Arc<World>,
    alarm: Alarm,
    terms: impl Stream<Item = ()> + Send + Unpin,
    stop: CancellationToken,
) {
    // Without an election there is but one term.
    let mut terms = terms.chain(futures::stream::pending());
    let quotas = &world.quotas;
    let mut due = tokio::time::Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = terms.next() => due = tokio::time::Instant::now(),
            () = tokio::time::sleep_until(due) => {
                let pause = match quotas.count(&world).await {
                    Ok(()) => COUNT,
                    Err(error) => {
                        tracing::debug!(error = chain(&error), "Counting what each namespace takes failed");
                        COUNT_AGAIN
                    }
                };
                due = tokio::time::Instant::now() + pause;
            }
            () = quotas.ledger.changed() => {
                tokio::time::sleep(SETTLE).await;
                world.metrics.store_namespaces(&quotas.ledger.all(), quotas.limit());
                alarm.try_again(quotas.take_waiting(&quotas.ledger.take_freed()));
            }
        }
    }
}
