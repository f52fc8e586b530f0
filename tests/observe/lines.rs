//! Lines that an on-call search relies on.

use jaas_tests::operator::OperatorOptions;
use serde_json::{Value, json};

use crate::bench::{Bench, ENDLESS};

fn records(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test]
async fn each_step_of_a_life_leaves_its_line_and_each_reconcile_one() {
    let args = ["--evaluation-timeout=1s", "--ext-var=stage=test", "--shutdown-delay=100ms"];
    let bench = Bench::new("lines", &args).await;
    bench.create("web", "1").await;
    bench.judged("web", "Synced").await;
    bench.create("endless", ENDLESS).await;
    bench.judged("endless", "EvaluationTimeout").await;
    bench.snippets.delete("web", &kube::api::DeleteParams::default()).await.unwrap();
    bench.logged("\"withdrawn\"").await;
    bench.operator.terminate().await.unwrap();
    let log = bench.operator.log();
    let records = records(&log);
    let line = |words: &str| {
        let found = records.iter().find(|record| record["msg"] == words);
        found.unwrap_or_else(|| panic!("{words} is missing in\n{log}")).clone()
    };
    for words in [
        "Starting JaaS",
        "CLI flags parsed",
        "External variables loaded",
        "Operator manager ready",
        "all watched resources are now installed and permitted; reconciliation can proceed",
        "Jsonnet evaluation timed out",
        "Finalizer removed; JsonnetSnippet may now be garbage-collected",
        "Received signal, shutting down",
        "Draining: waiting for readiness to propagate before shutdown",
        "JaaS service has shut down",
    ] {
        let line = line(words);
        assert!(line["time"].is_string() && line["level"].is_string(), "{line}");
    }
    assert_eq!(line("External variables loaded")["count"], 1);
    let ready = line("Operator manager ready");
    assert_eq!((&ready["extVarCount"], &ready["rerenderBurst"]), (&json!(1), &json!(120)), "{ready}");
    assert_eq!(line("Jsonnet evaluation timed out")["name"], "endless");
    let of = |name: &str, outcome: &str| {
        let all = records.iter().filter(|record| record["msg"] == "Reconciled" && record["name"] == name);
        all.filter(|record| record["outcome"] == outcome).count()
    };
    assert!(of("web", "Synced") >= 1, "{log}");
    // A late look at what has been let go is a reconcile of its own.
    assert!(of("web", "withdrawn") >= 1, "{log}");
    assert!(of("endless", "EvaluationTimeout") >= 1, "{log}");
}

#[tokio::test]
async fn text_says_the_same_as_json() {
    let options = OperatorOptions { args: vec!["--log-format=text".to_owned()], ..OperatorOptions::default() };
    let bench = Bench::with("text", options).await;
    bench.create("web", "1").await;
    bench.logged("msg=\"Reconciled\"").await;
    let log = bench.operator.log();
    let line = log.lines().find(|line| line.contains("msg=\"Reconciled\"")).unwrap();
    assert!(line.starts_with("time=") && line.contains("level=INFO") && line.contains("name=\"web\""), "{line}");
}
