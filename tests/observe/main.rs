//! What somebody sees who watches the operator: metrics, log and spans of a real run that makes each of them move.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod bench;
mod collector;
mod documented;
mod lines;
mod metrics;
mod spans;
