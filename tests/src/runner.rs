//! Building what the tests and the demo run, so that neither ever meets yesterday's program.
//!
//! Cargo builds no other package's executables for a test, and a shared target directory would then supply old ones:
//! a false success. So the runner builds everything first and hands on the paths that Cargo reports.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::environment;
use crate::programs::Programs;

/// The workspace's own executables.
#[derive(Clone, Debug)]
pub struct Executables {
    /// The operator.
    pub operator: PathBuf,
    /// The kubectl plugin.
    pub plugin: PathBuf,
    /// The supervisor.
    pub supervisor: PathBuf,
}

impl Executables {
    /// Builds every executable of the workspace; `args` are further arguments for `cargo build`, such as a profile.
    ///
    /// # Errors
    /// When Cargo is missing or something does not compile.
    pub fn build(args: &[&str]) -> Result<Self> {
        let mut child = cargo()
            .args(["build", "--workspace", "--bins"])
            .arg("--message-format=json-render-diagnostics")
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .context("running cargo: install Rust from https://rustup.rs or put `cargo` on PATH")?;
        let stdout = child.stdout.take().context("reading what cargo says")?;
        let mut built = BTreeMap::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.context("reading what cargo says")?;
            // Other kinds of messages have other fields.
            if let Ok(message) = serde_json::from_str::<Artifact>(&line)
                && let Some(executable) = message.executable
            {
                built.insert(message.target.name, executable);
            }
        }
        let status = child.wait().context("waiting for cargo")?;
        ensure!(status.success(), "`cargo build --workspace --bins` failed");
        let mut take =
            |name: &str| built.remove(name).with_context(|| format!("cargo built no executable named {name}"));
        Ok(Self {
            operator: take("jaas-operator")?,
            plugin: take("kubectl-jaas")?,
            supervisor: take("jaas-test-supervisor")?,
        })
    }

    /// The environment by which tests find these and the control plane's programs.
    ///
    /// # Errors
    /// When a path is not Unicode.
    pub fn environment(&self, programs: &Programs) -> Result<Vec<(&'static str, OsString)>> {
        Ok(vec![
            (environment::OPERATOR, self.operator.clone().into()),
            (environment::PLUGIN, self.plugin.clone().into()),
            (environment::SUPERVISOR, self.supervisor.clone().into()),
            (environment::PROGRAMS, programs.to_json()?.into()),
        ])
    }
}

#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Ends a program: an error is printed as one chain of causes.
pub fn finish(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Cargo, as the one that started this program if any, in the root of the workspace.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The root of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder)
}
