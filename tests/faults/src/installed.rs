//! The programs that a class starts.

use anyhow::{Context, Result};
use jaas_tests::controlplane::Options;
use jaas_tests::environment;
use jaas_tests::programs::Programs;
use jaas_tests::runner::Executables;
use jaas_tests::supervisor::Launcher;

/// The programs that the runner of the tests built, or, without one, built here.
///
/// # Errors
/// When they cannot be built.
pub(crate) async fn options() -> Result<Options> {
    if std::env::var_os(environment::OPERATOR).is_some() {
        return Ok(Options::default());
    }
    let building = tokio::task::spawn_blocking(|| anyhow::Ok((Programs::ensure()?, Executables::build(&[])?)));
    let (programs, executables) = building.await.context("building the programs")??;
    Ok(Options {
        programs: Some(programs),
        supervisor: Some(Launcher::executable(executables.supervisor)),
        operator: Some(executables.operator),
        ..Options::default()
    })
}
