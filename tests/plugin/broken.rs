//! Credentials that are good no more, and installations of which a part is missing: real refusals of a real API server.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use jaas_tests::cluster::{Installation, Settings, Store};
use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::wait::eventually;
use serde_json::json;

use super::bench::{PATIENCE, document, exits, plugin_folder, text};
use super::installed::Ward;

/// Commands that only look and commands that change something.
const COMMANDS: [&[&str]; 8] = [
    &["status"],
    &["doctor"],
    &["tree", "a"],
    &["reconcile", "--all"],
    &["suspend", "a"],
    &["storage", "verify", "--all"],
    &["prune", "--expired", "--all", "--yes"],
    &["find-orphans"],
];

/// Runs `kubectl jaas …` in a namespace with this kubeconfig.
async fn signed_in(plane: &ControlPlane, kubeconfig: &Path, place: &str, args: &[&str]) -> Output {
    let mut command = Command::new(&plane.programs().kubectl);
    command.arg("jaas").args(args).args(["-n", place]).stdin(Stdio::null());
    command.env("PATH", plugin_folder()).env("KUBECONFIG", kubeconfig).env("NO_COLOR", "1");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Every command is refused with 7 in each format, says so, and did nothing.
async fn all_refused(ward: &Ward, kubeconfig: &Path) {
    for args in COMMANDS {
        let refused = signed_in(ward.plane, kubeconfig, &ward.namespace.name, args).await;
        exits(&refused, 7);
        let said = text(&refused.stderr);
        assert!(said.contains("sign in again, then check with: kubectl auth whoami"), "{args:?}: {said}");
        let json = [args, &["-o", "json"]].concat();
        let refused = signed_in(ward.plane, kubeconfig, &ward.namespace.name, &json).await;
        exits(&refused, 7);
        assert_eq!(document(&refused)["result"]["exitCode"], 7, "{args:?}");
    }
    let paused = ward.kubectl(&["get", "jsonnetsnippet", "a", "-o", "jsonpath={.spec.suspend}{.metadata.annotations}"]);
    assert_eq!(text(&paused.await.stdout), "");
}

#[tokio::test]
async fn an_expired_certificate_and_a_revoked_token_are_7_and_nothing_is_done() {
    let ward = Ward::new(Settings { store: Store::Claim, ..Settings::default() }).await;
    ward.plane.apply_objects(&[ward.snippet("a", "1")]).await.unwrap();
    exits(&ward.jaas(&["wait", "ready", "a"]).await, 0);
    all_refused(&ward, &ward.plane.expired_kubeconfig(&Identity::Admin).unwrap()).await;

    let place = ward.namespace.name.as_str();
    let ann = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ann", "namespace": place}});
    let rights = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": format!("ann-{place}")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "ann", "namespace": place}]});
    ward.plane.apply_objects(&[ann, rights]).await.unwrap();
    let kubeconfig = ward.plane.kubeconfig_at(&ward.plane.api_url(), place, "ann").await.unwrap();
    let history = ["history", "a"];
    eventually("the rights", PATIENCE, async || {
        let allowed = signed_in(ward.plane, &kubeconfig, place, &history).await;
        if allowed.status.success() { Ok(()) } else { Err(text(&allowed.stderr)) }
    })
    .await
    .unwrap();
    exits(&ward.kubectl(&["delete", "serviceaccount", "ann"]).await, 0);
    // The API server remembers for a moment that the token was good.
    eventually("the end of the token", PATIENCE, async || {
        let refused = signed_in(ward.plane, &kubeconfig, place, &history).await;
        if refused.status.code() == Some(7) { Ok(()) } else { Err(text(&refused.stderr)) }
    })
    .await
    .unwrap();
    all_refused(&ward, &kubeconfig).await;
}

#[tokio::test]
async fn a_cluster_with_definitions_and_no_operator_says_so() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("bare").await.unwrap();
    let snippet = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": "a", "namespace": namespace.name},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "1"}}});
    plane.apply_objects(&[snippet]).await.unwrap();
    let run = async |args: &[&str]| {
        let place = ["-n", &namespace.name, "--operator-namespace", &namespace.name];
        let args = [&["jaas"], args, &place].concat();
        super::bench::kubectl(plane, &Identity::Admin, &args, &plugin_folder()).await
    };
    exits(&run(&["status"]).await, 4);
    let looked = run(&["doctor", "-o", "json"]).await;
    exits(&looked, 4);
    let roots = document(&looked)["diagnosis"]["triage"]["roots"].clone();
    assert_eq!(roots[0]["code"], "K002", "{roots:#}");
    for args in [
        &["leader"][..],
        &["force-handover", "--yes"],
        &["restart", "--yes"],
        &["logs"],
        &["storage", "info"],
        &["storage", "verify", "--all"],
        &["prune", "--expired", "--all", "--yes"],
    ] {
        let refused = run(args).await;
        exits(&refused, 6);
        assert!(text(&refused.stderr).contains("hint: "), "{args:?}: {}", text(&refused.stderr));
    }
    // Whoever waits for an answer is told that nobody is there to give one.
    let late = run(&["reconcile", "a", "--timeout", "3s"]).await;
    exits(&late, 124);
    assert!(text(&late.stderr).contains("likely the operator does not run"), "{}", text(&late.stderr));
}

/// Takes definitions away, and waits until the API server serves them no more.
async fn without(ward: &Ward, definitions: &[&str]) {
    for name in definitions {
        exits(&ward.kubectl(&["delete", "crd", name, "--wait=true"]).await, 0);
    }
}

#[tokio::test]
async fn an_operator_without_fluxs_definition_and_then_without_ours_is_told_by_name() {
    // A control plane of its own: others need the definitions.
    let plane = ControlPlane::start(Options { workloads: true, ..Options::default() }).await.unwrap();
    let plane: &'static ControlPlane = Box::leak(Box::new(plane));
    let namespace = plane.namespace("half").await.unwrap();
    let settings = Settings { store: Store::Claim, ..Settings::default() };
    let installation = Installation::start(plane, &namespace.name, settings).await.unwrap();
    let ward = Ward { plane, namespace, installation };
    ward.publish(&[("a", "1")]).await;
    without(&ward, &["externalartifacts.source.toolkit.fluxcd.io"]).await;
    let looked = async || {
        let looked = ward.operator(&["doctor", "-o", "json"]).await;
        let findings = document(&looked)["diagnosis"]["findings"].as_array().cloned().unwrap_or_default();
        let missing = findings.into_iter().find(|finding| finding["code"] == "K011");
        missing.map(|finding| (finding, looked.status.code())).ok_or_else(|| text(&looked.stdout))
    };
    let (missing, code) = eventually("the finding", PATIENCE, looked).await.unwrap();
    assert!(missing.to_string().contains("externalartifacts.source.toolkit.fluxcd.io"), "{missing:#}");
    assert_eq!(code, Some(4), "{missing:#}");
    // Snippets can still be looked at, and what needs artifacts says what is missing.
    let status = ward.operator(&["status"]).await;
    assert!([3, 4].contains(&status.status.code().unwrap()), "{}", text(&status.stderr));
    let pruned = ward.operator(&["prune", "--expired", "--all", "--yes"]).await;
    assert!(!pruned.status.success() && !text(&pruned.stderr).contains("removed"), "{}", text(&pruned.stderr));

    exits(
        &ward
            .kubectl(&["patch", "jsonnetsnippet", "a", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#])
            .await,
        0,
    );
    without(&ward, &["jsonnetsnippets.jaas.metio.wtf"]).await;
    for args in [
        &["reconcile", "--all"][..],
        &["history", "a"],
        &["suspend", "a"],
        &["status"],
        &["storage", "verify", "--all"],
    ] {
        eventually("6", PATIENCE, async || {
            let gone = ward.jaas(args).await;
            let said = text(&gone.stderr);
            let is_told = gone.status.code() == Some(6) && said.contains("custom resource definitions");
            if is_told { Ok(()) } else { Err(format!("{args:?}: {said}")) }
        })
        .await
        .unwrap();
    }
}
