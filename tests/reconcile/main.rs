//! The operator against a real API server, one file a behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod auth;
mod crash;
mod edge_cases;
mod fairness;
mod field;
mod full;
mod hostile;
mod hostile_sources;
mod late;
mod leadership;
mod libraries;
mod lifecycle;
mod meadow;
mod memory;
mod mounted;
mod namespaces;
mod orphans;
mod outage;
mod parts;
mod publish;
mod quiet;
mod quota;
mod raw;
mod refusals;
mod repair;
mod scope;
mod serving;
mod sources;
mod sources_changes;
mod store;
mod tenants;
mod withdrawal;
