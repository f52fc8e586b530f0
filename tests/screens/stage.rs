//! The one installation that every screen is taken of.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use jaas_tests::cluster::{self, Installation, Settings, Store};
use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::namespace::Namespace;
use jaas_tests::terminal::{self, Shown};
use serde_json::{Value, json};

use super::program::plugin;

/// Columns of the screen.
pub(crate) const COLUMNS: u16 = 80;

/// Two Pods of an operator on a volume, with the admin endpoint, and snippets in the same namespace.
pub(crate) struct Stage {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) installation: Installation,
    /// Where commands are run.
    pub(crate) folder: tempfile::TempDir,
    /// The older one of two revisions of `web`.
    pub(crate) older: String,
}

impl Stage {
    /// Installs, publishes, and waits until every snippet has its verdict.
    pub(crate) async fn new() -> Self {
        let plane = cluster::plane().await.unwrap();
        let namespace = plane.namespace("team").await.unwrap();
        let settings = Settings { replicas: 2, store: Store::Claim, admin: true, ..Settings::default() };
        let installation = Installation::start(plane, &namespace.name, settings).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self { plane, namespace, installation, folder, older: String::new() };
        stage.apply(&[
            json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary",
                "metadata": {"name": "lib", "namespace": stage.namespace.name}, "spec": {"files": {"lib.libsonnet": "{port: 8080}"}}}),
            json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
                "metadata": {"name": "apps", "namespace": stage.namespace.name},
                "spec": {"interval": "1h", "prune": true, "sourceRef": {"kind": "ExternalArtifact", "name": "web"}}}),
            stage.snippet("web", "{replicas: 1}", &json!({})),
            stage.snippet("api", "{port: (import 'lib/lib.libsonnet').port}", &json!({})),
            stage.snippet("bad", "{a: error 'no'}", &json!({})),
            stage.snippet("paused", "3", &json!({"suspend": true})),
        ])
        .await;
        stage.settle(&["web", "api"]).await;
        let history = stage.document(&["history", "web"]);
        stage.older = history["history"]["revisions"][0]["revision"].as_str().unwrap().to_owned();
        stage.apply(&[stage.snippet("web", "{replicas: 2, hosts: ['a', 'b']}", &json!({}))]).await;
        stage.settle(&["web"]).await;
        // The bad one has its verdict, and whoever looks for a request finds an answer.
        let judged = stage.run(&["reconcile", "bad", "--verify", "none"]);
        assert_eq!(judged.code, 3, "{judged:?}");
        stage
    }

    pub(crate) fn snippet(&self, name: &str, program: &str, other: &Value) -> Value {
        let mut snippet = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name, "labels": {"app": name}},
            "spec": {"serviceAccountName": "tenant", "history": 2, "files": {"main.jsonnet": program},
                "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]}});
        for (key, value) in other.as_object().unwrap() {
            snippet["spec"][key] = value.clone();
        }
        snippet
    }

    pub(crate) async fn apply(&self, objects: &[Value]) {
        self.plane.apply_objects(objects).await.unwrap();
    }

    async fn settle(&self, names: &[&str]) {
        let settled = self.run(&[&["wait", "ready"][..], names].concat());
        assert_eq!(settled.code, 0, "{settled:?}");
    }

    /// The plugin as this person, in the namespace of the snippets.
    pub(crate) fn command(&self, identity: &Identity, args: &[&str]) -> Command {
        let mut command = plugin();
        command.env("KUBECONFIG", self.plane.kubeconfig(identity).unwrap()).current_dir(self.folder.path());
        // Other tests have operators in the same cluster.
        command.env("JAAS_OPERATOR_NAMESPACE", &self.namespace.name);
        command.env("HOME", self.folder.path()).args(args).args(["-n", &self.namespace.name]);
        command
    }

    /// Runs it before a screen.
    pub(crate) fn run(&self, args: &[&str]) -> Shown {
        self.run_as(&Identity::Admin, args)
    }

    pub(crate) fn run_as(&self, identity: &Identity, args: &[&str]) -> Shown {
        terminal::show(self.command(identity, args), COLUMNS).unwrap()
    }

    /// Its one document.
    pub(crate) fn document(&self, args: &[&str]) -> Value {
        let output = self.command(&Identity::Admin, &[args, &["-o", "json"]].concat()).output().unwrap();
        jaas_tests::kubectl::document(&output).unwrap()
    }

    /// What a dry run must leave as it is: generations, requests and pauses of snippets, the Deployment, and the files of the store.
    pub(crate) async fn plane_state(&self) -> Vec<String> {
        let args = ["get", "jsonnetsnippets,deployments", "-o", "json", "-n", &self.namespace.name];
        let path = jaas_tests::kubectl::plugin_folder().unwrap();
        let output = jaas_tests::kubectl::run(self.plane, &Identity::Admin, &args, &path).await.unwrap();
        let listed = jaas_tests::kubectl::document(&output).unwrap();
        let objects = listed["items"].as_array().unwrap().iter().map(|item| {
            let metadata = &item["metadata"];
            format!("{} {} {} {}", item["kind"], metadata["name"], metadata["generation"], metadata["annotations"])
        });
        let mut state: Vec<_> = objects.collect();
        let mut folders = vec![self.installation.volume()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { state.push(path.display().to_string()) }
            }
        }
        state.sort();
        state
    }

    /// What differs from stage to stage, and what stands for it.
    pub(crate) fn names(&self) -> BTreeMap<String, &'static str> {
        let place = |path: &Path| path.display().to_string();
        BTreeMap::from([(self.namespace.name.clone(), "team-00000000"), (place(self.folder.path()), "/tmp/folder")])
    }
}
