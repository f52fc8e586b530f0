//! Command line in, exit code out: one match, and the frame that every command runs in.

mod auth;
pub(crate) mod completion;
mod consent;
mod diff;
mod doctor;
mod ending;
mod error;
mod events;
mod explain;
mod find;
mod handover;
mod history;
mod leader;
mod logs;
mod mark;
mod one;
mod reconcile;
mod render;
mod restart;
mod select;
mod settle;
mod status;
mod storage;
mod suspend;
mod tree;
mod version;
mod wait;
mod watch;

use std::io;

pub(crate) use self::auth::commands as needy;
use self::error::Error;
use crate::cli::{Cli, Command, Connection, Format};
use crate::exit::{self, Exit};
use crate::interrupt::Stop;
use crate::output::Console;
use crate::progress::Listener;
use crate::run::Run;
use crate::view::{Detail, Kind, Report};

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
    let text = match &cli.command {
        Command::ExitCodes => Some(Ok(exit::table())),
        Command::Options => Some(Ok(crate::cli::options())),
        Command::Version(args) if args.schema => Some(Ok(crate::view::schema())),
        Command::Explain { words } => explain::text(words, cli.connection.namespace.is_some()),
        Command::Completion(args) => Some(completion::run(args).map_err(Error::from)),
        Command::Auth(args) if args.yaml && !auth::is_of_a_tenant(args) => {
            Some(auth::yaml(args, cli.connection.namespace.as_deref()))
        }
        _ => None,
    };
    let mut report = Report::begin(kind(&cli.command), &run);
    let text = match (&cli.command, text) {
        (Command::Explain { words }, None) => Some(explain::snippet(&words.join(" "), &invocation, &mut report).await),
        (_, text) => text,
    };
    let result = match text {
        Some(Ok(text)) if is_explained(&cli.command, cli.output.output) => {
            report.detail = Some(Detail::Explanation(text.trim_end().to_owned()));
            Ok(Verdict { exit: Exit::Done, message: String::new(), hint: None })
        }
        Some(Ok(text)) => return Ok(console.text(text.trim_end())?),
        Some(Err(error)) => Err(error),
        None if has_no_names(&cli.command, cli.output.output) => Err(Error::NoNames),
        None => dispatch(&cli.command, &invocation, &mut report).await,
    };
    let verdict =
        result.unwrap_or_else(|error| Verdict { exit: error.exit(), message: error.to_string(), hint: error.hint() });
    report.finish(verdict.exit, verdict.message, verdict.hint);
    show(&console, &report, verdict.exit)
}

/// What the document of a command is called.
fn kind(command: &Command) -> Kind {
    match command {
        Command::Status(_) => Kind::StatusReport,
        Command::Doctor(_) | Command::CheckStorage(_) => Kind::DoctorReport,
        Command::Storage { command } => storage::kind(command),
        Command::Prune(_) => Kind::PruneReport,
        Command::FindOrphans(_) => Kind::OrphansReport,
        Command::Explain { .. } | Command::ExitCodes | Command::Options => Kind::ExplainReport,
        Command::Reconcile(_) | Command::ReconcileAll(_) => Kind::ReconcileReport,
        Command::Render(_) => Kind::RenderReport,
        Command::Diff(_) => Kind::DiffReport,
        Command::History(_) => Kind::HistoryReport,
        Command::Tree(_) => Kind::TreeReport,
        Command::Events(_) => Kind::EventsReport,
        Command::Logs(_) => Kind::LogsReport,
        Command::Suspend(_) => Kind::SuspendReport,
        Command::Resume(_) => Kind::ResumeReport,
        Command::Wait(_) => Kind::WaitReport,
        Command::Leader(_) => Kind::LeaderReport,
        Command::ForceHandover(_) => Kind::HandoverReport,
        Command::Restart(_) => Kind::RestartReport,
        Command::Auth(_) => Kind::AuthReport,
        Command::Completion(_) => Kind::CompletionReport,
        Command::Version(_) => Kind::VersionReport,
    }
}

/// Whether an explanation is for a program.
fn is_explained(command: &Command, format: Format) -> bool {
    matches!(command, Command::Explain { .. }) && format.is_document()
}

/// Whether the command has no snippets that `-o name` could list.
fn has_no_names(command: &Command, format: Format) -> bool {
    let has_names = matches!(
        command,
        Command::Status(_)
            | Command::Doctor(_)
            | Command::Prune(_)
            | Command::FindOrphans(_)
            | Command::CheckStorage(_)
            | Command::Reconcile(_)
            | Command::ReconcileAll(_)
            | Command::Suspend(_)
            | Command::Resume(_)
            | Command::Wait(_)
    );
    let has_names = has_names || matches!(command, Command::Storage { command } if storage::has_names(command));
    format == Format::Name && !has_names
}

async fn dispatch(command: &Command, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    match command {
        Command::Status(args) => status::run(args, invocation, report).await,
        Command::Doctor(args) => doctor::run(args, invocation, report).await,
        Command::Storage { command } => storage::run(command, invocation, report).await,
        Command::CheckStorage(args) => doctor::storage(args, invocation, report).await,
        Command::Prune(args) => storage::prune(args, invocation, report).await,
        Command::FindOrphans(args) => storage::find_orphans(args, invocation, report).await,
        Command::Reconcile(args) => reconcile::run(args, invocation, report).await,
        Command::ReconcileAll(args) => {
            let mut args = args.clone();
            args.targets.all = true;
            reconcile::run(&args, invocation, report).await
        }
        Command::Render(args) => render::run(args, invocation, report).await,
        Command::Diff(args) => diff::run(args, invocation, report).await,
        Command::History(args) => history::run(args, invocation, report).await,
        Command::Tree(args) => tree::run(args, invocation, report).await,
        Command::Events(args) => events::run(args, invocation, report).await,
        Command::Logs(args) => logs::run(args, invocation, report).await,
        Command::Suspend(args) => suspend::run(args, true, invocation, report).await,
        Command::Resume(args) => suspend::run(args, false, invocation, report).await,
        Command::Wait(args) => wait::run(args, invocation, report).await,
        Command::Leader(args) => leader::run(args, invocation, report).await,
        Command::ForceHandover(args) => handover::run(args, invocation, report).await,
        Command::Restart(args) => restart::run(args, invocation, report).await,
        Command::Auth(args) => auth::run(args, invocation, report).await,
        Command::Version(args) => version::run(args, invocation, report).await,
        // Answered with a text before.
        Command::Explain { .. } | Command::Completion(_) | Command::ExitCodes | Command::Options => {
            Ok(Verdict { exit: Exit::Done, message: String::new(), hint: None })
        }
    }
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
