//! The real operator, run as its own ServiceAccount with the rights that it asks for and no others.

pub(crate) mod grants;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::fs;

use crate::controlplane::{ControlPlane, Identity, program};
use crate::http;
use crate::ports;
use crate::readiness;
use crate::supervisor::{Exit, Process, Program, Signal, Supervisor};

/// Name of the operator's ServiceAccount.
pub const SERVICE_ACCOUNT: &str = "jaas";

/// Longest time that an orderly end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an operator is to run.
#[derive(Clone, Debug, Default)]
pub struct OperatorOptions {
    /// The namespaces that it watches; all when empty.
    pub watch_namespaces: Vec<String>,
    /// The namespace of its ServiceAccount; by default a new one.
    pub namespace: Option<String>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Further environment variables.
    pub env: BTreeMap<String, String>,
    /// Directory of the store; by default a new one that goes with the control plane.
    pub storage_path: Option<PathBuf>,
    /// The executable; by default the control plane's.
    pub program: Option<PathBuf>,
    /// Address at which it finds the API server, such as a proxy's; by default the server's own. It then shows a token instead of
    /// a certificate.
    pub api_url: Option<String>,
    /// Whether its admin endpoint is on.
    pub admin: bool,
}

impl OperatorOptions {
    /// An operator for some namespaces only.
    #[must_use]
    pub fn watching<'a>(namespaces: impl IntoIterator<Item = &'a str>) -> Self {
        Self { watch_namespaces: namespaces.into_iter().map(ToOwned::to_owned).collect(), ..Self::default() }
    }
}

/// An operator. Dropping it ends it with SIGKILL.
pub struct Operator {
    supervisor: Supervisor,
    process: Process,
    program: Program,
    identity: Identity,
    storage_path: PathBuf,
    ports: Ports,
}

/// Where an operator listens, chosen once so that a restart keeps its addresses.
#[derive(Clone, Copy)]
struct Ports {
    renderer: u16,
    storage: u16,
    management: u16,
    metrics: u16,
    admin: u16,
}

impl Ports {
    fn choose() -> Result<Self> {
        Ok(Self {
            renderer: ports::free()?,
            storage: ports::free()?,
            management: ports::free()?,
            metrics: ports::free()?,
            admin: ports::free()?,
        })
    }
}

impl Operator {
    /// Grants the operator its rights and starts it. It may not be ready yet.
    ///
    /// # Errors
    /// When the rights cannot be granted or the program cannot be started.
    pub async fn start(plane: &ControlPlane, options: OperatorOptions) -> Result<Self> {
        let executable = match &options.program {
            Some(path) => path.clone(),
            None => plane.operator_program()?,
        };
        let namespace = match &options.namespace {
            Some(namespace) => namespace.clone(),
            None => plane.empty_namespace("jaas-system").await?.name,
        };
        let identity = Identity::service_account(&namespace, SERVICE_ACCOUNT);
        grants::grant(plane, &executable, &namespace, &options.watch_namespaces).await?;

        let ports = Ports::choose()?;
        let work = plane.work().join(format!("{namespace}-{}", ports.storage));
        let storage_path = options.storage_path.clone().unwrap_or_else(|| work.join("storage"));
        for directory in [&work, &storage_path] {
            fs::create_dir_all(directory).await.with_context(|| format!("making {}", directory.display()))?;
        }
        let mut args = arguments(&storage_path, ports, &options.watch_namespaces);
        if options.admin {
            args.push(format!("--admin-bind-address=127.0.0.1:{}", ports.admin));
        }
        args.extend(options.args);
        let mut program = program(&work, "jaas-operator", &executable, args);
        let kubeconfig = match &options.api_url {
            Some(url) => plane.kubeconfig_at(url, &namespace, SERVICE_ACCOUNT).await?,
            None => plane.kubeconfig(&identity)?,
        };
        program.env.insert("KUBECONFIG".to_owned(), kubeconfig.display().to_string());
        program.env.insert("RUST_BACKTRACE".to_owned(), "1".to_owned());
        program.env.extend(options.env);

        let supervisor = plane.supervisor().clone();
        let process = supervisor.run(program.clone()).await?;
        Ok(Self { supervisor, process, program, identity, storage_path, ports })
    }

    /// Starts an operator and waits until it is ready.
    ///
    /// # Errors
    /// As [`Operator::start`] and [`Operator::wait_ready`].
    pub async fn ready(plane: &ControlPlane, options: OperatorOptions) -> Result<Self> {
        let operator = Self::start(plane, options).await?;
        operator.wait_ready().await?;
        Ok(operator)
    }

    /// Waits until the operator says that it is ready.
    ///
    /// # Errors
    /// When it ends or takes too long, with the end of its log.
    pub async fn wait_ready(&self) -> Result<()> {
        let url = self.management_url("/ready");
        readiness::of(&self.process, "its readiness", async || readiness::healthy(&url).await).await
    }

    /// Who it is to the API server.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The base of the URLs that it publishes; a restart keeps it.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.storage)
    }

    /// An address on the HTTP renderer.
    #[must_use]
    pub fn renderer_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.renderer)
    }

    /// An address on the management server.
    #[must_use]
    pub fn management_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.management)
    }

    /// An address on the admin endpoint, which listens there where [`OperatorOptions::admin`] says so.
    #[must_use]
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.admin)
    }

    /// The text of its metrics.
    ///
    /// # Errors
    /// When the metrics server does not answer 200.
    pub async fn metrics(&self) -> Result<String> {
        let answer = http::get(&format!("http://127.0.0.1:{}/metrics", self.ports.metrics)).await?;
        ensure!(answer.status.is_success(), "/metrics answers {}", answer.status);
        Ok(answer.text())
    }

    /// All that it has printed, over restarts.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Directory of the store.
    #[must_use]
    pub fn storage_path(&self) -> &Path {
        &self.storage_path
    }

    /// The arguments for the next start.
    pub fn args_mut(&mut self) -> &mut Vec<String> {
        &mut self.program.args
    }

    /// The running process, or the one that ended last.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await.map(drop)
    }

    /// SIGTERM: how the operator ended and how long that took.
    ///
    /// # Errors
    /// When it still runs a minute later.
    pub async fn terminate(&self) -> Result<(Exit, Duration)> {
        self.process.terminate(PATIENCE).await
    }

    /// Freezes the process, as a node does that loses its power to run but not its memory.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::Stop)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::Continue)
    }

    /// Starts the operator again at the same addresses with the same store, after an orderly end if it still runs. It
    /// may not be ready yet.
    ///
    /// # Errors
    /// When it cannot be ended or started.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.exit().is_none() {
            self.terminate().await?;
        }
        self.process = self.supervisor.run(self.program.clone()).await?;
        Ok(())
    }
}

fn arguments(storage_path: &Path, ports: Ports, watched: &[String]) -> Vec<String> {
    let Ports { renderer, storage, management, metrics, .. } = ports;
    let mut args = vec![
        "--enable-flux-integration".to_owned(),
        format!("--storage-path={}", storage_path.display()),
        format!("--storage-base-url=http://127.0.0.1:{storage}"),
        format!("--port={renderer}"),
        "--storage-listen-address=127.0.0.1".to_owned(),
        format!("--storage-port={storage}"),
        "--management-listen-address=127.0.0.1".to_owned(),
        format!("--management-port={management}"),
        format!("--metrics-bind-address=127.0.0.1:{metrics}"),
        "--leader-election=false".to_owned(),
    ];
    if !watched.is_empty() {
        args.push(format!("--watch-namespaces={}", watched.join(",")));
    }
    args
}
