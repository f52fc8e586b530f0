//! Where to begin: the findings that nothing else explains, and a few commands. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::{Code, Severity};
use crate::finding::{Command, Danger, Finding};

/// How many commands are proposed at most.
pub const COMMAND_LIMIT: usize = 3;

/// Where to begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Triage {
    /// Findings that no other explains, the worst first. What is only worth knowing is not among them.
    pub roots: Vec<Root>,
    /// What to type, in this order; at most three.
    pub commands: Vec<Command>,
}

/// A finding that no other explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Root {
    /// Its code.
    pub code: Code,
    /// The worst severity among it and what it explains.
    pub severity: Severity,
    /// Codes of all findings that it explains, over others too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explains: Vec<Code>,
}

/// Says where to begin.
pub fn triage(findings: &[Finding]) -> Triage {
    let mut roots: Vec<Root> = findings
        .iter()
        .filter(|finding| finding.causes.is_empty())
        .map(|finding| root(finding, findings))
        .filter(|root| root.severity > Severity::Info)
        .collect();
    roots.sort_by_key(|root| (Reverse(root.severity), Reverse(root.explains.len()), root.code));
    let commands = commands(&roots, findings);
    Triage { roots, commands }
}

fn root(finding: &Finding, findings: &[Finding]) -> Root {
    let mut explains = BTreeSet::new();
    let mut open = vec![finding.code];
    while let Some(cause) = open.pop() {
        for effect in findings.iter().filter(|effect| effect.causes.contains(&cause)) {
            if effect.code != finding.code && explains.insert(effect.code) {
                open.push(effect.code);
            }
        }
    }
    let worst = findings.iter().filter(|effect| explains.contains(&effect.code)).map(|effect| effect.severity);
    let severity = worst.chain([finding.severity]).max().unwrap_or(finding.severity);
    Root { code: finding.code, severity, explains: explains.into_iter().collect() }
}

/// The commands of the worst roots in turn, then those of lesser ones while there is room.
fn commands(roots: &[Root], findings: &[Finding]) -> Vec<Command> {
    let mut chosen: Vec<Command> = Vec::new();
    for severity in [Severity::Critical, Severity::Error, Severity::Warning] {
        let plans: Vec<_> =
            roots.iter().filter(|root| root.severity == severity).map(|root| plan(root, findings)).collect();
        let longest = plans.iter().map(Vec::len).max().unwrap_or_default();
        for turn in 0..longest {
            for command in plans.iter().filter_map(|plan| plan.get(turn)) {
                let is_new = chosen.iter().all(|known| !is_same(&known.command, &command.command));
                if is_new && chosen.len() < COMMAND_LIMIT {
                    chosen.push((*command).clone());
                }
            }
        }
    }
    chosen
}

/// Whether one command line is the other, with or without further flags.
fn is_same(one: &str, other: &str) -> bool {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (words(one), words(other));
    one.starts_with(&other) || other.starts_with(&one)
}

/// The first two commands of a root, then what brings back what it broke, then the rest of its own. What removes something for
/// good is for whoever has read the finding, and so is what an effect says beyond its first word.
fn plan<'a>(root: &Root, findings: &'a [Finding]) -> Vec<&'a Command> {
    let of =
        |code: Code| findings.iter().filter(move |finding| finding.code == code).flat_map(|finding| &finding.commands);
    let own: Vec<_> = of(root.code).filter(|command| command.danger < Danger::L3).collect();
    let repairs = root.explains.iter().filter_map(|code| of(*code).next());
    let repairs = repairs.filter(|command| command.danger == Danger::L1 && !command.has_gaps());
    own.iter().copied().take(2).chain(repairs).chain(own.iter().copied().skip(2)).collect()
}
