//! The alerts: promtool takes them, each fires when it should and stays silent when it should, on metrics that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use jaas_tests::environment;
use jaas_tests::programs;
use jaas_tests::runner::root;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::helm::{Helm, ValueSet, chart, text_of};
use super::said;

/// One row of `alerts.yaml`.
#[derive(Deserialize)]
struct Case {
    alert: String,
    about: String,
    at: String,
    series: BTreeMap<String, String>,
    fires: u32,
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(root().join("tests/chart/alerts.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The rule of a set of values, as Prometheus reads it.
fn rules(set: &str) -> Value {
    Helm::new().objects(&ValueSet::named(set)).part("PrometheusRule", "/spec")
}

fn names(rules: &Value) -> BTreeSet<String> {
    let groups = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    groups.map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn promtool_takes_the_rules_of_every_set_of_values() {
    let folder = TempDir::new().unwrap();
    let promtool = programs::promtool().unwrap();
    let file = folder.path().join("rules.json");
    for set in ["monitoring", "peer-s3"] {
        // JSON is YAML.
        fs::write(&file, rules(set).to_string()).unwrap();
        let output = Command::new(&promtool).args(["check", "rules", text_of(&file)]).output().unwrap();
        assert!(output.status.success(), "{set}: {}", said(&output));
    }
}

#[test]
fn every_alert_fires_when_it_should_and_is_silent_when_it_should() {
    let rules = rules("peer-s3");
    let cases = cases();
    for alert in names(&rules) {
        let fires: BTreeSet<_> = cases.iter().filter(|case| case.alert == alert).map(|case| case.fires > 0).collect();
        assert_eq!(fires, BTreeSet::from([true, false]), "{alert} needs a case that fires and one that does not");
    }
    let folder = TempDir::new().unwrap();
    // The namespace that the rules were rendered for.
    fs::write(folder.path().join("rules.json"), rules.to_string()).unwrap();
    let tests = cases.iter().map(|case| {
        let series = case.series.iter().map(|(series, values)| json!({"series": series, "values": values}));
        let samples = match case.fires {
            0 => json!([]),
            fires => json!([{"labels": "{}", "value": fires}]),
        };
        let firing = format!("count(ALERTS{{alertname=\"{}\",alertstate=\"firing\"}})", case.alert);
        json!({
            "name": format!("{}: {}", case.alert, case.about),
            "interval": "1m",
            "input_series": series.collect::<Vec<_>>(),
            "promql_expr_test": [{"expr": firing, "eval_time": case.at, "exp_samples": samples}],
        })
    });
    let tests = json!({"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": tests.collect::<Vec<_>>()});
    let file = folder.path().join("tests.json");
    fs::write(&file, tests.to_string()).unwrap();
    let output = Command::new(programs::promtool().unwrap()).args(["test", "rules", text_of(&file)]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Names in a text that look like metrics of the operator; each must be registered.
pub(crate) fn assert_registered(text: &str) {
    let mut sources = fs::read_to_string(root().join("operator/src/telemetry/metrics.rs")).unwrap();
    for entry in fs::read_dir(root().join("operator/src/telemetry/metrics")).unwrap() {
        sources += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    let metric = regex::Regex::new(r"\b(jaas|workqueue|controller_runtime|leader_election)_[a-z_]+[a-z]").unwrap();
    let named: BTreeSet<_> = metric.find_iter(text).map(|found| found.as_str()).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        let name = name.trim_end_matches("_total").trim_end_matches("_bucket");
        assert!(sources.contains(&format!("\"{name}\"")), "no metric is registered as {name}");
    }
}

#[test]
fn every_metric_that_an_alert_names_is_one_of_the_operators() {
    let alerts = fs::read_to_string(chart().join("files/alerts.yaml")).unwrap();
    let lines = alerts.lines().filter(|line| !line.trim_start().starts_with('#'));
    assert_registered(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_alert_has_its_page_and_every_link_leads_to_one() {
    let rules = rules("monitoring");
    let groups = rules["groups"].as_array().unwrap();
    for rule in groups.iter().take(2).flat_map(|group| group["rules"].as_array().unwrap()) {
        let alert = rule["alert"].as_str().unwrap();
        let page = format!("{}.md", alert.to_lowercase());
        let text = fs::read_to_string(root().join("docs/alerts").join(&page)).unwrap_or_else(|_| panic!("{page}"));
        assert!(text.starts_with(&format!("# {alert}\n")), "docs/alerts/{page}");
        let link = format!("https://docs.example.com/alerts/{}/", alert.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], link.as_str());
        assert_eq!(rule["labels"]["team"], "platform");
        let codes = rule["annotations"]["findings"].as_str().unwrap_or_default();
        assert!(codes.split(", ").all(|code| code.len() == 4), "{alert} leads to the findings {codes:?}");
    }
    let pages = fs::read_dir(root().join("docs/alerts")).unwrap().map(|entry| entry.unwrap().file_name());
    let pages: BTreeSet<_> = pages.map(|name| name.into_string().unwrap()).filter(|name| name != "index.md").collect();
    let here = groups.iter().take(2).flat_map(|group| group["rules"].as_array().unwrap());
    let here: BTreeSet<_> = here.map(|rule| format!("{}.md", rule["alert"].as_str().unwrap().to_lowercase())).collect();
    assert_eq!(pages, here, "pages without an alert, or alerts without a page");
    assert_eq!(groups.len(), 3);
    assert_eq!(groups[2]["rules"][0]["alert"], "ManySnippetsDown");
}

#[test]
fn every_command_of_the_plugin_that_a_page_or_an_alert_names_exists() {
    let mut texts = vec![fs::read_to_string(chart().join("files/alerts.yaml")).unwrap()];
    for entry in fs::read_dir(root().join("docs/alerts")).unwrap() {
        texts.push(fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for page in ["upgrade.md", "migrate.md"] {
        texts.push(fs::read_to_string(root().join("docs").join(page)).unwrap());
    }
    let lines = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once("kubectl jaas "));
    let commands: BTreeSet<Vec<&str>> = lines
        .map(|(_, rest)| {
            let end = rest.find(['`', '#']).unwrap_or(rest.len());
            rest[..end].split_whitespace().filter(|word| !word.contains('{') && !word.contains('}')).collect()
        })
        .collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        // Names of things stand in capitals, and so do not begin a command.
        let words = command.iter().take_while(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
        let words: Vec<_> = words.filter(|word| !word.starts_with('$')).collect();
        let plugin = environment::value(environment::PLUGIN).unwrap();
        let output = Command::new(plugin).args(&words).arg("--help").output().unwrap();
        assert!(output.status.success(), "kubectl jaas {command:?}: {}", said(&output));
        let help = said(&output);
        for flag in command.iter().filter(|word| word.starts_with("--")) {
            let flag = flag.split('=').next().unwrap();
            assert!(help.contains(flag), "kubectl jaas {words:?} does not know {flag}");
        }
    }
}
