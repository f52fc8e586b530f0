//! The command tree and the flags that all commands share. Pure.

mod connection;
mod reconcile;

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use connection::Connection;
pub(crate) use reconcile::{DryRun, ReconcileArgs};

use crate::exit;

const EXAMPLES: &str = "\
Examples
  # render one snippet again and wait for the result
  kubectl jaas reconcile web -n team-a
  # render everything again
  kubectl jaas reconcile --all
  # what a reason means and what to type
  kubectl jaas explain ArtifactLost
  # client and operator
  kubectl jaas version

Exit codes: 0 done  3 partial  5 refused  6 not found  7 forbidden
            all of them: kubectl jaas help exit-codes
Docs:       https://jaas.projects.metio.wtf/runbooks/";

/// Run and recover JaaS: snippets, artifacts, storage, leader.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-jaas",
    bin_name = "kubectl jaas",
    version,
    after_help = EXAMPLES,
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
    /// Ask the operator to render snippets now, and wait for the result.
    Reconcile(ReconcileArgs),
    /// Same as `reconcile --all`.
    #[command(hide = true)]
    ReconcileAll(ReconcileArgs),
    /// Say what a reason means and what to type; asks no cluster.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// The reason, as it stands in the Ready condition.
        #[arg(value_name = "REASON")]
        reason: String,
    },
    /// Show the versions of this program and of the operator.
    #[command(after_help = VERSION_EXAMPLES)]
    Version(VersionArgs),
    /// What the exit codes mean.
    #[command(hide = true, help_template = "{about}{after-help}\n", after_help = exit::table())]
    ExitCodes,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples
  # what to do about a lost artifact
  kubectl jaas explain ArtifactLost";

const VERSION_EXAMPLES: &str = "\
Examples
  # both versions
  kubectl jaas version
  # without asking a cluster
  kubectl jaas version --client
  # for a script
  kubectl jaas version -o json

Exit codes: 0 also when the operator's version is unknown, 8 when the API server
            cannot be reached (the client's version is printed all the same)";

/// Flags of `version`.
#[derive(Args, Debug)]
pub(crate) struct VersionArgs {
    /// Only this program's version; asks no cluster.
    #[arg(long)]
    pub(crate) client: bool,
    /// Namespace of the operator; found by its label otherwise.
    #[arg(long, value_name = "NAMESPACE", env = "JAAS_OPERATOR_NAMESPACE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) operator_namespace: Option<String>,
}

/// How the result is shown.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How the result is written to stdout.
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,
    /// When to use colour; `auto` heeds NO_COLOR, CLICOLOR_FORCE and TERM.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorWhen,
    /// Only results and errors: no scope, no progress, no summary.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// How the result is written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Counts, and what needs a look.
    #[default]
    Table,
    /// One line for each object.
    Wide,
    /// One document.
    Json,
    /// The same document as YAML.
    Yaml,
    /// Events as they happen, one line each; the document last.
    Ndjson,
    /// Names of the objects, for other commands.
    Name,
}

impl Format {
    /// Whether programs read it, so that every run, also a refused one, must answer with a document.
    pub(crate) fn is_document(self) -> bool {
        match self {
            Self::Json | Self::Yaml | Self::Ndjson => true,
            Self::Table | Self::Wide | Self::Name => false,
        }
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal that wants it.
    #[default]
    Auto,
    /// Also in pipes.
    Always,
    /// Never.
    Never,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
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
