//! `reconcile`.

use serde_json::json;

use super::bench::{Bench, code, document, exits, text};

#[tokio::test]
async fn reconcile_asks_waits_and_tells() {
    let bench = Bench::new().await;
    let one = bench.admin(&["reconcile", "a"]).await;
    assert_eq!(code(&one), 0, "{}\n{}", text(&one.stdout), text(&one.stderr));

    let all = bench.admin(&["reconcile", "--all", "-o", "json"]).await;
    let report = document(&all);
    assert_eq!(code(&all), 3, "{report:#}");
    assert_eq!((&report["kind"], &report["result"]["exitCode"]), (&json!("ReconcileReport"), &json!(3)));
    let failed: Vec<_> = report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target.to_string().contains("EvaluationFailed"))
        .collect();
    assert_eq!(failed.len(), 1, "{report:#}");

    let selected = bench.admin(&["reconcile", "-l", "team=b"]).await;
    assert_eq!(code(&selected), 0, "{}", text(&selected.stderr));
    let nothing = bench.admin(&["reconcile", "-l", "team=nobody"]).await;
    assert_eq!(code(&nothing), 6);
    let missing = bench.admin(&["reconcile", "ghost"]).await;
    assert_eq!(code(&missing), 6);
    assert!(text(&missing.stderr).contains("ghost"));
    let failed = bench.admin(&["reconcile", "--failed", "-o", "json"]).await;
    let report = document(&failed);
    exits(&failed, 3);
    assert_eq!(report["metadata"]["scope"]["snippets"], 1, "{report:#}");
    exits(&bench.admin(&["reconcile", "--stale"]).await, 6);
    let paused = bench.admin(&["reconcile", "paused"]).await;
    assert_eq!(code(&paused), 5);
    assert!(text(&paused.stderr).contains("suspend"), "{}", text(&paused.stderr));
}

#[tokio::test]
async fn a_tenant_without_the_right_is_told_the_rule_that_helps() {
    let bench = Bench::new().await;
    let refused = bench.run(&bench.namespace.tenant(), &["reconcile", "a", "-n", &bench.namespace.name]).await;
    assert_eq!(code(&refused), 7, "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("jsonnetsnippets"), "{}", text(&refused.stderr));
}
