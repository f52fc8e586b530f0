//! Command line in, exit code out: one match, and the frame that every command runs in.

mod explain;
mod reconcile;
mod version;

use std::io;

use crate::cli::{Cli, Command, Connection, Format};
use crate::exit::{self, Exit};
use crate::interrupt::{Signal, Stop};
use crate::output::Console;
use crate::progress::Listener;
use crate::run::Run;
use crate::session;
use crate::view::{Kind, Report};

/// Why a command ended before it could judge its own result.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The command line contradicts itself.
    #[error(transparent)]
    Arguments(#[from] reconcile::ArgumentError),
    /// Nothing matches what was asked for.
    #[error(transparent)]
    Selection(#[from] reconcile::SelectionError),
    /// The cluster could not be reached or did not do as asked.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// There is nothing to explain.
    #[error(transparent)]
    Unknown(#[from] explain::UnknownReason),
    /// The format does not fit the command.
    #[error("`version` has no objects that `-o name` could list")]
    NoNames,
    /// A signal came first.
    #[error("stopped before anything was done")]
    Stopped(Signal),
}

impl Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Arguments(_) | Self::Unknown(_) | Self::NoNames => Exit::Usage,
            Self::Selection(_) => Exit::NotFound,
            Self::Session(error) => error.exit(),
            Self::Stopped(signal) => signal.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Arguments(error) => Some(error.hint()),
            Self::Selection(error) => Some(error.hint()),
            Self::Unknown(error) => Some(error.hint()),
            Self::Session(error) => Some(error.hint()),
            Self::NoNames => Some("choose -o json or -o yaml".to_owned()),
            Self::Stopped(_) => Some(format!("to go on: {}", again())),
        }
    }
}

/// How a command judges its own result.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

/// What every command gets.
struct Invocation<'a> {
    connection: &'a Connection,
    format: Format,
    run: &'a Run,
    listener: &'a dyn Listener,
    stop: Stop,
}

/// Runs the command and shows its report.
///
/// # Errors
/// Only when signals cannot be handled or stdout cannot be written; everything else is in the report.
pub(crate) async fn run(cli: &Cli) -> anyhow::Result<Exit> {
    let run = Run::start();
    let console = Console::new(cli.output, &run);
    let invocation = Invocation {
        connection: &cli.connection,
        format: cli.output.output,
        run: &run,
        listener: &console,
        stop: Stop::listen()?,
    };
    let (mut report, result) = match &cli.command {
        Command::ExitCodes => return Ok(console.text(&exit::table())?),
        Command::Explain { reason } => match explain::explain(reason) {
            Ok(page) => return Ok(console.text(page)?),
            Err(unknown) => (Report::begin(Kind::ExplainReport, &run), Err(unknown.into())),
        },
        Command::Version(args) => {
            let mut report = Report::begin(Kind::VersionReport, &run);
            let result = version::run(args, &invocation, &mut report).await;
            (report, result)
        }
        Command::Reconcile(args) => {
            let mut report = Report::begin(Kind::ReconcileReport, &run);
            let result = reconcile::run(args, &invocation, &mut report).await;
            (report, result)
        }
        Command::ReconcileAll(args) => {
            let mut args = args.clone();
            args.all = true;
            let mut report = Report::begin(Kind::ReconcileReport, &run);
            let result = reconcile::run(&args, &invocation, &mut report).await;
            (report, result)
        }
    };
    let verdict =
        result.unwrap_or_else(|error| Verdict { exit: error.exit(), message: error.to_string(), hint: error.hint() });
    report.finish(verdict.exit, verdict.message, verdict.hint);
    show(&console, &report, verdict.exit)
}

/// A reader that went away, as `head` does, is no failure of the run.
fn show(console: &Console, report: &Report, exit: Exit) -> anyhow::Result<Exit> {
    match console.finish(report, exit) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit),
        result => Ok(result?),
    }
}

/// The command line that repeats this run.
fn again() -> String {
    crate::hint::same_command(std::env::args().skip(1))
}
