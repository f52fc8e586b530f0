//! Flags of `reconcile`. Pure.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::positive_duration;
use super::road::RoadArgs;
use super::shared::{DryRun, OperatorArgs, Targets};

const EXAMPLES: &str = "\
Choose exactly one of NAME…, --selector, --all, --failed, --missing and
--stale.

Examples
  # two snippets of a namespace
  kubectl jaas reconcile web api -n team-a
  # by label, in every namespace
  kubectl jaas reconcile -l app=web -A
  # everything, as after a lost volume
  kubectl jaas reconcile --all
  # only those that failed
  kubectl jaas reconcile --failed
  # only those whose artifact is not in the store any more
  kubectl jaas reconcile --missing
  # which ones would that be?
  kubectl jaas reconcile --all --dry-run -o name

It costs one write for each snippet, and does no harm when it is done twice.
Exit codes: 0 all synced, and their artifacts are there  3 some failed
            5 suspended, or more than half missing without a yes  6 no match
            7 forbidden  8 unreachable  124 timed out  130 interrupted";

/// Ask the operator to render snippets now, and wait for the result.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReconcileArgs {
    /// Which snippets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Every snippet that failed, or that has left a request without an answer; narrow it with -n.
    #[arg(long)]
    pub(crate) failed: bool,
    /// Every snippet that was made or changed and is not rendered since; narrow it with -n.
    #[arg(long)]
    pub(crate) stale: bool,
    /// Every snippet whose current artifact is not in the store; narrow it with -n.
    #[arg(long)]
    pub(crate) missing: bool,
    /// With --missing: also where that is more than half of them.
    #[arg(short, long, requires = "missing")]
    pub(crate) yes: bool,
    /// Afterwards, ask the store whether each artifact is there, or read and prove it; `head` where a road leads there.
    #[arg(long, value_name = "HOW", value_enum, conflicts_with = "no_wait")]
    pub(crate) verify: Option<Verification>,
    /// Wait until every snippet is answered; this is the default.
    #[arg(long, overrides_with = "no_wait")]
    pub(crate) wait: bool,
    /// Only ask; do not wait for answers.
    #[arg(long, overrides_with = "wait")]
    pub(crate) no_wait: bool,
    /// Longest time for the whole run.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "10m")]
    pub(crate) timeout: Duration,
    /// How many requests may be under way at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), default_value_t = 64)]
    pub(crate) max_in_flight: u16,
    /// How many requests a second at most; as fast as they are accepted otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) rate: Option<u16>,
    /// Change nothing: `client` lists what would be asked, `server` also tries rights and admission.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "client"
    )]
    pub(crate) dry_run: Option<DryRun>,
    /// Also ask for suspended snippets; the operator answers, and leaves them as they are.
    #[arg(long)]
    pub(crate) include_suspended: bool,
    /// An empty selection is no failure.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// How artifacts are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verification {
    /// Whether each is there.
    #[default]
    Head,
    /// Whether its bytes are right.
    Hash,
    /// Not at all.
    None,
}

impl Verification {
    /// The word in documents.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Hash => "hash",
            Self::None => "none",
        }
    }
}
