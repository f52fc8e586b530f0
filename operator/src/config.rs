//! What was typed, and what it means.
//!
//! [`Args`] is the command line, flag by flag. [`Config::new`] turns it into typed settings in one step and reports every mistake
//! at once, so that nobody has to fix a Deployment one flag at a time.

mod args;
mod check;
mod value;
mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jaas_sources::Hosts;
use jaas_storage::S3Options;
use kube::core::Selector;

use crate::artifacts::scrub::Pace;
use crate::leadership::Timing;
use crate::quota::Share;
use crate::snippet::pace::Rate;

pub use args::{Args, Cleanup, Command, Generate, Look, LookAt, LookFormat, Run};
pub use check::UsageError;
pub use webhook::{Certificate, Webhook};

/// A duration as Go writes it.
///
/// # Errors
/// What is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    value::duration(text)
}

/// Settings of a running operator.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether the operator runs; otherwise the HTTP renderer does alone, which needs no cluster and no store.
    pub operator: bool,
    /// What is rendered over HTTP.
    pub renderer: Renderer,
    /// Where the API server is and whom to watch.
    pub cluster: Cluster,
    /// How snippets are judged.
    pub snippets: Snippets,
    /// What an evaluation may use.
    pub evaluation: Evaluation,
    /// Where files of sources come from.
    pub sources: Sources,
    /// Where artifacts are kept and served.
    pub storage: Storage,
    /// Name of the installation, and of its Lease.
    pub release: String,
    /// Who of several replicas writes; `None` means that there is only one.
    pub election: Option<Election>,
    /// Probes.
    pub management: Listener,
    /// Metrics, unless switched off.
    pub metrics: Option<SocketAddr>,
    /// Whether sizes are told for each snippet, rather than for all together.
    pub snippet_sizes: bool,
    /// Where spans go, if anywhere.
    pub tracing: Option<Tracing>,
    /// The admission webhook, if it is switched on.
    pub webhook: Option<Webhook>,
    /// The admin endpoint, if it is switched on; an address that only this machine reaches.
    pub admin: Option<SocketAddr>,
    /// How long readiness is off before connections are closed.
    pub shutdown_delay: Duration,
    /// Logs.
    pub log: Log,
}

/// Where the API server is and whom to watch.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Explicit kubeconfig; otherwise `KUBECONFIG`, the default path, the pod's own account.
    pub kubeconfig: Option<PathBuf>,
    /// Namespaces to watch; empty means all.
    pub watch_namespaces: Vec<String>,
    /// Labels of the snippets and libraries to watch.
    pub label_selector: Selector,
    /// How long a watch may bring nothing before it is begun anew.
    pub watch_timeout: Duration,
}

/// How snippets are judged.
#[derive(Clone, Debug)]
pub struct Snippets {
    /// Account of snippets that name none; empty means that they must.
    pub default_service_account: String,
    /// Refuses references into another namespace.
    pub no_cross_namespace_refs: bool,
    /// Variables that the operator itself defines and no snippet may.
    pub external_variables: BTreeMap<String, String>,
    /// Largest content that is published, in bytes; `None` leaves the consumers' limits alone in force.
    pub max_artifact_bytes: Option<u64>,
    /// How long a revision stays after it left the history.
    pub artifact_gc_grace: Duration,
    /// How long a store that refuses may hold a deleted snippet.
    pub max_withdraw_wait: Duration,
    /// Where the pages of reasons live; ends with a slash.
    pub runbook_base_url: String,
    /// How often a snippet may be rendered; `None` means as often as it changes.
    pub rate: Option<Rate>,
    /// Reconciles that run at once.
    pub max_concurrent_reconciles: usize,
}

/// What an evaluation may use.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Wall-clock limit; zero means none.
    pub timeout: Duration,
    /// Depth of the engine's stack; zero means its own default.
    pub max_stack: u32,
    /// Workers that run at once.
    pub max_concurrent: usize,
    /// Whether their number gives way to the memory limit, since nobody chose it.
    pub is_bounded_by_memory: bool,
    /// Address space of a worker in bytes.
    pub memory_bytes: u64,
}

/// Where files of sources come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Hosts that may be asked.
    pub hosts: Hosts,
    /// Downloads that are kept in memory, in bytes.
    pub cache_bytes: u64,
    /// Folders whose folders are libraries.
    pub library_paths: Vec<PathBuf>,
}

/// Who of several replicas writes.
#[derive(Clone, Debug)]
pub struct Election {
    /// Namespace of the Lease; the pod's own when empty.
    pub namespace: String,
    /// How long a term lasts.
    pub timing: Timing,
}

/// What a store is made of.
#[derive(Clone, Debug)]
pub enum Backend {
    /// A directory.
    Local {
        /// The directory.
        path: PathBuf,
        /// Bytes that it may hold; `None` leaves the volume's size as the limit.
        quota: Option<u64>,
    },
    /// A bucket.
    S3 {
        /// Everything but the certificates.
        options: Box<S3Options>,
        /// File with certificates that may sign the endpoint's.
        ca_file: Option<PathBuf>,
    },
}

/// Where artifacts are kept and served.
#[derive(Clone, Debug)]
pub struct Storage {
    /// What the store is made of.
    pub backend: Backend,
    /// Verified artifacts that are kept in memory, in bytes, so that they are served while the store is away.
    pub cache_bytes: u64,
    /// What the artifacts of one namespace may take; `None` sets no limit.
    pub namespace_quota: Option<Share>,
    /// Address under which consumers reach the server, without a slash at the end.
    pub base_url: String,
    /// The server.
    pub listener: Listener,
    /// Whether another installation's store is to be made ours.
    pub take_over: bool,
    /// How often every published artifact is looked for; zero means never.
    pub check_interval: Duration,
    /// How fast the content of every published artifact is read.
    pub scrub: Pace,
    /// How long a file must be seen that nothing names before it goes.
    pub orphan_age: Duration,
    /// How often such files are looked for; zero means never.
    pub orphan_interval: Duration,
    /// How often left-overs are swept; zero means never.
    pub sweep_interval: Duration,
    /// Age of a temporary file at which it counts as left over where locks do not work.
    pub sweep_max_tmp_age: Duration,
}

/// What is rendered over HTTP.
#[derive(Clone, Debug)]
pub struct Renderer {
    /// The server.
    pub listener: Listener,
    /// The segment before the name of a snippet.
    pub endpoint: String,
    /// Files, each under the name that it was given by.
    pub snippets: Vec<String>,
    /// Folders whose folders are snippets, in the order in which they are asked.
    pub directories: Vec<PathBuf>,
}

/// An HTTP server.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Host to bind.
    pub host: String,
    /// Port to bind.
    pub port: u16,
    /// Limit for reading a request; zero means none.
    pub read_timeout: Duration,
    /// Limit for writing a response; zero means none.
    pub write_timeout: Duration,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// Host and port of the collector.
    pub endpoint: String,
    /// Whether TLS is spoken with it.
    pub tls: bool,
    /// Part of the reconciles that are traced; all from 1 on, none up to 0.
    pub ratio: f64,
}

/// Logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// Least severe level that is written.
    pub level: tracing::Level,
    /// One JSON object a line, or text.
    pub json: bool,
}
