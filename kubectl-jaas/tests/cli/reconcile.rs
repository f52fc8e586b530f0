//! `reconcile` against a server that answers, one that does not, and one that refuses.

use std::process::Command;

use super::apiserver::{ApiServer, Mood};
use super::plugin::{Plugin, finish};

fn start(mood: Mood, snippets: &[&str]) -> (ApiServer, Plugin) {
    let server = ApiServer::start(mood, snippets);
    let plugin = Plugin::new(server.url());
    (server, plugin)
}

#[test]
fn everything_is_asked_with_one_write_each() {
    let (server, plugin) = start(Mood::Answers, &["team-a/web", "team-a/api", "team-b/web"]);
    let ran = plugin.run("reconcile --all -o json");
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.document();
    assert_eq!(document["result"]["counts"], serde_json::json!({"synced": 3}));
    assert_eq!(document["metadata"]["scope"]["snippets"], 3);
    assert_eq!(document["metadata"]["scope"]["allNamespaces"], true);
    assert_eq!(document["metadata"]["cluster"]["uid"], "6d1f0c1e");
    let writes = server.writes();
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert!(writes.iter().all(|write| write.ends_with("fieldManager=kubectl-jaas")), "{writes:?}");
}

#[test]
fn the_first_line_says_scope_and_cluster() {
    let (_server, plugin) = start(Mood::Answers, &["team-a/web"]);
    let ran = plugin.run("reconcile web");
    let first = ran.stderr.lines().next().unwrap();
    assert!(first.starts_with("reconcile `web` in namespace `team-a`; context `here`, http://127.0.0.1:"), "{first}");
    assert!(ran.stdout.starts_with("SNIPPETS  SYNCED  FAILED  SECONDS  PER SECOND\n1         1       0 "), "{ran:?}");
    assert_eq!(plugin.run("reconcile web --quiet").stderr, "");
}

#[test]
fn a_failure_is_3_with_its_reason() {
    let (_server, plugin) = start(Mood::Answers, &["team-a/web", "team-a/bad", "team-a/bad2"]);
    let ran = plugin.run("reconcile --all");
    assert_eq!(ran.code, 3);
    assert!(ran.stdout.contains("EvaluationFailed  2      team-a/bad  main.jsonnet:1:1: boom\n"), "{}", ran.stdout);
}

#[test]
fn ndjson_ends_with_the_document() {
    let (_server, plugin) = start(Mood::Answers, &["team-a/web", "team-a/api"]);
    let ran = plugin.run("reconcile --all -o ndjson");
    let lines: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Event", "Event", "ReconcileReport"]);
}

#[test]
fn a_suspended_snippet_is_refused_by_name_and_skipped_by_scope() {
    let (server, plugin) = start(Mood::Answers, &["team-a/web", "team-a/off!"]);
    let alone = plugin.run("reconcile off");
    assert_eq!((alone.code, server.writes().len()), (5, 0), "{alone:?}");
    assert!(alone.stderr.contains("hint: a suspended snippet is not rendered; resume it"), "{}", alone.stderr);
    assert_eq!(plugin.run("reconcile off web").code, 3);
    let all = plugin.run("reconcile --all -o json");
    assert_eq!(all.code, 0);
    assert_eq!(all.document()["result"]["counts"], serde_json::json!({"skipped": 1, "synced": 1}));
    assert_eq!(plugin.run("reconcile off --include-suspended").code, 0);
}

#[test]
fn missing_names_and_empty_selections_are_6() {
    let (server, plugin) = start(Mood::Answers, &["team-a/web"]);
    let missing = plugin.run("reconcile web nope");
    assert_eq!((missing.code, server.writes().len()), (6, 0));
    assert!(
        missing.stderr.contains("error: namespace `team-a` has no snippet `nope`; nothing was done"),
        "{missing:?}"
    );
    assert_eq!(plugin.run("reconcile --all -n elsewhere").code, 6);
    assert_eq!(plugin.run("reconcile --all -n elsewhere --allow-empty").code, 0);
}

#[test]
fn a_dry_run_writes_nothing() {
    let (server, plugin) = start(Mood::Answers, &["team-a/web"]);
    let ran = plugin.run("reconcile --all --dry-run -o name");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "jsonnetsnippet.jaas.metio.wtf/web\n"));
    assert_eq!(server.writes(), Vec::<String>::new());
    assert_eq!(plugin.run("reconcile --all --dry-run=server").code, 0);
    assert!(server.writes().iter().all(|write| write.contains("dryRun=All")), "{:?}", server.writes());
}

#[test]
fn without_waiting_it_only_asks() {
    let (server, plugin) = start(Mood::Silent, &["team-a/web"]);
    let ran = plugin.run("reconcile web --no-wait -o json");
    assert_eq!((ran.code, server.writes().len()), (0, 1), "{ran:?}");
    assert_eq!(ran.document()["targets"][0]["outcome"], "asked");
}

#[test]
fn silence_is_124_with_who_did_not_answer_and_the_likely_cause() {
    let (_server, plugin) = start(Mood::Silent, &["team-a/web"]);
    let ran = plugin.run("reconcile web --timeout 1s -o json");
    assert_eq!(ran.code, 124, "{ran:?}");
    assert_eq!(ran.document()["targets"][0]["outcome"], "unanswered");
    assert!(ran.stderr.contains("hint: likely the operator does not run"), "{}", ran.stderr);
}

#[test]
fn a_deleted_snippet_counts_as_gone() {
    let (_server, plugin) = start(Mood::Deletes, &["team-a/web"]);
    let ran = plugin.run("reconcile web -o json");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.document()["targets"][0]["outcome"], "removed");
}

#[test]
fn missing_rights_are_7_with_the_rule() {
    let (_server, plugin) = start(Mood::Forbids, &[]);
    let look = plugin.run("reconcile --all");
    assert_eq!(look.code, 7);
    assert!(look.stderr.contains("verbs: [\"list\", \"watch\", \"patch\"]"), "{}", look.stderr);
    let (_server, plugin) = start(Mood::ForbidsWrites, &["team-a/web"]);
    let write = plugin.run("reconcile web");
    assert_eq!(write.code, 7, "{write:?}");
    assert!(write.stderr.contains("a Role in namespace `team-a`"), "{}", write.stderr);
    assert!(write.stderr.contains("verbs: [\"patch\"]"), "{}", write.stderr);
}

#[test]
fn refused_credentials_are_7() {
    let (_server, plugin) = start(Mood::Unauthorized, &[]);
    let ran = plugin.run("reconcile --all");
    assert_eq!(ran.code, 7);
    assert!(ran.stderr.contains("does not accept the credentials (401)"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_run_with_what_was_done_and_how_to_go_on() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let (server, plugin) = start(Mood::Silent, &["team-a/web"]);
        let child = plugin.start("reconcile web -o json --token s3cret");
        server.wait_for_write();
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let ran = finish(child);
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.document()["targets"][0]["outcome"], "unanswered");
        assert!(
            ran.stderr.ends_with("hint: to go on: kubectl jaas reconcile web -o json --token TOKEN\n"),
            "{}",
            ran.stderr
        );
    }
}
