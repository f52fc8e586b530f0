//! How long a term lasts and how often it is renewed. Pure.

use std::time::Duration;

/// A retry comes up to this factor later, so that candidates do not ask in step.
pub const JITTER: f64 = 1.2;
/// Shortest lease: a Lease counts whole seconds.
const SHORTEST: Duration = Duration::from_secs(1);

/// The durations of an election, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    lease: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

/// Why durations do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// Others would take over while the leader still believes in itself.
    #[error("the lease duration {lease:?} must be longer than the renew deadline {renew_deadline:?}")]
    LeaseTooShort {
        /// How long a record keeps others away.
        lease: Duration,
        /// How long the leader goes on without a renewal.
        renew_deadline: Duration,
    },
    /// A single late renewal would end the term.
    #[error(
        "the renew deadline {renew_deadline:?}, less a tenth, must be longer than {JITTER} times the retry period {retry:?}"
    )]
    DeadlineTooShort {
        /// How long the leader goes on without a renewal.
        renew_deadline: Duration,
        /// The time between two renewals.
        retry: Duration,
    },
    /// A Lease cannot hold it.
    #[error("the lease duration {0:?} must be at least {SHORTEST:?}, and the retry period more than nothing")]
    Unusable(Duration),
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { lease: seconds(15), renew_deadline: seconds(10), retry: seconds(2) }
    }
}

impl Timing {
    /// Checks that the durations go together.
    ///
    /// # Errors
    /// Where a leader could not hold on, or would hold on for too long.
    pub fn new(lease: Duration, renew_deadline: Duration, retry: Duration) -> Result<Self, TimingError> {
        if lease < SHORTEST || i32::try_from(lease.as_secs()).is_err() || retry.is_zero() {
            return Err(TimingError::Unusable(lease));
        }
        if lease <= renew_deadline {
            return Err(TimingError::LeaseTooShort { lease, renew_deadline });
        }
        let timing = Self { lease, renew_deadline, retry };
        if timing.validity() <= retry.mul_f64(JITTER) {
            return Err(TimingError::DeadlineTooShort { renew_deadline, retry });
        }
        Ok(timing)
    }

    /// How long a record keeps others away after they have seen it change.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// The time between two renewals, and between two attempts.
    pub const fn retry(&self) -> Duration {
        self.retry
    }

    /// How long permits last from the moment at which the renewal was sent: the renew deadline, less a tenth for a write that
    /// starts in the last moment.
    pub fn validity(&self) -> Duration {
        self.renew_deadline - self.renew_deadline / 10
    }

    /// What a leader that stops renewing leaves between its last write and the first of the next one.
    pub fn gap(&self) -> Duration {
        self.lease.saturating_sub(self.validity())
    }

    /// For how long a deletion counts that is sent to another machine, where that can be said: as long as nobody else leads after a
    /// leader that stops renewing, but no longer than it may take on its way, and long enough to arrive also where the terms leave less.
    pub fn deletion_life(&self) -> Duration {
        self.gap().clamp(Duration::from_secs(2), Duration::from_secs(5))
    }

    /// Longest that one request may take. Two fit into the renew deadline.
    pub fn call(&self) -> Duration {
        self.renew_deadline / 2
    }

    /// After this long without news, what is known is asked for: the leader writes more often.
    pub fn silence(&self) -> Duration {
        self.retry * 2
    }

    /// How long one who finds no Lease, and has never seen one, leaves it to a leader to notice that its Lease is gone.
    pub fn newcomer(&self) -> Duration {
        self.retry.mul_f64(JITTER)
    }

    /// What a Lease says of [`Timing::lease`]; rounded up, because a longer wait is safe.
    pub fn lease_seconds(&self) -> i32 {
        i32::try_from(self.lease.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_must_go_together() {
        let ms = Duration::from_millis;
        let new = |lease, deadline, retry| Timing::new(ms(lease), ms(deadline), ms(retry));
        assert_eq!(new(15_000, 10_000, 2_000), Ok(Timing::default()));
        assert!(matches!(new(10_000, 10_000, 2_000), Err(TimingError::LeaseTooShort { .. })));
        assert!(matches!(new(15_000, 10_000, 7_500), Err(TimingError::DeadlineTooShort { .. })));
        assert_eq!(new(999, 500, 100), Err(TimingError::Unusable(ms(999))));
        assert_eq!(new(15_000, 10_000, 0), Err(TimingError::Unusable(ms(15_000))));
        assert_eq!(new(2_100, 1_500, 300).map(|timing| timing.lease_seconds()), Ok(3));
    }
}
