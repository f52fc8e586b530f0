//! Who of several replicas may write: a Lease, after client-go's rules, and permits that end before another can lead.
//!
//! [`run`] is the effect loop, [`decide`] what it does next (pure), [`record`] a Lease as it is read and written (pure),
//! [`permit`] what a write must show, [`state`] what the process is told. Time is [`clock`]'s; the durations are [`timing`]'s.
//!
//! A replica that does not lead writes nothing, but for the probes by which it finds out what its bucket can do. It watches the
//! Lease, so that a leader that lets go is succeeded at once and one that dies within the lease duration. A leader whose Lease is
//! deleted ends its term as soon as it knows, at the latest with its next renewal, and may begin another with the new Lease; others
//! wait until the old term is over in any case.
//!
//! # What it needs
//! In the namespace of the Lease: `create` on `leases` in `coordination.k8s.io`, which cannot be bound to a name; and `get`,
//! `list`, `watch`, `update` on the Lease of that name (the list and the watch select by name, which such a rule admits). Neither
//! `patch` nor `delete`. Whoever asks a leader to step down needs `get` and `patch` on it.
//!
//! # What it does not do
//! It does not stop a request that is under way when the term ends. Such a request must be harmless: it names the
//! resourceVersion that it was decided upon, or writes what its name already says.
//!
//! One who starts while a Lease is missing that a leader cut off from the API server still believes in cannot know of that leader;
//! it waits only as long as one that is not cut off needs to notice.

pub mod clock;
pub mod decide;
mod leases;
pub mod permit;
pub mod record;
pub mod run;
pub mod state;
pub mod timing;

use std::fmt;

use rand::Rng;

pub use jaas_api::{STEP_DOWN, STEP_DOWN_ANSWERED};
pub use permit::{Authority, NotLeader, Permit};
pub use run::{Election, Settings};
pub use state::{Hooks, State};
pub use timing::{Timing, TimingError};

/// A term: which Lease, and the count of its holders. A Lease that was made anew counts from 0 again, so neither orders terms
/// without the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Epoch {
    /// The Lease's uid; empty where there is no election.
    pub uid: String,
    /// Its `leaseTransitions`.
    pub transitions: i32,
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.uid, self.transitions)
    }
}

/// A name that no other process has, in the form that client-go gives it: the host, and something random.
pub fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let random = hex::encode(rand::rng().random::<[u8; 16]>());
    format!("{}_{random}", host.trim())
}
