//! The one table of exit codes. Pure.
//!
//! A command answers with an [`Exit`]; no other file knows a number, and no format changes one.

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

/// How a run ended, as a script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for was done.
    Done,
    /// A failure that no other code names.
    Unexpected,
    /// The command line or the kubeconfig is wrong.
    Usage,
    /// Some targets failed, or some checks could not run.
    Partial,
    /// A check found something.
    Findings,
    /// A safe-guard refused; nothing was changed.
    Refused,
    /// The thing does not exist, or nothing was selected.
    NotFound,
    /// No right, or not signed in.
    Forbidden,
    /// The API server cannot be reached.
    Unreachable,
    /// The world changed between looking and acting.
    Changed,
    /// The time was over first.
    TimedOut,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// The word for an [`Exit`] in documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Done.
    Ok,
    /// Something was found.
    Findings,
    /// Some of it was done.
    Partial,
    /// Nothing was done, on purpose.
    Refused,
    /// It went wrong.
    Failed,
    /// The time was over.
    Timeout,
    /// A signal ended it.
    Interrupted,
}

impl Exit {
    /// Every way to end, in the order of its number.
    pub(crate) const ALL: [Self; 13] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Partial,
        Self::Findings,
        Self::Refused,
        Self::NotFound,
        Self::Forbidden,
        Self::Unreachable,
        Self::Changed,
        Self::TimedOut,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the shell gets.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Findings => 4,
            Self::Refused => 5,
            Self::NotFound => 6,
            Self::Forbidden => 7,
            Self::Unreachable => 8,
            Self::Changed => 9,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the number means, in words.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; for checks: nothing found, and nothing stood in the way",
            Self::Unexpected => "unexpected failure: a bug, or input and output failed",
            Self::Usage => "wrong usage: flags, names, context or kubeconfig",
            Self::Partial => "partial: some targets failed, or some checks could not run",
            Self::Findings => "a check found something",
            Self::Refused => "refused by a safe-guard; nothing was changed",
            Self::NotFound => "not found: operator, snippet, or an empty selection",
            Self::Forbidden => "forbidden or not signed in; the missing rule is printed",
            Self::Unreachable => "the API server cannot be reached",
            Self::Changed => "the world changed in between; stopped before touching it",
            Self::TimedOut => "timed out; the state reached is printed",
            Self::Interrupted => "interrupted; what was done and how to go on is printed",
            Self::Terminated => "terminated; what was done and how to go on is printed",
        }
    }

    /// The word that stands beside the number in documents.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Done => Outcome::Ok,
            Self::Findings => Outcome::Findings,
            Self::Partial => Outcome::Partial,
            Self::Usage | Self::Refused | Self::Changed => Outcome::Refused,
            Self::Unexpected | Self::NotFound | Self::Forbidden | Self::Unreachable => Outcome::Failed,
            Self::TimedOut => Outcome::Timeout,
            Self::Interrupted | Self::Terminated => Outcome::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table as `kubectl jaas help exit-codes` shows it.
pub(crate) fn table() -> String {
    let mut table = String::from("CODE  MEANING");
    for exit in Exit::ALL {
        table.push_str(&format!("\n{:<4}  {}", exit.code(), exit.meaning()));
    }
    table.push_str("\n\nThe number is the same in every output format.");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_documented_ones() {
        let codes = Exit::ALL.map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 124, 130, 143]);
    }

    #[test]
    fn the_table_fits_a_terminal() {
        assert!(table().lines().all(|line| line.len() <= 80), "{}", table());
    }
}
