//! The Go toolchain.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::catalog::{self, Recipe};
use super::progress::Progress;

/// What every message about a missing or old toolchain ends with.
const REMEDY: &str = "Go 1.26 or newer is needed to build the control plane (etcd, kube-apiserver, …): install it from https://go.dev/dl or put `go` on PATH";

/// The oldest version that the pinned modules accept.
const OLDEST: (u32, u32) = (1, 26);

/// A toolchain that is new enough.
pub(super) struct Go {
    program: PathBuf,
    version: String,
}

impl Go {
    /// Environment of every build. The toolchain in use is part of each key, so it may not fetch another.
    pub(super) const SETTINGS: [(&'static str, &'static str); 4] = [
        ("GOFLAGS", "-trimpath -buildvcs=false -mod=readonly"),
        ("CGO_ENABLED", "0"),
        ("GOTOOLCHAIN", "local"),
        ("GOWORK", "off"),
    ];

    /// Finds `go` on PATH.
    pub(super) fn find() -> Result<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let program = env::split_paths(&path)
            .map(|directory| directory.join("go"))
            .find(|candidate| candidate.is_file())
            .with_context(|| format!("no `go` on PATH. {REMEDY}"))?;
        let version = match installed_version(&program) {
            Some(version) => version,
            None => asked_version(&program)?,
        };
        let found =
            parse(&version).with_context(|| format!("{} has the odd version `{version}`", program.display()))?;
        ensure!(found >= OLDEST, "{} is {version}. {REMEDY}", program.display());
        Ok(Self { program, version })
    }

    /// Its version, such as `go1.26.8`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Builds a program to `output`.
    pub(super) fn build(&self, recipe: &Recipe, version: &str, output: &Path, progress: &Progress) -> Result<()> {
        let ldflags = recipe.ldflags(version)?;
        let mut command = self.command(recipe.folder);
        command.args(["build", "-tags", recipe.tags, "-ldflags", &ldflags, "-o"]).arg(output).arg(recipe.package);
        run(command, progress).map(drop)
    }

    /// The directory in the module cache that holds a module of a folder, downloaded when missing.
    pub(super) fn module(&self, folder: &str, module: &str, progress: &Progress) -> Result<PathBuf> {
        #[derive(Deserialize)]
        struct Module {
            #[serde(rename = "Dir")]
            directory: PathBuf,
        }
        let mut command = self.command(folder);
        command.args(["mod", "download", "-json", module]);
        let json = run(command, progress)?;
        let module: Module = serde_json::from_slice(&json)
            .with_context(|| format!("reading what `go mod download` says of {module}"))?;
        Ok(module.directory)
    }

    fn command(&self, folder: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(catalog::folder(folder)).envs(Self::SETTINGS).env_remove("GOOS").env_remove("GOARCH");
        command
    }
}

/// Reads the version from the toolchain's own VERSION file, which is quicker than asking the program.
fn installed_version(program: &Path) -> Option<String> {
    let root = fs::canonicalize(program).ok()?.parent()?.parent()?.to_owned();
    let text = fs::read_to_string(root.join("VERSION")).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

fn asked_version(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .args(["env", "GOVERSION"])
        .envs(Go::SETTINGS)
        .output()
        .with_context(|| format!("running {}. {REMEDY}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Runs to the end, showing what is said on standard error; returns standard output, which must be short.
fn run(mut command: Command, progress: &Progress) -> Result<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {:?}. {REMEDY}", command.get_program()))?;
    let mut said = Vec::new();
    if let Some(errors) = child.stderr.take() {
        for line in BufReader::new(errors).lines() {
            let line = line.context("reading what go says")?;
            progress.detail(&line);
            said.push(line);
        }
    }
    let output = child.wait_with_output().context("waiting for go")?;
    if !output.status.success() {
        let tail = said[said.len().saturating_sub(20)..].join("\n");
        bail!(
            "`go {}` ended with {}:\n{tail}",
            command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" "),
            output.status
        );
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(parse("go1.26.8"), Some((1, 26)));
        assert_eq!(parse("go1.27rc1"), Some((1, 27)));
        assert_eq!(parse("devel +abc"), None);
        assert!(parse("go1.9") < parse("go1.26"));
    }
}
