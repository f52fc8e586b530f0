//! Candidates for one Lease, each with a runtime, a client and a clock of its own, and one who looks whether two lead at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jaas_operator::cluster::connect;
use jaas_operator::leadership::{Authority, Election, Epoch, Permit, Settings, State, Timing};
use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::wait::eventually;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::clocks::Moved;

pub(crate) const LEASE: Duration = Duration::from_secs(3);
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);
pub(crate) const RETRY: Duration = Duration::from_millis(400);
/// What a busy machine may add to a time that a test measures.
pub(crate) const SLACK: Duration = Duration::from_millis(700);

const NAME: &str = "jaas-operator";

/// The control plane of these tests: no kind but Kubernetes' own.
async fn plane() -> &'static ControlPlane {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let bare = || Options { controller_manager: false, flux_crds: false, jaas_crds: false, ..Options::default() };
    PLANE.get_or_try_init(async || ControlPlane::start(bare()).await).await.unwrap()
}

/// One candidate.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) authority: Authority,
    pub(crate) clock: Moved,
    pub(crate) stop: CancellationToken,
    pub(crate) states: tokio::sync::watch::Receiver<State>,
    runtime: Option<Runtime>,
    task: tokio::task::JoinHandle<()>,
}

impl Member {
    async fn join(namespace: &str, name: String, server: Option<String>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let path = plane().await.kubeconfig(&Identity::Admin).unwrap();
        let mut config = connect::load(Some(&path)).await.unwrap();
        if let Some(server) = server {
            config.cluster_url = server.parse().unwrap();
        }
        let clock = Moved::default();
        let stop = CancellationToken::new();
        let (namespace, identity, stopped, moved) = (namespace.to_owned(), name.clone(), stop.clone(), clock.clone());
        let (tell, told) = tokio::sync::oneshot::channel();
        // A client belongs to the runtime that it was made in.
        let task = runtime.spawn(async move {
            let election = Election::new(Settings {
                client: Client::try_from(config).unwrap(),
                namespace,
                lease: NAME.to_owned(),
                identity,
                timing: Timing::new(LEASE, DEADLINE, RETRY).unwrap(),
                clock: Arc::new(moved),
                hooks: Arc::new(()),
            });
            let _ = tell.send((election.authority(), election.states()));
            election.run(stopped).await;
        });
        let (authority, states) = told.await.unwrap();
        Self { name, authority, clock, stop, states, runtime: Some(runtime), task }
    }

    pub(crate) fn permit(&self) -> Option<Permit> {
        self.authority.permit().ok()
    }

    /// Ends the candidate as SIGKILL ends a process.
    pub(crate) fn kill(&self) {
        self.task.abort();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.as_ref().unwrap().handle().clone()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// Candidates for one Lease.
pub(crate) struct Group {
    pub(crate) members: Vec<Member>,
    pub(crate) leases: Api<Lease>,
    judge: Judge,
}

impl Group {
    pub(crate) async fn new(prefix: &str, size: usize) -> Self {
        Self::through(prefix, &vec![None; size]).await
    }

    /// Candidates that reach the API server at the given addresses.
    pub(crate) async fn through(prefix: &str, servers: &[Option<String>]) -> Self {
        let plane = plane().await;
        let namespace = plane.empty_namespace(prefix).await.unwrap().name;
        let mut members = Vec::new();
        for (index, server) in servers.iter().enumerate() {
            members.push(Member::join(&namespace, format!("m{index}"), server.clone()).await);
        }
        let judge = Judge::new(members.iter().map(|member| member.authority.clone()).collect());
        Self { members, leases: Api::namespaced(plane.admin().await.unwrap(), &namespace), judge }
    }

    pub(crate) async fn address() -> String {
        plane().await.api_url()
    }

    /// Waits until one leads who is not `other`, and tells how long that took.
    pub(crate) async fn leader_but(&self, other: Option<usize>, limit: Duration) -> (usize, Epoch, Duration) {
        let begun = Instant::now();
        let leader = eventually("a leader", limit, async || {
            let leads = |index: &usize| Some(*index) != other && self.members[*index].permit().is_some();
            (0..self.members.len()).find(leads)
        });
        let index = leader.await.unwrap();
        let epoch = self.members[index].permit().unwrap().epoch().clone();
        (index, epoch, begun.elapsed())
    }

    pub(crate) async fn leader(&self) -> (usize, Epoch) {
        let (index, epoch, _) = self.leader_but(None, Duration::from_secs(10)).await;
        // The first renewal is out, so that what follows does not depend on how it began.
        tokio::time::sleep(RETRY * 2).await;
        (index, epoch)
    }

    pub(crate) async fn lease(&self) -> Lease {
        self.leases.get(NAME).await.unwrap()
    }

    pub(crate) async fn annotate(&self, annotations: Value) {
        let patch = json!({"metadata": {"annotations": annotations}});
        self.leases.patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }

    pub(crate) async fn delete_lease(&self) {
        self.leases.delete(NAME, &DeleteParams::default()).await.unwrap();
    }

    /// Ends all candidates and tells whether there were ever two valid permits at once.
    pub(crate) fn verdict(self) {
        let (looks, overlaps) = self.judge.finish();
        assert!(looks > 100, "looked only {looks} times");
        assert_eq!(overlaps, 0, "two led at once, seen {overlaps} times in {looks} looks");
    }
}

/// Looks all the time.
struct Judge {
    over: Arc<AtomicBool>,
    looks: Arc<AtomicU64>,
    overlaps: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Judge {
    fn new(authorities: Vec<Authority>) -> Self {
        let (over, looks, overlaps) = (Arc::default(), Arc::default(), Arc::default());
        let shared = (Arc::clone(&over), Arc::clone(&looks), Arc::clone(&overlaps));
        let thread = thread::spawn(move || {
            let (over, looks, overlaps): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>) = shared;
            while !over.load(Ordering::SeqCst) {
                let permits: Vec<_> = authorities.iter().filter_map(|authority| authority.permit().ok()).collect();
                // The first is asked again: valid before and after the second was found valid, it was valid with it.
                if permits.len() > 1 && permits[0].check().is_ok() {
                    overlaps.fetch_add(1, Ordering::SeqCst);
                }
                looks.fetch_add(1, Ordering::SeqCst);
                drop(permits);
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { over, looks, overlaps, thread }
    }

    fn finish(self) -> (u64, u64) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        (self.looks.load(Ordering::SeqCst), self.overlaps.load(Ordering::SeqCst))
    }
}
