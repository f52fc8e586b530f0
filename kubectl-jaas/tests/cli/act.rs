//! `suspend`, `resume`, `force-handover`, `restart` against a server that shows an installation.

use serde_json::json;

use super::apiserver::{ApiServer, Mood};
use super::look::{LEASE, installation, lease};
use super::plugin::{Plugin, finish};

fn start(mood: Mood, snippets: &[&str]) -> (ApiServer, Plugin) {
    let server = ApiServer::start(mood, snippets);
    let plugin = Plugin::new(server.url());
    (server, plugin)
}

#[test]
fn a_pause_writes_once_upon_the_version_that_was_seen_and_tells_of_it() {
    let (server, plugin) = start(Mood::Answers, &["team-a/web", "team-a/off!"]);
    let ran = plugin.run("suspend web off -o json");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.document()["result"]["counts"], json!({"changed": 1, "unchanged": 1}));
    let writes = server.writes();
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes[0].starts_with("PATCH ") && writes[0].contains("fieldManager=kubectl-jaas"), "{writes:?}");
    assert!(writes[1].starts_with("POST /apis/events.k8s.io/v1/namespaces/team-a/events"), "{writes:?}");
    let patch = json!({"metadata": {"resourceVersion": "1"}, "spec": {"suspend": true}});
    assert_eq!(server.patches(), [patch]);
    let resumed = plugin.run("resume --all -o json");
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(server.patches()[1]["spec"], json!({"suspend": null}));
    assert_eq!(resumed.document()["result"]["counts"], json!({"synced": 2}));
}

#[test]
fn a_world_that_changed_in_between_is_9() {
    let (_server, plugin) = start(Mood::Conflicts, &["team-a/web"]);
    let ran = plugin.run("suspend web");
    assert_eq!(ran.code, 9, "{ran:?}");
    assert!(ran.stderr.contains("it changed in between"), "{}", ran.stderr);
}

#[test]
fn nobody_to_ask_is_5_and_nothing_is_written() {
    let (server, plugin) = start(Mood::Answers, &["team-a/web"]);
    let ran = plugin.run("suspend --all");
    assert_eq!((ran.code, server.writes().len()), (5, 0), "{ran:?}");
    assert!(ran.stderr.contains("hint: look with --dry-run, then add --yes"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_signal_while_waiting_tells_how_to_go_on() {
    let (server, plugin) = start(Mood::Silent, &["team-a/web!"]);
    let child = plugin.start("resume web -o json");
    server.wait_for_write();
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ran = finish(child);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.stderr.ends_with("hint: to go on: kubectl jaas resume web -o json\n"), "{}", ran.stderr);
}

#[test]
fn no_dry_run_of_any_command_changes_anything() {
    for line in [
        "suspend --all",
        "suspend web",
        "resume off",
        "reconcile --all",
        "force-handover --allow-outage --accept-empty-store",
        "force-handover --method evict --accept-empty-store",
        "force-handover --method delete --allow-outage --accept-empty-store",
        "force-handover --method lease --accept-empty-store",
        "restart --allow-outage",
    ] {
        let (server, plugin) = installation(&["team-a/web", "team-a/off!"]);
        let ready = json!({"metadata": {"name": "jaas", "namespace": "jaas-system", "generation": 1},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}});
        server.answer_with("/apis/apps/v1/deployments", json!({"metadata": {}, "items": [ready]}));
        let client = plugin.run(&format!("{line} --dry-run"));
        assert_eq!(client.code, 0, "{line}: {client:?}");
        assert_eq!(server.writes(), Vec::<String>::new(), "{line}");
        plugin.run(&format!("{line} --dry-run=server"));
        let writes = server.writes();
        assert!(!writes.is_empty() && writes.iter().all(|write| write.contains("dryRun=All")), "{line}: {writes:?}");
    }
}

#[test]
fn a_handover_of_an_installation_in_doubt_is_5_with_every_reason() {
    let (server, plugin) = installation(&[]);
    let ran = plugin.run("force-handover --yes");
    assert_eq!((ran.code, server.writes().len()), (5, 0), "{ran:?}");
    // The Deployment has no status, which looks like Pods being replaced.
    assert!(ran.stderr.contains("error: nothing was changed: "), "{}", ran.stderr);
    assert!(ran.stdout.contains("×  rollout"), "{}", ran.stdout);
    server.answer_with(LEASE, lease(""));
    assert!(plugin.run("force-handover --yes").stderr.contains("nobody holds jaas-system/jaas-operator"));
    assert_eq!(plugin.run("force-handover --canary web").code, 2);
    let document = plugin.run("force-handover --yes -o json").document();
    assert_eq!((&document["kind"], &document["result"]["outcome"]), (&json!("HandoverReport"), &json!("refused")));
}

#[test]
fn a_restart_without_a_second_pod_is_5() {
    let (server, plugin) = installation(&[]);
    let single = json!({"metadata": {"name": "jaas", "namespace": "jaas-system"},
        "spec": {"replicas": 1, "selector": {}, "template": {}},
        "status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}});
    server.answer_with("/apis/apps/v1/deployments", json!({"metadata": {}, "items": [single]}));
    let ran = plugin.run("restart --yes");
    assert_eq!((ran.code, server.writes().len()), (5, 0), "{ran:?}");
    assert!(ran.stderr.contains("add --allow-outage"), "{}", ran.stderr);
}
