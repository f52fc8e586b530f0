//! Makes room on a full store, or within a namespace's share of it: what no snippet keeps goes at once, whatever grace it still had.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jaas_storage::Key;
use tokio::sync::Mutex;

use crate::snippet::outcome::chain;
use crate::snippet::{World, observe, retain};

/// Who asks again within this time gets the answer of the last round: there is nothing more to find.
const PAUSE: Duration = Duration::from_secs(2);

/// When a round was, and whether it freed anything.
type Round = (Instant, bool);

/// The last rounds. One over everything at a time, and one over each namespace.
#[derive(Debug, Default)]
pub struct Room {
    everywhere: Mutex<Option<Round>>,
    namespaces: std::sync::Mutex<HashMap<String, Arc<Mutex<Option<Round>>>>>,
}

impl Room {
    /// The last round over a namespace. Those that nobody asks for, and that are of no use any more, are forgotten.
    fn of(&self, namespace: &str) -> Arc<Mutex<Option<Round>>> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_use = |round: &Option<Round>| round.is_some_and(|(at, _)| at.elapsed() < PAUSE);
        namespaces.retain(|_, last| Arc::strong_count(last) > 1 || last.try_lock().is_ok_and(|last| is_of_use(&last)));
        Arc::clone(namespaces.entry(namespace.to_owned()).or_default())
    }
}

/// Removes what the snippets do not keep, and answers whether that freed anything. Snippets that are being reconciled are spared, but
/// for the one that asks: they may be about to announce a file that nothing names yet.
pub async fn make(world: &World, asking: &Key) -> bool {
    once(&world.room.everywhere, || round(world, asking, None)).await
}

/// The same among the snippets of the asking one's namespace only.
pub async fn make_in(world: &World, asking: &Key) -> bool {
    once(&world.room.of(asking.namespace()), || round(world, asking, Some(asking.namespace()))).await
}

/// A round, or the answer of one that was a moment ago.
async fn once<F: Future<Output = bool>>(last: &Mutex<Option<Round>>, round: impl FnOnce() -> F) -> bool {
    let mut last = last.lock().await;
    if let Some((at, freed)) = *last
        && at.elapsed() < PAUSE
    {
        return freed;
    }
    let freed = round().await;
    *last = Some((Instant::now(), freed));
    freed
}

async fn round(world: &World, asking: &Key, within: Option<&str>) -> bool {
    let what = if within.is_some() { "A namespace's share of the store" } else { "The store" };
    if let Err(why) = world.custody.may_remove().await {
        tracing::warn!(
            namespace = within,
            reason = why.to_string(),
            "{what} is full, and nothing may be removed from it"
        );
        return false;
    }
    let mut removed = 0_u64;
    for snippet in world.snippets.state() {
        let (Some(namespace), Some(name)) = (&snippet.metadata.namespace, &snippet.metadata.name) else { continue };
        if within.is_some_and(|within| within != namespace) {
            continue;
        }
        let Ok(key) = Key::new(namespace, name) else { continue };
        if key != *asking && world.memory.is_busy(&key) {
            continue;
        }
        let snippet = world.memory.freshest_snippet(&key, &snippet);
        let Some(status) = &snippet.status else { continue };
        let announced = observe::announced_revision(world, &key);
        let known = world.memory.collected(&key);
        let surplus = retain::surplus(status, snippet.spec.history, announced.as_ref());
        for revision in surplus.into_iter().filter(|revision| !known.contains(revision)) {
            // Held until the removal is over: whoever leads next waits for it.
            let Ok(permit) = world.authority.permit() else { return removed > 0 };
            let Ok(outcome) = permit.during(world.store.remove(&key, &revision)).await else { return removed > 0 };
            match outcome {
                Ok(()) => {
                    removed += 1;
                    world.memory.collect(&key, revision);
                }
                Err(error) => {
                    tracing::warn!(artifact = %key, %revision, error = chain(&error), "Making room on a full store failed");
                    return removed > 0;
                }
            }
        }
    }
    if removed > 0 {
        tracing::warn!(
            removed,
            namespace = within,
            "{what} is full; revisions that no snippet keeps were removed before their grace was over"
        );
    }
    removed > 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::pin::pin;

    use futures::{FutureExt as _, poll};
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_namespace_waits_for_its_own_round_and_for_no_other() {
        let room = Room::default();
        let (slow, other) = (room.of("a"), room.of("b"));
        let (finish, finished) = oneshot::channel();
        let mut first = pin!(once(&slow, || async { finished.await.unwrap() }));
        assert!(poll!(&mut first).is_pending());
        assert_eq!(once(&other, || async { false }).now_or_never(), Some(false));
        let again = room.of("a");
        let mut second = pin!(once(&again, || async { false }));
        assert!(poll!(&mut second).is_pending());
        finish.send(true).unwrap();
        assert!(first.await);
        assert!(second.await, "who waited gets the answer of the round");
    }
}
