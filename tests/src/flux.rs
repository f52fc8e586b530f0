//! Flux's real kustomize-controller, the consumer of what the operator publishes.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::DynamicObject;
use kube::{Api, Client};
use serde_json::json;
use tokio::fs;

use crate::controlplane::{ControlPlane, Identity, program};
use crate::supervisor::Process;
use crate::{manifests, ports, readiness, wait};

/// How long a revision may take from the artifact's status to the applied objects.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running kustomize-controller, with all rights. Dropping it ends it with SIGKILL.
///
/// One is enough for a control plane: it watches all namespaces.
pub struct KustomizeController {
    process: Process,
}

impl KustomizeController {
    /// Starts a controller and returns when it is ready; the first reconcile comes about a second later.
    ///
    /// # Errors
    /// When it ends by itself or is not ready in time, with the end of its log.
    pub async fn start(plane: &ControlPlane, args: &[&str]) -> Result<Self> {
        let health = ports::free()?;
        let work = plane.work().join(format!("kustomize-controller-{health}"));
        fs::create_dir_all(work.join("tmp")).await.with_context(|| format!("making {}", work.display()))?;
        let executable = &plane.programs().kustomize_controller;
        let mut program = program(&work, "kustomize-controller", executable, Vec::new());
        program.args = vec![
            "--feature-gates=ExternalArtifact=true".to_owned(),
            "--watch-all-namespaces=true".to_owned(),
            "--enable-leader-election=false".to_owned(),
            "--metrics-addr=0".to_owned(),
            format!("--health-addr=127.0.0.1:{health}"),
            "--log-level=info".to_owned(),
        ];
        program.args.extend(args.iter().map(ToString::to_string));
        let kubeconfig = plane.kubeconfig(&Identity::Admin)?;
        let tmp = work.join("tmp");
        program.env.extend(
            [
                ("KUBECONFIG", kubeconfig.display().to_string()),
                ("RUNTIME_NAMESPACE", "flux-system".to_owned()),
                ("TMPDIR", tmp.display().to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let process = plane.supervisor().run(program).await?;
        let url = format!("http://127.0.0.1:{health}/readyz");
        readiness::of(&process, "its readiness", async || readiness::healthy(&url).await).await?;
        Ok(Self { process })
    }

    /// All that it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// The Kustomizations of a namespace.
#[must_use]
pub fn kustomizations(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let group = "kustomize.toolkit.fluxcd.io";
    manifests::custom(client, namespace, group, "v1", "Kustomization")
}

/// Applies a Kustomization that consumes the ExternalArtifact of the same name and prunes.
///
/// # Errors
/// When the API server refuses it.
pub async fn consume(plane: &ControlPlane, namespace: &str, artifact: &str) -> Result<()> {
    let kustomization = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": { "name": artifact, "namespace": namespace },
        "spec": {
            "interval": "1h",
            "retryInterval": "3s",
            "timeout": "30s",
            "prune": true,
            "path": "./",
            "targetNamespace": namespace,
            "sourceRef": { "kind": "ExternalArtifact", "name": artifact },
        },
    });
    plane.apply_objects(&[kustomization]).await.map(drop)
}

/// Waits until a Kustomization has applied a revision.
///
/// # Errors
/// After a minute, with the Kustomization as seen last.
pub async fn applied(client: &Client, namespace: &str, name: &str, revision: &str) -> Result<DynamicObject> {
    let api = kustomizations(client, namespace);
    let what = format!("has applied {revision}");
    wait::object(&api, name, what, PATIENCE, |object: &DynamicObject| {
        object.data["status"]["lastAppliedRevision"] == revision
    })
    .await
}
