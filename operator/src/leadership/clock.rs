//! Time as leadership needs it: how long something took, also while the machine slept, whatever happens to the date.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;

/// A moment, as the time since the machine started. It never jumps, and goes on while the machine or the process is suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Boot(Duration);

impl Boot {
    /// After every other moment.
    pub const NEVER: Self = Self(Duration::MAX);

    /// The moment at which the machine had run for that long.
    pub const fn at(running: Duration) -> Self {
        Self(running)
    }

    /// That much later.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long ago `earlier` was; nothing where it is yet to come.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where time comes from.
pub trait Clock: Debug + Send + Sync {
    /// The present moment. What is valid is judged by it alone.
    fn now(&self) -> Boot;

    /// The date, for people who read a Lease and for other programs that write it. Nothing is judged by it.
    fn date(&self) -> Timestamp;
}

/// The clocks of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Clock for Machine {
    fn now(&self) -> Boot {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // The kernel gives neither a negative time nor a second that is none.
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
        Boot(Duration::new(seconds, nanoseconds))
    }

    fn date(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A clock that stands still until it is set.
    #[derive(Clone, Debug, Default)]
    pub(in super::super) struct Hand(Arc<AtomicU64>);

    impl Hand {
        /// The machine has run for that many seconds.
        pub(in super::super) fn set(&self, seconds: u64) {
            self.0.store(seconds, Ordering::SeqCst);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Boot {
            Boot::at(Duration::from_secs(self.0.load(Ordering::SeqCst)))
        }

        fn date(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    #[test]
    fn the_machine_s_time_goes_forward_and_a_moment_to_come_is_no_time_ago() {
        let (first, second) = (Machine.now(), Machine.now());
        assert!(first <= second);
        assert_eq!(first.since(second.plus(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(Boot::NEVER.plus(Duration::from_secs(1)), Boot::NEVER);
    }
}
