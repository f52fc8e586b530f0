//! Credentials that expired, and half an installation.

use serde_json::json;

use super::apiserver::{ApiServer, Mood};
use super::look::{LEASE, installation};
use super::plugin::{Plugin, Ran};

/// Runs with a kubeconfig whose user signs in by a program.
fn signed_in_by(command: &str, line: &str) -> Ran {
    let server = ApiServer::start(Mood::Answers, &["team-a/web"]);
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "ann"}}],
        "clusters": [{"name": "one", "cluster": {"server": server.url()}}],
        "users": [{"name": "ann", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": "/bin/sh", "args": ["-c", command]}}}]});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config.to_string()).unwrap();
    Plugin::new(server.url()).run(&format!("{line} --kubeconfig {}", file.path().display()))
}

#[test]
fn a_credential_plugin_that_fails_is_7_and_one_that_works_is_used() {
    for command in ["echo s3cret >&2; exit 3", "echo no document", "exit 0"] {
        for line in ["status", "reconcile --all", "doctor", "auth"] {
            let ran = signed_in_by(command, line);
            assert_eq!(ran.code, 7, "{command}, {line}: {ran:?}");
            assert!(ran.stderr.contains("error: cannot sign in to "), "{command}, {line}: {}", ran.stderr);
            assert!(ran.stderr.contains("hint: sign in again"), "{command}, {line}: {}", ran.stderr);
        }
    }
    let missing = signed_in_by("exec /does/not/exist", "status -o json");
    assert_eq!((missing.code, missing.document()["result"]["exitCode"].clone()), (7, json!(7)));
    let token =
        r#"echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}'"#;
    assert_eq!(signed_in_by(token, "reconcile web -n team-a").code, 0);
}

#[test]
fn an_operator_that_is_not_there_is_told_by_each_command_as_far_as_it_matters() {
    let (server, plugin) = installation(&["team-a/web"]);
    server.answer_with("/apis/apps/v1/deployments", json!({"metadata": {}, "items": []}));
    for (line, code) in [
        ("status", 4),
        ("doctor --depth quick", 4),
        ("history web", 0),
        ("events", 0),
        ("version", 0),
        ("leader", 6),
        ("force-handover --yes", 6),
        ("restart --yes", 6),
        ("logs", 6),
        ("storage info", 6),
        ("storage verify --all", 6),
    ] {
        let ran = plugin.run(line);
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        if code == 6 {
            assert!(
                ran.stderr.contains("no Deployment with the label app.kubernetes.io/name=jaas"),
                "{line}: {}",
                ran.stderr
            );
            assert!(ran.stderr.contains("hint: "), "{line}: {}", ran.stderr);
        }
    }
    // Whoever reconciles is told that nobody looked, and why.
    let ran = plugin.run("reconcile web");
    assert_eq!((ran.code, ran.stderr.contains("artifacts not verified: no Deployment")), (0, true), "{ran:?}");
    assert_eq!(plugin.run("reconcile web --verify head").code, 3);
}

#[test]
fn a_short_answer_is_given_once() {
    let (server, plugin) = installation(&["team-a/web"]);
    server.answer_with("/apis/apps/v1/deployments", json!({"metadata": {}, "items": []}));
    let ran = plugin.run("doctor --depth quick -o short");
    let sentence = ran.stdout.lines().next().unwrap();
    assert!(ran.code == 4 && !sentence.is_empty() && !ran.stderr.contains(sentence), "{ran:?}");
}

#[test]
fn an_operator_without_a_lease_is_4_to_look_at_and_6_to_lead() {
    let (server, plugin) = installation(&["team-a/off!"]);
    server.forget(LEASE);
    assert_eq!(plugin.run("status").code, 4);
    for line in ["leader", "force-handover --yes"] {
        let ran = plugin.run(line);
        assert_eq!(
            (ran.code, ran.stderr.contains("there is no Lease jaas-system/jaas-operator")),
            (6, true),
            "{line}: {ran:?}"
        );
    }
    assert_eq!(plugin.run("wait leader --timeout 1s").code, 124);
}

#[test]
fn a_cluster_without_our_kinds_is_6_with_what_to_install() {
    let (server, plugin) = installation(&[]);
    server.unknown("/apis/jaas.metio.wtf/v1");
    for line in ["reconcile --all", "status", "history web", "suspend web"] {
        let ran = plugin.run(line);
        assert_eq!(ran.code, 6, "{line}: {ran:?}");
        assert!(ran.stderr.contains("hint: install JaaS's custom resource definitions"), "{line}: {}", ran.stderr);
    }
}
