//! Recorded situations: facts of an installation in some trouble, and everything that must be found in them.
//!
//! A file states its facts in full, or what differs from those of another (`like`): objects are merged, everything else is replaced.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod properties;
mod situation;

use std::collections::BTreeSet;

use jaas_findings::finding::LIST_LIMIT;
use jaas_findings::{COMMAND_LIMIT, Code, Diagnosis, Document, Severity, State, evaluate, triage};
use situation::{Expected, Situation, all};

fn observed(diagnosis: &Diagnosis) -> Expected {
    let triage = triage(&diagnosis.findings);
    let of = |state: State| diagnosis.checks.iter().filter(move |check| check.state == state).map(|check| check.code);
    Expected {
        findings: diagnosis.findings.iter().map(|finding| (finding.code, finding.severity)).collect(),
        unknown: of(State::Unknown).collect(),
        skipped: of(State::Skipped).collect(),
        causes: diagnosis
            .findings
            .iter()
            .filter(|finding| !finding.causes.is_empty())
            .map(|finding| (finding.code, finding.causes.clone()))
            .collect(),
        roots: triage.roots.iter().map(|root| root.code).collect(),
        commands: triage.commands.into_iter().map(|command| command.command).collect(),
    }
}

#[test]
fn every_situation_is_seen_for_what_it_is() {
    let mut wrong = Vec::new();
    for Situation { name, facts, expect, .. } in all() {
        let observed = observed(&evaluate(&facts));
        if observed != expect {
            wrong.push(format!("{name}: {}", serde_json::to_string_pretty(&observed).unwrap()));
        }
    }
    assert!(wrong.is_empty(), "not what is recorded, but:\n{}", wrong.join("\n"));
}

#[test]
fn healthy_installations_have_no_finding_but_what_they_chose() {
    let found = |name: &str| {
        let facts = situation::named(name).facts;
        evaluate(&facts).findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(found("healthy"), []);
    assert_eq!(found("healthy-bucket"), []);
    assert_eq!(found("go-healthy"), []);
}

#[test]
fn a_full_store_proposes_what_explain_offers_and_last_what_cannot_be_undone() {
    let offered: Vec<_> = Code::VolumeFull
        .entry()
        .advice
        .iter()
        .map(|advice| advice.command.replace("NAMESPACE", "team-a").replace("NAME", "web"))
        .collect();
    for name in ["disk-full", "go-disk-full", "quota-full", "room-too-small"] {
        let findings = evaluate(&situation::named(name).facts).findings;
        let full = findings.iter().find(|finding| finding.code == Code::VolumeFull).unwrap();
        let places: Vec<_> =
            full.commands.iter().map(|it| offered.iter().position(|line| *line == it.command).unwrap()).collect();
        assert!(places.len() > 1 && places.is_sorted(), "{name}: {:?}", full.commands);
        let loses = |line: &str| line.contains("--keep");
        // What uses the room comes after all that makes room, of which the loss is the last.
        let (last, makers) = full.commands.split_last().unwrap();
        assert!(last.command.contains(" reconcile --failed "), "{name}: {last:?}");
        assert!(makers.iter().rev().skip(1).all(|it| !loses(&it.command)), "{name}: {makers:?}");
        assert!(makers.iter().all(|it| !loses(&it.command) || it.why.contains("for good")), "{name}: {makers:?}");
    }
}

#[test]
fn every_finding_says_what_was_seen_and_what_to_type() {
    for Situation { name, facts, .. } in all() {
        let Diagnosis { findings, checks } = evaluate(&facts);
        assert_eq!(checks.len(), Code::ALL.len(), "{name}");
        let codes: BTreeSet<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes.len(), findings.len(), "{name}: a code was found twice");
        for finding in &findings {
            let code = finding.code;
            assert!(!finding.summary.is_empty() && !finding.commands.is_empty(), "{name}: {code}");
            let says_nothing = matches!(code, Code::NoOwnerMark);
            assert!(!finding.evidence.is_empty() || says_nothing, "{name}: {code} has no evidence");
            assert!(finding.evidence.iter().all(|it| it.first.len() <= LIST_LIMIT), "{name}: {code}");
            assert!(finding.causes.iter().all(|cause| codes.contains(cause)), "{name}: {code}");
        }
        for check in checks.iter().filter(|check| matches!(check.state, State::Unknown | State::Skipped)) {
            let has_why = !check.why.is_empty() && check.why.iter().all(|why| !why.is_empty());
            assert!(has_why, "{name}: {check:?}");
        }
    }
}

#[test]
fn triage_begins_at_the_root_and_leaves_no_finding_unexplained() {
    for Situation { name, facts, .. } in all() {
        let findings = evaluate(&facts).findings;
        let triage = triage(&findings);
        assert!(triage.commands.len() <= COMMAND_LIMIT, "{name}");
        let reached: BTreeSet<Code> =
            triage.roots.iter().flat_map(|root| root.explains.iter().copied().chain([root.code])).collect();
        for finding in findings.iter().filter(|finding| finding.severity > Severity::Info) {
            assert!(reached.contains(&finding.code), "{name}: {} hangs in the air", finding.code);
        }
        for root in &triage.roots {
            let finding = findings.iter().find(|finding| finding.code == root.code).unwrap();
            assert!(finding.causes.is_empty(), "{name}: {}", root.code);
        }
    }
}

#[test]
fn every_code_is_found_in_some_situation() {
    let found: BTreeSet<_> = all().into_iter().flat_map(|it| evaluate(&it.facts).findings).map(|it| it.code).collect();
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !found.contains(code)).collect();
    assert_eq!(missing, Vec::<&Code>::new());
}

#[test]
fn a_document_reads_back_as_itself_and_refuses_another_version() {
    for Situation { name, facts, .. } in all() {
        let document = Document::of(&facts);
        let text = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), document, "{name}");
        let later = text.replacen("findings.jaas.metio.wtf/v1", "findings.jaas.metio.wtf/v2", 1);
        assert!(serde_json::from_str::<Document>(&later).is_err(), "{name}");
    }
}
