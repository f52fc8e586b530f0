//! What the process is told of its election.

use std::time::Duration;

use jiff::Timestamp;

use super::Epoch;
use super::decide::{Action, Failure};

/// Is told what happens, to count it.
pub trait Hooks: Send + Sync {
    /// The process leads, or does not.
    fn state(&self, _state: &State) {}

    /// A request was answered after that time.
    fn call(&self, _action: Action, _failure: Option<Failure>, _took: Duration) {}
}

impl Hooks for () {}

/// Where the process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It leads.
    Leader {
        /// In which term.
        epoch: Epoch,
        /// Since when, by date.
        since: Timestamp,
    },
    /// It does not.
    Standby {
        /// Who holds the Lease, as far as is known. It may be this process, shortly before it leads or after it did.
        holder: Option<String>,
    },
    /// It does not, and will not.
    Ended,
}
