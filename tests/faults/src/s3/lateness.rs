//! How late this machine is, so that its own slowness is not taken for that of a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

/// How often it is looked.
const TICK: Duration = Duration::from_millis(5);
/// What a timer may be late by its own nature.
const USUAL: Duration = Duration::from_millis(3);

/// Adds up what a task on this runtime was woken too late.
#[derive(Debug)]
pub(super) struct Lateness {
    micros: Arc<AtomicU64>,
    looking: AbortHandle,
}

impl Lateness {
    /// Looks until it is dropped.
    pub(super) fn watch() -> Self {
        let micros = Arc::new(AtomicU64::new(0));
        let sum = Arc::clone(&micros);
        let looking = tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                tokio::time::sleep(TICK).await;
                let late = begun.elapsed().saturating_sub(TICK + USUAL);
                sum.fetch_add(u64::try_from(late.as_micros()).unwrap_or_default(), Ordering::Relaxed);
            }
        });
        Self { micros, looking: looking.abort_handle() }
    }

    /// All of it since the beginning.
    pub(super) fn so_far(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.looking.abort();
    }
}
