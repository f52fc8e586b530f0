//! One invocation: its id, its clock, and the token that marks what it asked for.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::Rng as _;

/// Digits of a run id: Crockford's base 32, which has no letter that reads like another.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Length of a run id: 50 random bits, enough to tell apart all runs of a cluster's audit log.
const ID_LENGTH: usize = 10;

/// One invocation of the program.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Finds everything that this run did, in the API server's audit log for instance.
    pub(crate) id: String,
    /// When it began.
    pub(crate) started: Timestamp,
    clock: Instant,
}

impl Run {
    /// Begins a run now.
    pub(crate) fn start() -> Self {
        let mut random = rand::rng();
        let id = (0..ID_LENGTH).map(|_| char::from(DIGITS[random.random_range(0..DIGITS.len())])).collect();
        Self { id, started: Timestamp::now(), clock: Instant::now() }
    }

    /// Time since the run began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The value of a reconcile request: unique, and ordered by time for those who compare.
    pub(crate) fn token(&self) -> String {
        format!("{:.9}#{}", self.started, self.id)
    }

    /// How the run introduces itself to the API server.
    pub(crate) fn user_agent(&self) -> String {
        format!(
            "kubectl-jaas/{} ({}/{}) run/{}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            self.id
        )
    }
}

/// The instant in a token that begins with an RFC 3339 time, as ours and Flux's do.
pub(crate) fn token_time(token: &str) -> Option<Timestamp> {
    token.split('#').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_nanoseconds_and_the_run() {
        let run = Run { id: "01J8ZK4TQ2".into(), started: Timestamp::UNIX_EPOCH, clock: Instant::now() };
        assert_eq!(run.token(), "1970-01-01T00:00:00.000000000Z#01J8ZK4TQ2");
        assert_eq!(token_time(&run.token()), Some(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn the_time_of_a_foreign_token_is_read_when_it_has_one() {
        assert!(token_time("2026-11-22T14:33:01.5+01:00").is_some());
        assert_eq!(token_time("please"), None);
    }

    #[test]
    fn two_runs_have_two_ids() {
        assert_ne!(Run::start().id, Run::start().id);
    }
}
