//! Flags of the commands that only look. Pure.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::positive_duration;
use super::shared::OperatorArgs;
use crate::complete;

const STATUS_EXAMPLES: &str = "\
Examples
  # is anything wrong?
  kubectl jaas status
  # one namespace
  kubectl jaas status -n team-a
  # two snippets, whatever their state
  kubectl jaas status web api -n team-a

Exit codes: 0 nothing needs a look  3 a part could not be seen
            4 something needs a look  6 no such snippet  7 forbidden";

/// Flags of `status`.
#[derive(Args, Clone, Debug)]
#[command(after_help = STATUS_EXAMPLES)]
pub(crate) struct StatusArgs {
    /// Snippets in the namespace (-n); otherwise all of every namespace, or of the one that -n names.
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) names: Vec<String>,
    /// What makes the exit code 4: `error` whatever needs a look, `none` nothing.
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub(crate) fail_on: FailOn,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// What makes a look fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Nothing.
    None,
    /// Whatever needs a look.
    #[default]
    Error,
}

/// One snippet by its name.
#[derive(Args, Clone, Debug)]
pub(crate) struct OneSnippet {
    /// The snippet, in the namespace (-n).
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) name: String,
    /// Never taken: it is known only so that whoever types it is told what to type instead.
    #[arg(short = 'A', long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = only_one)]
    pub(crate) all_namespaces: Option<String>,
}

/// Refuses to look at all namespaces.
fn only_one(_: &str) -> Result<String, String> {
    Err("it is about one snippet: name it, and its namespace with -n; which there are: kubectl jaas status -o wide"
        .to_owned())
}

/// Examples of `history`.
pub(super) const HISTORY_EXAMPLES: &str = "\
Examples
  # which revisions are kept, and which are on their way out
  kubectl jaas history web -n team-a

Whether their files are in the store is not looked at.
Exit codes: 0 shown  6 no such snippet  7 forbidden";

/// Examples of `tree`.
pub(super) const TREE_EXAMPLES: &str = "\
Examples
  # what feeds a snippet, and who uses what it publishes
  kubectl jaas tree web -n team-a
  # the way in which it is made of itself
  kubectl jaas tree web -n team-a --cycles

Exit codes: 0 complete  3 a part could not be seen  4 a cycle was found
            6 no such snippet  7 forbidden";

/// Flags of `tree`.
#[derive(Args, Clone, Debug)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    pub(crate) snippet: OneSnippet,
    /// Only whether it is made of itself, or leads to others that are: by libraries, and by ExternalArtifacts of snippets.
    #[arg(long)]
    pub(crate) cycles: bool,
}

/// Examples of `events`.
pub(super) const EVENTS_EXAMPLES: &str = "\
Examples
  # of one snippet, also when it is deleted
  kubectl jaas events web -n team-a
  # of every namespace
  kubectl jaas events -A

API servers keep events for about an hour.
Exit codes: 0 shown, also when there are none  7 forbidden";

/// Flags of `events`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EVENTS_EXAMPLES)]
pub(crate) struct EventsArgs {
    /// The snippet, in the namespace (-n); otherwise all of that namespace.
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) name: Option<String>,
    /// Of every namespace.
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub(crate) all_namespaces: bool,
    /// Where the operator is, whose namespace keeps what must outlive that of a snippet.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

const LOGS_EXAMPLES: &str = "\
Examples
  # the leader's records about one snippet
  kubectl jaas logs web -n team-a
  # before the last restart, of every replica
  kubectl jaas logs --previous --all-replicas
  # as they come
  kubectl jaas logs web -n team-a -f

Exit codes: 0 shown  3 a replica's log could not be read
            6 no operator, or no leader  7 forbidden";

/// Flags of `logs`.
#[derive(Args, Clone, Debug)]
#[command(after_help = LOGS_EXAMPLES)]
pub(crate) struct LogsArgs {
    /// Only records about this snippet of the namespace (-n).
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) name: Option<String>,
    /// The log before the last restart of the container.
    #[arg(short, long, conflicts_with = "follow")]
    pub(crate) previous: bool,
    /// Of every replica, not only of the leader.
    #[arg(long)]
    pub(crate) all_replicas: bool,
    /// Go on as records come.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many lines of each log are looked through, newest ones.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), default_value_t = 10_000)]
    pub(crate) tail: i64,
    /// Only younger ones.
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) since: Option<Duration>,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

const LEADER_EXAMPLES: &str = "\
Examples
  # who leads, since when, and whether it is alive
  kubectl jaas leader
  # where the operator's Deployment cannot be seen
  kubectl jaas leader --operator-namespace jaas-system --lease jaas-operator

Exit codes: 0 one leads  4 nobody does, or it does not renew
            6 no operator or no Lease  7 forbidden";

/// Flags of `leader`.
#[derive(Args, Clone, Debug)]
#[command(after_help = LEADER_EXAMPLES)]
pub(crate) struct LeaderArgs {
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

const AUTH_EXAMPLES: &str = "\
Examples
  # what every command needs, and what you have
  kubectl jaas auth
  # may I hand over?
  kubectl jaas auth force-handover
  # the smallest role for somebody else
  kubectl jaas auth reconcile --yaml
  # what may ann do?
  kubectl jaas auth --as ann
  # may the ServiceAccount of a snippet do what is done in its name?
  kubectl jaas auth tenant web -n team-a
  # the role that it needs
  kubectl jaas auth tenant web -n team-a --yaml

Exit codes: 0 answered  3 nobody may ask for that account  6 no such snippet
            7 a right that COMMAND, or the snippet, needs is missing";

/// Flags of `auth`.
#[derive(Args, Clone, Debug)]
#[command(after_help = AUTH_EXAMPLES)]
pub(crate) struct AuthArgs {
    /// The command, such as `restart` or `storage prune`; all of them otherwise. Or `tenant` and a snippet in the namespace (-n).
    #[arg(value_name = "COMMAND", num_args = 0..=2, value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::commands))]
    pub(crate) words: Vec<String>,
    /// Print the roles that are needed, and ask for no rights.
    #[arg(long)]
    pub(crate) yaml: bool,
    /// For snippets of every namespace.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

impl AuthArgs {
    /// The command that is meant; `None` for all.
    pub(crate) fn command(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.join(" "))
    }
}

const RENDER_EXAMPLES: &str = "\
Examples
  # what the operator would publish, with its engine and limits
  kubectl jaas render web -n team-a
  # a file before it is applied; libraries may stand in it too
  kubectl jaas render web.yaml
  # how large, and which entries make it so
  kubectl jaas render web -n team-a --stats
  # how long, five times
  kubectl jaas render web -n team-a --time

Files from Flux sources are fetched with your own rights: through the API server
to the Service in their address, by a port-forward into a Pod behind it, or
directly. Libraries that the operator mounts are not seen from here.
Exit codes: 0 rendered  4 it does not evaluate  5 files that cannot be had
            6 no such snippet or library  7 forbidden";

/// Flags of `render`.
#[derive(Args, Clone, Debug)]
#[command(after_help = RENDER_EXAMPLES)]
pub(crate) struct RenderArgs {
    /// A snippet in the namespace (-n), or a file: anything with a slash or that ends in .yaml, .yml, .json or .jsonnet.
    #[arg(value_name = "NAME|FILE", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) source: String,
    /// Sizes instead of the text.
    #[arg(long)]
    pub(crate) stats: bool,
    /// Times instead of the text.
    #[arg(long)]
    pub(crate) time: bool,
    /// With --time: how often.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000), default_value_t = 5)]
    pub(crate) runs: u16,
    /// External variable KEY=VALUE, as the operator's own flag; the operator's are used where they can be seen.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) ext_var: Vec<String>,
    /// Longest time of an evaluation; the operator's where it can be seen, else 5s.
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) evaluation_timeout: Option<Duration>,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}
