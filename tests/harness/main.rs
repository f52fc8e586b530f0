//! The harness keeps its own promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod apiproxy;
mod cluster;
mod consumer;
mod lifetime;
mod operator;
mod rights;
mod supervision;

use std::fs;
use std::time::Duration;

use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::environment;
use jaas_tests::wait::eventually;
use tokio::sync::OnceCell;

/// Flux's definitions, but not the operator's: these tests need no operator.
pub(crate) fn options() -> Options {
    Options { jaas_crds: false, ..Options::default() }
}

/// The control plane that these tests share.
pub(crate) async fn plane() -> &'static ControlPlane {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    PLANE.get_or_init(async || ControlPlane::start(options()).await.unwrap()).await
}

/// Waits until a process is no more; one that nobody has reaped yet does nothing any more either.
pub(crate) async fn gone(pid: i32) {
    assert!(pid > 0, "the process was seen running");
    let path = format!("/proc/{pid}/stat");
    let what = format!("the end of {pid}");
    eventually(what, Duration::from_secs(10), async || match fs::read_to_string(&path) {
        Ok(stat) if !stat.contains(") Z ") => Err(stat),
        _ => Ok(()),
    })
    .await
    .unwrap();
}

#[test]
fn a_missing_runner_is_named() {
    let error = environment::value("JAAS_NOT_SET").unwrap_err();
    assert_eq!(error.to_string(), "JAAS_NOT_SET is not set: run the tests with `cargo verify`");
}
