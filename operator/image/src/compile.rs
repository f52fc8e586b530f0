//! Compiles the operator so that the bytes tell neither the folder, nor the person that compiled it, nor the time.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::seed;

/// Separates the flags in `CARGO_ENCODED_RUSTFLAGS`, because a path may contain spaces.
const SEPARATOR: char = '\u{1f}';

/// Compiles the operator into a folder of its own and answers where the program is.
///
/// # Errors
/// When cargo cannot be run or fails.
pub fn operator(workspace: &Path, target: &Path) -> Result<PathBuf> {
    program(workspace, target, "jaas-operator")
}

/// Compiles the program of a package of the same name with the profile `release`, and answers where it is.
///
/// # Errors
/// When cargo cannot be run or fails.
pub fn program(workspace: &Path, target: &Path, name: &str) -> Result<PathBuf> {
    let home = cargo_home()?;
    let rustc = seed::wrapper(&target.join("seed"))?;
    // The longest first: what is compiled into the target folder lies in the workspace too.
    let places = [(target, "/target"), (workspace, "/jaas"), (home.as_path(), "/cargo")];
    let remapped = places.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let rust: Vec<_> = remapped.chain([format!("--cfg=seed=\"{}\"", seed::mark())]).collect();
    let c: Vec<_> = places.iter().map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display())).collect();
    let c = shlex::try_join(c.iter().map(String::as_str)).context("a path cannot be given to a C compiler")?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--package", name, "--bin", name])
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_ENCODED_RUSTFLAGS", rust.join(&SEPARATOR.to_string()))
        .env("CFLAGS", c)
        .env("CC_SHELL_ESCAPED_FLAGS", "1")
        .env("SOURCE_DATE_EPOCH", "0")
        .env("RUSTC_WRAPPER", rustc)
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTFLAGS")
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "compiling {name} ended with {status}");
    Ok(target.join("release").join(name))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("neither CARGO_HOME nor a home folder is known")?;
    Ok(home.join(".cargo"))
}
