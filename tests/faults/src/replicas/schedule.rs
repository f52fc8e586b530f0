//! Which rounds are run. Pure.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::tally::{Plan, Scale};

/// What happens in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The leader gets SIGKILL, and is started again when another has published.
    Kill,
    /// Every replica in turn gets SIGTERM and is replaced by a new one that is ready before.
    Roll,
    /// The leader gets SIGSTOP, and SIGCONT when another leads.
    Freeze,
    /// The Lease is deleted by hand.
    DeleteLease,
    /// The leader is cut off from the API server and the bucket; its last requests arrive late.
    CutOff,
    /// The shared directory is emptied.
    Empty,
}

const FAULTS: [Fault; 6] = [Fault::Kill, Fault::CutOff, Fault::DeleteLease, Fault::Freeze, Fault::Roll, Fault::Empty];

/// Where artifacts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// A directory that all replicas share.
    Directory,
    /// A bucket.
    Bucket,
}

/// How long terms last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// For how long others keep away from a Lease that is not renewed.
    pub(super) lease: Duration,
    /// By when a leader that cannot renew gives up.
    pub(super) deadline: Duration,
    /// Between two tries.
    pub(super) retry: Duration,
}

/// A fifth of the operator's own.
const SHORT: Terms =
    Terms { lease: Duration::from_secs(3), deadline: Duration::from_secs(2), retry: Duration::from_millis(400) };
/// The operator's own.
const USUAL: Terms =
    Terms { lease: Duration::from_secs(15), deadline: Duration::from_secs(10), retry: Duration::from_secs(2) };
/// Rounds of the full class.
const ROUNDS: usize = 100;
/// One of so many has the operator's own terms; every fault in its turn, as it shares no factor with their number.
const USUAL_EVERY: usize = 17;
/// How long one who is frozen or cut off is away, and after which time its last requests arrive.
const AWAY: Duration = Duration::from_secs(20);
/// The same in the sample, where terms are short: longer than two of them.
const AWAY_IN_SAMPLE: Duration = Duration::from_secs(7);

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Decides what is drawn while it runs.
    pub(super) seed: u64,
    pub(super) fault: Fault,
    pub(super) storage: Storage,
    pub(super) replicas: usize,
    pub(super) terms: Terms,
    pub(super) away: Duration,
    /// By how much every limit of time is stretched: a test beside others must not fail for a busy machine.
    pub(super) stretch: u32,
}

/// The rounds of a plan. Every fault takes its turn, whatever the seed.
pub(super) fn rounds(plan: &Plan) -> Vec<Round> {
    let mut drawing = StdRng::seed_from_u64(plan.seed);
    let (count, away, stretch) = match plan.scale {
        Scale::Sample => (FAULTS.len(), AWAY_IN_SAMPLE, 6),
        Scale::Full => (ROUNDS, AWAY, 1),
    };
    let round = |index: usize| {
        let fault = FAULTS[index % FAULTS.len()];
        let drawn = [Storage::Directory, Storage::Bucket].choose(&mut drawing).copied();
        let storage = match (fault, plan.scale) {
            (Fault::Empty, _) => Storage::Directory,
            // There late deletions are at stake.
            (Fault::CutOff, Scale::Sample) => Storage::Bucket,
            _ => drawn.unwrap_or(Storage::Directory),
        };
        let is_usual = plan.scale == Scale::Full && index % USUAL_EVERY == USUAL_EVERY - 1;
        Round {
            seed: drawing.random(),
            fault,
            storage,
            replicas: drawing.random_range(2..=3),
            terms: if is_usual { USUAL } else { SHORT },
            away,
            stretch,
        }
    };
    (0..count).map(round).collect()
}

impl Round {
    /// Whether consumers must notice nothing at all.
    pub(super) fn is_calm(&self) -> bool {
        matches!(self.fault, Fault::Roll | Fault::DeleteLease)
    }

    /// By when another replica must have published; `None` where no other needs to.
    pub(super) fn publishes_within(&self) -> Option<Duration> {
        let limit = match self.fault {
            Fault::Kill | Fault::Freeze | Fault::CutOff => self.terms.lease + Duration::from_secs(2),
            Fault::Roll => Duration::from_secs(1),
            Fault::DeleteLease | Fault::Empty => return None,
        };
        Some(limit * self.stretch)
    }

    /// By when the first artifact must come from a directory that was emptied.
    pub(super) fn serves_within(&self) -> Duration {
        Duration::from_secs(1) * self.stretch
    }

    /// Fewest requests in each second that make a round.
    pub(super) fn least_rate(&self) -> f64 {
        150.0 / f64::from(self.stretch)
    }
}

impl fmt::Display for Round {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, fault, storage, replicas, terms, away, .. } = self;
        let lease = terms.lease.as_secs();
        write!(
            formatter,
            "{fault:?} of {replicas} on a {storage:?}, lease {lease} s, {} s away, {seed:016x}",
            away.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressBar;

    use super::*;

    fn plan(scale: Scale) -> Plan {
        Plan { seed: 7, scale, progress: ProgressBar::hidden(), driver: "none".into() }
    }

    #[test]
    fn a_seed_gives_the_same_rounds_and_every_fault_has_its_turn() {
        let full = rounds(&plan(Scale::Full));
        assert_eq!((full.len(), &full), (100, &rounds(&plan(Scale::Full))));
        for fault in FAULTS {
            let of = |storage| full.iter().filter(|round| round.fault == fault && round.storage == storage).count();
            assert!(of(Storage::Directory) > 3 && (of(Storage::Bucket) > 3 || fault == Fault::Empty), "{fault:?}");
            assert!(rounds(&plan(Scale::Sample)).iter().any(|round| round.fault == fault), "{fault:?}");
        }
        let usual: Vec<_> = full.iter().filter(|round| round.terms == USUAL).map(|round| round.fault).collect();
        assert!(usual.len() == 5 && usual.contains(&Fault::Kill) && usual.contains(&Fault::CutOff), "{usual:?}");
    }
}
