//! A control plane to play with: `cargo controlplane up`.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::environment;
use jaas_tests::programs::Programs;
use jaas_tests::runner;
use jaas_tests::supervisor::{self, Launcher};
use tokio::signal::unix::{SignalKind, signal};

/// The argument by which this program becomes the supervisor of the programs that it starts.
const SUPERVISE: &str = "supervise";

/// A real Kubernetes API server on loopback, with Flux's custom resource definitions.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the programs that are not in the cache.
    Build,
    /// Start a control plane and keep it until Ctrl-C.
    Up,
    /// Run programs for another process; internal.
    #[command(name = SUPERVISE, hide = true)]
    Supervise {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Build => build(),
        Command::Up => up(),
        Command::Supervise { args } => supervisor::main(&args),
    };
    runner::finish(outcome.map(|()| ExitCode::SUCCESS))
}

fn build() -> Result<()> {
    println!("{}", Programs::ensure()?.to_json()?);
    Ok(())
}

fn up() -> Result<()> {
    let programs = match env::var_os(environment::PROGRAMS) {
        Some(_) => Programs::from_env()?,
        None => Programs::ensure()?,
    };
    tokio::runtime::Runtime::new().context("starting the runtime")?.block_on(keep(programs))
}

async fn keep(programs: Programs) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let begun = Instant::now();
    let starting = ControlPlane::start(Options {
        programs: Some(programs),
        supervisor: Some(Launcher::this_program(&[SUPERVISE])?),
        jaas_crds: env::var_os(environment::OPERATOR).is_some(),
        ..Options::default()
    });
    let plane = tokio::select! {
        plane = starting => plane?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    println!("ready in {:.1} s", begun.elapsed().as_secs_f64());
    println!("supervisor pid {}", plane.supervisor().pid());
    for process in plane.processes() {
        println!("{} pid {}", process.program().name, process.pid());
    }
    println!("work {}", plane.work().display());
    println!("export KUBECONFIG={}", plane.kubeconfig(&Identity::Admin)?.display());
    println!("kubectl is {}; Ctrl-C ends it all", plane.programs().kubectl.display());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
