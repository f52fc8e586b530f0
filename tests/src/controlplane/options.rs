//! What a control plane is to consist of. Pure.

use std::path::PathBuf;

use crate::programs::Programs;
use crate::supervisor::Launcher;

/// What a control plane is to consist of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether etcd makes every write durable. Off, it is quicker and survives anything but a power cut.
    pub fsync: bool,
    /// Whether to run the controllers that end namespaces, collect garbage and aggregate roles.
    pub controller_manager: bool,
    /// Whether to run the controllers that make Pods of Deployments and addresses of Services, and that keep disruption budgets, too.
    /// Whoever writes the status of such objects by hand must leave them off.
    pub workloads: bool,
    /// Whether to apply Flux's custom resource definitions.
    pub flux_crds: bool,
    /// Whether to apply ours, as the operator prints them.
    pub jaas_crds: bool,
    /// Whether the API server keeps an audit log of what is written; see [`super::ControlPlane::audit_log`].
    pub audit: bool,
    /// Further arguments for the API server.
    pub api_server_args: Vec<String>,
    /// The supervisor; by default the runner's.
    pub supervisor: Option<Launcher>,
    /// The programs; by default the runner's.
    pub programs: Option<Programs>,
    /// The operator's executable; by default the runner's.
    pub operator: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fsync: false,
            controller_manager: true,
            workloads: false,
            flux_crds: true,
            jaas_crds: true,
            audit: false,
            api_server_args: Vec::new(),
            supervisor: None,
            programs: None,
            operator: None,
        }
    }
}
