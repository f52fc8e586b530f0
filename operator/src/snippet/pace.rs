//! How often a snippet may be rendered.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// The limit of each snippet: a rate, and how many renders may come at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Time between two renders in the long run.
    pub period: Duration,
    /// Renders after a rest.
    pub burst: NonZeroU32,
}

/// Counts renders of each snippet. A deleted snippet takes its count with it, since objects are told apart by their uid.
pub struct Paces(Option<DefaultKeyedRateLimiter<String>>);

impl Paces {
    /// Counts against this limit; without one, everything may.
    pub fn new(rate: Option<Rate>) -> Self {
        let quota = rate.and_then(|rate| Quota::with_period(rate.period).map(|quota| quota.allow_burst(rate.burst)));
        Self(quota.map(RateLimiter::keyed))
    }

    /// Counts a render, or tells how long to wait for the next one that may be. What is denied does not count.
    ///
    /// # Errors
    /// The time to wait.
    pub fn render(&self, uid: &str) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(&uid.to_owned()).map_err(|denied| denied.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets whoever has rested long enough to be as good as new.
    pub fn tidy(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate_holds_for_that_snippet_alone() {
        let rate = Rate { period: Duration::from_secs(60), burst: NonZeroU32::new(3).unwrap() };
        let paces = Paces::new(Some(rate));
        for _ in 0..3 {
            assert_eq!(paces.render("a"), Ok(()));
        }
        let wait = paces.render("a").unwrap_err();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
        let again = paces.render("a").unwrap_err();
        assert!(again <= wait, "what is denied does not count");
        assert_eq!(paces.render("b"), Ok(()));
    }

    #[test]
    fn without_a_limit_everything_may() {
        let paces = Paces::new(None);
        assert!((0..1000).all(|_| paces.render("a").is_ok()));
    }
}
