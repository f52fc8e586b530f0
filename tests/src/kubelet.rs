//! The played kubelet of one node: it runs the node's Pods as processes of this machine.
//!
//! It does what a kubelet does as far as the API server, people and other Pods can see it; [`crate::cluster`] tells what is played
//! and what is real. Each Pod is one process with the Pod's name as its host name, and its arguments are the container's, but for
//! the paths of its volumes and for its ports, which are free ones on loopback.

mod arguments;
mod forward;
mod logs;
mod pod;
mod sandbox;
mod server;
mod status;
mod volumes;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::controlplane::ControlPlane;
use crate::network;
use crate::supervisor::Supervisor;
pub use sandbox::{Ending, Sandbox};

/// What every container of the node runs.
#[derive(Clone, Debug)]
pub struct Image {
    /// The program.
    pub executable: PathBuf,
    /// Its environment besides what every program gets.
    pub env: BTreeMap<String, String>,
}

/// Where Pods listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// On free ports of loopback, whatever their arguments say. Their addresses are of a range for documentation; nobody is there.
    Loopback,
    /// Each at an address of its own in the network of [`crate::network`], on the ports that their arguments say. What listens on
    /// loopback is on a free port, because all Pods share that.
    Network,
}

/// A kubelet. Dropping it ends its Pods' processes and leaves the objects behind.
pub struct Kubelet {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// What the tasks of a kubelet share.
struct Shared {
    node: String,
    namespace: String,
    client: Client,
    supervisor: Supervisor,
    work: PathBuf,
    image: Image,
    addressing: Addressing,
    /// Directories of claims that have one of their own.
    volumes: BTreeMap<String, PathBuf>,
    /// By the uid of their Pods.
    sandboxes: Mutex<BTreeMap<String, Arc<Sandbox>>>,
}

impl Kubelet {
    /// Makes a Node and runs the Pods of one namespace that are bound to it. A claim whose volume is not given gets a new directory.
    ///
    /// # Errors
    /// When no port can be had, TLS cannot be set up, or the API server refuses the Node.
    pub async fn start(
        plane: &ControlPlane,
        namespace: &str,
        node: &str,
        image: Image,
        volumes: BTreeMap<String, PathBuf>,
        addressing: Addressing,
    ) -> Result<Self> {
        let work = plane.work().join(node);
        std::fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening for the API server")?;
        let port = listener.local_addr().context("listening for the API server")?.port();
        let tls = server::tls(plane, node)?;
        let shared = Arc::new(Shared {
            node: node.to_owned(),
            namespace: namespace.to_owned(),
            client: plane.admin().await?,
            supervisor: plane.supervisor().clone(),
            work,
            image,
            addressing,
            volumes,
            sandboxes: Mutex::default(),
        });
        shared.register(plane, port).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, tls, Arc::clone(&shared)));
        tasks.spawn(follow_pods(Arc::clone(&shared)));
        tasks.spawn(follow_secrets(Arc::clone(&shared)));
        Ok(Self { shared, _tasks: tasks })
    }

    /// The Pods that are there, in the order of their names.
    #[must_use]
    pub fn sandboxes(&self) -> Vec<Arc<Sandbox>> {
        self.shared.sandboxes()
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn sandbox(&self, pod: &str) -> Result<Arc<Sandbox>> {
        self.shared.sandbox(pod).with_context(|| format!("{} runs no Pod {pod}", self.shared.node))
    }

    /// A way to the Pods that are ready, one after the other, as a Service's address is.
    pub fn ready_addresses(&self, port: u16) -> impl FnMut() -> Option<SocketAddr> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let mut turn = 0_usize;
        move || {
            let ready: Vec<_> = shared.sandboxes().into_iter().filter(|it| it.is_ready()).collect();
            turn = turn.wrapping_add(1);
            ready.get(turn.checked_rem(ready.len())?)?.address(port)
        }
    }

    /// The directory of a claim's volume; it need not exist before a Pod mounts it.
    #[must_use]
    pub fn claim(&self, name: &str) -> PathBuf {
        self.shared.claim(name)
    }
}

impl Shared {
    async fn register(&self, plane: &ControlPlane, port: u16) -> Result<()> {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}});
        plane.apply_objects(&[node]).await.with_context(|| format!("making Node {}", self.node))?;
        let status = json!({"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "played"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }});
        let nodes: Api<Node> = Api::all(self.client.clone());
        let patched = nodes.patch_status(&self.node, &PatchParams::default(), &Patch::Merge(status)).await;
        patched.map(drop).with_context(|| format!("writing the status of Node {}", self.node))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Sandbox>>> {
        self.sandboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sandboxes(&self) -> Vec<Arc<Sandbox>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn sandbox(&self, pod: &str) -> Option<Arc<Sandbox>> {
        self.lock().values().find(|it| it.name == pod).cloned()
    }

    fn claim(&self, name: &str) -> PathBuf {
        self.volumes.get(name).cloned().unwrap_or_else(|| self.work.join("claims").join(name))
    }

    /// Directory of one Pod.
    fn of_pod(&self, uid: &str) -> PathBuf {
        self.work.join("pods").join(uid)
    }

    /// The next address for a Pod.
    fn address(&self) -> IpAddr {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // In turn, so that no Pod of another installation has it either, as far as there are enough.
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let addresses: Vec<_> = network::addresses().collect();
        addresses.get(turn % addresses.len()).map_or(Ipv4Addr::LOCALHOST.into(), |address| IpAddr::V4(*address))
    }
}

/// Starts Pods that appear, and tells those that are to end.
async fn follow_pods(shared: Arc<Shared>) {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let config = watcher::Config::default().fields(&format!("spec.nodeName={}", shared.node));
    let mut events = watcher(pods, config).default_backoff().boxed();
    let mut running = JoinSet::new();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            Some(_) = running.join_next() => continue,
        };
        match event {
            Some(Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                let uid = pod.uid().unwrap_or_default();
                let known = shared.lock().get(&uid).cloned();
                match known {
                    Some(sandbox) => sandbox.update(&pod),
                    None if pod.metadata.deletion_timestamp.is_some() => {
                        pod::forget(&shared, &pod.name_any(), &uid).await;
                    }
                    None if pod::is_over(&pod) => {}
                    None => {
                        let sandbox = Arc::new(Sandbox::new(&pod, shared.address(), shared.addressing));
                        shared.lock().insert(uid, Arc::clone(&sandbox));
                        running.spawn(pod::live(Arc::clone(&shared), sandbox));
                    }
                }
            }
            Some(Ok(watcher::Event::Delete(pod))) => {
                let gone = shared.lock().get(&pod.uid().unwrap_or_default()).cloned();
                if let Some(sandbox) = gone {
                    sandbox.vanished();
                }
            }
            Some(Ok(watcher::Event::Init | watcher::Event::InitDone)) => {}
            Some(Err(error)) => eprintln!("{}: watching Pods: {error}", shared.node),
            None => return,
        }
    }
}

/// Brings what changes in Secrets into the volumes of running Pods.
async fn follow_secrets(shared: Arc<Shared>) {
    let secrets: Api<Secret> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let mut changes = watcher(secrets, watcher::Config::default()).default_backoff().applied_objects().boxed();
    while let Some(change) = changes.next().await {
        let Ok(secret) = change else { continue };
        for sandbox in shared.sandboxes() {
            let directory = shared.of_pod(&sandbox.uid);
            if let Err(error) = volumes::refresh(&sandbox.spec, &secret, &directory) {
                eprintln!("{}: {}: {error:#}", shared.node, sandbox.name);
            }
        }
    }
}

/// Locks a mutex that nobody can have left in a half-changed state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory, made where it is missing.
fn made(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    Ok(path.to_owned())
}
