//! The operator's admin endpoint: who may call it, what it tells, and what it does to the store; against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod access;
mod bench;
mod bucket;
mod full;
mod inventory;
mod leader;
mod orphans;
mod prune;
mod repair;
mod sweep;
mod trouble;
mod verify;
