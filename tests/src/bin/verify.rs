//! Runs all tests against freshly built programs: `cargo verify`.
//!
//! Arguments go to `cargo test --workspace`: `cargo verify -- --test reconcile a_name -- --nocapture`.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use jaas_tests::programs::{Programs, packages};
use jaas_tests::runner::{self, Executables};

fn main() -> ExitCode {
    runner::finish(verify())
}

fn verify() -> Result<ExitCode> {
    let begun = Instant::now();
    step("programs of the control plane");
    let programs = Programs::ensure()?;
    packages::ensure(packages::FAULTS)?;
    took(begun);

    let begun = Instant::now();
    step("cargo build --workspace --bins");
    let executables = Executables::build(&[])?;
    took(begun);

    let begun = Instant::now();
    let mut args: Vec<String> = env::args().skip(1).collect();
    // Cargo leaves the separator in when it expands the alias.
    if args.first().is_some_and(|arg| arg == "--") {
        args.remove(0);
    }
    step(&format!("cargo test --workspace {}", args.join(" ")));
    let status = runner::cargo()
        .args(["test", "--workspace"])
        .args(args)
        .envs(executables.environment(&programs)?)
        .status()
        .context("running cargo")?;
    took(begun);
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    let code = code.and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

fn step(what: &str) {
    eprintln!("verify: {}", what.trim_end());
}

fn took(begun: Instant) {
    eprintln!("verify: done in {:.1} s", begun.elapsed().as_secs_f64());
}
