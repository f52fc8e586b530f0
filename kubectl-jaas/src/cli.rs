//! The command tree and the flags that all commands share. Pure.

mod act;
mod connection;
mod diff;
mod doctor;
mod look;
mod output;
mod reconcile;
mod road;
mod shared;
mod storage;

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(crate) use act::{CompletionArgs, Condition, HandoverArgs, Method, RestartArgs, Shell, SuspendArgs, WaitArgs};
pub(crate) use connection::Connection;
pub(crate) use diff::DiffArgs;
pub(crate) use doctor::{CheckArgs, Depth, DoctorArgs, Level, LookArgs, Suppression};
pub(crate) use look::{
    AuthArgs, EventsArgs, FailOn, LeaderArgs, LogsArgs, OneSnippet, RenderArgs, StatusArgs, TreeArgs,
};
pub(crate) use output::{ColorWhen, Format, OutputArgs};
pub(crate) use reconcile::{ReconcileArgs, Verification};
pub(crate) use road::{Account, RoadArgs, Route};
pub(crate) use shared::{ChangeArgs, DryRun, OperatorArgs, Targets};
pub(crate) use storage::{
    AdviseArgs, DuArgs, FetchArgs, LevelArgs, LsArgs, OrphanArgs, OrphanClass, PruneArgs, RepairArgs, Sample,
    StorageCommand, StoreArgs, SweepArgs, Topic, VerifyArgs,
};

use crate::exit;

/// The commands by what somebody wants, and where to begin.
const TASKS: &str = "\
Something is wrong: begin here
  status          Is anything wrong? One screen
  doctor          What is it, where does it come from, what to type
  explain         What a finding, reason, event, alert or metric means

Look at snippets
  tree            What feeds one, and who uses what it publishes
  history         The revisions of one that are kept
  events          What happened to them, also to deleted ones
  logs            The leader's log, or what it says of one
  diff            How revisions differ, or a file from what is published
  render          Evaluate one here, as the operator would

Act on snippets
  reconcile       Render now, and wait for the result
  wait            Wait until something is the case
  suspend         Stop rendering; what is published stays
  resume          Render again

Store and operator
  storage         Check, measure, verify, prune, sweep and repair the store
  leader          Which replica leads, since when, and how steadily
  force-handover  Move leadership to another replica, and prove it
  restart         Replace the operator's Pods one after the other

Set up
  auth            What commands need, and what you have
  completion      Completion of commands, flags and names
  version         Versions of this program and of the operator

Examples
  kubectl jaas doctor
  kubectl jaas explain StorageFull
  kubectl jaas reconcile --all

More of one command:  kubectl jaas COMMAND --help
Flags of all:         kubectl jaas options
Exit codes:           kubectl jaas exit-codes
Docs:                 https://jaas.projects.metio.wtf/runbooks/";

/// Run and recover JaaS: snippets, artifacts, storage, leader.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-jaas",
    bin_name = "kubectl jaas",
    version,
    help_template = "{about}\n\n{usage-heading} {usage}{after-help}\n",
    override_usage = "kubectl jaas COMMAND [OPTIONS]",
    after_help = TASKS,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    max_term_width = 80
)]
pub(crate) struct Cli {
    /// How the API server is reached.
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// How the result is shown.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One screen: operator, leader, snippets, artifacts.
    Status(StatusArgs),
    /// Check an installation, and say where to begin.
    Doctor(DoctorArgs),
    /// Check the store and what is in it.
    #[command(after_help = storage::EXAMPLES)]
    Storage {
        /// What to do.
        #[command(subcommand)]
        command: StorageCommand,
    },
    /// Same as `storage doctor`.
    #[command(hide = true)]
    CheckStorage(CheckArgs),
    /// Same as `storage prune`.
    #[command(hide = true, after_help = storage::PRUNE_EXAMPLES)]
    Prune(PruneArgs),
    /// Same as `storage find-orphans`.
    #[command(hide = true, after_help = storage::ORPHAN_EXAMPLES)]
    FindOrphans(OrphanArgs),
    /// Say what a finding, reason, event, alert or metric means and what to type.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// A code, a reason of a Ready condition or of an Event, an alert or a metric, which asks no cluster; words of a symptom, which are looked for; or a snippet, whose reason is then meant.
        #[arg(value_name = "CODE|REASON|ALERT|METRIC|NAME|WORDS", required = true, num_args = 1..)]
        words: Vec<String>,
    },
    /// Ask the operator to render snippets now, and wait for the result.
    Reconcile(ReconcileArgs),
    /// Same as `reconcile --all`.
    #[command(hide = true)]
    ReconcileAll(ReconcileArgs),
    /// Evaluate a snippet here, as the operator would.
    Render(RenderArgs),
    /// Show how revisions differ, or a file or the live spec from what is published.
    Diff(DiffArgs),
    /// Show the revisions of a snippet that are kept.
    #[command(after_help = look::HISTORY_EXAMPLES)]
    History(OneSnippet),
    /// Show libraries, snippet, artifact, and who uses it.
    #[command(after_help = look::TREE_EXAMPLES)]
    Tree(TreeArgs),
    /// Show events about snippets, also of deleted ones.
    Events(EventsArgs),
    /// Show the leader's log, or what it says of one snippet.
    Logs(LogsArgs),
    /// Stop rendering snippets; what they published stays.
    #[command(after_help = act::SUSPEND_EXAMPLES)]
    Suspend(SuspendArgs),
    /// Render suspended snippets again, and wait for the result.
    #[command(after_help = act::RESUME_EXAMPLES)]
    Resume(SuspendArgs),
    /// Wait until something is the case.
    Wait(WaitArgs),
    /// Show which replica leads, since when, and how steadily.
    Leader(LeaderArgs),
    /// Move leadership to another replica and prove that it took over.
    ForceHandover(HandoverArgs),
    /// Replace the operator's Pods one after the other, and wait.
    Restart(RestartArgs),
    /// Show what commands need and what you have.
    Auth(AuthArgs),
    /// Set up completion of commands, flags and names.
    Completion(CompletionArgs),
    /// Show the versions of this program and of the operator.
    #[command(after_help = VERSION_EXAMPLES)]
    Version(VersionArgs),
    /// What the exit codes mean.
    #[command(hide = true, help_template = "{about}{after-help}\n", after_help = exit::table())]
    ExitCodes,
    /// Flags that every command takes.
    #[command(hide = true, help_template = "{about}\n\n{options}\n")]
    Options,
}

/// Flags of all commands that each command's help shows; the others are told of by `options`.
const SHOWN: [&str; 2] = ["namespace", "output"];
/// Where the others are.
const POINTER: &str = "Flags of every command, such as --context: kubectl jaas options";

/// Reads a command line.
///
/// # Errors
/// It cannot be taken, or asks for help.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut tree = readable();
    let mut matches = tree.try_get_matches_from_mut(line)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut tree))
}

/// The command tree with helps that are about their commands.
fn readable() -> clap::Command {
    let is_hidden = |arg: &clap::Arg| arg.is_global_set() && !SHOWN.contains(&arg.get_id().as_str());
    let all: Vec<_> = Cli::command().get_arguments().filter(|arg| is_hidden(arg)).cloned().collect();
    let tree = Cli::command().mut_subcommand("options", |options| options.args(all));
    pointed(tree.mut_args(|arg| if is_hidden(&arg) { arg.hide(true) } else { arg }))
}

/// The same with a line in each help that says where the other flags are.
fn pointed(tree: clap::Command) -> clap::Command {
    let names: Vec<_> = tree.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(tree, |tree, name| {
        tree.mut_subcommand(name, |command| {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let is_page = matches!(command.get_name(), "options" | "exit-codes");
            let command = pointed(command);
            match text.as_str() {
                _ if is_page => command,
                "" => command.after_help(POINTER),
                text => command.after_help(format!("{text}\n\n{POINTER}")),
            }
        })
    })
}

/// The first example of the command that a usage line, `Usage: kubectl jaas tree …`, is of.
pub(crate) fn example(usage: &str) -> Option<String> {
    let mut command = Cli::command();
    for word in usage.split_whitespace().skip_while(|word| *word != "jaas").skip(1) {
        match command.find_subcommand(word) {
            Some(found) => command = found.clone(),
            None => break,
        }
    }
    let text = command.get_after_help()?.to_string();
    text.lines().map(str::trim).find(|line| line.starts_with("kubectl jaas ")).map(str::to_owned)
}

/// The text of `options`.
pub(crate) fn options() -> String {
    let mut tree = Cli::command();
    // Flags of all commands reach a command when the tree is built.
    tree.build();
    tree.find_subcommand_mut("options").map(|options| options.render_long_help().to_string()).unwrap_or_default()
}

const EXPLAIN_EXAMPLES: &str = "\
Examples
  # what a finding of `doctor` means
  kubectl jaas explain S401
  # what to do about a lost artifact
  kubectl jaas explain ArtifactLost
  # which findings speak of a symptom
  kubectl jaas explain quota full
  # why a snippet is as it is
  kubectl jaas explain web -n team-a";

const VERSION_EXAMPLES: &str = "\
Examples
  # both versions
  kubectl jaas version
  # without asking a cluster
  kubectl jaas version --client
  # for a script
  kubectl jaas version -o json
  # what a script can rely on
  kubectl jaas version --schema

Exit codes: 0 also when the operator's version is unknown, 8 when the API server
            cannot be reached (the client's version is printed all the same)";

/// Flags of `version`.
#[derive(Args, Debug)]
pub(crate) struct VersionArgs {
    /// Only this program's version; asks no cluster.
    #[arg(long)]
    pub(crate) client: bool,
    /// Print the JSON schema of what `-o json` prints, of every command, instead.
    #[arg(long)]
    pub(crate) schema: bool,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// Reads `30`, `30s`, `1m30s` or `500ms`; a bare number counts seconds, as in kubectl.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let signed =
        text.parse::<jiff::SignedDuration>().map_err(|_| "expected a time such as `30s` or `10m`".to_owned())?;
    Duration::try_from(signed).map_err(|_| "a time must not be negative".to_owned())
}

/// As [`duration`], but never zero.
fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        time => Ok(time),
    }
}

/// Whether this version takes a command line of the registry, such as `kubectl jaas storage doctor`. Programs other than ours are not
/// judged.
pub(crate) fn takes(line: &str) -> bool {
    match line.strip_prefix("kubectl jaas ") {
        Some(words) => {
            let line = std::iter::once("kubectl-jaas").chain(words.split_whitespace());
            Cli::command().try_get_matches_from(line).is_ok()
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jaas_findings::Code;

    use super::*;

    #[test]
    fn this_version_takes_every_command_line_that_the_registry_proposes() {
        let lines = Code::ALL.iter().flat_map(|code| code.entry().advice).map(|advice| advice.command);
        let missing: BTreeSet<_> = lines.filter(|line| !takes(line)).collect();
        assert_eq!(missing, BTreeSet::new());
    }

    #[test]
    fn the_short_help_names_every_command_once_and_fits_a_screen() {
        let named: Vec<_> = TASKS
            .lines()
            .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with([' ', 'k'])))
            .filter_map(|line| line.split("  ").next())
            .map(str::to_owned)
            .collect();
        let shown = |command: &&clap::Command| !command.is_hide_set();
        let known: BTreeSet<_> =
            Cli::command().get_subcommands().filter(shown).map(|command| command.get_name().to_owned()).collect();
        assert_eq!(named.iter().cloned().collect::<BTreeSet<_>>(), known);
        assert_eq!(named.len(), known.len());
        let help = Cli::command().render_long_help().to_string();
        assert!(help.lines().count() <= 50 && help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(options().contains("--context") && options().contains("--output"), "{}", options());
    }

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
        readable().debug_assert();
    }

    #[test]
    fn a_help_is_about_its_command_and_says_where_the_other_flags_are() {
        fn helps(command: &mut clap::Command, found: &mut Vec<(String, String)>) {
            for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
                found.push((below.get_name().to_owned(), below.render_long_help().to_string()));
                helps(below, found);
            }
        }
        let mut tree = readable();
        tree.build();
        let mut found = Vec::new();
        helps(&mut tree, &mut found);
        assert!(found.len() > 30, "{}", found.len());
        for (name, help) in found.iter().filter(|(name, _)| !matches!(name.as_str(), "options" | "exit-codes")) {
            assert!(help.contains(POINTER), "{name}: {help}");
            assert!(!help.contains("--certificate-authority") && !help.contains("--color"), "{name}: {help}");
            assert!(help.contains("--namespace") && help.contains("--output"), "{name}: {help}");
        }
        let options = found.iter().find(|(name, _)| name == "restart").map(|(_, help)| help.lines().count());
        assert!(options.is_some_and(|lines| lines < 80), "{options:?}");
        assert!(super::options().contains("--certificate-authority") && super::options().contains("--color"));
    }

    #[test]
    fn what_is_missing_is_told_with_an_example() {
        let told = |usage: &str| example(usage);
        assert_eq!(told("Usage: kubectl jaas tree <NAME>").as_deref(), Some("kubectl jaas tree web -n team-a"));
        assert!(told("Usage: kubectl jaas storage fetch [OPTIONS] <NAME>").is_some_and(|it| it.contains(" fetch ")));
    }

    #[test]
    fn times_read_as_in_kubectl() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("-5s").is_err());
        assert!(duration("soon").is_err());
        assert!(positive_duration("0").is_err());
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [["kubectl-jaas", "-n", "a", "reconcile", "web"], ["kubectl-jaas", "reconcile", "web", "-n", "a"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.connection.namespace.as_deref(), Some("a"));
        }
    }
}
