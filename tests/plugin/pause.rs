//! `suspend`, `resume`, `wait`.

use serde_json::json;

use super::bench::{Bench, document, exits, text};

#[tokio::test]
async fn a_pause_is_one_write_with_an_event_and_ends_with_a_render() {
    let bench = Bench::new().await;
    exits(&bench.admin(&["wait", "ready", "a"]).await, 0);
    let paused = bench.admin(&["suspend", "a", "--reason", "INC-4711", "-o", "json"]).await;
    exits(&paused, 0);
    let report = document(&paused);
    assert_eq!(
        (&report["targets"][0]["outcome"], &report["metadata"]["reason"]),
        (&json!("changed"), &json!("INC-4711"))
    );
    let run = report["metadata"]["run"].as_str().unwrap();
    let events = document(&bench.admin(&["events", "a", "-o", "json"]).await);
    let told = events["events"].as_array().unwrap().iter().find(|event| event["reason"] == "SuspendedByHand");
    let expected = format!("suspended by kubectl jaas, run {run}: INC-4711");
    assert_eq!(told.unwrap()["message"], expected, "{events:#}");
    let again = document(&bench.admin(&["suspend", "a", "-o", "json"]).await);
    assert_eq!(again["targets"][0]["outcome"], "unchanged");
    exits(&bench.admin(&["wait", "ready", "a"]).await, 3);
    let resumed = bench.admin(&["resume", "a", "-o", "json"]).await;
    exits(&resumed, 0);
    assert_eq!(document(&resumed)["targets"][0]["outcome"], "synced");
}

#[tokio::test]
async fn many_are_paused_only_with_a_yes_and_a_dry_run_changes_nothing() {
    let bench = Bench::new().await;
    let unasked = bench.admin(&["suspend", "--all"]).await;
    exits(&unasked, 5);
    assert!(text(&unasked.stderr).contains("--yes"), "{}", text(&unasked.stderr));
    for how in ["client", "server"] {
        let dry = bench.admin(&["suspend", "--all", &format!("--dry-run={how}"), "-o", "json"]).await;
        exits(&dry, 0);
        assert_eq!(document(&dry)["result"]["counts"], json!({"would-change": 3, "unchanged": 1}));
    }
    let counts = document(&bench.admin(&["status", "-o", "json"]).await)["status"]["counts"].clone();
    assert_eq!(counts["suspended"], 1, "{counts}");
    exits(&bench.admin(&["suspend", "--all", "--yes"]).await, 0);
    let counts = document(&bench.admin(&["status", "-o", "json"]).await)["status"]["counts"].clone();
    assert_eq!(counts["suspended"], 4, "{counts}");
    // One of them does not evaluate, which is told after all have been resumed.
    let resumed = bench.admin(&["resume", "--all", "-o", "json"]).await;
    exits(&resumed, 3);
    assert_eq!(document(&resumed)["result"]["counts"], json!({"synced": 3, "failed": 1}));
}

#[tokio::test]
async fn a_pause_of_what_a_tool_keeps_needs_a_yes() {
    let bench = Bench::new().await;
    let label = ["label", "jsonnetsnippet", "a", "kustomize.toolkit.fluxcd.io/name=apps"];
    exits(&bench.kubectl(&label).await, 0);
    exits(&bench.admin(&["suspend", "a"]).await, 5);
    exits(&bench.admin(&["suspend", "a", "--yes"]).await, 0);
}

#[tokio::test]
async fn what_does_not_come_is_124_with_the_reason() {
    let bench = Bench::new().await;
    let waited = bench.admin(&["wait", "ready", "bad", "--timeout", "2s", "-o", "json"]).await;
    exits(&waited, 124);
    assert_eq!(document(&waited)["targets"][0]["reason"], "EvaluationFailed");
    exits(&bench.admin(&["wait", "ready", "ghost"]).await, 6);
}
