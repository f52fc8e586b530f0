//! An installation in a namespace of its own, and `kubectl jaas` beside it.

use std::process::Output;

use jaas_tests::cluster::{self, Addressing, Installation, Settings};
use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::namespace::Namespace;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};

use super::bench::{exits, kubectl, plugin_folder};

/// An operator that is installed, with its snippets in the same namespace.
pub(crate) struct Ward {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) namespace: Namespace,
    pub(crate) installation: Installation,
}

impl Ward {
    /// Installs an operator.
    pub(crate) async fn new(settings: Settings) -> Self {
        let plane = match settings.addressing {
            Addressing::Loopback => cluster::plane().await.unwrap(),
            Addressing::Network => cluster::plane_in_network().await.unwrap(),
        };
        let namespace = plane.namespace("ward").await.unwrap();
        let installation = Installation::start(plane, &namespace.name, settings).await.unwrap();
        Self { plane, namespace, installation }
    }

    /// Makes snippets and waits until each is published.
    pub(crate) async fn publish(&self, programs: &[(&str, &str)]) {
        let snippets: Vec<_> = programs.iter().map(|(name, program)| self.snippet(name, program)).collect();
        self.plane.apply_objects(&snippets).await.unwrap();
        let names: Vec<_> = programs.iter().map(|(name, _)| *name).collect();
        exits(&self.jaas(&[&["wait", "ready"][..], &names].concat()).await, 0);
    }

    pub(crate) fn snippet(&self, name: &str, program: &str) -> Value {
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": program}}})
    }

    /// Runs `kubectl jaas …` as admin in the namespace, where it does not say another.
    pub(crate) async fn jaas(&self, args: &[&str]) -> Output {
        self.kubectl(&[&["jaas"], args].concat()).await
    }

    /// The same for commands that look for the operator, whose namespace is that of the snippets.
    pub(crate) async fn operator(&self, args: &[&str]) -> Output {
        self.jaas(&[args, &["--operator-namespace", &self.namespace.name]].concat()).await
    }

    /// Runs plain kubectl as admin in the namespace.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> Output {
        let args = [args, &["-n", &self.namespace.name]].concat();
        kubectl(self.plane, &Identity::Admin, &args, &plugin_folder()).await
    }

    pub(crate) async fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.plane.admin().await.unwrap(), &self.namespace.name)
    }
}
