//! The real binary, as a person runs it: stdout, stderr and exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod apiserver;
mod explain;
mod plugin;
mod reconcile;
mod usage;
mod version;
