//! An installation of the operator, as a cluster runs it.
//!
//! | piece | played by |
//! |---|---|
//! | API server, etcd, controllers of Deployments, ReplicaSets, endpoints, disruption budgets, garbage, namespaces | the real programs of Kubernetes |
//! | the operator | the real program; a Pod is one process of it, with its Deployment's arguments |
//! | kubelet: processes, restarts, readiness, status, logs, port-forwards, volumes of Pods, Secrets in them | [`crate::kubelet`] |
//! | the token of a Pod's ServiceAccount | a kubeconfig with a certificate of the same name |
//! | scheduler | the Deployment's template names the node |
//! | persistent volumes | a directory for each claim, which stays when Pods go |
//! | kube-proxy and cluster DNS | one TCP address on loopback that leads to the Pods that are ready; the published base URL |
//! | Helm | `objects`, which follows the chart by hand |
//!
//! Not played: network policies (nobody enforces them), liveness and startup probes, limits of memory and disk (a test says that
//! memory was the cause), images, `exec`, `kubectl port-forward` (it speaks SPDY), nodes that come and go. The API server refuses to
//! proxy to loopback, so the service proxy leads somewhere only with [`Addressing::Network`], in a network namespace ([`crate::network`]).

mod objects;
mod relay;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::controlplane::{ControlPlane, Identity, Options};
use crate::kubelet::{Image, Kubelet};
use crate::operator::{SERVICE_ACCOUNT, grants};
use crate::{manifests, network, wait};
use relay::Relay;

pub use crate::kubelet::{Addressing, Sandbox};

/// Port of the HTTP renderer.
pub const RENDERER: u16 = 8080;
/// Port of the storage server, as the chart has it.
pub const STORAGE: u16 = 8082;
/// Port of the metrics, as the chart has it.
pub const METRICS: u16 = 8083;
/// Port of the management server, as the chart has it.
pub const MANAGEMENT: u16 = 8081;
/// Port of the admin endpoint, as the chart has it.
pub const ADMIN: u16 = 8085;
/// Name of the Lease.
pub const LEASE: &str = "jaas-operator";
/// Name of the claim.
pub const CLAIM: &str = "jaas-storage";
/// Directory of the store, as the Pods have it.
pub const STORAGE_PATH: &str = "/var/lib/jaas/artifacts";

/// Longest time until a Deployment is as it shall be.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where artifacts are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// In each Pod, and gone with it.
    #[default]
    EmptyDir,
    /// On the volume of a claim, which all Pods share.
    Claim,
    /// In a bucket: its arguments, and where its keys are.
    Bucket(Vec<String>, Keys),
}

/// Where the keys of a bucket are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Among the arguments, or nowhere.
    Arguments,
    /// In a Secret of this name that is mounted.
    Mounted(String),
    /// In a Secret of this name that fills environment variables, when a container starts.
    Environment(String),
}

/// What is installed, as values of the chart.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many Pods.
    pub replicas: u32,
    /// Where artifacts are kept.
    pub store: Store,
    /// Whether one of several Pods leads.
    pub elects: bool,
    /// Whether the admin endpoint listens.
    pub admin: bool,
    /// Namespaces that are watched besides the operator's own.
    pub watch: Vec<String>,
    /// Further arguments; the last one of a name counts.
    pub args: Vec<String>,
    /// What lies behind the claim, such as a file system that a test has mounted; a new directory otherwise.
    pub volume: Option<PathBuf>,
    /// Where Pods listen.
    pub addressing: Addressing,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            replicas: 1,
            store: Store::default(),
            elects: true,
            admin: false,
            watch: Vec::new(),
            args: Vec::new(),
            volume: None,
            addressing: Addressing::Loopback,
        }
    }
}

/// The control plane that tests of installations share: with the controllers of workloads.
///
/// # Errors
/// As [`ControlPlane::start`]; when it failed once, it is not tried again.
pub async fn plane() -> Result<&'static ControlPlane> {
    static SHARED: Shared = Shared::const_new();
    of(&SHARED).await
}

/// Another one, in the network of this process, which the calling thread joins: a test of its own runtime, and before it opens a
/// socket.
///
/// # Errors
/// As [`plane`], and when there can be no such network.
pub async fn plane_in_network() -> Result<&'static ControlPlane> {
    static SHARED: Shared = Shared::const_new();
    network::join()?;
    of(&SHARED).await
}

type Shared = OnceCell<Result<ControlPlane, String>>;

async fn of(shared: &'static Shared) -> Result<&'static ControlPlane> {
    let start = async || {
        let started = ControlPlane::start(Options { workloads: true, ..Options::default() }).await;
        started.map_err(|error| format!("{error:#}"))
    };
    shared.get_or_init(start).await.as_ref().map_err(|error| anyhow!("{error}"))
}

/// An operator that is installed in a namespace. Dropping it ends its processes and leaves the objects behind.
pub struct Installation {
    /// Where it is installed, and what it watches first.
    pub namespace: String,
    settings: Settings,
    client: Client,
    kubelet: Kubelet,
    relay: Option<Relay>,
}

impl Installation {
    /// Installs an operator in a namespace and waits until its Pods are ready. The control plane must run workloads; see [`plane`].
    ///
    /// # Errors
    /// When something cannot be made, or is not ready in time, with the end of the Pods' logs.
    pub async fn start(plane: &ControlPlane, namespace: &str, settings: Settings) -> Result<Self> {
        let installation = Self::begin(plane, namespace, settings).await?;
        installation.wait_done().await?;
        Ok(installation)
    }

    /// As [`Installation::start`], without waiting.
    ///
    /// # Errors
    /// When something cannot be made.
    pub async fn begin(plane: &ControlPlane, namespace: &str, settings: Settings) -> Result<Self> {
        let executable = plane.operator_program()?;
        let watched = settings.watched(namespace);
        grants::grant(plane, &executable, namespace, &watched).await?;
        let kubeconfig = plane.kubeconfig(&Identity::service_account(namespace, SERVICE_ACCOUNT))?;
        let env = BTreeMap::from([
            ("KUBECONFIG".to_owned(), kubeconfig.display().to_string()),
            ("RUST_BACKTRACE".to_owned(), "1".to_owned()),
        ]);
        let image = Image { executable, env };
        let volumes = settings.volume.iter().map(|path| (CLAIM.to_owned(), path.clone())).collect();
        let kubelet = Kubelet::start(plane, namespace, &node(namespace), image, volumes, settings.addressing).await?;
        let relay = match settings.addressing {
            Addressing::Loopback => Some(Relay::start(kubelet.ready_addresses(STORAGE)).await?),
            Addressing::Network => None,
        };
        let client = plane.admin().await?;
        let installation = Self { namespace: namespace.to_owned(), settings, client, kubelet, relay };
        installation.apply().await?;
        Ok(installation)
    }

    /// The base of the URLs that it publishes.
    #[must_use]
    pub fn base_url(&self) -> String {
        match &self.relay {
            Some(relay) => format!("http://{}", relay.address),
            None => format!("http://jaas-storage.{}.svc:{STORAGE}", self.namespace),
        }
    }

    /// Writes the objects as they follow from the settings.
    async fn apply(&self) -> Result<()> {
        let objects = objects::all(&self.namespace, &node(&self.namespace), &self.base_url(), &self.settings);
        let applied = manifests::apply_objects(&self.client, objects).await;
        applied.with_context(|| format!("installing the operator in {}", self.namespace))?;
        if self.settings.store == Store::Claim {
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.namespace);
            let bound = Patch::Merge(json!({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}));
            claims.patch_status(CLAIM, &PatchParams::default(), &bound).await.context("binding the claim")?;
        }
        Ok(())
    }

    /// Changes the settings, as `helm upgrade` does, and waits until Pods with the new ones are ready.
    ///
    /// # Errors
    /// As [`Installation::start`].
    pub async fn upgrade(&mut self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        self.upgrading(change).await?;
        self.wait_done().await
    }

    /// As [`Installation::upgrade`], without waiting.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn upgrading(&mut self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        change(&mut self.settings);
        self.apply().await
    }

    /// Waits until the Deployment's Pods are all new and available, and no other one is left.
    ///
    /// # Errors
    /// When they are not in time, with the end of their logs.
    pub async fn wait_done(&self) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let wanted = self.settings.replicas.try_into().unwrap_or(i32::MAX);
        let done = wait::eventually("the Deployment to be done", PATIENCE, async || {
            let deployment = deployments.get("jaas").await.map_err(|error| error.to_string())?;
            let status = deployment.status.unwrap_or_default();
            let counts =
                [status.replicas, status.updated_replicas, status.available_replicas].map(Option::unwrap_or_default);
            // Old Pods that are still ending do not count in the status.
            let left = pods.list(&kube::api::ListParams::default().labels(objects::SELECTOR)).await;
            let left = left.map_err(|error| error.to_string())?.items.len();
            let is_new = status.observed_generation >= deployment.metadata.generation;
            if is_new && counts == [wanted; 3] && i32::try_from(left) == Ok(wanted) {
                return Ok(());
            }
            Err(format!("all, new, available: {counts:?} of {wanted}; {left} Pods; is new: {is_new}"))
        });
        done.await.map_err(|error| anyhow!("{error:#}\n{}", self.logs()))
    }

    fn logs(&self) -> String {
        let tail = |log: String| {
            log.lines().rev().take(15).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        self.pods().iter().map(|pod| format!("--- {} ---\n{}\n", pod.name, tail(pod.log()))).collect()
    }

    /// The Pods that are there, by name.
    #[must_use]
    pub fn pods(&self) -> Vec<Arc<Sandbox>> {
        self.kubelet.sandboxes()
    }

    /// The only Pod.
    ///
    /// # Errors
    /// When there is none, or are several.
    pub fn pod(&self) -> Result<Arc<Sandbox>> {
        let pods = self.pods();
        let names: Vec<_> = pods.iter().map(|pod| &pod.name).collect();
        ensure!(pods.len() == 1, "not one Pod, but {names:?}");
        pods.first().cloned().context("no Pod")
    }

    /// The Pod that the Lease names.
    ///
    /// # Errors
    /// When nobody leads before long, or it is no Pod of this installation.
    pub async fn leader(&self) -> Result<Arc<Sandbox>> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        wait::eventually("a leader", PATIENCE, async || {
            let lease = leases.get(LEASE).await.map_err(|error| error.to_string())?;
            let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
            let pod = holder.split('_').next().unwrap_or_default();
            self.kubelet.sandbox(pod).map_err(|error| format!("{error:#}"))
        })
        .await
    }

    /// The others.
    ///
    /// # Errors
    /// As [`Installation::leader`].
    pub async fn standbys(&self) -> Result<Vec<Arc<Sandbox>>> {
        let leader = self.leader().await?;
        Ok(self.pods().into_iter().filter(|pod| pod.name != leader.name).collect())
    }

    /// Directory of the claim's volume.
    #[must_use]
    pub fn volume(&self) -> PathBuf {
        self.kubelet.claim(CLAIM)
    }
}

impl Settings {
    fn watched(&self, namespace: &str) -> Vec<String> {
        [namespace.to_owned()].into_iter().chain(self.watch.iter().cloned()).collect()
    }
}

/// A node of its own for each installation.
fn node(namespace: &str) -> String {
    format!("node-{namespace}")
}
