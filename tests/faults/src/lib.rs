//! The fault matrix: what breaks a store, what may be seen meanwhile, and what must be true afterwards.
//!
//! Each class of faults is a module with one function `run`. It makes its cases from a [`Plan`], lets each happen to the store
//! that the operator runs, and ends each with the invariants in [`invariants`]. What it finds is a [`Tally`]: the number of cases,
//! and every violation with what repeats it.

pub mod files;
mod installed;
pub mod invariants;
pub mod operator;
pub mod power;
pub mod replicas;
pub mod s3;
mod scratch;
pub mod syscalls;
pub mod tally;

pub use tally::{Plan, Scale, Tally, Violation};
