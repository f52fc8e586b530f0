//! What a check found, and what it says if it found nothing. Plain data.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::{Area, Code, Severity};

/// How many things a piece of evidence names before it only counts.
pub const LIST_LIMIT: usize = 20;

/// Something that is wrong, or worth knowing. Of each code there is at most one finding, with everything that it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was found.
    pub code: Code,
    /// How bad it is here.
    pub severity: Severity,
    /// The area of the code.
    pub area: Area,
    /// The code in a few words.
    pub title: String,
    /// What is the case here, in one sentence.
    pub summary: String,
    /// Everything that it concerns, ordered.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub subjects: BTreeSet<Subject>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Codes of other findings of this run that explain this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Code>,
    /// What to type, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// Where the documentation goes on, below its root.
    pub docs: String,
}

/// Something that a finding concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// Its kind; `File` for a file of the store.
    pub kind: String,
    /// Its namespace, where it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name; of a file its path below the root of the store.
    pub name: String,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What was looked at.
    pub key: String,
    /// What it was.
    pub observed: String,
    /// What it should have been, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The first 20 of what was counted, ordered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
    /// How many there were, where something was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// What to type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// The command line; words in capitals are for the reader to replace.
    pub command: String,
    /// What it does, or shows.
    pub why: String,
    /// What it can cost.
    pub danger: Danger,
}

/// What a command can cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Danger {
    /// It only reads.
    L0,
    /// It asks for what the operator would do anyway.
    L1,
    /// What it removes, a render brings back; or it restarts something.
    L2,
    /// Nothing brings back what it removes.
    L3,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked for.
    pub code: Code,
    /// The area of the code.
    pub area: Area,
    /// What came of it.
    pub state: State,
    /// Why it is unknown or skipped; of a finding, what it could not look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}

/// What came of a check, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It ran and found nothing.
    Ok,
    /// It found something.
    Finding,
    /// It could not run, or not over everything, and found nothing in the rest.
    Unknown,
    /// It does not apply here.
    Skipped,
}

impl Subject {
    /// A thing in a namespace.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// A file of the store.
    pub fn file(path: &str) -> Self {
        Self::new("File", "", path)
    }

    /// `namespace/name`, or the name alone.
    pub fn path(&self) -> String {
        if self.namespace.is_empty() { self.name.clone() } else { format!("{}/{}", self.namespace, self.name) }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())
    }
}

impl Command {
    /// Whether words in capitals are left for the reader to replace.
    pub fn has_gaps(&self) -> bool {
        let is_gap = |word: &str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        self.command.split([' ', '/', '=']).any(is_gap)
    }
}

impl Evidence {
    /// Something that was seen.
    pub fn seen(key: &str, observed: impl fmt::Display) -> Self {
        Self { key: key.to_owned(), observed: observed.to_string(), expected: None, first: Vec::new(), count: None }
    }

    /// The same with what it should have been.
    #[must_use]
    pub fn instead_of(mut self, expected: impl fmt::Display) -> Self {
        self.expected = Some(expected.to_string());
        self
    }

    /// Several things of one kind: the first of them in order, and how many.
    pub fn several(key: &str, things: impl IntoIterator<Item = String>) -> Self {
        let all: BTreeSet<String> = things.into_iter().collect();
        Self {
            key: key.to_owned(),
            observed: all.len().to_string(),
            expected: None,
            count: Some(all.len()),
            first: all.into_iter().take(LIST_LIMIT).collect(),
        }
    }
}

impl Finding {
    /// A finding with what the registry says of its code.
    pub fn new(code: Code, summary: impl Into<String>) -> Self {
        let entry = code.entry();
        Self {
            code,
            severity: entry.severity,
            area: entry.area,
            title: entry.title.to_owned(),
            summary: summary.into(),
            subjects: BTreeSet::new(),
            evidence: Vec::new(),
            causes: Vec::new(),
            commands: entry.commands(),
            docs: entry.docs(code),
        }
    }

    /// The same about these.
    #[must_use]
    pub fn about(mut self, subjects: impl IntoIterator<Item = Subject>) -> Self {
        self.subjects.extend(subjects);
        self
    }

    /// The same with a piece of evidence.
    #[must_use]
    pub fn with(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// The same, as bad as this.
    #[must_use]
    pub fn as_bad_as(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same with a command before those of the registry.
    #[must_use]
    pub fn first_type(self, command: &str, why: &str, danger: Danger) -> Self {
        self.typed(0, command, why, danger)
    }

    /// The same with a command after the first of the registry.
    #[must_use]
    pub fn then_type(self, command: &str, why: &str, danger: Danger) -> Self {
        let place = self.commands.len().min(1);
        self.typed(place, command, why, danger)
    }

    fn typed(mut self, place: usize, command: &str, why: &str, danger: Danger) -> Self {
        self.commands.insert(place, Command { command: command.to_owned(), why: why.to_owned(), danger });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_capitals_are_gaps_and_flags_are_none() {
        let gaps = |line: &str| Command { command: line.to_owned(), why: String::new(), danger: Danger::L0 }.has_gaps();
        assert!(gaps("kubectl jaas tree NAME -n web") && gaps("kubectl rollout status deployment/DEPLOYMENT"));
        assert!(!gaps("kubectl jaas storage verify --all -A"));
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let evidence = Evidence::several("files", (0..25).rev().map(|number| format!("{number:02}")));
        assert_eq!(evidence.count, Some(25));
        assert_eq!(evidence.first.len(), LIST_LIMIT);
        assert_eq!(evidence.first.first().map(String::as_str), Some("00"));
    }
}
