//! The operator against a real API server, one file a behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod crash;
mod field;
mod hostile;
mod leadership;
mod lifecycle;
mod namespaces;
mod orphans;
mod publish;
mod quiet;
mod refusals;
mod repair;
mod serving;
