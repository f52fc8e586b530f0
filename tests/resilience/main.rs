//! The operator under an API server that is away, forgetful, silent, overloaded, incomplete or forbidding: each test has a control plane
//! of its own, and nobody restarts the operator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod api_server;
mod bed;
mod endings;
mod kinds;
mod sources;
mod watches;
