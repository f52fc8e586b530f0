//! The plugin through a real kubectl, against a real API server and the real operator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::environment;
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use serde_json::{Value, json};

struct Bench {
    plane: &'static ControlPlane,
    namespace: Namespace,
    _operator: Operator,
}

impl Bench {
    /// A namespace with two good snippets, a bad one and a suspended one.
    async fn new() -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let namespace = plane.namespace("plugin").await.unwrap();
        let operator = Operator::ready(plane, OperatorOptions::watching([namespace.name.as_str()])).await.unwrap();
        let snippet = |name: &str, code: &str, suspend: bool| {
            json!({
                "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
                "metadata": {"name": name, "namespace": namespace.name, "labels": {"team": name}},
                "spec": {"serviceAccountName": "tenant", "suspend": suspend, "files": {"main.jsonnet": code}},
            })
        };
        let objects = [
            snippet("a", "1", false),
            snippet("b", "2", false),
            snippet("bad", "error 'no'", false),
            snippet("paused", "3", true),
        ];
        plane.apply_objects(&objects).await.unwrap();
        Self { plane, namespace, _operator: operator }
    }

    /// Runs `kubectl jaas …` as `identity`, with the plugin where kubectl looks for plugins.
    async fn run(&self, identity: &Identity, args: &[&str]) -> Output {
        let kubectl = self.plane.programs().kubectl.clone();
        let plugin = environment::value(environment::PLUGIN).unwrap();
        let folder = Path::new(&plugin).parent().unwrap().to_owned();
        let kubeconfig = self.plane.kubeconfig(identity).unwrap();
        let args: Vec<String> = std::iter::once("jaas").chain(args.iter().copied()).map(str::to_owned).collect();
        tokio::task::spawn_blocking(move || {
            Command::new(kubectl).args(args).env("PATH", folder).env("KUBECONFIG", kubeconfig).output().unwrap()
        })
        .await
        .unwrap()
    }

    async fn admin(&self, args: &[&str]) -> Output {
        let args = [args, &["-n", &self.namespace.name]].concat();
        self.run(&Identity::Admin, &args).await
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", text(&output.stdout), text(&output.stderr)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

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
