//! Flags of the commands that change something or wait for a change. Pure.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::doctor::{Depth, Level};
use super::positive_duration;
use super::road::RoadArgs;
use super::shared::{ChangeArgs, OperatorArgs, Targets};

/// Examples of `suspend`.
pub(super) const SUSPEND_EXAMPLES: &str = "\
Choose exactly one of NAME…, --selector and --all.

Examples
  # stop rendering one snippet; what it published stays
  kubectl jaas suspend web -n team-a --reason INC-4711
  # everything of a namespace: shows the plan, then asks
  kubectl jaas suspend --all -n team-a
  # which ones would that be?
  kubectl jaas suspend -l app=web --dry-run -o name

Exit codes: 0 done  3 some failed  5 refused or declined  6 no match
            7 forbidden  9 changed by somebody else in between";

/// Examples of `resume`.
pub(super) const RESUME_EXAMPLES: &str = "\
Choose exactly one of NAME…, --selector and --all.

Examples
  # render again, and wait for the result
  kubectl jaas resume web -n team-a
  # everything that is suspended
  kubectl jaas resume --all

Exit codes: 0 all synced  3 some failed  6 no match  7 forbidden
            9 changed by somebody else in between  124 timed out";

/// Flags of `suspend` and `resume`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SuspendArgs {
    /// Which snippets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// With resume: do not wait for the result.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Longest time for the whole run.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "5m")]
    pub(crate) timeout: Duration,
    /// An empty selection is no failure.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// How the change is made.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

const WAIT_EXAMPLES: &str = "\
Examples
  # until two snippets are rendered
  kubectl jaas wait ready web api -n team-a --timeout 2m
  # after a lost volume: until every artifact lies in the store again
  kubectl jaas wait recovered --timeout 10m
  # until somebody leads
  kubectl jaas wait leader
  # until doctor finds nothing of the store at or above a level
  kubectl jaas wait no-findings storage network --fail-on warning

Exit codes: 0 it is so  3 something will not come by itself
            6 no match  7 forbidden  124 timed out, the state is shown";

/// Flags of `wait`.
#[derive(Args, Clone, Debug)]
#[command(after_help = WAIT_EXAMPLES)]
pub(crate) struct WaitArgs {
    /// What to wait for.
    #[arg(value_name = "CONDITION", value_enum)]
    pub(crate) condition: Condition,
    /// Which snippets; for `recovered` and `no-findings` all when nothing is said. For `no-findings` names are areas of `doctor`.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Longest time to wait.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "5m")]
    pub(crate) timeout: Duration,
    /// With no-findings: the least severity that is waited for to pass; `error` unless given.
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub(crate) fail_on: Option<Level>,
    /// With no-findings: how deep to look; `standard` unless given.
    #[arg(long, value_name = "DEPTH", value_enum)]
    pub(crate) depth: Option<Depth>,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Condition {
    /// Each snippet is rendered as it is now, and Ready.
    Ready,
    /// Ready, its artifact announces that revision, and what lies in the store has the announced digest.
    Recovered,
    /// One replica leads, and renews its Lease.
    Leader,
    /// A look as that of `doctor` finds nothing, and nothing stands in its way.
    NoFindings,
}

const HANDOVER_EXAMPLES: &str = "\
Examples
  # would it work?
  kubectl jaas force-handover --dry-run
  # ask the leader to let go, and prove that another took over
  kubectl jaas force-handover --reason INC-4711
  # prove it by a rendered snippet as well
  kubectl jaas force-handover --canary team-a/web

Methods: cooperative  the leader lets go; no Pod ends
         evict        the leader's Pod is evicted; budgets hold
         delete       its Pod is deleted; needs --allow-outage
         lease        the Lease is deleted: often the old leader takes it
                      back, and an operator of the Go implementation may
                      write beside the new one for 10 s. Never on a volume
                      that several Pods write.
Exit codes: 0 proven  1 the same leader again  5 refused or declined
            6 no operator or no Lease  7 forbidden  9 changed in between
            124 not proven in time, the state is shown";

/// Flags of `force-handover`.
#[derive(Args, Clone, Debug)]
#[command(after_help = HANDOVER_EXAMPLES)]
pub(crate) struct HandoverArgs {
    /// How; `cooperative` where the operator answers it, else `evict`.
    #[arg(long, value_name = "METHOD", value_enum)]
    pub(crate) method: Option<Method>,
    /// Snippet that the new leader must render as a proof.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) canary: Option<String>,
    /// Longest time for the proof.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "60s")]
    pub(crate) timeout: Duration,
    /// Even if no other replica is Ready.
    #[arg(long)]
    pub(crate) allow_outage: bool,
    /// Even if the new leader has an empty store of its own.
    #[arg(long)]
    pub(crate) accept_empty_store: bool,
    /// For `lease`: the words that the dry run shows.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) confirm: Option<String>,
    /// How the change is made.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// How leadership is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// The leader is asked to let go.
    Cooperative,
    /// Its Pod is evicted.
    Evict,
    /// Its Pod is deleted.
    Delete,
    /// The Lease is deleted.
    Lease,
}

const RESTART_EXAMPLES: &str = "\
Examples
  # new Pods one after the other, as after new credentials
  kubectl jaas restart --reason INC-4711
  # a single replica is away for that time
  kubectl jaas restart --allow-outage --yes

Exit codes: 0 done  5 refused or declined  6 no operator  7 forbidden
            9 changed in between  124 timed out, the state is shown";

/// Flags of `restart`.
#[derive(Args, Clone, Debug)]
#[command(after_help = RESTART_EXAMPLES)]
pub(crate) struct RestartArgs {
    /// Only ask for it; do not wait.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Wait, which is what happens anyway.
    #[arg(long, hide = true, conflicts_with = "no_wait")]
    pub(crate) wait: bool,
    /// Longest time to wait, for new Pods and until one leads.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "5m")]
    pub(crate) timeout: Duration,
    /// Even if no replica is left meanwhile.
    #[arg(long)]
    pub(crate) allow_outage: bool,
    /// How the change is made.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

const COMPLETION_EXAMPLES: &str = "\
Examples
  # for `kubectl jaas`: writes kubectl_complete-jaas beside this program;
  # kubectl's own completion then asks it
  kubectl jaas completion install
  # the same file on stdout
  kubectl jaas completion kubectl
  # for the program under its own name, kubectl-jaas
  source <(kubectl jaas completion bash)";

/// Flags of `completion`.
#[derive(Args, Clone, Debug)]
#[command(after_help = COMPLETION_EXAMPLES)]
pub(crate) struct CompletionArgs {
    /// For what.
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
    /// With install: the folder; the program's own otherwise.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) directory: Option<PathBuf>,
}

/// What completion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// The shell `bash`.
    Bash,
    /// The shell `zsh`.
    Zsh,
    /// The shell `fish`.
    Fish,
    /// The shell `powershell`.
    Powershell,
    /// `kubectl jaas` in any shell: the program `kubectl_complete-jaas`.
    Kubectl,
    /// As `kubectl`, written where kubectl finds it.
    Install,
}
