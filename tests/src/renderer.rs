//! The real program as an HTTP renderer, without any cluster.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::ports;
use crate::readiness;
use crate::supervisor::{AtEnd, Exit, Launcher, Process, Program, Supervisor};

/// Longest time that an orderly end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A renderer and the folder that it works in. Dropping it ends it with SIGKILL.
pub struct Renderer {
    supervisor: Supervisor,
    process: Process,
    port: u16,
    management: u16,
    metrics: u16,
}

impl Renderer {
    /// Starts a program with these arguments and variables besides its ports. It finds no cluster. `prepare` gets its working directory first.
    /// It may not be ready yet.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(
        launcher: &Launcher,
        executable: &Path,
        args: &[&str],
        env: &[(&str, &str)],
        prepare: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<Self> {
        let ports = [ports::free()?, ports::free()?, ports::free()?];
        let [port, management, metrics] = ports;
        let mut all = vec![
            format!("--port={port}"),
            format!("--management-port={management}"),
            format!("--metrics-bind-address=127.0.0.1:{metrics}"),
        ];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        Self::exactly(launcher, executable, all, env, prepare, ports).await
    }

    /// The same with these arguments and no others. They mean these ports: for rendering, for probes, for metrics.
    ///
    /// # Errors
    /// As [`Renderer::start`].
    pub async fn exactly(
        launcher: &Launcher,
        executable: &Path,
        args: Vec<String>,
        env: &[(&str, &str)],
        prepare: impl FnOnce(&Path) -> std::io::Result<()>,
        [port, management, metrics]: [u16; 3],
    ) -> Result<Self> {
        let supervisor = Supervisor::start(launcher)?;
        let directory = supervisor.work().join("renderer");
        fs::create_dir_all(&directory).context("making a working directory")?;
        prepare(&directory).context("preparing the working directory")?;
        let variables = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let process = supervisor.run(Program {
            name: "jaas-operator".to_owned(),
            executable: executable.to_owned(),
            args,
            env: variables.collect::<BTreeMap<_, _>>(),
            log: supervisor.work().join("renderer.log"),
            directory,
            at_end: AtEnd::Kill,
        });
        Ok(Self { process: process.await?, supervisor, port, management, metrics })
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// When it ends or takes too long, with the end of its log.
    pub async fn wait_ready(&self) -> Result<()> {
        let url = self.management_url("/ready");
        readiness::of(&self.process, "its readiness", async || readiness::healthy(&url).await).await
    }

    /// The folder that it works in.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.supervisor.work().join("renderer")
    }

    /// Where it renders, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its probes are, on loopback.
    #[must_use]
    pub fn management_port(&self) -> u16 {
        self.management
    }

    /// An address on the renderer.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// An address on the management server.
    #[must_use]
    pub fn management_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.management)
    }

    /// An address on the metrics server.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.metrics)
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// SIGTERM: how it ended and how long that took.
    ///
    /// # Errors
    /// When it still runs a minute later.
    pub async fn terminate(&self) -> Result<(Exit, Duration)> {
        self.process.terminate(PATIENCE).await
    }
}
