//! The alerts and rules of real libraries, read from the module cache of Go. Their dashboards need a library that no Go module carries.

use std::path::Path;

use jaas_tests::jsonnet::{Answer, Octets, Task};
use jaas_tests::programs;

use crate::engines::{files, ours, shown, theirs};

struct Mixin {
    module: &'static str,
    folder: &'static str,
    program: &'static str,
    /// Fewer bytes than this would be a part of it only.
    least: usize,
}

const MIXINS: [Mixin; 3] = [
    Mixin {
        module: "github.com/prometheus/prometheus",
        folder: "documentation/prometheus-mixin",
        program: "((import 'config.libsonnet') + (import 'alerts.libsonnet')).prometheusAlerts",
        least: 10_000,
    },
    Mixin {
        module: "github.com/prometheus/alertmanager",
        folder: "doc/alertmanager-mixin",
        program: "((import 'config.libsonnet') + (import 'alerts.libsonnet')).prometheusAlerts",
        least: 5_000,
    },
    Mixin {
        module: "github.com/prometheus/node_exporter",
        folder: "docs/node-mixin",
        program: "local mixin = (import 'config.libsonnet') + (import 'alerts/alerts.libsonnet') + (import 'rules/rules.libsonnet'); { alerts: mixin.prometheusAlerts, rules: mixin.prometheusRules }",
        least: 15_000,
    },
];

fn task(folder: &Path, program: &str) -> Task {
    let mut files = files(folder);
    files.insert("entry.jsonnet".to_owned(), Octets(program.into()));
    Task { entry: "entry.jsonnet".to_owned(), files, ..Task::default() }
}

#[test]
fn alerts_and_rules_of_real_libraries_are_those_of_go_jsonnet() {
    let (mut ours, mut theirs) = (ours(), theirs());
    for Mixin { module, folder, program, least } in MIXINS {
        let folder = programs::mixin(module).unwrap().join(folder);
        for wrapped in [
            program.to_owned(),
            format!("std.manifestYamlDoc({program})"),
            format!("std.manifestJsonEx({program}, '  ')"),
        ] {
            let task = task(&folder, &wrapped);
            match (ours.evaluate(&task).unwrap(), theirs.evaluate(&task).unwrap()) {
                (Answer::Output(mine), Answer::Output(other)) => {
                    assert!(mine.len() > least, "{module}: {} bytes only", mine.len());
                    assert_eq!(shown(&mine), shown(&other), "{module}: {wrapped}");
                }
                answers => panic!("{module}: {answers:?}"),
            }
        }
    }
}
