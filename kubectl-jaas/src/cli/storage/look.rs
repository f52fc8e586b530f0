//! Flags of the commands that look into the store. Pure.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::cli::positive_duration;
use crate::cli::road::RoadArgs;
use crate::cli::shared::{OperatorArgs, Targets};
use crate::complete;

pub(super) const INFO_EXAMPLES: &str = "\
Examples
  # backend, volume, settings, owner, and whether the admin endpoint is on
  kubectl jaas storage info

Exit codes: 0 done  3 something could not be seen  6 no operator  7 forbidden";

pub(super) const DF_EXAMPLES: &str = "\
Examples
  # taken, free, inodes, quota
  kubectl jaas storage df
  # for a script
  kubectl jaas storage df -o json

Exit codes: 0 done  3 no road tells  6 no operator  7 forbidden";

pub(super) const DU_EXAMPLES: &str = "\
Choose at most one of --selector and --all; every snippet is the default.

Examples
  # who fills the store?
  kubectl jaas storage du
  # of one namespace
  kubectl jaas storage du -n team-a

Exit codes: 0 done  3 not all could be seen  7 forbidden";

pub(super) const LS_EXAMPLES: &str = "\
Examples
  # every file, and what it is
  kubectl jaas storage ls
  # of one snippet
  kubectl jaas storage ls web -n team-a
  # what stays served although the operator does not look after it any more
  kubectl jaas storage ls --out-of-scope

Exit codes: 0 done  3 not all could be seen  7 forbidden";

pub(super) const VERIFY_EXAMPLES: &str = "\
Choose exactly one of NAME…, --selector and --all.

Examples
  # one snippet: what it announces, and its history
  kubectl jaas storage verify web -n team-a
  # everything, a line as each is read
  kubectl jaas storage verify --all -o ndjson
  # every seventh part a day
  kubectl jaas storage verify --all --sample 2/7

Exit codes: 0 all right  3 some could not be read  4 A501 missing, A503 other
            bytes than announced, A504 other content, A506 no tarball
            6 no match  7 forbidden  124 timed out";

pub(super) const FETCH_EXAMPLES: &str = "\
Examples
  # what consumers get now
  kubectl jaas storage fetch web -n team-a -O web.tar.gz
  # what is in it, and one file of it
  kubectl jaas storage fetch web -n team-a --list
  kubectl jaas storage fetch web -n team-a --cat rendered.json
  # a revision of its history
  kubectl jaas storage fetch web sha256:0123abcd -n team-a --list

Exit codes: 0 done  3 no road leads there  4 missing or not what it should be
            5 the file is there already  6 no such snippet or revision";

pub(super) const ADVISE_EXAMPLES: &str = "\
Examples
  # from a folder in the Pod to a volume that stays
  kubectl jaas storage advise persistence
  # a larger volume
  kubectl jaas storage advise resize --to 20Gi
  # a limit for single artifacts, more memory, the volume's owner
  kubectl jaas storage advise limits
  kubectl jaas storage advise memory
  kubectl jaas storage advise ownership

It changes nothing: it prints what to run, from what is there now.
Exit codes: 0 done  6 no operator  7 forbidden";

/// Flags of `storage info` and `storage df`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StoreArgs {
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// Flags of `storage du`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct DuArgs {
    /// Snippets with these labels.
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) selector: Option<String>,
    /// Every snippet, which is what happens anyway.
    #[arg(long, conflicts_with = "selector")]
    pub(crate) all: bool,
    /// With --selector: of every namespace, not only that of the context.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// Flags of `storage ls`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LsArgs {
    /// One snippet in the namespace (-n); every file otherwise.
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) name: Option<String>,
    /// Only files of snippets that the operator does not look after, by --watch-namespaces and --label-selector: they stay served, and
    /// nothing is done about them.
    #[arg(long)]
    pub(crate) out_of_scope: bool,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// Flags of `storage verify`.
#[derive(Args, Clone, Debug)]
pub(crate) struct VerifyArgs {
    /// Which snippets.
    #[command(flatten)]
    pub(crate) targets: Targets,
    /// Only a part: `10%`, or `2/7` for the second of seven equal parts.
    #[arg(long, value_name = "PART", value_parser = sample)]
    pub(crate) sample: Option<Sample>,
    /// Only what is announced, not the history.
    #[arg(long)]
    pub(crate) current: bool,
    /// An empty selection is no failure.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Longest time for the whole run.
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "60m")]
    pub(crate) timeout: Duration,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// A part of all artifacts: those whose name falls into some of several equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// First part, from 0.
    pub(crate) from: u32,
    /// One past the last part.
    pub(crate) to: u32,
    /// How many parts there are.
    pub(crate) of: u32,
}

fn sample(text: &str) -> Result<Sample, String> {
    let wrong = || "write it as 10% or as 2/7".to_owned();
    if let Some(percent) = text.strip_suffix('%') {
        return match percent.parse::<u32>() {
            Ok(percent @ 1..=100) => Ok(Sample { from: 0, to: percent, of: 100 }),
            _ => Err(wrong()),
        };
    }
    let (part, of) = text.split_once('/').ok_or_else(wrong)?;
    match (part.parse::<u32>(), of.parse::<u32>()) {
        (Ok(part), Ok(of)) if (1..=of).contains(&part) => Ok(Sample { from: part - 1, to: part, of }),
        _ => Err(wrong()),
    }
}

/// Flags of `storage fetch`.
#[derive(Args, Clone, Debug)]
#[command(
    group = clap::ArgGroup::new("form").required(true),
    override_usage = "kubectl jaas storage fetch NAME [REVISION] -O FILE|--list|--cat PATH"
)]
pub(crate) struct FetchArgs {
    /// The snippet, in the namespace (-n).
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) name: String,
    /// A revision of its history, or the first digits of one; what is announced otherwise.
    #[arg(value_name = "REVISION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) revision: Option<String>,
    /// Keep the tarball here.
    #[arg(short = 'O', long = "output-file", value_name = "FILE", group = "form")]
    pub(crate) to: Option<PathBuf>,
    /// List what is in it.
    #[arg(long, group = "form")]
    pub(crate) list: bool,
    /// Write one file of it to stdout.
    #[arg(long, value_name = "PATH", group = "form", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) cat: Option<String>,
    /// Write over a file that is there.
    #[arg(long, requires = "to")]
    pub(crate) force: bool,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// Flags of `storage advise`.
#[derive(Args, Clone, Debug)]
pub(crate) struct AdviseArgs {
    /// What about.
    #[arg(value_name = "TOPIC", value_enum)]
    pub(crate) topic: Topic,
    /// With resize and quota: the size.
    #[arg(long, value_name = "SIZE", value_parser = super::size)]
    pub(crate) to: Option<u64>,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// What advice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// A volume that stays when a Pod goes.
    Persistence,
    /// A larger volume.
    Resize,
    /// How much all artifacts together may take.
    Quota,
    /// A limit for the size of single artifacts.
    Limits,
    /// More memory for the operator.
    Memory,
    /// Who owns the files of the volume.
    Ownership,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_a_percentage_or_a_part() {
        assert_eq!(sample("10%"), Ok(Sample { from: 0, to: 10, of: 100 }));
        assert_eq!(sample("2/7"), Ok(Sample { from: 1, to: 2, of: 7 }));
        for wrong in ["0%", "101%", "0/7", "8/7", "x", "1/0"] {
            assert!(sample(wrong).is_err(), "{wrong}");
        }
    }
}
