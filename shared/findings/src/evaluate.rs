//! Runs every check over the facts. Pure.

use std::collections::BTreeSet;

use crate::causes;
use crate::code::Code;
use crate::facts::Facts;
use crate::finding::{Check, Finding, State};
use crate::known::{Obstacle, Why};
use crate::rules::{self, Outcome, Seen, Stop};

/// What came of all checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// One for each code, in the order of the documentation.
    pub checks: Vec<Check>,
}

/// Runs every check.
pub fn evaluate(facts: &Facts) -> Diagnosis {
    let mut run = Run { facts, findings: Vec::new(), checks: Vec::new(), refused: BTreeSet::new() };
    for code in Code::ALL {
        if let Some(outcome) = rules::check(*code, facts) {
            run.note(*code, outcome);
        }
    }
    // These two look at what the others found, and could not find.
    run.note(Code::NotReady, rules::not_ready(facts, &run.findings));
    let refused: Vec<_> =
        std::mem::take(&mut run.refused).into_iter().map(|detail| Why::new(Obstacle::NoRight, detail)).collect();
    run.note(Code::MissingRight, Ok(rules::missing_right(&refused)));
    let Run { mut findings, mut checks, .. } = run;
    causes::link(facts, &mut findings);
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.code));
    checks.sort_by_key(|check| Code::ALL.iter().position(|code| *code == check.code));
    Diagnosis { findings, checks }
}

struct Run<'a> {
    facts: &'a Facts,
    findings: Vec<Finding>,
    checks: Vec<Check>,
    /// What was refused to any check.
    refused: BTreeSet<String>,
}

impl Run<'_> {
    fn note(&mut self, code: Code, outcome: Outcome) {
        let (state, why) = match outcome {
            Ok(Seen { finding, blind }) => {
                let state = match (&finding, blind.is_empty()) {
                    (Some(_), _) => State::Finding,
                    (None, false) => State::Unknown,
                    (None, true) => State::Ok,
                };
                self.findings.extend(finding.map(|finding| address(finding, self.facts)));
                (state, self.reasons(blind))
            }
            Err(Stop::Unknown(blind)) => (State::Unknown, self.reasons(blind)),
            Err(Stop::Skipped(why)) => (State::Skipped, vec![why]),
        };
        self.checks.push(Check { code, area: code.area(), state, why });
    }

    /// Ordered and without repetition, so that the order of the facts shows nowhere.
    fn reasons(&mut self, blind: Vec<Why>) -> Vec<String> {
        let refused = blind.iter().filter(|why| why.why == Obstacle::NoRight).map(|why| why.detail.clone());
        self.refused.extend(refused);
        blind.iter().map(Why::to_string).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Replaces words in capitals by what they stand for here, where that is known and one thing only.
fn address(mut finding: Finding, facts: &Facts) -> Finding {
    let one = |kind: &str| {
        let mut all = finding.subjects.iter().filter(|subject| subject.kind == kind);
        all.next().filter(|_| all.next().is_none()).cloned()
    };
    let snippet = one("JsonnetSnippet").or_else(|| one("ExternalArtifact"));
    let deployment = facts.operator.deployment.ok().and_then(Option::as_ref).map(|it| it.name.clone());
    let release = facts.operator.identity.ok().and_then(|it| it.release.rsplit('/').next()).map(str::to_owned);
    // Where a finding names no Pod, the leader is the one to look at.
    let leader = facts.lease.ok().and_then(Option::as_ref).map(|lease| lease.holder_pod().to_owned());
    let names_pods = finding.subjects.iter().any(|subject| subject.kind == "Pod");
    let pod = if names_pods { one("Pod").map(|it| it.name) } else { leader };
    let volume = facts.operator.volume.ok().and_then(Option::as_ref).and_then(|it| it.name.clone());
    let words = [
        ("NAME", snippet.as_ref().map(|it| it.name.clone())),
        ("NAMESPACE", snippet.map(|it| it.namespace)),
        ("POD", pod),
        ("JAAS_NAMESPACE", Some(facts.operator.namespace.clone())),
        ("DEPLOYMENT", deployment),
        ("RELEASE", release),
        ("CLAIM", volume),
    ];
    for command in &mut finding.commands {
        let parts = command.command.split(' ').map(|part| {
            // `deployment/DEPLOYMENT` is one word to a shell.
            let (kind, word) = part.rsplit_once('/').map_or(("", part), |(kind, word)| (kind, word));
            let value = words.iter().find(|(key, _)| *key == word).and_then(|(_, value)| value.as_deref());
            match value.filter(|value| is_name(value)) {
                Some(value) if kind.is_empty() => value.to_owned(),
                Some(value) => format!("{kind}/{value}"),
                None => part.to_owned(),
            }
        });
        command.command = parts.collect::<Vec<_>>().join(" ");
    }
    finding
}

/// Whether a word can be a name in Kubernetes, so that no shell reads anything else into it.
fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;
    use crate::finding::Subject;

    #[test]
    fn knowing_nothing_is_never_fine_and_never_a_finding() {
        let Diagnosis { findings, checks } = evaluate(&Facts::empty(Timestamp::UNIX_EPOCH));
        assert_eq!(findings, []);
        assert_eq!(checks.len(), Code::ALL.len());
        for check in checks.iter().filter(|check| check.code != Code::MissingRight) {
            // Without a road and without an answer on what roads there are, there is nothing to compare.
            let expected = if check.code == Code::RoadsDiffer { State::Skipped } else { State::Unknown };
            assert_eq!(check.state, expected, "{check:?}");
            assert!(!check.why.is_empty(), "{check:?}");
        }
    }

    #[test]
    fn commands_name_what_is_meant_and_nothing_that_a_shell_would_read() {
        let mut facts = Facts::empty(Timestamp::UNIX_EPOCH);
        facts.operator.namespace = "jaas-system".to_owned();
        let finding =
            |name: &str| Finding::new(Code::InvalidSpec, "").about([Subject::new("JsonnetSnippet", "team-a", name)]);
        let first = |finding: Finding| address(finding, &facts).commands.first().unwrap().command.clone();
        assert_eq!(first(finding("web")), "kubectl jaas explain web -n team-a");
        assert_eq!(first(finding("$(reboot)")), "kubectl jaas explain NAME -n team-a");
        let two = finding("web").about([Subject::new("JsonnetSnippet", "team-a", "api")]);
        assert_eq!(first(two), "kubectl jaas explain NAME -n NAMESPACE");
        let pod = Finding::new(Code::PodNotReady, "").about([Subject::new("Pod", "jaas-system", "jaas-0")]);
        assert_eq!(first(pod), "kubectl describe pod jaas-0 -n jaas-system");
    }
}
