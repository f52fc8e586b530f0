//! Counts what the store takes, so that a put need not read the whole directory to keep within the quota.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Blocks of the usual file systems. A small file costs a whole one, also of a quota that the kubelet enforces.
pub(super) const BLOCK: u64 = 4096;

/// What a file of this length takes.
pub(super) fn charged(length: u64) -> u64 {
    length.div_ceil(BLOCK) * BLOCK
}

/// The count. Without a quota it counts nothing.
#[derive(Debug)]
pub(super) struct Tally {
    quota: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Unknown until the directory was read once.
    used: Option<u64>,
    /// Granted to puts that have not ended.
    in_flight: u64,
}

/// Why a put may not write.
#[derive(Debug)]
pub(super) enum Refused {
    /// It would take more than the quota.
    Quota {
        /// Bytes in use, those of puts under way included.
        used: u64,
        /// The quota.
        quota: u64,
    },
    /// What is used could not be found out.
    Unknown(io::Error),
}

/// Room for one put; given back unless it is spent.
#[derive(Debug)]
pub(super) struct Room<'a> {
    tally: &'a Tally,
    bytes: u64,
}

impl Tally {
    /// Nothing counted yet.
    pub(super) fn new(quota: Option<u64>) -> Self {
        Self { quota, state: Mutex::default() }
    }

    /// The quota.
    pub(super) fn quota(&self) -> Option<u64> {
        self.quota
    }

    /// Room for `bytes`. What others wrote or removed since the last count is found out by `count` before a put is refused.
    pub(super) fn reserve(&self, bytes: u64, count: impl Fn() -> io::Result<u64>) -> Result<Room<'_>, Refused> {
        if let Some(quota) = self.quota {
            let mut state = self.state();
            let fits = |state: &State| state.used.is_some_and(|used| used + state.in_flight + bytes <= quota);
            if !fits(&state) {
                let used = count().map_err(Refused::Unknown)?;
                state.used = Some(used);
                if !fits(&state) {
                    return Err(Refused::Quota { used: used + state.in_flight, quota });
                }
            }
            state.in_flight += bytes;
        }
        Ok(Room { tally: self, bytes })
    }

    /// Counts what was removed.
    pub(super) fn release(&self, bytes: u64) {
        let mut state = self.state();
        state.used = state.used.map(|used| used.saturating_sub(bytes));
    }

    /// Takes over a fresh count.
    pub(super) fn refresh(&self, used: u64) {
        self.state().used = Some(used);
    }

    /// Something was written past it: the next put counts anew.
    pub(super) fn forget(&self) {
        self.state().used = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room<'_> {
    /// The bytes were written.
    pub(super) fn spend(self) {
        let mut state = self.tally.state();
        state.used = state.used.map(|used| used + self.bytes);
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut state = self.tally.state();
        state.in_flight = state.in_flight.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn room_that_is_not_spent_is_given_back() {
        let tally = Tally::new(Some(100));
        drop(tally.reserve(60, || Ok(30)).unwrap());
        tally.reserve(60, || Ok(30)).unwrap().spend();
        assert!(matches!(tally.reserve(20, || Ok(90)), Err(Refused::Quota { used: 90, quota: 100 })));
        tally.release(50);
        assert!(tally.reserve(20, || Ok(90)).is_ok());
    }

    #[test]
    fn what_was_written_past_it_is_counted_by_the_next_put() {
        let tally = Tally::new(Some(100));
        tally.refresh(80);
        tally.forget();
        assert!(matches!(tally.reserve(20, || Ok(84)), Err(Refused::Quota { used: 84, quota: 100 })));
    }
}
