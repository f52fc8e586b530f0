//! Flags of `doctor` and `storage doctor`. Pure.

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use jaas_findings::{Area, Code, Severity};

use super::road::RoadArgs;
use super::shared::OperatorArgs;

const DOCTOR_EXAMPLES: &str = "\
Examples
  # everything, with a HEAD of every current artifact
  kubectl jaas doctor
  # two areas only
  kubectl jaas doctor leader queue
  # without asking the storage server
  kubectl jaas doctor --depth quick
  # a nightly job that is red on warnings, but for one known case
  kubectl jaas doctor --fail-on warning --suppress R703=team-a/web -o json

Exit codes: 0 nothing at or above --fail-on, and nothing stood in the way
            3 a check could not look  4 findings  7 forbidden";

const CHECK_EXAMPLES: &str = "\
Examples
  # is every announced artifact there?
  kubectl jaas storage doctor
  # prove every byte of one namespace
  kubectl jaas storage doctor --depth full -n team-a
  # only what lies between consumers and the storage server
  kubectl jaas storage doctor --only network

Exit codes: 0 nothing at or above --fail-on, and nothing stood in the way
            3 a check could not look  4 findings  7 forbidden";

/// Flags of `doctor`.
#[derive(Args, Clone, Debug)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// What to look at; everything otherwise.
    #[arg(value_name = "AREA", value_parser = areas(), conflicts_with = "only")]
    pub(crate) areas: Vec<Area>,
    /// How to look.
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

/// Flags of `storage doctor`.
#[derive(Args, Clone, Debug)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct CheckArgs {
    /// How to look.
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

/// How to look.
#[derive(Args, Clone, Debug)]
pub(crate) struct LookArgs {
    /// How deep: `quick` asks the API server only, `standard` also for every current artifact, `full` reads and proves each.
    #[arg(long, value_name = "DEPTH", value_enum, default_value_t)]
    pub(crate) depth: Depth,
    /// How the store is reached.
    #[command(flatten)]
    pub(crate) road: RoadArgs,
    /// Only these areas.
    #[arg(long, value_name = "AREA,…", value_delimiter = ',', value_parser = areas())]
    pub(crate) only: Vec<Area>,
    /// Leave these checks out; they are listed as skipped.
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', value_parser = code)]
    pub(crate) skip: Vec<Code>,
    /// Leave a finding out when it concerns nothing but this object; may be given more than once.
    #[arg(long, value_name = "CODE=NS/NAME", value_parser = suppression)]
    pub(crate) suppress: Vec<Suppression>,
    /// The least severity that makes the exit code 4.
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub(crate) fail_on: Level,
    /// Snippets with these labels.
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) selector: Option<String>,
    /// With --selector: of every namespace, not only that of the context. Without it all are meant anyway, unless -n names one.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Where the operator is.
    #[command(flatten)]
    pub(crate) operator: OperatorArgs,
}

/// How deep a look goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Depth {
    /// What the API server tells.
    Quick,
    /// Also whether each current artifact is there.
    #[default]
    Standard,
    /// Also whether its bytes are right, and whether the history is there.
    Full,
}

impl Depth {
    /// The word in documents.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }
}

/// The least severity that makes a look fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Nothing does.
    None,
    /// What will hurt, and worse.
    Warning,
    /// What somebody does not get, and worse.
    #[default]
    Error,
    /// Only the worst.
    Critical,
}

impl Level {
    /// Whether a finding of that severity makes a look fail.
    pub(crate) fn is_reached_by(self, severity: Severity) -> bool {
        match self {
            Self::None => false,
            Self::Warning => severity >= Severity::Warning,
            Self::Error => severity >= Severity::Error,
            Self::Critical => severity >= Severity::Critical,
        }
    }
}

/// A finding that is known, and about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suppression {
    /// The code.
    pub(crate) code: Code,
    /// `namespace/name`, or the name of what has no namespace.
    pub(crate) object: String,
}

fn areas() -> impl TypedValueParser<Value = Area> {
    PossibleValuesParser::new(Area::ALL.map(Area::word)).try_map(|word| {
        let known = Area::ALL.into_iter().find(|area| area.word() == word);
        known.ok_or_else(|| format!("`{word}` is no area"))
    })
}

fn code(word: &str) -> Result<Code, String> {
    word.parse().map_err(|error: jaas_findings::code::UnknownCode| error.to_string())
}

fn suppression(text: &str) -> Result<Suppression, String> {
    let (word, object) = text.split_once('=').ok_or("write it as CODE=NAMESPACE/NAME")?;
    match object {
        "" => Err("write it as CODE=NAMESPACE/NAME".to_owned()),
        object => Ok(Suppression { code: code(word)?, object: object.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_reached_by_what_is_as_bad_or_worse() {
        let reached = |level: Level| {
            [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical].map(|it| level.is_reached_by(it))
        };
        assert_eq!(reached(Level::None), [false; 4]);
        assert_eq!(reached(Level::Warning), [false, true, true, true]);
        assert_eq!(reached(Level::Error), [false, false, true, true]);
        assert_eq!(reached(Level::Critical), [false, false, false, true]);
    }

    #[test]
    fn a_suppression_names_a_code_and_an_object() {
        let read = suppression("a501=team-a/web");
        assert_eq!(read, Ok(Suppression { code: Code::ArtifactMissing, object: "team-a/web".to_owned() }));
        for wrong in ["A501", "A501=", "X=y"] {
            assert!(suppression(wrong).is_err(), "{wrong}");
        }
    }
}
