//! The installation that the pages are about: the chart's, in `jaas-system`, on a control plane of its own.
//!
//! Helm, the chart, its rights and arguments are real, and so is everything that [`jaas_tests::cluster`] calls real. Played besides: the
//! scheduler, which binds every Pod to the one node but those of the Go implementation, whose program is not to be had; the volume's provisioner; `kubectl port-forward` to the admin endpoint.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jaas_tests::cluster::{ADMIN, CLAIM, LEASE};
use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::environment;
use jaas_tests::kubelet::{Addressing, Image, Kubelet, Sandbox};
use jaas_tests::operator::SERVICE_ACCOUNT;
use jaas_tests::runner::root;
use jaas_tests::wait::eventually;
use jaas_tests::{network, programs};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Where the pages have the operator.
pub(crate) const PLACE: &str = "jaas-system";
/// The node that every Pod is bound to.
const NODE: &str = "node";
/// Longest that anything ordinary may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// What the scenes need: two replicas on one volume, an admin endpoint, limits that a snippet can reach, and no long waits.
const VALUES: &str = "
operator:
  enabled: true
  admin: {enabled: true}
  extVars: {cluster_name: production}
  labelSelector: '!played'
  maxWithdrawWait: 1s
  cleanupOnDelete: {enabled: false}
  storage:
    maxArtifactBytes: 100000
    gcGrace: 1s
    persistence: {enabled: true, accessModes: [ReadWriteMany]}
replicas: {min: 2, max: 2}
";

/// See the module.
pub(crate) struct Stage {
    pub(crate) plane: ControlPlane,
    /// Where commands are typed: the repository's chart and examples are there.
    pub(crate) folder: PathBuf,
    kubelet: Kubelet,
    client: Client,
    tasks: JoinSet<()>,
}

impl Stage {
    /// A cluster without an operator.
    pub(crate) async fn new() -> Self {
        network::join().unwrap();
        let options = Options { workloads: true, jaas_crds: false, ..Options::default() };
        let plane = ControlPlane::start(options).await.unwrap();
        let namespaces = [PLACE, "team-a", "team-b"]
            .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        plane.apply_objects(&namespaces).await.unwrap();
        // Of cert-manager and of the Prometheus operator.
        for entry in fs::read_dir(programs::chart_crds().unwrap()).unwrap() {
            plane.apply(&fs::read_to_string(entry.unwrap().path()).unwrap()).await.unwrap();
        }
        let account = Identity::service_account(PLACE, SERVICE_ACCOUNT);
        let kubeconfig = plane.kubeconfig(&account).unwrap().display().to_string();
        let image = Image {
            executable: environment::path(environment::OPERATOR).unwrap(),
            env: BTreeMap::from([("KUBECONFIG".to_owned(), kubeconfig)]),
        };
        let kubelet = Kubelet::start(&plane, PLACE, NODE, image, BTreeMap::new(), Addressing::Network).await.unwrap();
        let client = plane.admin().await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(schedule(client.clone()));
        let folder = plane.work().join("typed");
        furnish(&folder, &plane);
        Self { plane, folder, kubelet, client, tasks }
    }

    /// Installs what the scenes need, and waits until it works.
    pub(crate) async fn install(&self) {
        fs::write(self.folder.join("stage.yaml"), VALUES).unwrap();
        self.must("helm install jaas charts/jaas -n jaas-system -f stage.yaml").await;
        self.bind_claim().await;
        self.settle().await;
    }

    /// Says that there is a volume behind the claim.
    pub(crate) async fn bind_claim(&self) {
        let claim = r#"{"status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}}"#;
        self.must(&format!("kubectl patch pvc {CLAIM} -n {PLACE} --subresource status --type merge -p '{claim}'"))
            .await;
    }

    /// Waits until all Pods are new and one of them leads.
    pub(crate) async fn settle(&self) {
        self.must("kubectl rollout status deployment/jaas -n jaas-system --timeout 90s").await;
        self.must("kubectl jaas wait leader --timeout 90s").await;
    }

    /// Runs a script where commands are typed.
    pub(crate) async fn shell(&self, script: &str) -> Output {
        let mut command = Command::new("timeout");
        command.args(["300", "bash", "-c", script]).current_dir(&self.folder).stdin(Stdio::null()).env_clear();
        let home = self.folder.display().to_string();
        command.env("PATH", format!("{home}/bin:/usr/bin:/bin")).env("HOME", &home).env("NO_COLOR", "1");
        command.env("KUBECONFIG", self.folder.join("kubeconfig")).env("KUBE_EDITOR", "./editor");
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
    }

    /// Runs a script that must succeed, and answers what it printed.
    pub(crate) async fn must(&self, script: &str) -> String {
        let output = self.shell(&format!("set -euo pipefail\n{script}")).await;
        assert!(output.status.success(), "{script}\n{}\n{}", said(&output), self.logs());
        String::from_utf8(output.stdout).unwrap()
    }

    /// The directory of the store.
    pub(crate) fn volume(&self) -> PathBuf {
        self.kubelet.claim(CLAIM)
    }

    /// The name of a Pod, if there is one.
    pub(crate) fn pod(&self) -> String {
        self.kubelet.sandboxes().first().map(|pod| pod.name.clone()).unwrap_or_default()
    }

    /// The Pod that leads.
    pub(crate) async fn leader(&self) -> std::sync::Arc<Sandbox> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), PLACE);
        eventually("a leader", PATIENCE, async || {
            let lease = leases.get(LEASE).await.map_err(|error| error.to_string())?;
            let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
            self.kubelet.sandbox(holder.split('_').next().unwrap_or_default()).map_err(|error| format!("{error:#}"))
        })
        .await
        .unwrap()
    }

    /// Ends every Pod's process once; each is started again.
    pub(crate) async fn crash(&self) {
        for pod in self.kubelet.sandboxes() {
            pod.kill().await.unwrap();
        }
        self.settle().await;
    }

    /// Opens the admin endpoint of the leader where `kubectl port-forward` would.
    pub(crate) async fn forward(&mut self) {
        let address = self.leader().await.address(ADMIN).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", ADMIN)).await.unwrap();
        self.tasks.spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = TcpStream::connect(address).await.unwrap();
                tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
            }
        });
    }

    fn logs(&self) -> String {
        let last = |log: String| log.lines().rev().take(10).map(|line| format!("{line}\n")).collect::<String>();
        let pods = self.kubelet.sandboxes();
        pods.iter().map(|pod| format!("--- {}, last line first ---\n{}", pod.name, last(pod.log()))).collect()
    }
}

/// Everything that was printed.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A folder with the programs, a kubeconfig that commands may change, an editor, and what of the repository the pages name.
fn furnish(folder: &Path, plane: &ControlPlane) {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let programs = [
        ("kubectl", plane.programs().kubectl.clone()),
        ("kubectl-jaas", environment::path(environment::PLUGIN).unwrap()),
        ("jaas-operator", environment::path(environment::OPERATOR).unwrap()),
        ("helm", programs::helm().unwrap()),
    ];
    for (name, program) in programs {
        symlink(program, bin.join(name)).unwrap();
    }
    for name in ["charts", "examples"] {
        symlink(root().join(name), folder.join(name)).unwrap();
    }
    fs::copy(plane.kubeconfig(&Identity::Admin).unwrap(), folder.join("kubeconfig")).unwrap();
    // What is refused is a failure.
    fs::write(folder.join(".curlrc"), "fail\nno-progress-meter\n").unwrap();
    // `mend` holds what a person would change.
    let editor = folder.join("editor");
    fs::write(&editor, "#!/bin/sh\nexec sed -i -f mend \"$1\"\n").unwrap();
    fs::set_permissions(editor, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("mend"), "").unwrap();
}

/// Binds Pods to the node.
async fn schedule(client: Client) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), PLACE);
    loop {
        let waiting = pods.list(&ListParams::default().fields("spec.nodeName=")).await;
        let is_ours = |pod: &Pod| {
            let image = pod.spec.as_ref().and_then(|spec| spec.containers[0].image.as_deref());
            image.is_none_or(|image| !image.starts_with("ghcr.io/metio/jaas:"))
        };
        for pod in waiting.into_iter().flatten().filter(is_ours) {
            let name = pod.name_any();
            let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}});
            // One that is gone meanwhile needs no node.
            let _ = pods.create_subresource::<Value, Value>("binding", &name, &PostParams::default(), &binding).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
