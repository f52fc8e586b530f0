//! How many requests run at a time, and how many may be repeated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Throttled answers within this time of a cut belong to the same burst and cut no further.
const BURST: Duration = Duration::from_secs(1);
/// Repetitions that are allowed at once.
const BUDGET: f64 = 20.0;
/// What each success adds to the budget, so that under steady failure at most a tenth more requests are sent.
const REFILL: f64 = 0.1;

/// Halves the number of requests at a time when the service throttles, and raises it by one after as many successes.
#[derive(Debug)]
pub(super) struct Limiter {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    most: usize,
}

/// What a request came to, as far as the number of requests is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// An answer that says nothing against more requests.
    Fine,
    /// None, or one of a service in trouble.
    Failed,
    /// The service asked for fewer.
    Throttled,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Permits that are to go as soon as they come back.
    debt: usize,
    successes: usize,
    cut: Option<Instant>,
    budget: f64,
}

impl Limiter {
    /// Starts at the most.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State { limit: most, debt: 0, successes: 0, cut: None, budget: BUDGET };
        Self { permits: Arc::new(Semaphore::new(most)), state: Mutex::new(state), most }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so `None` does not happen; without a permit a request is merely not counted.
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Gives a turn back after an answer.
    pub(super) fn answered(&self, turn: Option<OwnedSemaphorePermit>, answer: Answer) {
        let mut state = self.state();
        if answer == Answer::Throttled {
            state.successes = 0;
            if state.cut.is_none_or(|cut| cut.elapsed() >= BURST) {
                state.cut = Some(Instant::now());
                let lower = (state.limit / 2).max(1);
                let surplus = state.limit - lower;
                state.limit = lower;
                state.debt += surplus - self.permits.forget_permits(surplus);
                tracing::warn!(limit = lower, "the S3 service throttles; fewer requests at a time");
            }
        } else if answer == Answer::Fine {
            state.budget = (state.budget + REFILL).min(BUDGET);
            state.successes += 1;
            if state.successes >= state.limit && state.limit < self.most {
                state.successes = 0;
                state.limit += 1;
                if state.debt > 0 { state.debt -= 1 } else { self.permits.add_permits(1) }
            }
        }
        if state.debt > 0
            && let Some(turn) = turn
        {
            state.debt -= 1;
            turn.forget();
        }
    }

    /// Whether another try is within the budget; takes it if so.
    pub(super) fn may_repeat(&self) -> bool {
        let mut state = self.state();
        let may = state.budget >= 1.0;
        if may {
            state.budget -= 1.0;
        }
        may
    }

    /// Requests at a time.
    #[cfg(test)]
    fn limit(&self) -> usize {
        self.state().limit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn throttling_halves_once_per_burst_and_success_recovers() {
        let limiter = Limiter::new(8);
        let mut turns = Vec::new();
        for _ in 0..8 {
            turns.push(limiter.turn().await);
        }
        for turn in turns {
            limiter.answered(turn, Answer::Throttled);
        }
        assert_eq!((limiter.limit(), limiter.permits.available_permits()), (4, 4));
        for _ in 0..100 {
            let turn = limiter.turn().await;
            limiter.answered(turn, Answer::Fine);
        }
        assert_eq!((limiter.limit(), limiter.permits.available_permits()), (8, 8));
    }

    #[test]
    fn repetitions_end_with_the_budget() {
        let limiter = Limiter::new(1);
        assert_eq!((0..100).filter(|_| limiter.may_repeat()).count(), 20);
        for _ in 0..15 {
            limiter.answered(None, Answer::Fine);
        }
        assert_eq!((0..100).filter(|_| limiter.may_repeat()).count(), 1);
    }
}
