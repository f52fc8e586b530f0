//! The dashboard: our own engine renders it, Prometheus understands its queries, and they ask for metrics that there are.

use std::fs;
use std::process::Command;

use jaas_tests::environment;
use jaas_tests::programs;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::alerts::assert_registered;
use super::helm::{chart, text_of};
use super::said;

#[test]
fn the_dashboard_is_rendered_and_its_queries_are_understood() {
    let file = chart().join("files/dashboard.jsonnet");
    let plugin = environment::value(environment::PLUGIN).unwrap();
    let output = Command::new(plugin).args(["render", text_of(&file)]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let dashboard: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(dashboard["uid"], "jaas-operator");
    let panels = dashboard["panels"].as_array().unwrap();
    let queries: Vec<_> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() >= panels.len() && panels.len() > 12, "{queries:?}");
    assert_registered(&queries.join("\n"));
    let rules = queries.iter().enumerate().map(|(i, query)| json!({"record": format!("panel_{i}"), "expr": query}));
    let rules = json!({"groups": [{"name": "dashboard", "rules": rules.collect::<Vec<_>>()}]});
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("rules.json");
    fs::write(&file, rules.to_string()).unwrap();
    let output = Command::new(programs::promtool().unwrap()).args(["check", "rules", text_of(&file)]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
