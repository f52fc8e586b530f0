//! Flags of `diff`. Pure.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use clap_complete::engine::ArgValueCompleter;

use super::positive_duration;
use super::road::RoadArgs;
use super::shared::OperatorArgs;
use crate::complete;

const EXAMPLES: &str = "\
Examples
  # what would the next render of the live spec change?
  kubectl jaas diff web -n team-a
  # a file before it is applied, against what is published
  kubectl jaas diff web -n team-a --file web.yaml
  # a revision of its history against what is published
  kubectl jaas diff web 0123abcd -n team-a
  # for a script: 4 when they differ
  kubectl jaas diff web -n team-a --exit-code -o json

A revision may be given by its first digits; kubectl jaas history shows them.
Exit codes: 0 compared  3 an artifact could not be had, or is not right
            4 they differ, with --exit-code; or it does not evaluate
            6 no such snippet or revision  7 forbidden";

/// Show how what a snippet publishes differs between revisions, or from what it would publish.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The snippet, in the namespace (-n).
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), add = ArgValueCompleter::new(complete::snippets))]
    pub(crate) name: String,
    /// The older revision; without any, what is published is compared with a render of the live spec.
    #[arg(value_name = "REVISION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) old: Option<String>,
    /// The newer revision; what is published otherwise.
    #[arg(value_name = "REVISION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) new: Option<String>,
    /// A file with the snippet, which is rendered here and compared with what is published.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["old", "new"])]
    pub(crate) file: Option<PathBuf>,
    /// Exit with 4 where they differ.
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// External variable KEY=VALUE, as for render.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) ext_var: Vec<String>,
    /// Longest time of an evaluation; the operator's where it can be seen, else 5s.
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) evaluation_timeout: Option<Duration>,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}
