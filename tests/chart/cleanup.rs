//! The clean-up before an uninstall, with exactly the rights that the chart gives it.

use std::process::Command;
use std::time::Duration;

use jaas_tests::controlplane::Identity;
use jaas_tests::environment;
use jaas_tests::wait::eventually;
use serde_json::json;

use super::helm::Helm;
use super::{cluster, kubectl, said};

/// Snippets that nothing holds.
const MANY: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn snippets_that_nobody_withdraws_are_let_go_and_others_stay() {
    let (plane, namespace) = cluster().await;
    let elsewhere = plane.empty_namespace("elsewhere").await.unwrap().name;
    let scope = format!("operator.watchNamespaces={{{namespace}}}");
    let release = format!("{namespace}-release");
    let selector = "tier!=other";
    let labels = format!("operator.labelSelector={selector}");
    let settings = ["--set", &scope, "--set", &labels, "--set", "crds.create=false"];
    let rendered = String::from_utf8(Helm::new().template_as(&release, &namespace, &settings).stdout).unwrap();
    let mine = jaas_tests::manifests::parse(&rendered).unwrap();
    let (jobs, mine): (Vec<_>, Vec<_>) = mine
        .into_iter()
        .filter(|object| object.metadata.name.as_deref() == Some(&format!("{release}-cleanup")))
        .map(|object| serde_json::to_value(object).unwrap())
        .partition(|object| object["kind"] == "Job");
    assert_eq!(mine.len(), 3, "an account, a role and a binding");
    let args = jobs[0]["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let args: Vec<_> = args.iter().map(|arg| arg.as_str().unwrap().replace("--timeout=2m", "--timeout=2s")).collect();
    assert!(args.contains(&"--timeout=2s".to_owned()), "{args:?}");
    plane.apply_objects(&mine).await.unwrap();
    let snippet = |namespace: &str, name: &str, tier: &str, finalizers: &[&str]| {
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": name, "labels": {"tier": tier},
            "namespace": namespace, "finalizers": finalizers}, "spec": {"files": {"main.jsonnet": "{}"}}})
    };
    let mut snippets = vec![
        snippet(&namespace, "web", "own", &["jaas.metio.wtf/finalizer"]),
        snippet(&namespace, "of-another-operator", "other", &["jaas.metio.wtf/finalizer"]),
        snippet(&elsewhere, "web", "own", &[]),
    ];
    // More than are read at once.
    snippets.extend((0..MANY).map(|number| snippet(&namespace, &format!("free-{number}"), "own", &[])));
    plane.apply_objects(&snippets).await.unwrap();
    let account = Identity::service_account(&namespace, &format!("{release}-cleanup"));
    let kubeconfig = plane.kubeconfig(&account).unwrap();
    // The authoriser lags a moment behind.
    let may = format!("--as=system:serviceaccount:{namespace}:{release}-cleanup");
    eventually("the rights of the clean-up", Duration::from_secs(60), async || {
        let output = kubectl(plane, &["auth", "can-i", &may, "patch", "jsonnetsnippets", "-n", &namespace], "");
        match said(&output).trim() {
            "yes" => Ok(()),
            other => Err(other.to_owned()),
        }
    })
    .await
    .unwrap();
    let output = Command::new(environment::value(environment::OPERATOR).unwrap())
        .args(args)
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told = "1 of them were let go without the operator: their files stay in the store";
    assert_eq!(said(&output), format!("{} snippets were deleted\n{told}\n", MANY + 1));
    let here = kubectl(plane, &["get", "jsonnetsnippets", "-n", &namespace, "-o", "name"], "");
    assert_eq!(String::from_utf8_lossy(&here.stdout).trim(), "jsonnetsnippet.jaas.metio.wtf/of-another-operator");
    let there = kubectl(plane, &["get", "jsonnetsnippets", "-n", &elsewhere, "-o", "name"], "");
    assert_eq!(String::from_utf8_lossy(&there.stdout).trim(), "jsonnetsnippet.jaas.metio.wtf/web");
}

#[test]
fn a_wrong_time_and_a_wrong_selector_are_told() {
    let output = Command::new(environment::value(environment::OPERATOR).unwrap())
        .args(["cleanup", "--timeout=soon"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said(&output), "--timeout: must be a duration like 10s, 5m or 1h30m, got `soon`\n");
    let output = Command::new(environment::value(environment::OPERATOR).unwrap())
        .args(["cleanup", "--label-selector=team in a"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said(&output), "--label-selector: \"team in a\" is no name of a label\n");
}
