//! A real control plane: etcd and kube-apiserver with TLS and RBAC, and five or ten of Kubernetes' controllers.

mod access;
mod audit;
mod certificates;
mod commands;
mod kubeconfig;
mod options;
mod readiness;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::sync::OnceCell;

use crate::environment;
use crate::programs::Programs;
use crate::supervisor::{Launcher, Process, Supervisor};
use crate::{manifests, ports};
use certificates::Authority;
pub(crate) use commands::program;
use commands::{Layout, Ports};
pub use kubeconfig::Identity;
pub use options::Options;

/// Starts to try when somebody else takes a port between its choice and its use.
const ATTEMPTS: usize = 5;

/// A running control plane. It ends when dropped, and when this process ends in whatever way.
pub struct ControlPlane {
    etcd: Process,
    api_server: Process,
    controller_manager: Option<Process>,
    supervisor: Supervisor,
    authority: Authority,
    ports: Ports,
    programs: Programs,
    operator: Option<PathBuf>,
}

impl ControlPlane {
    /// Starts a control plane and returns when it is ready.
    ///
    /// # Errors
    /// When a program ends by itself or is not ready in time, with the end of its log.
    pub async fn start(options: Options) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::attempt(&options).await {
                Err(error) if attempt < ATTEMPTS && is_port_taken(&error) => attempt += 1,
                outcome => return outcome.context("starting a control plane"),
            }
        }
    }

    /// The control plane that all tests of this process share, with every definition applied.
    ///
    /// # Errors
    /// As [`ControlPlane::start`]; when it failed once, it is not tried again.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Result<ControlPlane, String>> = OnceCell::const_new();
        SHARED
            .get_or_init(async || {
                let started = Self::start(Options::default()).await;
                started.map_err(|error| format!("{error:#}"))
            })
            .await
            .as_ref()
            .map_err(|error| anyhow!("{error}"))
    }

    async fn attempt(options: &Options) -> Result<Self> {
        let launcher = options.supervisor.clone().map_or_else(Launcher::from_env, Ok)?;
        let programs = options.programs.clone().map_or_else(Programs::from_env, Ok)?;
        let supervisor = Supervisor::start(&launcher)?;
        let work = supervisor.work().to_owned();
        let authority = Authority::new()?;
        let files = authority.write(&work.join("certificates"))?;
        if options.audit {
            audit::write_policy(&work)?;
        }
        let ports = Ports {
            etcd: ports::free()?,
            etcd_peer: ports::free()?,
            api_server: ports::free()?,
            controller_manager: ports::free()?,
        };
        let layout = Layout { work: &work, programs: &programs, files: &files, ports, options };
        let etcd = supervisor.run(layout.etcd()).await?;
        readiness::etcd(&etcd, ports).await?;
        let api_server = supervisor.run(layout.api_server()).await?;
        let mut plane = Self {
            etcd,
            api_server,
            controller_manager: None,
            supervisor,
            authority,
            ports,
            programs: programs.clone(),
            operator: options.operator.clone(),
        };
        readiness::api_server(&plane.api_server, &plane.admin().await?).await?;
        if options.controller_manager {
            let command = layout.controller_manager(&plane.kubeconfig(&Identity::Admin)?);
            plane.controller_manager = Some(plane.supervisor.run(command).await?);
        }
        plane.furnish(options).await?;
        Ok(plane)
    }

    /// Applies the definitions while the controllers come up.
    async fn furnish(&self, options: &Options) -> Result<()> {
        let client = self.admin().await?;
        let controllers = async {
            match &self.controller_manager {
                Some(process) => readiness::controllers(process, &client).await,
                None => Ok(()),
            }
        };
        let flux = async {
            if options.flux_crds {
                manifests::apply_directory(&client, &self.programs.flux_crds).await?;
            }
            Ok(())
        };
        let jaas = async {
            if options.jaas_crds {
                let definitions = generate(&self.operator_program()?, "crds").await?;
                manifests::apply(&client, &definitions).await?;
            }
            Ok(())
        };
        tokio::try_join!(controllers, flux, jaas).map(drop)
    }

    /// The number of writes that etcd has seen, those of the control plane itself included.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn etcd_revision(&self) -> Result<u64> {
        readiness::etcd_revision(self.ports).await
    }

    /// Has etcd forget every state before the present one. A watch that wants to go on from there is told that it is too old, once the
    /// API server has been started again.
    ///
    /// # Errors
    /// When etcd refuses.
    pub async fn compact_etcd(&self) -> Result<()> {
        readiness::compact_etcd(self.ports, self.etcd_revision().await?).await
    }

    /// Ends the API server with SIGKILL. etcd and the controllers stay.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn stop_api_server(&mut self) -> Result<()> {
        self.api_server.kill().await.map(drop)
    }

    /// Starts the API server again at the same address, and returns when it is ready.
    ///
    /// # Errors
    /// When it ends by itself or is not ready in time.
    pub async fn start_api_server(&mut self) -> Result<()> {
        let program = self.api_server.program().clone();
        self.api_server = self.supervisor.run(program).await?;
        readiness::api_server(&self.api_server, &self.admin().await?).await
    }

    /// Starts a program that wants the Lease `name` of `namespace` by client-go's election, which the Go implementation has, and does
    /// nothing else. It gives nothing back when it ends.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn contend(&self, namespace: &str, name: &str) -> Result<Process> {
        let kubeconfig = self.kubeconfig(&Identity::Admin)?;
        let program = commands::contender(self.work(), &self.programs, &kubeconfig, ports::free()?, (namespace, name));
        self.supervisor.run(program).await
    }

    /// What the API server has noted of writes to snippets, libraries, artifacts and Leases, one JSON text of `audit.k8s.io/v1` in each
    /// line, with what was asked and answered: from a place of the log on, and the place where it ends now.
    ///
    /// # Errors
    /// When there is no log, since [`Options::audit`] did not ask for one, or it cannot be read.
    pub async fn audit_log(&self, from: u64) -> Result<(String, u64)> {
        audit::read(self.work(), from).await
    }

    /// The processes by name.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        [&self.etcd, &self.api_server].into_iter().chain(&self.controller_manager)
    }

    /// The address of the API server.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    /// The directory of all logs and data, removed in the end.
    #[must_use]
    pub fn work(&self) -> &Path {
        self.supervisor.work()
    }

    /// The supervisor, for programs that are to end with this control plane.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// The programs in use.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The operator's executable.
    ///
    /// # Errors
    /// When none was given and the tests were not started by the runner.
    pub fn operator_program(&self) -> Result<PathBuf> {
        match &self.operator {
            Some(path) => Ok(path.clone()),
            None => environment::path(environment::OPERATOR),
        }
    }
}

/// What `jaas-operator generate WHAT` prints.
///
/// # Errors
/// When it fails, with what it says.
pub(crate) async fn generate(operator: &Path, what: &str) -> Result<String> {
    let output = tokio::process::Command::new(operator)
        .args(["generate", what])
        .output()
        .await
        .with_context(|| format!("running {} generate {what}", operator.display()))?;
    ensure!(
        output.status.success(),
        "`{} generate {what}` ended with {}:\n{}",
        operator.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).with_context(|| format!("reading what `generate {what}` printed"))
}

fn is_port_taken(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("address already in use")
}
