//! `cargo faults`: runs the fault matrix and tells what it found.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use jaas_faults::{Plan, Scale, Tally, files, operator, power, replicas, s3, syscalls};
use jaas_tests::programs::packages;
use jaas_tests::runner;

/// Runs the fault matrix.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Classes to run; all when none is given.
    classes: Vec<Class>,
    /// Decides what is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only a few cases of every kind.
    #[arg(long)]
    sample: bool,
}

#[derive(Subcommand)]
enum Part {
    /// Does the work of a store, for a case that kills or hinders the process.
    #[command(hide = true)]
    Drive {
        /// Directory of the store.
        root: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Class {
    Syscalls,
    Files,
    Power,
    S3,
    Operator,
    Replicas,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    runner::finish(match &arguments.part {
        Some(Part::Drive { root }) => syscalls::driver::drive(root).map(|()| ExitCode::SUCCESS),
        None => matrix(&arguments),
    })
}

fn matrix(arguments: &Arguments) -> Result<ExitCode> {
    packages::ensure(packages::FAULTS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let classes = if arguments.classes.is_empty() { Class::value_variants() } else { &arguments.classes };
    let mut tallies = Vec::new();
    for class in classes {
        tallies.push(runtime.block_on(one(*class, arguments))?);
    }
    report(&tallies);
    let whole = tallies.iter().all(|tally| tally.violations.is_empty());
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn one(class: Class, arguments: &Arguments) -> Result<Tally> {
    let style = ProgressStyle::with_template("{prefix:>12} {pos:>6} cases {per_sec} {elapsed} {msg}")?;
    let name = class.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let progress = ProgressBar::no_length().with_style(style).with_prefix(name);
    let scale = if arguments.sample { Scale::Sample } else { Scale::Full };
    let driver = std::env::current_exe()?;
    let plan = Plan { seed: arguments.seed, scale, progress, driver };
    let tally = match class {
        Class::Syscalls => syscalls::run(&plan).await,
        Class::Files => files::run(&plan).await,
        Class::Power => power::run(&plan).await,
        Class::S3 => s3::run(&plan).await,
        Class::Operator => operator::run(&plan).await,
        Class::Replicas => replicas::run(&plan).await,
    };
    plan.progress.finish();
    tally
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn report(tallies: &[Tally]) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["Class", "Cases", "Violations"]);
    for tally in tallies {
        table.add_row([tally.class.to_owned(), tally.cases.to_string(), tally.violations.len().to_string()]);
    }
    println!("{table}");
    for note in tallies.iter().flat_map(|tally| &tally.notes) {
        println!("{note}");
    }
    for violation in tallies.iter().flat_map(|tally| &tally.violations) {
        println!("{}: {}: {}", violation.invariant, violation.case, violation.seen);
    }
}
