//! The operator against a real API server, one file a behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod crash;
mod fairness;
mod field;
mod full;
mod hostile;
mod late;
mod leadership;
mod libraries;
mod lifecycle;
mod namespaces;
mod orphans;
mod outage;
mod parts;
mod publish;
mod quiet;
mod raw;
mod refusals;
mod repair;
mod serving;
mod sources;
mod store;
