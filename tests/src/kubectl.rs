//! kubectl with the plugin where kubectl looks for plugins.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::controlplane::{ControlPlane, Identity};
use crate::environment;

/// The folder that holds the plugin.
///
/// # Errors
/// When the tests were not started by the runner.
pub fn plugin_folder() -> Result<OsString> {
    let plugin = environment::value(environment::PLUGIN)?;
    let folder = Path::new(&plugin).parent().with_context(|| format!("{plugin} is in no folder"))?;
    Ok(folder.as_os_str().to_owned())
}

/// Runs kubectl as `identity`, with these folders to look for plugins, and without a terminal.
///
/// # Errors
/// When it cannot be run. Any exit code is an answer.
pub async fn run(plane: &ControlPlane, identity: &Identity, args: &[&str], path: &OsStr) -> Result<Output> {
    run_with(plane, identity, args, path, &[]).await
}

/// The same with further variables in its environment, such as a person's keys.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    plane: &ControlPlane,
    identity: &Identity,
    args: &[&str],
    path: &OsStr,
    env: &[(&str, &str)],
) -> Result<Output> {
    let mut command = command(plane, identity, args, path)?;
    command.envs(env.iter().copied()).stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output());
    run.await.context("waiting for kubectl")?.context("running kubectl")
}

/// The command itself, to be given a terminal or to be stopped. kubectl becomes the plugin, so a signal to its process reaches that.
///
/// # Errors
/// When there can be no kubeconfig.
pub fn command(plane: &ControlPlane, identity: &Identity, args: &[&str], path: &OsStr) -> Result<Command> {
    let mut command = Command::new(&plane.programs().kubectl);
    command.args(args).env("PATH", path).env("KUBECONFIG", plane.kubeconfig(identity)?).env("NO_COLOR", "1");
    Ok(command)
}

/// The one JSON document on stdout.
///
/// # Errors
/// When there is none, with all that was said.
pub fn document(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no document\n{}\n{}", text(&output.stdout), text(&output.stderr)))
}

/// Readable whatever it is.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
