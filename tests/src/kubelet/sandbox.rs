//! One Pod on the node: its process, and what is wished of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kube::ResourceExt as _;
use tokio::sync::watch;

use super::{Addressing, arguments, lock};
use crate::ports;
use crate::supervisor::{Exit, Process, Signal};

/// A Pod that runs, as a process.
pub struct Sandbox {
    /// Its name.
    pub name: String,
    pub(super) uid: String,
    pub(super) spec: PodSpec,
    /// Its address, as its status tells.
    pub(super) ip: IpAddr,
    pub(super) began: Timestamp,
    /// Ports that its arguments name, and where on loopback they really are.
    pub(super) ports: BTreeMap<u16, u16>,
    pub(super) addressing: Addressing,
    pub(super) wish: watch::Sender<Wish>,
    ready: AtomicBool,
    /// Says of the next end by a signal that there was no memory left.
    memory: AtomicBool,
    run: Mutex<Run>,
}

/// The container's runs.
#[derive(Default)]
pub(super) struct Run {
    pub(super) process: Option<Arc<Process>>,
    /// Logs of all runs, the present one last.
    pub(super) logs: Vec<PathBuf>,
}

/// What is wished of a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To run.
    Run,
    /// To end within this time.
    Stop(Duration),
    /// Its object is gone.
    Vanished,
}

/// How a run of a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// As Kubernetes has it: 128 and the signal's number where a signal did it.
    pub exit_code: i32,
    /// `OOMKilled`, `Error` or `Completed`.
    pub reason: &'static str,
    /// When it was started.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

impl Sandbox {
    pub(super) fn new(pod: &Pod, ip: IpAddr, addressing: Addressing) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        let args = spec.containers.first().and_then(|container| container.args.clone()).unwrap_or_default();
        let ports = match addressing {
            // Without a free port it keeps the one it has, and fails to listen, which its log tells.
            Addressing::Loopback => {
                arguments::ports(&args).into_iter().map(|port| (port, ports::free().unwrap_or(port))).collect()
            }
            Addressing::Network => {
                arguments::on_loopback(&args).into_iter().map(|port| (port, ports::free().unwrap_or(port))).collect()
            }
        };
        let sandbox = Self {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            spec,
            ip,
            began: Timestamp::now(),
            ports,
            addressing,
            wish: watch::Sender::new(Wish::Run),
            ready: AtomicBool::new(false),
            memory: AtomicBool::new(false),
            run: Mutex::default(),
        };
        sandbox.update(pod);
        sandbox
    }

    /// Takes in what the API server says now.
    pub(super) fn update(&self, pod: &Pod) {
        if pod.metadata.deletion_timestamp.is_some() {
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
            self.wish.send_replace(Wish::Stop(Duration::from_secs(grace.try_into().unwrap_or(0))));
        }
    }

    pub(super) fn vanished(&self) {
        self.wish.send_replace(Wish::Vanished);
    }

    pub(super) fn container(&self) -> Option<&Container> {
        self.spec.containers.first()
    }

    /// Whether it answers its readiness probe and is not on its way out.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && *self.wish.borrow() == Wish::Run
    }

    pub(super) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Where one of its ports really is; `None` where it listens on no such port.
    #[must_use]
    pub fn address(&self, port: u16) -> Option<SocketAddr> {
        match (self.ports.get(&port), self.addressing) {
            (Some(real), _) => Some((Ipv4Addr::LOCALHOST, *real).into()),
            (None, Addressing::Loopback) => None,
            (None, Addressing::Network) => Some((self.ip, port).into()),
        }
    }

    /// The process that runs now.
    ///
    /// # Errors
    /// When none does.
    pub fn process(&self) -> Result<Arc<Process>> {
        lock(&self.run).process.clone().with_context(|| format!("Pod {} runs no process now", self.name))
    }

    /// Freezes the process, as a node does that loses its power to run but not its memory.
    ///
    /// # Errors
    /// When none runs.
    pub fn freeze(&self) -> Result<()> {
        self.process()?.signal(Signal::Stop)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// When none runs.
    pub fn thaw(&self) -> Result<()> {
        self.process()?.signal(Signal::Continue)
    }

    /// SIGKILL. It is started again, as a container is.
    ///
    /// # Errors
    /// When none runs.
    pub async fn kill(&self) -> Result<Exit> {
        self.process()?.kill().await
    }

    /// SIGKILL, which the status of the Pod then lays to the memory that it took. Nobody measures memory here.
    ///
    /// # Errors
    /// When none runs.
    pub async fn kill_for_memory(&self) -> Result<Exit> {
        self.memory.store(true, Ordering::Release);
        self.kill().await
    }

    /// What a run that ended is called.
    pub(super) fn ending(&self, exit: Exit, began: Timestamp) -> Ending {
        let (exit_code, reason) = match exit {
            Exit::Code(0) => (0, "Completed"),
            Exit::Code(code) => (code, "Error"),
            Exit::Signal(signal) if self.memory.swap(false, Ordering::AcqRel) => (128 + signal, "OOMKilled"),
            Exit::Signal(signal) => (128 + signal, "Error"),
        };
        Ending { exit_code, reason, began, ended: Timestamp::now() }
    }

    pub(super) fn runs(&self) -> std::sync::MutexGuard<'_, Run> {
        lock(&self.run)
    }

    /// All that its present run has printed, or that of its last one.
    #[must_use]
    pub fn log(&self) -> String {
        let path = lock(&self.run).logs.last().cloned();
        path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    }
}
