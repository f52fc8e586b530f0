//! Publishes the revisions of one snippet one after another, and removes what is superseded.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jaas_storage::{Key, Presence};
use jaas_tests::s3::faults::{Call, Fault};

use super::bench::{Bench, Client, Question, folder, object};
use super::ledger::Revision;

/// Superseded revisions that are kept.
const HISTORY: usize = 1;
/// A change is tried this often before something else is done.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(15);

/// One snippet's reconciles, which never run at the same time.
pub(super) struct Publisher {
    pub(super) key: Key,
    /// The paths in the order in which they are published.
    plan: Vec<String>,
    one: tokio::sync::Mutex<()>,
}

impl Publisher {
    pub(super) fn new(key: Key, plan: Vec<String>) -> Self {
        Self { key, plan, one: tokio::sync::Mutex::default() }
    }

    /// Start of every path of the snippet.
    pub(super) fn folder(&self) -> String {
        folder(&self.key)
    }

    /// The first of what it publishes.
    pub(super) fn first(&self, bench: &Bench) -> Option<(String, Revision)> {
        let path = self.plan.first()?;
        Some((path.clone(), bench.ledger().get(path).cloned()?))
    }

    /// Publishes everything; then another leader looks after what is announced.
    pub(super) async fn publish_all(&self, bench: &Bench, client: &Client, next: &Client) {
        let mut history: VecDeque<&str> = VecDeque::new();
        for path in &self.plan {
            let _one = self.one.lock().await;
            let put = retried(async || put(bench, client, path).await).await;
            if !put {
                continue;
            }
            bench.ledger().announce(path);
            history.retain(|known| known != path);
            history.push_back(path);
            while history.len() > HISTORY + 1 {
                let Some(old) = history.pop_front() else { break };
                retried(async || remove(bench, client, &self.key, old).await).await;
            }
        }
        if let Some(path) = history.back() {
            let _one = self.one.lock().await;
            retried(async || put(bench, next, path).await).await;
        }
    }

    /// Puts what is announced once more, if it is not there: as the operator after an alarm.
    pub(super) async fn bring_back(&self, bench: &Bench, client: &Client, path: &str) {
        let _one = self.one.lock().await;
        if !bench.ledger().is_current(path) {
            return;
        }
        let Some(revision) = bench.ledger().get(path).cloned() else { return };
        let question = Question::about("a look at", path);
        let looking = client.store.presence(&self.key, revision.content.revision());
        if let Ok(Presence::Missing | Presence::Damaged { .. }) = bench.ask(client, &question, looking).await {
            put(bench, client, path).await;
        }
    }
}

/// Whether one of a few attempts came to an end.
pub(super) async fn retried(work: impl AsyncFn() -> bool) -> bool {
    for attempt in 1..=ATTEMPTS {
        if work().await {
            return true;
        }
        tokio::time::sleep(PAUSE * attempt).await;
    }
    false
}

/// Puts one revision; an acknowledged one must be there at that moment.
pub(super) async fn put(bench: &Bench, client: &Client, path: &str) -> bool {
    let Some(revision) = bench.ledger().get(path).cloned() else { return false };
    bench.ledger().offer(path);
    let question = Question::change("a put of", path);
    let putting = client.store.put(&revision.key, revision.content.clone());
    let Ok(stored) = bench.ask(client, &question, putting).await else { return false };
    if (&stored.digest, stored.size) != (&revision.digest, revision.packed.len() as u64) {
        bench.broken("I5", format!("{} tells {stored:?}", bench.shown(client, &question)));
    }
    // A removal that the service does late takes away what is put meanwhile, and nobody can know.
    let removed_late = bench.was_late(path, Call::Delete);
    let there = bench.server.object(&object(path));
    let shaken = bench.ledger().get(path).is_some_and(|revision| revision.is_shaken());
    if there.as_ref() != Some(&revision.packed) && !removed_late && !shaken {
        let what = if there.is_some() { "other bytes are" } else { "nothing is" };
        bench.broken("I6", format!("{}: {what} there after {stored:?}", bench.shown(client, &question)));
    }
    bench.ledger().acknowledge(path);
    if removed_late || there.as_ref() != Some(&revision.packed) {
        bench.ledger().shake(path);
    }
    true
}

/// Removes one revision, or sets it aside.
pub(super) async fn remove(bench: &Bench, client: &Client, key: &Key, path: &str) -> bool {
    let Some(revision) = bench.ledger().get(path).cloned() else { return true };
    bench.ledger().leave(path);
    let begun = Instant::now();
    let name = revision.content.revision();
    let aside = revision.packed.len() % 3 == 0;
    let done = if aside {
        let question = Question::change("setting aside", path);
        bench.ask(client, &question, client.store.set_aside(key, name, "1")).await.map(drop)
    } else {
        let question = Question::change("a removal of", path);
        bench.ask(client, &question, client.store.remove(key, name)).await
    };
    // What the service says to be missing, another object or removed is no longer looked for.
    let denies =
        |fault: &Fault| matches!(fault, Fault::Refuse(404 | 412, _) | Fault::Portal | Fault::Empty | Fault::WrongEtag);
    let lied =
        bench.met(client, path, begun).iter().any(|met| denies(&met.fault)) || bench.takes_denial_for_absence(client);
    if done.is_ok() && !lied && !bench.was_late(path, Call::Put) {
        bench.ledger().gone(path);
        if bench.server.object(&object(path)).is_some() {
            bench.broken("I3", format!("`{path}` is there after an acknowledged removal"));
        }
    }
    done.is_ok()
}
