//! The one table of what can be found: what it means, why it happens, what to type. Pure.
//!
//! The documentation page, the text of `explain` and the findings themselves come from here.

pub(crate) mod artifacts;
pub(crate) mod configuration;
pub(crate) mod garbage;
pub(crate) mod leader;
pub(crate) mod network;
pub(crate) mod pods;
pub(crate) mod queue;
pub(crate) mod reasons;
pub(crate) mod reconcile;
pub(crate) mod storage;
pub(crate) mod webhook;

use jaas_api::Reason;

use crate::code::{Area, Code, Severity};
use crate::finding::{Command, Danger};

/// The page that is generated from the registry, below the root of the documentation.
pub const PAGE: &str = "findings.md";

/// What is known of a code without looking at an installation.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// How bad it is, unless a finding says otherwise.
    pub severity: Severity,
    /// What it is about.
    pub area: Area,
    /// A few words.
    pub title: &'static str,
    /// What is the case, and for whom.
    pub meaning: &'static str,
    /// How it comes to that.
    pub cause: &'static str,
    /// What to type, in this order.
    pub advice: &'static [Advice],
    /// Alerts of the chart that tell of it.
    pub alerts: &'static [&'static str],
    /// Metrics that show it.
    pub metrics: &'static [&'static str],
    /// Reasons of the `Ready` condition that tell of it.
    pub reasons: &'static [Reason],
}

/// A command line of the registry. Words in capitals are for the reader, or for a finding, to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The command line.
    pub command: &'static str,
    /// What it does, or shows.
    pub why: &'static str,
    /// What it can cost.
    pub danger: Danger,
}

/// A command that only reads.
const fn look(command: &'static str, why: &'static str) -> Advice {
    Advice { command, why, danger: Danger::L0 }
}

/// A command that asks for what the operator would do anyway.
const fn nudge(command: &'static str, why: &'static str) -> Advice {
    Advice { command, why, danger: Danger::L1 }
}

/// A command whose losses a render brings back, or that restarts something.
const fn change(command: &'static str, why: &'static str) -> Advice {
    Advice { command, why, danger: Danger::L2 }
}

/// A command whose losses nothing brings back.
const fn lose(command: &'static str, why: &'static str) -> Advice {
    Advice { command, why, danger: Danger::L3 }
}

impl Entry {
    const fn new(severity: Severity, area: Area, title: &'static str) -> Self {
        Self { severity, area, title, meaning: "", cause: "", advice: &[], alerts: &[], metrics: &[], reasons: &[] }
    }

    const fn means(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }

    const fn because(mut self, cause: &'static str) -> Self {
        self.cause = cause;
        self
    }

    const fn type_in(mut self, advice: &'static [Advice]) -> Self {
        self.advice = advice;
        self
    }

    const fn alerts(mut self, alerts: &'static [&'static str]) -> Self {
        self.alerts = alerts;
        self
    }

    const fn metrics(mut self, metrics: &'static [&'static str]) -> Self {
        self.metrics = metrics;
        self
    }

    const fn reasons(mut self, reasons: &'static [Reason]) -> Self {
        self.reasons = reasons;
        self
    }

    /// Where the documentation goes on, below its root.
    pub fn docs(&self, code: Code) -> String {
        format!("{PAGE}#{}", code.as_str().to_lowercase())
    }

    /// The advice as a finding carries it.
    pub fn commands(&self) -> Vec<Command> {
        let owned = |advice: &Advice| Command {
            command: advice.command.to_owned(),
            why: advice.why.to_owned(),
            danger: advice.danger,
        };
        self.advice.iter().map(owned).collect()
    }
}

/// The codes that a reason of the `Ready` condition can lead to; none for a state that is as it should be.
pub fn of_reason(reason: Reason) -> Vec<Code> {
    Code::ALL.iter().copied().filter(|code| code.entry().reasons.contains(&reason)).collect()
}

/// The codes that a word leads to: a code, a reason, an alert or a metric, in upper or lower case.
pub fn find(word: &str) -> Vec<Code> {
    let is_it = |known: &str| known.eq_ignore_ascii_case(word);
    let leads_there = |code: &Code| {
        let entry = code.entry();
        is_it(code.as_str())
            || entry.reasons.iter().any(|reason| is_it(reason.as_str()))
            || entry.alerts.iter().chain(entry.metrics).any(|name| is_it(name))
    };
    Code::ALL.iter().copied().filter(leads_there).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_is_complete() {
        for code in Code::ALL {
            let entry = code.entry();
            assert!(!entry.title.is_empty() && entry.title.len() <= 60, "{code}: {}", entry.title);
            assert!(entry.meaning.ends_with('.') && entry.cause.ends_with('.'), "{code}");
            assert!((1..=5).contains(&entry.advice.len()), "{code} needs one to five commands");
            for advice in entry.advice {
                assert!(
                    advice.command.starts_with("kubectl ") || advice.command.starts_with("helm "),
                    "{code}: {advice:?}"
                );
                assert!(advice.command.len() <= 100 && !advice.why.is_empty(), "{code}: {advice:?}");
            }
        }
    }

    #[test]
    fn no_two_codes_say_the_same() {
        let titles: BTreeSet<_> = Code::ALL.iter().map(|code| code.entry().title).collect();
        let meanings: BTreeSet<_> = Code::ALL.iter().map(|code| code.entry().meaning).collect();
        assert_eq!((titles.len(), meanings.len()), (Code::ALL.len(), Code::ALL.len()));
    }

    #[test]
    fn every_reason_that_is_trouble_leads_to_a_code() {
        for reason in Reason::ALL {
            let is_trouble = !matches!(reason, Reason::Synced);
            assert_eq!(!of_reason(*reason).is_empty(), is_trouble, "{reason}");
        }
    }

    #[test]
    fn only_commands_that_a_reader_must_look_at_remove_for_good() {
        for code in Code::ALL {
            for advice in code.entry().advice.iter().filter(|advice| advice.danger == Danger::L3) {
                assert!(code.entry().advice[0].danger < Danger::L2, "{code} begins with a loss: {advice:?}");
            }
        }
    }

    #[test]
    fn a_word_of_any_kind_leads_to_its_codes() {
        assert_eq!(find("s401"), [Code::VolumeFull]);
        assert_eq!(find("storagedenied"), [Code::VolumeDenied, Code::KeysRefused]);
        assert_eq!(find("JaaSStorageSweepFailures"), [Code::VolumeDenied, Code::Residue, Code::SweepFails]);
        assert_eq!(find("jaas_eval_outstanding_timed_out"), [Code::EvaluationsAbandoned]);
        assert_eq!(find("nonsense"), []);
    }
}
