//! `kubectl jaas`: runs and recovers a JaaS installation from the command line.
//!
//! Parses, dispatches, exits. A command never prints: it fills a report, and [`output`] shows it.

// A test that cannot go on has to panic; that is its answer.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod age;
mod cli;
mod commands;
mod complete;
mod consumers;
mod deployments;
mod exit;
mod facts;
mod hint;
mod interrupt;
mod lease;
mod operator;
mod output;
mod progress;
mod road;
mod run;
mod session;
mod size;
mod snippet;
mod view;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    // Before any thread exists: this may be a worker of ourselves.
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|argument| argument == jaas_render::worker::ARGUMENT) {
        return jaas_render::worker::run();
    }
    // A script of a shell asks by a variable, kubectl by the program's name; either way the answer is all there is to do.
    clap_complete::CompleteEnv::with_factory(Cli::command).var(commands::completion::VARIABLE).complete();
    if let Some(words) = complete::asked(std::env::args_os()) {
        return output::completion(&complete::answer(words)).into();
    }
    let cli = match cli::parse(std::env::args_os()) {
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
