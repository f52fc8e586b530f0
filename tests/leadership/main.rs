//! Several candidates for one Lease at a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod clocks;
mod failing;
mod group;
mod handing;
