//! The chart: what Helm makes of it is what the API server takes and the operator understands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod alerts;
mod cleanup;
mod dashboard;
mod helm;
mod memory;
mod network;
mod pods;
mod refusals;
mod security;
mod upgrade;
mod webhook;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::environment;
use jaas_tests::wait::eventually;
use serde_json::{Value, json};
use tempfile::TempDir;

use helm::{Helm, ValueSet};

/// Everything that a program said.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_set_of_values_passes_lint() {
    let sets = ValueSet::all();
    let names: Vec<_> = sets.iter().map(|set| set.name.as_str()).collect();
    let expected = [
        "default",
        "labels",
        "monitoring",
        "network",
        "peer-defaults",
        "peer-s3",
        "persistence",
        "plugin",
        "renderer-default",
        "renderer",
        "replicas",
        "s3-anonymous",
        "s3",
        "watch-namespaces",
        "webhook-cert-manager",
        "webhook",
    ];
    assert_eq!(names, expected);
    for helm in [Helm::new(), Helm::three()] {
        for set in &sets {
            let output = helm.lint(set);
            assert!(output.status.success(), "{}: {}", set.name, said(&output));
        }
    }
}

#[test]
fn both_major_versions_of_helm_render_the_same_objects() {
    let (four, three) = (Helm::new(), Helm::three());
    for set in ValueSet::all() {
        let parsed = |manifests: String| {
            let mut objects = jaas_tests::manifests::parse(&manifests).unwrap();
            objects.sort_by_key(|object| (object.types.clone().unwrap().kind, object.metadata.name.clone()));
            serde_json::to_value(objects).unwrap()
        };
        let namespace = "jaas-system";
        assert_eq!(parsed(four.manifests(namespace, &set)), parsed(three.manifests(namespace, &set)), "{}", set.name);
    }
}

#[test]
fn the_schema_of_the_values_is_generated() {
    let generated = jaas_tests::schema::of_chart(&helm::chart()).unwrap();
    let kept = std::fs::read_to_string(helm::chart().join("values.schema.json")).unwrap();
    assert!(kept == generated, "charts/jaas/values.schema.json is not what chart-schema prints; run `just generate`");
}

/// The namespaces that the set `watch-namespaces` names.
const WATCHED: [&str; 2] = ["team-a", "team-b"];

/// A control plane with the watched namespaces, and a namespace for a release.
async fn cluster() -> (&'static ControlPlane, String) {
    let plane = ControlPlane::shared().await.unwrap();
    let watched = WATCHED.map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    plane.apply_objects(&watched).await.unwrap();
    for entry in std::fs::read_dir(jaas_tests::programs::chart_crds().unwrap()).unwrap() {
        plane.apply(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).await.unwrap();
    }
    (plane, plane.empty_namespace("chart").await.unwrap().name)
}

/// Names of roles are fixed, so there is one release in a cluster at a time.
static RELEASED: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Runs kubectl as admin, with this on its standard input.
fn kubectl(plane: &ControlPlane, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(&plane.programs().kubectl);
    command.args(args).env("KUBECONFIG", plane.kubeconfig(&Identity::Admin).unwrap());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_accepts_every_object_of_every_set_of_values() {
    let (plane, namespace) = cluster().await;
    let helm = Helm::new();
    for set in ValueSet::all() {
        let manifests = helm.manifests(&namespace, &set);
        // Strict: a field that nobody knows is a mistake of the chart.
        let args = ["apply", "--server-side", "--dry-run=server", "--force-conflicts", "--validate=strict", "-f", "-"];
        let output = kubectl(plane, &args, &manifests);
        assert!(output.status.success(), "{}: {}", set.name, said(&output));
        let accepted = String::from_utf8_lossy(&output.stdout).lines().count();
        assert_eq!(accepted, manifests.matches("\nkind: ").count(), "{}: {}", set.name, said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_releases_account_may_do_what_it_must_where_it_watches() {
    let _released = RELEASED.lock().await;
    let (plane, namespace) = cluster().await;
    let manifests = Helm::new().manifests(&namespace, &ValueSet::named("watch-namespaces"));
    let output = kubectl(plane, &["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifests);
    assert!(output.status.success(), "{}", said(&output));
    let account = format!("--as=system:serviceaccount:{namespace}:jaas");
    let may = |question: &[&str]| {
        let output = kubectl(plane, &[&["auth", "can-i", &account], question].concat(), "");
        String::from_utf8_lossy(&output.stdout).trim() == "yes"
    };
    let rights = || {
        [
            may(&["list", "jsonnetsnippets", "-n", WATCHED[0]]),
            may(&["watch", "externalartifacts", "-n", WATCHED[1]]),
            may(&["update", "leases", "-n", &namespace]),
            may(&["get", "namespaces/kube-system"]),
            may(&["create", "events.events.k8s.io", "-n", &namespace]),
            // And no more than that.
            may(&["list", "jsonnetsnippets", "-n", "default"]),
            may(&["get", "namespaces/default"]),
        ]
    };
    let expected = [true, true, true, true, true, false, false];
    // The authoriser lags a moment behind.
    eventually("the rights of the release", Duration::from_secs(30), async || match rights() {
        found if found == expected => Ok(()),
        found => Err(format!("{found:?}")),
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_on_call_and_the_endpoint_may_what_they_need_and_no_more() {
    let _released = RELEASED.lock().await;
    let (plane, namespace) = cluster().await;
    let manifests = Helm::new().manifests(&namespace, &ValueSet::named("plugin"));
    let output = kubectl(plane, &["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifests);
    assert!(output.status.success(), "{}", said(&output));
    let storage = "jsonnetsnippets.jaas.metio.wtf/storage";
    let may = |group: &str, question: &[&str]| {
        let who = match group.split_once(':') {
            Some((_, account)) => vec![format!("--as=system:serviceaccount:{namespace}:{account}")],
            None => vec!["--as=kim".to_owned(), format!("--as-group={group}")],
        };
        let who = who.iter().map(String::as_str).collect::<Vec<_>>();
        let output = kubectl(plane, &[&["auth", "can-i"], &*who, question].concat(), "");
        String::from_utf8_lossy(&output.stdout).trim() == "yes"
    };
    let sub = |resource: &'static str| {
        let (resource, subresource) = resource.split_once('/').unwrap();
        (resource, format!("--subresource={subresource}"))
    };
    let rights = || {
        let (pods, forward) = sub("pods/portforward");
        let (accounts, token) = sub("serviceaccounts/token");
        let (snippets, storage) = sub(storage);
        let here = ["-n", &*namespace];
        let on_call = [accounts, "jaas-oncall"].join("/");
        let other = [accounts, "jaas"].join("/");
        [
            may("developers", &["list", "jsonnetsnippets", "-A"]),
            may("on-call", &["patch", "jsonnetsnippets", "-A"]),
            may("on-call", &["create", pods, &forward, here[0], here[1]]),
            may("on-call", &["create", &on_call, &token, here[0], here[1]]),
            may("on-call", &["patch", "leases", here[0], here[1]]),
            may("account:jaas-oncall", &["delete", snippets, &storage, "-A"]),
            may("account:jaas", &["create", "tokenreviews"]),
            may("account:jaas", &["create", "subjectaccessreviews"]),
            // And no more than that.
            may("developers", &["patch", "jsonnetsnippets", "-A"]),
            may("developers", &["create", pods, &forward, here[0], here[1]]),
            may("on-call", &["create", &other, &token, here[0], here[1]]),
            may("on-call", &["delete", snippets, &storage, "-A"]),
            may("account:jaas-oncall", &["patch", "jsonnetsnippets", "-A"]),
            may("account:jaas-oncall", &["list", "secrets", here[0], here[1]]),
        ]
    };
    let mut expected = [true; 14];
    expected[8..].fill(false);
    eventually("the rights of people", Duration::from_secs(60), async || match rights() {
        found if found == expected => Ok(()),
        found => Err(format!("{found:?}")),
    })
    .await
    .unwrap();

    // The plugin asks for everything that any of its commands needs.
    let lacking = |group: &str| {
        let plugin = environment::value(environment::PLUGIN).unwrap();
        let (here, kubeconfig) = (namespace.as_str(), plane.kubeconfig(&Identity::Admin).unwrap());
        let args = ["auth", "-o", "json", "--as=kim", "--as-group", group, "-n", here, "--operator-namespace", here];
        let output = Command::new(plugin).args(args).env("KUBECONFIG", kubeconfig).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        let word = |right: &Value, key: &str| right[key].as_str().unwrap_or_default().to_owned();
        let rights = report["rights"].as_array().unwrap().iter().filter(|right| right["allowed"] != true);
        rights
            .map(|right| {
                let place = if word(right, "namespace") == "flux-system" { " of Flux" } else { "" };
                format!("{} {}{place}", word(right, "verb"), word(right, "resource"))
            })
            .collect::<BTreeSet<_>>()
    };
    // Nobody gets what would let them act elsewhere: Secrets, Pods of other namespaces, and the roads to Flux's archives. The proxy they
    // have for the operator's own Services, which this question does not name.
    let nobody = [
        "create pods/portforward of Flux",
        "create subjectaccessreviews.authorization.k8s.io",
        "get pods/portforward of Flux",
        "get secrets",
        "get serviceaccounts",
        "get services of Flux",
        "get services/proxy",
        "get services/proxy of Flux",
        "list pods",
        "list pods of Flux",
    ];
    let who_acts = [
        "create events.events.k8s.io",
        "create pods/eviction",
        "create pods/portforward",
        "create serviceaccounts/token",
        "delete externalartifacts.source.toolkit.fluxcd.io",
        "get pods/portforward",
        "patch deployments.apps",
        "patch jsonnetsnippets.jaas.metio.wtf",
        "patch leases.coordination.k8s.io",
    ];
    let all = |lists: &[&[&str]]| lists.concat().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(lacking("on-call"), all(&[&nobody]));
    assert_eq!(lacking("developers"), all(&[&nobody, &who_acts]));

    // Their rights are in one namespace, and the operator is found there without being told.
    let asked = |args: &[&str]| {
        let kubeconfig = plane.kubeconfig(&Identity::Admin).unwrap();
        let mut command = Command::new(environment::value(environment::PLUGIN).unwrap());
        command.args(args).args(["--as=kim", "--as-group=on-call"]).env("KUBECONFIG", kubeconfig).output().unwrap()
    };
    let report: Value = serde_json::from_slice(&asked(&["version", "-o", "json", "-n", &namespace]).stdout).unwrap();
    let found = report["components"].to_string();
    assert!(found.contains(&format!("{namespace}/jaas,")), "{report:#}");
    let leader = asked(&["leader", "-n", &namespace]);
    assert!(!said(&leader).contains("deployments"), "{}", said(&leader));
    let elsewhere = asked(&["leader", "-n", "default"]);
    assert_eq!(elsewhere.status.code(), Some(7), "{}", said(&elsewhere));
    let way_out = "name the operator's namespace with --operator-namespace or JAAS_OPERATOR_NAMESPACE";
    assert!(said(&elsewhere).contains(way_out), "{}", said(&elsewhere));
}

/// Runs the operator with the arguments of a Pod. Nothing is there that a Pod would find, so it ends early.
fn start(arguments: &[String]) -> Output {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Command::new(environment::value(environment::OPERATOR).unwrap())
        .args(arguments)
        // Later flags win: the machine's own directories are none of the test's business.
        .arg(format!("--storage-path={}", folder.path().join("store").display()))
        // A renderer alone needs no cluster, and would go on.
        .args([
            "--management-listen-address=127.0.0.1".to_owned(),
            format!("--management-port={}", taken.local_addr().unwrap().port()),
        ])
        .arg(format!("--kubeconfig={}", folder.path().join("absent").display()))
        .output()
        .unwrap()
}

#[test]
fn the_operator_understands_the_arguments_of_every_set_of_values() {
    let helm = Helm::new();
    for set in ValueSet::all() {
        let mut arguments = helm.objects(&set).arguments();
        let output = start(&arguments);
        assert_eq!(output.status.code(), Some(1), "{}: {}", set.name, said(&output));
        assert!(said(&output).contains("Starting JaaS"), "{}: {}", set.name, said(&output));
        arguments.push("--storage-cache=much".to_owned());
        assert_eq!(start(&arguments).status.code(), Some(2), "a wrong argument is told apart");
    }
}

#[test]
fn roles_are_bound_in_the_watched_namespaces_only() {
    let helm = Helm::new();
    let bindings =
        |set: &str| helm.objects(&ValueSet::named(set)).names(&["ClusterRoleBinding", "RoleBinding", "Role"]);
    assert_eq!(
        bindings("default"),
        [
            "ClusterRoleBinding jaas-cleanup",
            "ClusterRoleBinding jaas-operator",
            "ClusterRoleBinding jaas-operator-cluster",
            "Role jaas-system/jaas-operator-leader",
            "Role jaas-system/jaas-plugin-doctor",
            "Role jaas-system/jaas-plugin-doctor-deep",
            "Role jaas-system/jaas-plugin-handover",
            "Role jaas-system/jaas-plugin-handover-forced",
            "RoleBinding jaas-system/jaas-operator-leader",
        ]
    );
    assert_eq!(
        bindings("plugin"),
        [
            "ClusterRoleBinding jaas-cleanup",
            "ClusterRoleBinding jaas-oncall",
            "ClusterRoleBinding jaas-operator",
            "ClusterRoleBinding jaas-operator-admin",
            "ClusterRoleBinding jaas-operator-cluster",
            "ClusterRoleBinding jaas-plugin-orphans",
            "ClusterRoleBinding jaas-plugin-reconcile",
            "ClusterRoleBinding jaas-plugin-view",
            "Role jaas-system/jaas-operator-leader",
            "Role jaas-system/jaas-plugin-doctor",
            "Role jaas-system/jaas-plugin-doctor-deep",
            "Role jaas-system/jaas-plugin-handover",
            "Role jaas-system/jaas-plugin-handover-forced",
            "RoleBinding jaas-system/jaas-operator-leader",
            "RoleBinding jaas-system/jaas-plugin-doctor",
            "RoleBinding jaas-system/jaas-plugin-doctor-deep",
            "RoleBinding jaas-system/jaas-plugin-handover",
        ]
    );
    assert_eq!(
        bindings("watch-namespaces"),
        [
            "ClusterRoleBinding jaas-operator-cluster",
            "Role jaas-system/jaas-operator-leader",
            "Role jaas-system/jaas-plugin-doctor",
            "Role jaas-system/jaas-plugin-doctor-deep",
            "Role jaas-system/jaas-plugin-handover",
            "Role jaas-system/jaas-plugin-handover-forced",
            "Role team-a/jaas-cleanup",
            "Role team-b/jaas-cleanup",
            "RoleBinding jaas-system/jaas-operator-leader",
            "RoleBinding team-a/jaas-cleanup",
            "RoleBinding team-a/jaas-operator",
            "RoleBinding team-b/jaas-cleanup",
            "RoleBinding team-b/jaas-operator",
        ]
    );
}
