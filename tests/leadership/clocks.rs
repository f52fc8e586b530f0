//! A clock that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jaas_operator::leadership::clock::{Boot, Clock, Machine};
use jiff::{SignedDuration, Timestamp};

/// The machine's clocks, moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved {
    slept: Arc<AtomicU64>,
    date: Arc<AtomicI64>,
}

impl Moved {
    /// The machine was suspended for that long, a moment ago.
    pub(crate) fn suspend(&self, duration: Duration) {
        self.slept.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Somebody set the date.
    pub(crate) fn set_date(&self, seconds_off: i64) {
        self.date.store(seconds_off, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Boot {
        Machine.now().plus(Duration::from_millis(self.slept.load(Ordering::SeqCst)))
    }

    fn date(&self) -> Timestamp {
        Machine.date() + SignedDuration::from_secs(self.date.load(Ordering::SeqCst))
    }
}
