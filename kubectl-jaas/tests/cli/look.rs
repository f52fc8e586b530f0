//! `status`, `leader`, `logs`, `events`, `auth` against a server that shows an installation.

use serde_json::{Value, json};

use super::apiserver::{ApiServer, Mood};
use super::plugin::Plugin;

const PODS: &str = "/api/v1/namespaces/jaas-system/pods";
pub(crate) const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/jaas-system/leases/jaas-operator";

/// A server that shows two Pods, the first of which leads.
pub(crate) fn installation(snippets: &[&str]) -> (ApiServer, Plugin) {
    let server = ApiServer::start(Mood::Answers, snippets);
    let pod = |name: &str| {
        json!({"metadata": {"name": name, "namespace": "jaas-system", "uid": name}, "spec": {"containers": []},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    };
    server.answer_with(PODS, json!({"metadata": {}, "items": [pod("jaas-1"), pod("jaas-2")]}));
    server.answer_with(LEASE, lease("jaas-1_x"));
    let plugin = Plugin::new(server.url());
    (server, plugin)
}

/// A Lease that was renewed far in the future, so that it is fresh whatever the time is.
pub(crate) fn lease(holder: &str) -> Value {
    json!({"metadata": {"name": "jaas-operator", "namespace": "jaas-system", "uid": "l", "resourceVersion": "1",
        "managedFields": [{"manager": "jaas-operator", "operation": "Update"}]},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3,
        "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2999-01-01T00:00:00.000000Z"}})
}

#[test]
fn the_status_is_one_screen_and_4_when_something_needs_a_look() {
    let (_server, plugin) = installation(&["team-a/web", "team-a/off!"]);
    let ran = plugin.run("status");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stdout.contains("operator   jaas-system/jaas 2026.8.18   2/2 ready   restarts 0\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("leader     jaas-1   since "), "{}", ran.stdout);
    assert!(ran.stdout.contains("SNIPPETS  READY  FAILED  PENDING  SUSPENDED\n2         0      0       1        1\n"));
    assert!(ran.stderr.contains("error: 1 of 2 snippets need a look"), "{}", ran.stderr);
    assert_eq!(plugin.run("status --fail-on none").code, 0);
    assert_eq!(plugin.run("status off").code, 0);
    let document = plugin.run("status -o json").document();
    assert_eq!((&document["kind"], &document["result"]["exitCode"]), (&json!("StatusReport"), &json!(4)));
    assert_eq!(document["status"]["leader"]["standbys"], 1);
}

#[test]
fn a_status_that_cannot_see_all_is_3_and_says_what_is_missing() {
    let server = ApiServer::start(Mood::Answers, &["team-a/off!"]);
    let ran = Plugin::new(server.url()).run("status");
    assert_eq!(ran.code, 4, "there is no Lease, so nobody leads: {ran:?}");
    let (server, plugin) = installation(&["team-a/off!"]);
    server.answer_with(PODS, "not JSON");
    let ran = plugin.run("status");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("unknown    cannot list pods in namespace `jaas-system`"), "{}", ran.stdout);
}

#[test]
fn the_leader_is_shown_and_nobody_is_4() {
    let (server, plugin) = installation(&[]);
    let ran = plugin.run("leader");
    assert_eq!((ran.code, ran.stderr.contains("jaas-1 leads")), (0, true), "{ran:?}");
    assert!(ran.stdout.contains("transitions  3\nstandbys     1\n"), "{}", ran.stdout);
    server.answer_with(LEASE, lease(""));
    assert_eq!(plugin.run("leader").code, 4);
    assert_eq!(plugin.run("leader --lease other").code, 6);
    assert_eq!(plugin.run("wait leader --timeout 1s").code, 124);
}

#[test]
fn several_operators_are_not_guessed_at() {
    let (server, plugin) = installation(&[]);
    let operator = |namespace: &str| json!({"metadata": {"name": "jaas", "namespace": namespace}});
    server.answer_with("/apis/apps/v1/deployments", json!({"metadata": {}, "items": [operator("a"), operator("b")]}));
    let ran = plugin.run("leader");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("several operators: a/jaas, b/jaas\nhint: choose one with --operator-namespace"));
}

#[test]
fn the_log_of_the_leader_is_filtered_by_snippet() {
    let (server, plugin) = installation(&[]);
    let lines = [
        json!({"time": "1", "msg": "Leading"}).to_string(),
        json!({"time": "2", "msg": "Reconciled", "namespace": "team-a", "name": "web"}).to_string(),
        json!({"time": "3", "msg": "Reconciled", "namespace": "team-a", "name": "website"}).to_string(),
    ];
    for pod in ["jaas-1", "jaas-2"] {
        server.answer_with(&format!("{PODS}/{pod}/log"), lines.join("\n"));
    }
    assert_eq!(plugin.run("logs").stdout, format!("{}\n", lines.join("\n")));
    assert_eq!(plugin.run("logs web").stdout, format!("{}\n", lines[1]));
    let all = plugin.run("logs web --all-replicas -o json");
    assert_eq!(all.code, 0, "{all:?}");
    let mut pods: Vec<_> =
        all.document()["records"].as_array().unwrap().iter().map(|record| record["pod"].to_string()).collect();
    pods.sort();
    assert_eq!(pods, ["\"jaas-1\"", "\"jaas-2\""]);
    let streamed = plugin.run("logs web -o ndjson");
    let first: Value = serde_json::from_str(streamed.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((&first["kind"], &first["record"]["name"]), (&json!("Record"), &json!("web")));
    assert_eq!(plugin.run("logs --previous --follow").code, 2);
}

#[test]
fn events_are_shown_newest_last() {
    let (server, plugin) = installation(&["team-a/web"]);
    let event = |reason: &str, time: &str| {
        json!({"metadata": {"name": reason}, "involvedObject": {"kind": "JsonnetSnippet", "namespace": "team-a",
            "name": "old", "uid": "u"}, "reason": reason, "message": "why", "type": "Normal", "eventTime": time})
    };
    let items = [event("Second", "2026-11-22T10:00:01.000000Z"), event("First", "2026-11-22T10:00:00.000000Z")];
    server.answer_with("/api/v1/namespaces/team-a/events", json!({"metadata": {}, "items": items}));
    let ran = plugin.run("events");
    assert_eq!(ran.code, 0, "{ran:?}");
    let reasons: Vec<_> = ran.stdout.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(reasons, ["First", "Second"]);
    assert!(ran.stdout.contains("team-a/old (deleted)"), "{}", ran.stdout);
    server.answer_with("/api/v1/namespaces/team-b/events", json!({"metadata": {}, "items": []}));
    let none = plugin.run("events -n team-b");
    assert!(none.stderr.contains("no event of snippets in namespace `team-b`"), "{}", none.stderr);
    assert!(none.stderr.contains("kubectl jaas events -A"), "{}", none.stderr);
}

#[test]
fn rights_are_asked_for_and_a_missing_one_of_a_command_is_7() {
    let (_server, plugin) = installation(&[]);
    let ran = plugin.run("auth restart");
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.stdout.contains("restart  patch   deployments.apps            jaas-system  no\n"), "{}", ran.stdout);
    assert_eq!(plugin.run("auth").code, 0);
    assert_eq!(plugin.run("auth history").code, 0);
    let yaml = Plugin::without_server().run("auth restart --yaml");
    assert_eq!((yaml.code, yaml.stderr.as_str()), (0, ""));
    assert!(yaml.stdout.contains("kind: Role\n") && yaml.stdout.contains("verbs: [get, list, patch]\n"));
}
