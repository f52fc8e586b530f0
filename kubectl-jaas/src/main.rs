//! `kubectl jaas`: runs and recovers a JaaS installation from the command line.
//!
//! Parses, dispatches, exits. A command never prints: it fills a report, and [`output`] shows it.

// A test that cannot go on has to panic; that is its answer.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod cli;
mod commands;
mod exit;
mod hint;
mod interrupt;
mod output;
mod progress;
mod run;
mod session;
mod snippet;
mod view;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return output::usage(&answer).into(),
    };
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime");
    match runtime.and_then(|runtime| runtime.block_on(commands::run(&cli))) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::unexpected(&error);
            Exit::Unexpected.into()
        }
    }
}
