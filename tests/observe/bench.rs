//! A namespace, an operator for it, and what is asked of both.

use std::time::Duration;

use jaas_api::JsonnetSnippet;
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::namespace::{Namespace, TENANT};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::{self, eventually};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Code that runs until it is killed.
pub(crate) const ENDLESS: &str = "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)";

pub(crate) struct Bench {
    pub(crate) namespace: Namespace,
    pub(crate) operator: Operator,
    pub(crate) client: Client,
    pub(crate) snippets: Api<JsonnetSnippet>,
}

impl Bench {
    pub(crate) async fn new(prefix: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self::with(prefix, OperatorOptions { args, ..OperatorOptions::default() }).await
    }

    pub(crate) async fn with(prefix: &str, options: OperatorOptions) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let namespace = plane.namespace(prefix).await.unwrap();
        let options = OperatorOptions { watch_namespaces: vec![namespace.name.clone()], ..options };
        let operator = Operator::ready(plane, options).await.unwrap();
        let client = plane.admin().await.unwrap();
        Self { snippets: Api::namespaced(client.clone(), &namespace.name), namespace, operator, client }
    }

    pub(crate) async fn create(&self, name: &str, code: &str) {
        self.create_spec(name, json!({"files": {"main.jsonnet": code}})).await;
    }

    pub(crate) async fn create_spec(&self, name: &str, mut spec: Value) {
        if spec.get("serviceAccountName").is_none() {
            spec["serviceAccountName"] = json!(TENANT);
        }
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name}, "spec": spec,
        });
        self.snippets.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }

    pub(crate) async fn edit(&self, name: &str, patch: Value) {
        self.snippets.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub(crate) async fn code(&self, name: &str, code: &str) {
        self.edit(name, json!({"spec": {"files": {"main.jsonnet": code}}})).await;
    }

    /// Waits until the snippet's current generation is judged with this reason.
    pub(crate) async fn judged(&self, name: &str, reason: &str) {
        let judged = wait::object(&self.snippets, name, format!("is judged {reason}"), PATIENCE, |snippet| {
            let status = snippet.status.clone().unwrap_or_default();
            status.observed_generation == snippet.metadata.generation
                && status.ready().is_some_and(|ready| ready.reason == reason)
        });
        self.or_log(judged.await);
    }

    fn or_log<T>(&self, outcome: anyhow::Result<T>) -> T {
        outcome.unwrap_or_else(|error| {
            let log = self.operator.log();
            let lines: Vec<_> = log.lines().collect();
            panic!("{error:#}\nthe operator says:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"))
        })
    }

    /// A series with these labels, in any order; `$NS` stands for the namespace.
    fn is_series(&self, line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let rest = line.strip_prefix(name)?;
        let (found, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let has = |(key, wanted): &(&str, &str)| {
            found.contains(&format!("{key}=\"{}\"", wanted.replace("$NS", &self.namespace.name)))
        };
        // Nothing else may be there but the bound of a histogram's bucket.
        let expected = labels.len() + usize::from(name.ends_with("_bucket"));
        let complete = found.matches("=\"").count() == expected;
        (complete && labels.iter().all(has)).then(|| value.split(' ').next()?.parse().ok())?
    }

    /// Waits until a series with exactly these labels has a value that is wanted.
    pub(crate) async fn series(&self, name: &str, labels: &[(&str, &str)], wanted: impl Fn(f64) -> bool) {
        let waited = eventually(format!("{name} {labels:?}"), PATIENCE, async || {
            let metrics = self.operator.metrics().await.map_err(|error| format!("{error:#}"))?;
            if metrics.lines().any(|line| self.is_series(line, name, labels).is_some_and(&wanted)) {
                return Ok(());
            }
            Err(metrics.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>().join("\n"))
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
