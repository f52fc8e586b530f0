//! A compiler whose hash tables have the same seed each time.
//!
//! A procedural macro may list what it found in a hash table, and Rust seeds each process's tables at random
//! ([`std::hash::RandomState`]): `syn-dissect-closure` 0.1, which the Jsonnet engine's macros use, writes the captured variables of a
//! closure in that order, so the engine is compiled to other bytes each time. The seed comes from the C library's `getrandom`, which
//! a preloaded library answers here, for the compiler, its macros and the linker alone: cargo, build scripts and what is compiled keep
//! theirs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest as _, Sha256};

/// Source of the library.
const SOURCE: &str = include_str!("seed.c");
/// The dynamic loader splits `LD_PRELOAD` at spaces, so the folder is given in `LD_LIBRARY_PATH`, which it does not.
const WRAPPER: &str = r#"#!/bin/sh
folder=${0%/*}
LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" LD_PRELOAD=libseed.so exec "$@"
"#;

/// Names what is preloaded. Cargo knows nothing of it and would take what was compiled without it, or with another.
pub fn mark() -> String {
    hex::encode(&Sha256::digest([SOURCE, WRAPPER].concat())[..8])
}

/// Writes a program into the folder that runs its arguments with a fixed seed, to be cargo's `RUSTC_WRAPPER`.
///
/// # Errors
/// When the folder cannot be written or there is no C compiler.
pub fn wrapper(folder: &Path) -> Result<PathBuf> {
    let write = |name: &str, content: &str| {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display())).map(|()| path)
    };
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let source = write("seed.c", SOURCE)?;
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(folder.join("libseed.so"))
        .arg(&source)
        .status()
        .context("running the C compiler `cc`, which Rust's own linker needs too")?;
    ensure!(status.success(), "compiling {} ended with {status}", source.display());
    let wrapper = write("rustc", WRAPPER)?;
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755))
        .with_context(|| format!("making {} executable", wrapper.display()))?;
    Ok(wrapper)
}
