//! What an operator does not look after any more, and what its own namespace tells of others.

use jaas_tests::cluster::{Settings, Store};
use serde_json::{Value, json};

use super::bench::{document, exits, text};
use super::installed::Ward;
use super::storage::STILL;

fn paths(output: &std::process::Output) -> Vec<String> {
    let files = document(output)["store"]["files"].as_array().cloned().unwrap_or_default();
    files.iter().map(|file| file["path"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn what_falls_outside_of_the_selector_is_listed() {
    let args = STILL.iter().copied().chain(["--label-selector=!out"]).map(str::to_owned).collect();
    let ward = Ward::new(Settings { store: Store::Claim, admin: true, args, ..Settings::default() }).await;
    ward.publish(&[("a", "1"), ("b", "2")]).await;
    ward.ours().await;
    let listed = async |args: &[&str]| {
        let output = ward.operator(&[&["storage", "ls", "-o", "json"], args].concat()).await;
        exits(&output, 0);
        paths(&output)
    };
    assert_eq!(listed(&["--out-of-scope"]).await, Vec::<String>::new());
    exits(&ward.kubectl(&["label", "jsonnetsnippet", "b", "out=yes"]).await, 0);
    let outside = listed(&["--out-of-scope"]).await;
    let start = format!("{}/b/", ward.namespace.name);
    assert!(outside.len() == 1 && outside[0].starts_with(&start), "{outside:?}");
    assert!(listed(&[]).await.len() > 1);
    assert_eq!(listed(&["a", "--out-of-scope"]).await, Vec::<String>::new());
    exits(&ward.operator(&["storage", "find-orphans"]).await, 0);
}

#[tokio::test]
async fn an_event_at_home_tells_of_a_snippet_whose_namespace_is_gone() {
    let ward = Ward::new(Settings::default()).await;
    let home = &ward.namespace.name;
    // As the operator writes it, which another test holds; here it is written by hand.
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "let-go", "namespace": home},
        "reason": "WithdrawForced", "action": "WithdrawForced", "type": "Warning",
        "note": "JsonnetSnippet gone-team/web: WithdrawForced after 1h",
        "eventTime": "2026-11-22T10:00:00.000000Z",
        "reportingController": "jaas-operator", "reportingInstance": "jaas-operator",
        "regarding": {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "namespace": home, "name": "jaas-operator"},
        "related": {"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "namespace": "gone-team", "name": "web", "uid": "1"},
    });
    ward.plane.apply_objects(&[event]).await.unwrap();
    let told = |output: &std::process::Output| -> Vec<Value> {
        exits(output, 0);
        let events = document(output)["events"].as_array().cloned().unwrap_or_default();
        events.into_iter().filter(|event| event["namespace"] == "gone-team").collect()
    };
    let place = ["--operator-namespace", home];
    for args in [&["events", "-A"][..], &["events", "-n", "gone-team"], &["events", "web", "-n", "gone-team"]] {
        let args = [&["jaas"], args, &place, &["-o", "json"]].concat();
        let output = super::bench::kubectl(
            ward.plane,
            &jaas_tests::controlplane::Identity::Admin,
            &args,
            &super::bench::plugin_folder(),
        )
        .await;
        let events = told(&output);
        assert_eq!(events.len(), 1, "{args:?}: {}", text(&output.stdout));
        assert_eq!((&events[0]["reason"], &events[0]["name"]), (&json!("WithdrawForced"), &json!("web")));
        assert_eq!(events[0]["deleted"], json!(true));
    }
    let found = ward.operator(&["doctor", "-o", "json"]).await;
    let findings = document(&found)["diagnosis"]["findings"].as_array().cloned().unwrap_or_default();
    // Its own namespace only: the snippet is none of that.
    assert!(!findings.iter().any(|finding| finding["code"] == "G608"), "{findings:#?}");
    let args = ["jaas", "doctor", "-A", "--operator-namespace", home, "-o", "json"];
    let all = super::bench::kubectl(
        ward.plane,
        &jaas_tests::controlplane::Identity::Admin,
        &args,
        &super::bench::plugin_folder(),
    )
    .await;
    let findings = document(&all)["diagnosis"]["findings"].as_array().cloned().unwrap_or_default();
    let forced = findings.iter().find(|finding| finding["code"] == "G608");
    assert!(forced.is_some_and(|finding| finding.to_string().contains("gone-team")), "{findings:#?}");
}
