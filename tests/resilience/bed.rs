//! A control plane that may be broken, an operator on it, and what is asked of both.

use std::time::Duration;

use http::StatusCode;
use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_tests::apiproxy::Proxy;
use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::http::{Answer, get};
use jaas_tests::namespace::{Namespace, TENANT};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::{self, eventually};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// Longest that anything may take here, the pauses between two attempts of a watch included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// How long the API server is away in tests that keep it away. `JAAS_OUTAGE_SECONDS=120` makes it two minutes.
pub(crate) fn outage() -> Duration {
    let seconds = std::env::var("JAAS_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

/// The role that the operator prints for what it watches and writes.
const ROLE: &str = "jaas-operator";

pub(crate) struct Bed {
    pub(crate) plane: ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) operator: Operator,
    /// The operator's way to the API server.
    pub(crate) proxy: Proxy,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default(), &[]).await
    }

    pub(crate) async fn with(options: Options, args: &[&str]) -> Self {
        let plane = ControlPlane::start(options).await.unwrap();
        let namespace = plane.namespace("resilience").await.unwrap();
        let proxy = Proxy::to_api_server(&plane).await.unwrap();
        let mut all = vec!["--watch-timeout=2s".to_owned()];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let options = OperatorOptions {
            watch_namespaces: vec![namespace.name.clone()],
            api_url: Some(proxy.url()),
            args: all,
            ..OperatorOptions::default()
        };
        let operator = Operator::ready(&plane, options).await.unwrap();
        Self { plane, namespace, operator, proxy }
    }

    /// A fresh client: an old one may hold connections to an API server that is no more.
    pub(crate) async fn client(&self) -> Client {
        self.plane.admin().await.unwrap()
    }

    pub(crate) async fn snippets(&self) -> Api<JsonnetSnippet> {
        Api::namespaced(self.client().await, &self.namespace.name)
    }

    pub(crate) async fn artifacts(&self) -> Api<ExternalArtifact> {
        Api::namespaced(self.client().await, &self.namespace.name)
    }

    pub(crate) async fn create(&self, name: &str, code: &str) {
        self.create_spec(name, json!({"files": {"main.jsonnet": code}})).await;
    }

    pub(crate) async fn create_spec(&self, name: &str, mut spec: Value) {
        spec["serviceAccountName"] = json!(TENANT);
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name}, "spec": spec,
        });
        let snippet = serde_json::from_value(object).unwrap();
        self.snippets().await.create(&PostParams::default(), &snippet).await.unwrap();
    }

    pub(crate) async fn edit(&self, name: &str, code: &str) {
        let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": code}}}));
        self.snippets().await.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until the snippet is published as this text, and answers the address.
    pub(crate) async fn published(&self, name: &str, text: &str) -> String {
        let revision = jaas_storage::Revision::of_document(text.as_bytes()).to_string();
        let (artifacts, snippets) = (self.artifacts().await, self.snippets().await);
        let artifact = wait::object(&artifacts, name, format!("announces {text:?}"), PATIENCE, |artifact| {
            artifact.published().is_some_and(|published| published.revision == revision)
        });
        let artifact = self.or_log(artifact.await);
        let synced = wait::object(&snippets, name, "is synced", PATIENCE, |snippet| {
            let status = snippet.status.clone().unwrap_or_default();
            status.revision.as_ref() == Some(&revision) && status.ready().is_some_and(|ready| ready.status == "True")
        });
        self.or_log(synced.await);
        artifact.published().unwrap().url.clone()
    }

    pub(crate) fn or_log<T>(&self, outcome: anyhow::Result<T>) -> T {
        outcome.unwrap_or_else(|error| panic!("{error:#}\nthe operator says:\n{}", self.tail()))
    }

    pub(crate) fn tail(&self) -> String {
        let log = self.operator.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) async fn probe(&self, path: &str) -> Answer {
        get(&self.operator.management_url(path)).await.unwrap()
    }

    /// Whether the operator can reconcile, and what it says of kinds that are not watched.
    pub(crate) async fn reconciling(&self) -> (bool, Value) {
        let answer = self.probe("/ready/reconcile").await;
        let said: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(answer.status == StatusCode::OK, said["status"] == "ok", "{said}");
        (answer.status == StatusCode::OK, said["watches"].clone())
    }

    /// Waits until the operator can reconcile and everything is watched.
    pub(crate) async fn is_well(&self) {
        let waited = eventually("everything to be watched", PATIENCE, async || {
            let (ready, troubles) = self.reconciling().await;
            if ready && troubles.is_null() { Ok(()) } else { Err(format!("{ready} {troubles}")) }
        });
        self.or_log(waited.await);
        self.has("jaas_ready_to_reconcile 1").await;
    }

    /// Waits until a kind is told to be in trouble for this cause; answers whether the operator can reconcile.
    pub(crate) async fn is_told(&self, kind: &str, cause: &str) -> bool {
        let waited = eventually(format!("{kind} to be {cause}"), PATIENCE, async || {
            let (ready, troubles) = self.reconciling().await;
            if troubles[kind]["cause"] == cause { Ok(ready) } else { Err(troubles.to_string()) }
        });
        let ready = self.or_log(waited.await);
        self.has(&format!("jaas_watch_up{{kind=\"{kind}\"}} 0")).await;
        ready
    }

    /// Takes a resource out of the operator's role, and answers the rules as they were.
    pub(crate) async fn take_right(&self, plural: &str) -> Vec<PolicyRule> {
        let roles: Api<ClusterRole> = Api::all(self.client().await);
        let mut role = roles.get(ROLE).await.unwrap();
        let whole = role.rules.clone().unwrap();
        let mut found = false;
        for resources in role.rules.iter_mut().flatten().filter_map(|rule| rule.resources.as_mut()) {
            found |= resources.iter().any(|resource| resource == plural);
            resources.retain(|resource| resource != plural);
        }
        assert!(found, "{ROLE} names {plural}");
        roles.replace(ROLE, &PostParams::default(), &role).await.unwrap();
        whole
    }

    pub(crate) async fn give_back(&self, rules: Vec<PolicyRule>) {
        let roles: Api<ClusterRole> = Api::all(self.client().await);
        let mut role = roles.get(ROLE).await.unwrap();
        role.rules = Some(rules);
        roles.replace(ROLE, &PostParams::default(), &role).await.unwrap();
    }

    /// Waits until a scrape has this line.
    pub(crate) async fn has(&self, line: &str) {
        let waited = eventually(line, PATIENCE, async || {
            let metrics = self.operator.metrics().await.map_err(|error| format!("{error:#}"))?;
            if metrics.lines().any(|found| found == line) {
                return Ok(());
            }
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            Err(metrics.lines().filter(|line| line.contains(name)).collect::<Vec<_>>().join("\n"))
        });
        self.or_log(waited.await);
    }

    pub(crate) async fn logged(&self, words: &str) {
        let waited =
            eventually(
                words,
                PATIENCE,
                async || {
                    if self.operator.log().contains(words) { Ok(()) } else { Err("not logged") }
                },
            );
        self.or_log(waited.await);
    }
}
