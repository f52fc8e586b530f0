//! A namespace with snippets, an operator, and `kubectl jaas`.

use std::ffi::OsString;
use std::process::Output;
use std::time::Duration;

use jaas_tests::controlplane::{ControlPlane, Identity};
pub(crate) use jaas_tests::kubectl::text;
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use serde_json::{Value, json};

/// Longest wait for what takes the operator a moment.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The folder that holds the plugin.
pub(crate) fn plugin_folder() -> OsString {
    jaas_tests::kubectl::plugin_folder().unwrap()
}

/// Runs kubectl as `identity`, with these folders to look for plugins.
pub(crate) async fn kubectl(plane: &ControlPlane, identity: &Identity, args: &[&str], path: &OsString) -> Output {
    jaas_tests::kubectl::run(plane, identity, args, path).await.unwrap()
}

/// A namespace with snippets, and an operator that watches it.
pub(crate) struct Bench {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) _operator: Operator,
}

impl Bench {
    /// A namespace with two good snippets, a bad one and a suspended one.
    pub(crate) async fn new() -> Self {
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
    pub(crate) async fn run(&self, identity: &Identity, args: &[&str]) -> Output {
        let args = [&["jaas"], args].concat();
        kubectl(self.plane, identity, &args, &plugin_folder()).await
    }

    /// Runs plain kubectl as admin in the namespace.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> Output {
        let args = [args, &["-n", &self.namespace.name]].concat();
        kubectl(self.plane, &Identity::Admin, &args, &plugin_folder()).await
    }

    /// Runs `kubectl jaas …` as admin in the namespace.
    pub(crate) async fn admin(&self, args: &[&str]) -> Output {
        let args = [args, &["-n", &self.namespace.name]].concat();
        self.run(&Identity::Admin, &args).await
    }
}

/// The exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The one document on stdout.
pub(crate) fn document(output: &Output) -> Value {
    jaas_tests::kubectl::document(output).unwrap()
}

/// The exit code is the expected one, or everything that was said is shown.
#[track_caller]
pub(crate) fn exits(output: &Output, expected: i32) {
    assert_eq!(code(output), expected, "{}\n{}", text(&output.stdout), text(&output.stderr));
}
