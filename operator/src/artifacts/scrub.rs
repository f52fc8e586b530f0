//! Reads every published artifact once in a while, a little at a time: a disk that loses bytes does not say so.

use std::sync::Arc;
use std::time::Duration;

use jaas_storage::{Key, Presence, Revision};
use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;
use super::heal::Alarm;
use crate::leadership::Permit;
use crate::snippet::World;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Check;

/// How often one who waits for something to read looks again.
const IDLE: Duration = Duration::from_secs(30);

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time in which everything is read once.
    pub period: Duration,
    /// Bytes that are read in a second at most.
    pub rate: u64,
}

impl Pace {
    /// How long to wait after one of `count` artifacts was read, which had `bytes`.
    fn pause(&self, count: usize, bytes: u64) -> Duration {
        let share = self.period / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let earned = Duration::try_from_secs_f64(bytes as f64 / self.rate.max(1) as f64).unwrap_or(self.period);
        share.max(earned)
    }
}

/// Reads for as long as the process runs, while it leads; a period of zero reads never. What is not what it should be is set aside
/// and rendered again.
pub async fn run(world: Arc<World>, alarm: Alarm, catalog: Catalog, pace: Pace, stop: CancellationToken) {
    if pace.period.is_zero() {
        return;
    }
    let mut last: Option<Key> = None;
    loop {
        let pause = match next(&catalog, last.as_ref()) {
            Some((count, key, revision)) if world.authority.permit().is_ok() => {
                let bytes = read(&world, &alarm, &key, &revision).await;
                last = Some(key);
                pace.pause(count, bytes)
            }
            _ => IDLE,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// How many artifacts there are, and the one that follows `last` in the order of their names. The first one is drawn, so that
/// processes that do not live long read all of them, too.
fn next(catalog: &Catalog, last: Option<&Key>) -> Option<(usize, Key, Revision)> {
    let mut all = catalog.all();
    all.sort_unstable();
    let count = all.len();
    let at = match last {
        Some(last) => all.partition_point(|(key, _)| key <= last) % count.max(1),
        None => rand::rng().random_range(0..count.max(1)),
    };
    (at < count).then(|| all.swap_remove(at)).map(|(key, revision)| (count, key, revision))
}

async fn read(world: &World, alarm: &Alarm, key: &Key, revision: &Revision) -> u64 {
    match world.store.verify(key, revision).await {
        Ok(Presence::Intact { size, .. }) => {
            world.metrics.checked(Check::Intact);
            size
        }
        Ok(Presence::Missing) => {
            alarm.missed(key);
            0
        }
        Ok(Presence::Damaged { cause }) => {
            tracing::warn!(
                artifact = key.path(revision),
                cause,
                "A published artifact is damaged; it is rendered again"
            );
            world.metrics.checked(Check::Damaged);
            if let Ok(permit) = world.authority.permit() {
                set_aside(world, &permit, key, revision).await;
            }
            alarm.missed(key);
            0
        }
        Err(error) => {
            tracing::warn!(
                artifact = key.path(revision),
                error = chain(&error),
                "A published artifact could not be verified"
            );
            0
        }
    }
}

/// Renames a damaged artifact, so that a person can look at it.
pub async fn set_aside(world: &World, permit: &Permit, key: &Key, revision: &Revision) {
    if world.custody.may_remove().await.is_err() {
        return;
    }
    let run = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3NZ").to_string();
    let Ok(aside) = permit.during(world.store.set_aside(key, revision, &run)).await else { return };
    match aside {
        Ok(true) => tracing::warn!(artifact = key.path(revision), run, "A damaged artifact was set aside"),
        Ok(false) => {}
        Err(error) => tracing::warn!(
            artifact = key.path(revision),
            error = chain(&error),
            "Setting a damaged artifact aside failed"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_takes_its_time_and_keeps_the_rate() {
        let pace = Pace { period: Duration::from_secs(1000), rate: 1 << 20 };
        assert_eq!(pace.pause(10, 0), Duration::from_secs(100));
        assert_eq!(pace.pause(100_000, 5 << 20), Duration::from_secs(5));
        assert_eq!(pace.pause(0, 0), Duration::from_secs(1000));
        assert_eq!(Pace { rate: 0, ..pace }.pause(1, u64::MAX), Duration::from_secs(1000).max(pace.pause(1, 0)));
    }
}
