//! Real Helm installs, upgrades and rolls back, also over objects shaped as the Go implementation's chart makes them.

use std::path::Path;

use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::runner::root;
use serde_json::{Value, json};

use super::helm::{Helm, RELEASE, ValueSet, chart, text_of};
use super::{RELEASED, cluster, kubectl, said};

/// What must be the same object before and after.
const KEPT: [&str; 6] = [
    "deployment/jaas",
    "service/jaas",
    "service/jaas-storage",
    "service/jaas-metrics",
    "serviceaccount/jaas",
    "pvc/jaas-storage",
];

struct Release<'a> {
    plane: &'a ControlPlane,
    namespace: &'a str,
}

impl Release<'_> {
    fn helm(&self, helm: &Helm, args: &[&str]) {
        let kubeconfig = self.plane.kubeconfig(&Identity::Admin).unwrap();
        let output = helm.against(&kubeconfig, &[args, &["-n", self.namespace]].concat());
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }

    /// Installs or upgrades. Roles have fixed names and may be left from another test.
    fn to(&self, helm: &Helm, verb: &str, chart: &Path, settings: &[&str]) {
        self.helm(helm, &[&[verb, RELEASE, text_of(chart), "--take-ownership"], settings].concat());
    }

    fn get(&self, object: &str) -> Value {
        let output = kubectl(self.plane, &["get", object, "-n", self.namespace, "-o", "json"], "");
        assert!(output.status.success(), "{object}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn identities(&self) -> Vec<Value> {
        KEPT.map(|object| self.get(object)["metadata"]["uid"].clone()).to_vec()
    }

    fn is_there(&self, object: &str) -> bool {
        kubectl(self.plane, &["get", object, "-n", self.namespace], "").status.success()
    }
}

async fn over_the_go_implementation(old: Helm, new: Helm) {
    let _released = RELEASED.lock().await;
    let (plane, namespace) = cluster().await;
    let release = Release { plane, namespace: &namespace };
    release.to(&old, "install", &root().join("tests/chart/peer"), &[]);
    let before = release.identities();
    let claim = release.get("pvc/jaas-storage")["spec"].clone();
    let selector = release.get("deployment/jaas")["spec"]["selector"].clone();

    // The definitions are the control plane's own here.
    let file = ValueSet::named("peer-defaults").path;
    let settings =
        ["-f", text_of(&file), "--set", "operator.storage.persistence.enabled=true", "--set", "crds.create=false"];
    release.to(&new, "upgrade", &chart(), &settings);
    assert_eq!(release.identities(), before, "nothing was replaced");
    assert_eq!(release.get("pvc/jaas-storage")["spec"], claim);
    let deployment = release.get("deployment/jaas");
    assert_eq!(deployment["spec"]["selector"], selector);
    let one_after_the_other = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    assert_eq!(deployment["spec"]["strategy"], one_after_the_other);
    assert!(
        deployment["spec"]["template"]["spec"]["containers"][0]["args"].to_string().contains("--evaluation-memory=")
    );
    for service in ["service/jaas", "service/jaas-storage", "service/jaas-metrics"] {
        assert_eq!(release.get(service)["spec"]["selector"], selector["matchLabels"], "{service}");
    }

    // Other values, and back again.
    let more = [&settings[..], &["--set", "deployment.revisionHistoryLimit=3"]].concat();
    release.to(&new, "upgrade", &chart(), &more);
    assert_eq!(release.get("deployment/jaas")["spec"]["revisionHistoryLimit"], 3);
    release.helm(&new, &["rollback", RELEASE, "2"]);
    assert_eq!(release.get("deployment/jaas")["spec"]["revisionHistoryLimit"], 1);
    release.helm(&new, &["rollback", RELEASE, "1"]);
    assert_eq!(release.identities(), before, "nothing was replaced on the way back");
    let deployment = release.get("deployment/jaas");
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "ghcr.io/metio/jaas:2026.1.1");
    assert!(release.is_there("service/jaas"));

    // And once more; what is removed leaves the claim.
    release.to(&new, "upgrade", &chart(), &settings);
    assert_eq!(release.identities(), before);
    release.helm(&new, &["uninstall", RELEASE, "--no-hooks"]);
    assert!(!release.is_there("deployment/jaas"));
    assert!(release.is_there("pvc/jaas-storage"), "the claim stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_3_upgrades_the_go_implementations_release_and_rolls_back() {
    over_the_go_implementation(Helm::three(), Helm::three()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_upgrades_the_go_implementations_release_and_rolls_back() {
    over_the_go_implementation(Helm::new(), Helm::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_upgrades_what_helm_3_installed() {
    over_the_go_implementation(Helm::three(), Helm::new()).await;
}
