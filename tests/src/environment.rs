//! The environment variables by which the runner tells a test what it built.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Path of the supervisor's executable.
pub const SUPERVISOR: &str = "JAAS_SUPERVISOR";
/// Path of the operator's executable.
pub const OPERATOR: &str = "JAAS_OPERATOR_BIN";
/// Path of the kubectl plugin's executable.
pub const PLUGIN: &str = "JAAS_PLUGIN_BIN";
/// The control plane's programs, as the JSON form of [`crate::programs::Programs`].
pub const PROGRAMS: &str = "JAAS_PROGRAMS";
/// Directory of the cache for what is built once, instead of the user's cache directory.
pub const CACHE: &str = "JAAS_TEST_CACHE";
/// Keeps work directories when set, to look at logs afterwards.
pub const KEEP: &str = "JAAS_TEST_KEEP";

/// A value from the runner.
///
/// # Errors
/// When the variable is not set, with the command that sets it.
pub fn value(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("{name} is not set: run the tests with `cargo verify`"))
}

/// A path from the runner.
///
/// # Errors
/// As [`value`].
pub fn path(name: &str) -> Result<PathBuf> {
    value(name).map(PathBuf::from)
}
