//! `status`, `history`, `tree`, `events`.

use serde_json::json;

use super::bench::{Bench, PATIENCE, document, exits, text};
use jaas_tests::wait::eventually;

/// The operator is looked for in the test's own namespace, where there is no Deployment.
async fn status(bench: &Bench, args: &[&str]) -> std::process::Output {
    bench.admin(&[&["status", "--operator-namespace", &bench.namespace.name][..], args].concat()).await
}

async fn rendered(bench: &Bench) {
    exits(&bench.admin(&["wait", "ready", "a", "b"]).await, 0);
    // The bad one has its verdict, too.
    let judged = async || {
        let shown = document(&status(bench, &["-o", "json"]).await);
        (shown["status"]["counts"]["failed"] == 1).then_some(())
    };
    eventually("the verdict over the bad one", PATIENCE, judged).await.unwrap();
}

#[tokio::test]
async fn status_shows_what_needs_a_look_and_says_what_it_cannot_see() {
    let bench = Bench::new().await;
    rendered(&bench).await;
    let shown = status(&bench, &["-o", "json"]).await;
    let found = document(&shown);
    exits(&shown, 4);
    assert_eq!(found["status"]["counts"], json!({"ready": 2, "failed": 1, "suspended": 1}), "{found:#}");
    assert_eq!(found["status"]["snippets"][0]["name"], "bad");
    assert_eq!(found["status"]["snippets"][0]["reason"], "EvaluationFailed");
    assert_eq!(found["status"]["artifacts"], json!({"announced": 2, "wrong": []}));
    exits(&status(&bench, &["--fail-on", "none"]).await, 3);
    let screen = text(&status(&bench, &["--fail-on", "none"]).await.stdout);
    assert!(screen.contains("SNIPPETS  READY  FAILED  SUSPENDED\n4         2      1       1"), "{screen}");
    let named = document(&status(&bench, &["a", "-o", "json"]).await);
    assert_eq!(named["status"]["snippets"][0]["state"], "ready", "{named:#}");
    exits(&status(&bench, &["ghost"]).await, 6);
}

#[tokio::test]
async fn history_tells_current_kept_and_announced() {
    let bench = Bench::new().await;
    exits(&bench.admin(&["wait", "ready", "a"]).await, 0);
    let first = document(&bench.admin(&["history", "a", "-o", "json"]).await);
    assert_eq!(first["history"]["revisions"].as_array().unwrap().len(), 1, "{first:#}");
    assert_eq!(first["history"]["revisions"][0]["state"], "current");
    assert_eq!(first["history"]["revisions"][0]["announced"], true);
    let change = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": "a", "namespace": bench.namespace.name},
        "spec": {"serviceAccountName": "tenant", "history": 2, "files": {"main.jsonnet": "[1, 2]"}},
    });
    bench.plane.apply_objects(&[change]).await.unwrap();
    exits(&bench.admin(&["wait", "ready", "a"]).await, 0);
    let second = document(&bench.admin(&["history", "a", "-o", "json"]).await);
    let revisions = second["history"]["revisions"].as_array().unwrap();
    let states: Vec<_> = revisions.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!((states, &second["history"]["limit"]), (vec!["current", "kept"], &json!(2)), "{second:#}");
    assert_eq!(revisions[1]["revision"], first["history"]["revisions"][0]["revision"]);
    exits(&bench.admin(&["history", "ghost"]).await, 6);
}

#[tokio::test]
async fn the_tree_leads_from_libraries_to_consumers() {
    let bench = Bench::new().await;
    let place = &bench.namespace.name;
    let objects = [
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary", "metadata": {"name": "lib", "namespace": place},
            "spec": {"files": {"lib.libsonnet": "{x: 1}"}}}),
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": place},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "(import 'l/lib.libsonnet').x"},
                "libraries": [{"kind": "JsonnetLibrary", "name": "lib", "importPath": "l"}]}}),
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "apps", "namespace": place},
            "spec": {"interval": "1h", "prune": true, "sourceRef": {"kind": "ExternalArtifact", "name": "web"}}}),
    ];
    bench.plane.apply_objects(&objects).await.unwrap();
    exits(&bench.admin(&["wait", "ready", "web"]).await, 0);
    let tree = bench.admin(&["tree", "web", "--ascii"]).await;
    exits(&tree, 0);
    let drawn = text(&tree.stdout);
    let expected = format!(
        "JsonnetSnippet  {place}/web  ready\n\
         +- imports  JsonnetLibrary  {place}/lib  there  as l\n\
         `- publishes  ExternalArtifact  {place}/web  announced  sha256:"
    );
    assert!(drawn.starts_with(&expected), "{drawn}");
    assert!(drawn.ends_with(&format!("\n   `- used by  Kustomization  {place}/apps  pending\n")), "{drawn}");
}

#[tokio::test]
async fn events_outlive_their_snippet() {
    let bench = Bench::new().await;
    exits(&bench.admin(&["wait", "ready", "a"]).await, 0);
    let shown = async || {
        let events = document(&bench.admin(&["events", "a", "-o", "json"]).await);
        let all = events["events"].as_array()?.clone();
        all.iter().any(|event| event["reason"] == "Synced").then_some(all)
    };
    let before = eventually("the event", PATIENCE, shown).await.unwrap();
    assert!(before.iter().all(|event| event["deleted"] == false && event["name"] == "a"), "{before:#?}");
    let times: Vec<_> = before.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    exits(&bench.kubectl(&["delete", "jsonnetsnippet", "a", "--wait"]).await, 0);
    let after = bench.admin(&["events", "a", "-o", "json"]).await;
    exits(&after, 0);
    let after = document(&after);
    let after = after["events"].as_array().unwrap();
    assert!(!after.is_empty() && after.iter().all(|event| event["deleted"] == true), "{after:#?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_seen_has_not_recovered() {
    let bench = Bench::new().await;
    exits(&bench.admin(&["wait", "ready", "a"]).await, 0);
    let waited = bench.admin(&["wait", "recovered", "a", "--operator-namespace", &bench.namespace.name]).await;
    exits(&waited, 3);
    let told = text(&waited.stderr);
    assert!(
        told.contains("0 of 1 snippets are recovered; 1 are announced; the store was not seen: no Deployment"),
        "{told}"
    );
}
