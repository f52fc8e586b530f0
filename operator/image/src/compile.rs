//! Compiles the operator so that neither the folder nor the person that compiled it can be told from the bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Separates the flags in `CARGO_ENCODED_RUSTFLAGS`, because a path may contain spaces.
const SEPARATOR: char = '\u{1f}';

/// Compiles with the profile `release` into a folder of its own and answers where the program is.
///
/// # Errors
/// When cargo cannot be run or fails.
pub fn operator(workspace: &Path, target: &Path) -> Result<PathBuf> {
    let home = cargo_home()?;
    // The longest first: what is compiled into the target folder lies in the workspace too.
    let places = [(target, "/target"), (workspace, "/jaas"), (home.as_path(), "/cargo")];
    let rust: Vec<_> = places.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect();
    let c: Vec<_> = places.iter().map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display())).collect();
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "--package", "jaas-operator", "--bin", "jaas-operator"])
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_ENCODED_RUSTFLAGS", rust.join(&SEPARATOR.to_string()))
        .env("CFLAGS", c.join(" "))
        .env("SOURCE_DATE_EPOCH", "0")
        .env_remove("RUSTFLAGS")
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "compiling the operator ended with {status}");
    Ok(target.join("release/jaas-operator"))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("neither CARGO_HOME nor a home folder is known")?;
    Ok(home.join(".cargo"))
}
