//! Why a command ended before it could judge its own result. Pure.

use super::select::{ArgumentError, SelectionError};
use super::{again, completion, explain};
use crate::exit::Exit;
use crate::interrupt::Signal;
use crate::operator::LABEL;
use crate::road::Failure;
use crate::session;
use crate::snippet::Key;

/// Why a command ended before it could judge its own result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The command line contradicts itself.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// Nothing matches what was asked for.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The cluster could not be reached or did not do as asked.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// There is nothing to explain.
    #[error(transparent)]
    Unknown(#[from] explain::UnknownWord),
    /// There is no script.
    #[error(transparent)]
    Completion(#[from] completion::CompletionError),
    /// The format does not fit the command.
    #[error("this command has no snippets that `-o name` could list")]
    NoNames,
    /// A word that is no command, or one without needs.
    #[error("`{0}` is no command that asks a cluster")]
    NoSuchCommand(String),
    /// There is no operator.
    #[error("no Deployment with the label {LABEL} in {0}")]
    NoOperator(String),
    /// There are several.
    #[error("there are several operators: {}", .0.join(", "))]
    ManyOperators(Vec<String>),
    /// Every replica writes.
    #[error("{0} runs without an election, so there is no leader")]
    NoElection(String),
    /// There is no Lease.
    #[error("there is no Lease {0}")]
    NoLease(String),
    /// The Lease names nobody who is there.
    #[error("the leader's Pod was not found: Lease {lease} names `{holder}`")]
    NoLeader { lease: String, holder: String },
    /// A file that cannot be used.
    #[error("cannot use {file}: {cause}")]
    File { file: String, cause: String },
    /// A word that is no `namespace/name`.
    #[error("`{0}` is no snippet: write it as NAMESPACE/NAME")]
    Canary(String),
    /// A snippet has no such revision.
    #[error("{key}: {what}")]
    NoRevision { key: Key, what: String },
    /// No road leads to the store, or none can do what is needed.
    #[error("no road leads to {need}: {}", told(.tried))]
    NoRoad { need: &'static str, tried: Vec<Failure> },
    /// The road broke on the way.
    #[error(transparent)]
    Road(#[from] Failure),
    /// A safe-guard, or a person, said no.
    #[error("{what}")]
    Refused { what: String, how: String },
    /// A signal came first.
    #[error("stopped before anything was done")]
    Stopped(Signal),
}

impl Error {
    /// The exit code of a run that ends with this error.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Arguments(_) | Self::Unknown(_) | Self::NoNames | Self::NoSuchCommand(_) => Exit::Usage,
            Self::ManyOperators(_) | Self::Canary(_) | Self::File { .. } => Exit::Usage,
            Self::Selection(_) | Self::NoOperator(_) | Self::NoElection(_) => Exit::NotFound,
            Self::NoLease(_) | Self::NoLeader { .. } => Exit::NotFound,
            Self::Session(error) => error.exit(),
            Self::Completion(completion::CompletionError::Foreign(_)) | Self::Refused { .. } => Exit::Refused,
            Self::Completion(_) => Exit::Unexpected,
            Self::NoRevision { .. } => Exit::NotFound,
            Self::NoRoad { tried, .. } if !tried.is_empty() && tried.iter().all(Failure::is_missing_right) => {
                Exit::Forbidden
            }
            Self::Road(failure) if failure.is_missing_right() => Exit::Forbidden,
            Self::NoRoad { .. } | Self::Road(_) => Exit::Partial,
            Self::Stopped(signal) => signal.exit(),
        }
    }

    /// What to do next.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Arguments(error) => Some(error.hint()),
            Self::Selection(error) => Some(error.hint()),
            Self::Unknown(error) => Some(error.hint()),
            Self::Session(error) => Some(error.hint()),
            Self::Completion(_) => Some("print it instead: kubectl jaas completion kubectl".to_owned()),
            Self::NoNames => Some("choose -o json or -o yaml".to_owned()),
            Self::NoSuchCommand(_) => Some(format!("one of {}", super::needy().join(", "))),
            Self::NoOperator(_) => Some(
                "name its namespace with --operator-namespace, and where it has another label the --lease".to_owned(),
            ),
            Self::ManyOperators(_) => Some("choose one with --operator-namespace".to_owned()),
            Self::NoElection(_) | Self::File { .. } => None,
            Self::NoLease(_) | Self::NoLeader { .. } => {
                Some("why, and what to type: kubectl jaas doctor leader pods".to_owned())
            }
            Self::Canary(_) => None,
            Self::Refused { how, .. } => Some(how.clone()).filter(|how| !how.is_empty()),
            Self::NoRevision { key, .. } => {
                Some(format!("see its revisions: kubectl jaas history {} -n {}", key.name, key.namespace))
            }
            Self::NoRoad { tried, .. } => help(tried),
            Self::Road(failure) => Some(failure.how.clone()).filter(|how| !how.is_empty()),
            Self::Stopped(_) => Some(format!("to go on: {}", again())),
        }
    }
}

/// What stood in the way of each road.
fn told(tried: &[Failure]) -> String {
    if tried.is_empty() {
        return "none was tried".to_owned();
    }
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What would help, the road that can do most first.
fn help(tried: &[Failure]) -> Option<String> {
    let lines: Vec<_> = tried
        .iter()
        .filter(|failure| !failure.how.is_empty())
        .map(|failure| format!("{}: {}", failure.road, failure.how))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
