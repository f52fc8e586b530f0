//! The plugin through a real kubectl, against a real API server and the real operator.
//!
//! Nobody runs Pods here: where a test needs a Deployment or Pods, it writes the objects itself and says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod bench;
mod completion;
mod doctor;
mod leadership;
mod look;
mod pause;
mod reconcile;
mod rights;
