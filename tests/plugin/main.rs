//! The plugin through a real kubectl, against a real API server and the real operator.
//!
//! Where a test needs an operator that is installed, with a Deployment and Pods, [`jaas_tests::cluster`] tells what is played.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod bench;
mod broken;
mod changed;
mod completion;
mod consumer;
mod doctor;
mod installed;
mod interrupted;
mod leadership;
mod logs;
mod look;
mod missing;
mod pause;
mod reconcile;
mod rights;
mod scope;
mod sources;
mod storage;
mod webhook;
