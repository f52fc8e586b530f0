//! Flags of the commands that change the store. Pure.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::cli::road::RoadArgs;
use crate::cli::shared::{ChangeArgs, OperatorArgs, Targets};
use crate::cli::{duration, positive_duration};

pub(crate) const PRUNE_EXAMPLES: &str = "\
LEVEL  --expired      neither history nor grace holds it
       --beyond-keep  also what only the grace holds
       --keep N       shortens spec.history to N first: roll-back targets
                      are lost, and nothing brings them back
SCOPE  NAME… | -l SELECTOR | --all

Examples
  # what would go?
  kubectl jaas storage prune --expired --all --dry-run
  # the same, for good
  kubectl jaas storage prune --expired --all
  # on a full disk, until 2Gi are free
  kubectl jaas storage prune --beyond-keep --all --until-free 2Gi --yes
  # keep only what is announced of one snippet
  kubectl jaas storage prune web -n team-a --keep 1

There is no undo. What is announced is never removed.
Exit codes: 0 done  3 some could not be removed  5 refused or declined
            6 no match  7 forbidden  9 something changed since the plan";

pub(super) const SWEEP_EXAMPLES: &str = "\
Examples
  # halves of writes that never ended
  kubectl jaas storage sweep
  # also uploads to a bucket that never ended
  kubectl jaas storage sweep --multipart --older-than 24h

Nothing that is younger than the operator's own limit is touched. There is
no undo, and none is needed: nothing names these files.
Exit codes: 0 done  3 some could not be removed  5 refused or declined
            7 forbidden";

pub(crate) const ORPHAN_EXAMPLES: &str = "\
Examples
  # what no snippet owns, and why
  kubectl jaas storage find-orphans
  # only what events tell of
  kubectl jaas storage find-orphans --from-events
  # the words that --confirm must have
  kubectl jaas storage find-orphans --delete --dry-run
  # remove them for good: asks for these words
  kubectl jaas storage find-orphans --delete

Exit codes: 0 none, or all removed  3 not all could be decided or removed
            4 found  5 refused or declined  7 forbidden  9 changed meanwhile";

pub(super) const REPAIR_EXAMPLES: &str = "\
Choose exactly one of NAME…, --selector and --all.

Examples
  # what is damaged?
  kubectl jaas storage repair --all --dry-run
  # set it aside, render it again, and prove the result
  kubectl jaas storage repair --all

A damaged file stays under another name for a day. One of the history is not
rendered again: a render gives what the snippet gives now.
Exit codes: 0 done  3 some did not heal  5 refused or declined  6 no match
            7 forbidden  124 timed out";

/// What every command has in common that changes the store.
#[derive(Args, Clone, Debug)]
pub(crate) struct How {
    /// How the change is made.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// Exactly one level of `storage prune`.
#[derive(Args, Clone, Debug, Default)]
#[group(required = true, multiple = false)]
pub(crate) struct LevelArgs {
    /// What neither history nor grace holds.
    #[arg(long)]
    pub(crate) expired: bool,
    /// Also what only the grace holds.
    #[arg(long)]
    pub(crate) beyond_keep: bool,
    /// Shorten every history to the newest N, then as --beyond-keep.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) keep: Option<u16>,
}

/// Flags of `storage prune`.
#[derive(Args, Clone, Debug)]
#[command(override_usage = "kubectl jaas storage prune LEVEL NAME…|-l SELECTOR|--all [OPTIONS]")]
pub(crate) struct PruneArgs {
    /// Which snippets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// What of them.
    #[command(flatten)]
    pub(crate) level: LevelArgs,
    /// Stop when this much is free; --keep shortens no history further then.
    #[arg(long, value_name = "SIZE", value_parser = super::size)]
    pub(crate) until_free: Option<u64>,
    /// Remove at once, which is what happens anyway.
    #[arg(long, hide = true)]
    pub(crate) now: bool,
    /// With --keep: the words that the dry run shows.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) confirm: Option<String>,
    /// An empty selection is no failure.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Longest time for the whole run.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "30m")]
    pub(crate) timeout: Duration,
    /// How, by which road, and of which operator.
    #[command(flatten)]
    pub(crate) how: How,
}

/// Flags of `storage sweep`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SweepArgs {
    /// Least age of what goes; never below the operator's own.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) older_than: Option<Duration>,
    /// Uploads to a bucket that never ended are meant; a folder has none.
    #[arg(long)]
    pub(crate) multipart: bool,
    /// How, by which road, and of which operator.
    #[command(flatten)]
    pub(crate) how: How,
}

/// Flags of `storage find-orphans`.
#[derive(Args, Clone, Debug)]
pub(crate) struct OrphanArgs {
    /// Only these classes.
    #[arg(long, value_name = "CLASS,…", value_enum, value_delimiter = ',')]
    pub(crate) class: Vec<OrphanClass>,
    /// Least age of a file; never below the operator's own limits.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    pub(crate) min_age: Duration,
    /// Only of snippets that WithdrawForced events name.
    #[arg(long)]
    pub(crate) from_events: bool,
    /// Remove them, for good.
    #[arg(long)]
    pub(crate) delete: bool,
    /// With --delete: the words that the dry run shows.
    #[arg(long, value_name = "TEXT", requires = "delete", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) confirm: Option<String>,
    /// With --delete: how many at most; otherwise 500, and a fifth of the store.
    #[arg(long, value_name = "N", requires = "delete")]
    pub(crate) max_delete: Option<usize>,
    /// How, by which road, and of which operator.
    #[command(flatten)]
    pub(crate) how: How,
}

/// Why nobody owns something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum OrphanClass {
    /// Files of a snippet that does not exist.
    Prefix,
    /// An ExternalArtifact of ours whose snippet is gone.
    External,
    /// Revisions of a snippet that nothing names: prune removes them.
    Revision,
    /// Halves of writes: sweep removes them.
    Tmp,
    /// Uploads that never ended: sweep removes them.
    Multipart,
    /// What is not ours, and stays.
    Foreign,
}

impl OrphanClass {
    /// The word in documents and tables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::External => "external",
            Self::Revision => "revision",
            Self::Tmp => "tmp",
            Self::Multipart => "multipart",
            Self::Foreign => "foreign",
        }
    }
}

/// Flags of `storage repair`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RepairArgs {
    /// Which snippets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// An empty selection is no failure.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Longest time for the whole run.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "30m")]
    pub(crate) timeout: Duration,
    /// How, by which road, and of which operator.
    #[command(flatten)]
    pub(crate) how: How,
}
