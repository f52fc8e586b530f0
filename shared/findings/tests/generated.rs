//! Files that are generated from the registry are what the registry generates.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use jaas_findings::{Code, page, registry, schema};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_page_of_findings_is_what_the_registry_says() {
    let kept = fs::read_to_string(root().join("docs/findings.md")).unwrap_or_default();
    let what = "docs/findings.md is not what the registry says; run\n  cargo run -p jaas-findings --example generate -- page > docs/findings.md";
    assert!(kept == page::page(), "{what}");
}

/// An alert of the Go implementation, which the plugin explains too. What it warns of cannot happen here.
const ELSEWHERE: [&str; 1] = ["JaaSEvalLeakedGoroutines"];

#[test]
fn the_alerts_of_the_chart_and_those_of_the_registry_are_the_same() {
    let kept = fs::read_to_string(root().join("charts/jaas/files/findings.yaml")).unwrap_or_default();
    let what = "charts/jaas/files/findings.yaml is not what the registry says; run\n  cargo run -p jaas-findings --example generate -- alerts > charts/jaas/files/findings.yaml";
    assert!(kept == page::alerts(), "{what}");
    let rules = fs::read_to_string(root().join("charts/jaas/files/alerts.yaml")).unwrap();
    let chart: BTreeSet<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let all = Code::ALL.iter().flat_map(|code| code.entry().alerts.iter().copied());
    let registry: BTreeSet<_> = all.filter(|alert| !ELSEWHERE.contains(alert)).collect();
    assert_eq!(chart, registry);
}

#[test]
fn every_metric_of_an_alert_is_explained() {
    let rules = fs::read_to_string(root().join("charts/jaas/files/alerts.yaml")).unwrap();
    let words = rules.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let families = ["jaas_", "workqueue_", "controller_runtime_", "leader_election_"];
    let named = words.filter(|word| families.iter().any(|family| word.starts_with(family)));
    let named: BTreeSet<_> = named.map(|word| word.trim_end_matches("_bucket")).collect();
    let unknown: Vec<_> = named.iter().filter(|name| registry::find(name).is_empty()).collect();
    assert!(named.len() > 15 && unknown.is_empty(), "no code knows {unknown:?} of {named:?}");
}

#[test]
fn the_kept_schema_is_that_of_the_document() {
    let kept = fs::read_to_string(root().join("shared/findings/schema/v1.json")).unwrap_or_default();
    let what = "shared/findings/schema/v1.json is not the document's; within a version fields are only added; run\n  cargo run -p jaas-findings --example generate -- schema > shared/findings/schema/v1.json";
    assert!(kept == schema(), "{what}");
    let schema: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(schema["$defs"]["Version"]["const"], "findings.jaas.metio.wtf/v1");
    let required: Vec<_> = schema["required"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(required, ["version", "at", "counts", "findings", "checks", "triage"]);
}

#[test]
fn every_page_and_section_that_is_linked_exists() {
    let page = page::page();
    for code in Code::ALL {
        assert!(page.contains(&format!("\n### {code}\n")), "{code} has no section");
        for reason in code.entry().reasons {
            let path = root().join(format!("docs/reasons/{}.md", reason.as_str().to_lowercase()));
            assert!(path.exists(), "{} is missing", path.display());
        }
    }
}
