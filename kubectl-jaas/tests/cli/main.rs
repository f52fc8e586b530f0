//! The real binary, as a person runs it: stdout, stderr and exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod act;
mod apiserver;
mod commands;
mod diff;
mod doctor;
mod dry;
mod explain;
mod half;
mod installation;
mod look;
mod missing;
mod peer;
mod plugin;
mod reconcile;
mod render;
mod storage;
mod tenant;
mod usage;
mod version;
