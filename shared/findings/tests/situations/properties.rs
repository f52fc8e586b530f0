//! What holds of all facts, however they are ordered and whatever is missing.

use std::collections::{BTreeMap, BTreeSet};

use jaas_api::Reason;
use jaas_findings::facts::{Facts, Ready, Request};
use jaas_findings::{Code, Finding, Severity, State, evaluate};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::situation::{all, named};

/// A place in facts: keys and positions from the root.
type Place = Vec<String>;

fn value(facts: &Facts) -> Value {
    serde_json::to_value(facts).unwrap()
}

fn read(value: &Value) -> Option<Facts> {
    serde_json::from_value(value.clone()).ok()
}

/// The same facts with the fact at `place` not known.
fn without(facts: &Value, place: &Place) -> Value {
    let mut facts = facts.clone();
    let pointer: String = place.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect();
    // An earlier removal may have taken the place along.
    if let Some(fact) = facts.pointer_mut(&pointer) {
        *fact = json!({"unknown": {"why": "no-right", "detail": place.join(".")}});
    }
    facts
}

/// Every place that holds a fact which may be out of reach. Of a list, the first and the last entry stand for all.
fn places(facts: &Value) -> Vec<Place> {
    fn visit(all: &Value, here: &Value, place: &mut Place, found: &mut Vec<Place>) {
        // What is taken over from the wire skips what it does not know: there the absence would be lost, and is none.
        let less = without(all, place);
        if !place.is_empty() && read(&less).is_some_and(|facts| value(&facts) == less) {
            found.push(place.clone());
        }
        let children: Vec<(String, &Value)> = match here {
            Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(items) => {
                let ends = BTreeSet::from([0, items.len().saturating_sub(1)]);
                ends.into_iter().filter_map(|at| Some((at.to_string(), items.get(at)?))).collect()
            }
            _ => Vec::new(),
        };
        for (key, child) in children {
            place.push(key);
            visit(all, child, place, found);
            place.pop();
        }
    }
    let mut found = Vec::new();
    visit(facts, facts, &mut Vec::new(), &mut found);
    found
}

/// Puts every list into another order.
fn shuffle(value: &mut Value, seed: &mut u64) {
    match value {
        Value::Array(items) => {
            for last in (1..items.len()).rev() {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                items.swap(last, usize::try_from(*seed >> 33).unwrap() % (last + 1));
            }
            items.iter_mut().for_each(|item| shuffle(item, seed));
        }
        Value::Object(object) => object.values_mut().for_each(|item| shuffle(item, seed)),
        _ => {}
    }
}

fn states(facts: &Facts) -> BTreeMap<Code, State> {
    evaluate(facts).checks.into_iter().map(|check| (check.code, check.state)).collect()
}

fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_facts_changes_nothing(seed in any::<u64>()) {
        for situation in all() {
            let mut shuffled = value(&situation.facts);
            shuffle(&mut shuffled, &mut seed.clone());
            let shuffled = read(&shuffled).unwrap();
            prop_assert_eq!(evaluate(&shuffled), evaluate(&situation.facts), "{}", situation.name);
        }
    }
}

#[test]
fn a_healthy_installation_of_which_less_is_known_is_never_accused() {
    for name in ["healthy", "healthy-bucket", "go-healthy"] {
        let facts = value(&named(name).facts);
        let places = places(&facts);
        let some = proptest::sample::subsequence(places.clone(), 1..places.len());
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() });
        let result = runner.run(&some, |unknown| {
            let less = unknown.iter().fold(facts.clone(), |less, place| without(&less, place));
            let findings = evaluate(&read(&less).unwrap()).findings;
            prop_assert!(worst(&findings) <= Some(Severity::Info), "{:?}", findings);
            prop_assert!(findings.iter().all(|finding| finding.code == Code::MissingRight), "{:?}", findings);
            Ok(())
        });
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

#[test]
fn a_finding_for_which_a_fact_is_missing_becomes_unknown_and_never_fine() {
    for situation in all() {
        let facts = value(&situation.facts);
        let known = states(&situation.facts);
        let places = places(&facts);
        assert!(places.len() > 20, "{}: {places:?}", situation.name);
        for place in &places {
            let now = states(&read(&without(&facts, place)).unwrap());
            for (code, state) in &known {
                // Asking for a right that is missing is the point here.
                let (before, after) = (*state, now[code]);
                let is_claim = match before {
                    State::Finding => !matches!(after, State::Finding | State::Unknown),
                    State::Unknown => after == State::Ok,
                    State::Ok | State::Skipped => false,
                };
                assert!(
                    !is_claim || *code == Code::MissingRight,
                    "{}: {code} was {before:?}, is {after:?} without {}",
                    situation.name,
                    place.join(".")
                );
            }
        }
    }
}

#[test]
fn no_single_fact_of_a_healthy_installation_is_needed_to_acquit_it() {
    for name in ["healthy", "healthy-bucket", "go-healthy"] {
        let facts = value(&named(name).facts);
        for place in places(&facts) {
            let codes: BTreeSet<_> = evaluate(&read(&without(&facts, &place)).unwrap())
                .findings
                .into_iter()
                .map(|finding| finding.code)
                .collect();
            assert!(
                codes.iter().all(|code| *code == Code::MissingRight),
                "{name} without {}: {codes:?}",
                place.join(".")
            );
        }
    }
}

#[test]
fn whoever_is_not_ready_is_in_a_finding_that_says_why_whatever_else_is_known() {
    let bases = ["healthy", "healthy-bucket", "go-healthy", "few-rights", "disk-full", "keys-rotated"];
    let words = Reason::ALL.iter().map(|reason| reason.as_str()).chain(["FromTheFuture"]);
    for word in words.filter(|word| !matches!(*word, "Synced" | "Suspended")) {
        for base in bases {
            let mut facts = named(base).facts;
            let jaas_findings::Known::Yes(snippets) = &mut facts.snippets else { panic!("{base} has no snippets") };
            let snippet = &mut snippets.items[0];
            let (status, reason) = ("False".to_owned(), word.to_owned());
            snippet.ready = Some(Ready { status, reason, message: String::new(), since: None });
            // Being in a finding about something else must not hide it.
            let (annotation, token) = ("reconcile.fluxcd.io/requestedAt".to_owned(), "2026-11-22T14:00:00Z".to_owned());
            snippet.requests = vec![Request { annotation, token, handled: None }];
            let subject = snippet.subject();
            let findings = evaluate(&facts).findings;
            let tells = |finding: &&Finding| {
                let knows = finding.code.entry().reasons.iter().any(|reason| reason.as_str() == word);
                (knows || matches!(finding.code, Code::NotReady | Code::Backoff)) && finding.subjects.contains(&subject)
            };
            assert!(findings.iter().any(|finding| tells(&finding)), "{base}: {word} is in no finding");
        }
    }
}
