//! The real binary, as a person runs it: stdout, stderr and exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod act;
mod apiserver;
mod commands;
mod doctor;
mod explain;
mod installation;
mod look;
mod plugin;
mod reconcile;
mod render;
mod usage;
mod version;
