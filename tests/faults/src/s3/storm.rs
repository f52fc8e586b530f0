//! A schedule in bad weather: several tasks publish, read, remove, list and sweep at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::{join, join_all, join4};
use jaas_storage::Key;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::bench::{Bench, Client, object};
use super::calm;
use super::contents;
use super::lateness::Lateness;
use super::maintain;
use super::publish::Publisher;
use super::read;
use super::weather::Weather;
use crate::Violation;

/// Revisions of each snippet.
const REVISIONS: usize = 4;
/// Pause between two things that a task does.
const PAUSE: Duration = Duration::from_millis(5);

/// Everything that the tasks share.
pub(super) struct Storm {
    pub(super) bench: Bench,
    /// The operator that leads, with its memory.
    pub(super) leader: Client,
    /// The one that stands by, with its own.
    pub(super) standby: Client,
    /// A store without a memory.
    pub(super) bare: Client,
    pub(super) publishers: Vec<Publisher>,
    published: AtomicBool,
}

impl Storm {
    /// Whether everything was published, so that the others may end.
    pub(super) fn is_over(&self) -> bool {
        self.published.load(Ordering::Relaxed)
    }

    /// Brings back what is announced, as the operator does when it learns of a loss.
    pub(super) async fn bring_back(&self, path: &str) {
        let publisher = self.publishers.iter().find(|publisher| path.starts_with(&publisher.folder()));
        if let Some(publisher) = publisher {
            publisher.bring_back(&self.bench, &self.leader, path).await;
        }
    }
}

/// Runs one schedule and returns how many faults there were, and what they broke.
pub(super) async fn run(case: String, weather: Weather, lateness: &Arc<Lateness>) -> Result<(usize, Vec<Violation>)> {
    let mut dice = StdRng::seed_from_u64(weather.seed ^ 1);
    let bench = Bench::new(case, lateness).await?;
    let (leader, standby, bare) =
        (bench.cached("leader").await?, bench.cached("standby").await?, bench.bare("bare").await?);
    let mut publishers = Vec::new();
    for name in ["web", "api", "db"] {
        let key = Key::new("team-a", name)?;
        let paths = contents::revisions(&mut bench.ledger(), &key, REVISIONS, &mut dice)?;
        // A snippet may come back to what it was before.
        let again = paths.choose(&mut dice).cloned();
        publishers.push(Publisher::new(key, paths.into_iter().chain(again).collect()));
    }
    let artifact = format!("team-a/web/sha256-{}.tar.gz", "0".repeat(64));
    let uploads = [
        (object(&artifact), "ours"),
        (object("team-a/web/backup.dump"), "somebody's"),
        (format!("elsewhere/{artifact}"), "foreign"),
    ];
    for (key, id) in uploads {
        bench.server.leave_upload(&key, id);
    }
    // An operator claims its store before anything else.
    bench.claim().await?;
    bench.server.choose(move |asked| weather.strikes(asked));
    let storm = Storm { bench, leader, standby, bare, publishers, published: AtomicBool::new(false) };
    let seeds: Vec<u64> = (0..8).map(|_| dice.random()).collect();
    let die = |index: usize| StdRng::seed_from_u64(seeds.get(index).copied().unwrap_or_default());
    let publishing = async {
        let (bench, leader, next) = (&storm.bench, &storm.leader, &storm.standby);
        join_all(storm.publishers.iter().map(|publisher| publisher.publish_all(bench, leader, next))).await;
        storm.published.store(true, Ordering::Relaxed);
    };
    let reading = join4(
        repeat(&storm, die(0), async |dice| read::current(&storm, &storm.leader, dice).await),
        repeat(&storm, die(1), async |dice| read::current(&storm, &storm.standby, dice).await),
        repeat(&storm, die(2), async |dice| read::current(&storm, &storm.bare, dice).await),
        repeat(&storm, die(3), async |dice| maintain::look(&storm, dice).await),
    );
    let keeping = join4(
        repeat(&storm, die(4), async |_| maintain::list(&storm.bench, &storm.leader).await),
        repeat(&storm, die(5), async |_| maintain::sweep(&storm.bench, &storm.leader).await),
        repeat(&storm, die(6), async |_| maintain::claim(&storm.bench, &storm.leader).await),
        vandal(&storm, die(7)),
    );
    join(publishing, join(reading, keeping)).await;
    let injected = storm.bench.server.met_count();
    calm::follows(&storm).await?;
    Ok((injected, storm.bench.violations()))
}

/// Does the same until everything is published.
async fn repeat(storm: &Storm, mut dice: StdRng, work: impl AsyncFn(&mut StdRng)) {
    while !storm.is_over() {
        work(&mut dice).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Damages or takes an announced artifact behind everybody's back, once.
async fn vandal(storm: &Storm, mut dice: StdRng) {
    let begun = Instant::now();
    let after = Duration::from_millis(dice.random_range(50..600));
    while begun.elapsed() < after && !storm.is_over() {
        tokio::time::sleep(PAUSE).await;
    }
    let current = storm.bench.ledger().current();
    let Some((path, _)) = current.choose(&mut dice) else { return };
    storm.bench.ledger().shake(path);
    if dice.random() { storm.bench.server.damage(path) } else { storm.bench.server.lose(&object(path)) }
}
