//! Files that are generated from the registry are what the registry generates.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::fs;
use std::path::PathBuf;

use jaas_findings::{Code, page, schema};
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
