//! Real S3 servers: versitygw and MinIO, each with a directory of its own and one bucket.

pub mod faults;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::supervisor::{AtEnd, Launcher, Process, Program, Signal, Supervisor};
use crate::{ports, programs, readiness};

/// The bucket of every server.
pub const BUCKET: &str = "artifacts";
/// The account that may do everything.
pub const ACCESS_KEY: &str = "jaas-test-key";
/// Its secret.
pub const SECRET_KEY: &str = "jaas-test-secret";
/// The only region that the servers accept.
pub const REGION: &str = "eu-test-1";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// versitygw over a directory.
    Versitygw,
    /// MinIO with one drive.
    Minio,
}

/// A server that runs until it is dropped.
pub struct Server {
    /// What it is.
    pub software: Software,
    port: u16,
    executable: PathBuf,
    supervisor: Supervisor,
    process: Process,
}

impl Server {
    /// Starts a server with an empty bucket.
    ///
    /// # Errors
    /// When the program cannot be built or started.
    pub async fn start(software: Software) -> Result<Self> {
        Self::start_with(software, &Launcher::from_env()?).await
    }

    /// The same outside of a test, with the supervisor that was built for it.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(software: Software, launcher: &Launcher) -> Result<Self> {
        let build = move || match software {
            Software::Versitygw => programs::versitygw(),
            Software::Minio => programs::minio(),
        };
        let executable = tokio::task::spawn_blocking(build).await.context("building an S3 server")??;
        let supervisor = Supervisor::start(launcher)?;
        for folder in ["data", "data/artifacts", "accounts"] {
            fs::create_dir_all(supervisor.work().join(folder)).with_context(|| format!("making {folder}"))?;
        }
        let port = ports::free()?;
        let process = run(software, &executable, &supervisor, port).await?;
        Ok(Self { software, port, executable, supervisor, process })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Directory of the bucket. What is done there is done behind the server's back.
    #[must_use]
    pub fn bucket_directory(&self) -> PathBuf {
        self.supervisor.work().join("data").join(BUCKET)
    }

    /// File with the accounts that versitygw knows beside the one that may do everything; read for each request.
    #[must_use]
    pub fn accounts(&self) -> PathBuf {
        self.supervisor.work().join("accounts/users.json")
    }

    /// Ends it at once; what it acknowledged is on its disk.
    ///
    /// # Errors
    /// When its supervisor is gone.
    pub async fn stop(&self) -> Result<()> {
        self.process.kill().await.map(drop)
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.process = run(self.software, &self.executable, &self.supervisor, self.port).await?;
        Ok(())
    }

    /// Freezes it: connections stay open and nothing is answered.
    ///
    /// # Errors
    /// When its supervisor is gone.
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(Signal::Stop)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When its supervisor is gone.
    pub fn thaw(&self) -> Result<()> {
        self.process.signal(Signal::Continue)
    }
}

async fn run(software: Software, executable: &Path, supervisor: &Supervisor, port: u16) -> Result<Process> {
    let work = supervisor.work();
    let at = |folder: &str| work.join(folder).display().to_string();
    let address = format!("127.0.0.1:{port}");
    let (name, args, env, ready): (_, Vec<String>, _, _) = match software {
        Software::Versitygw => (
            "versitygw",
            ["--port", &address, "--region", REGION, "--health", "/healthz", "--quiet"]
                .map(ToOwned::to_owned)
                .into_iter()
                .chain(["--iam-dir".to_owned(), at("accounts"), "--iam-cache-disable".to_owned()])
                .chain(["posix".to_owned(), at("data")])
                .collect(),
            vec![("ROOT_ACCESS_KEY", ACCESS_KEY), ("ROOT_SECRET_KEY", SECRET_KEY)],
            "/healthz",
        ),
        Software::Minio => (
            "minio",
            ["server", "--quiet", "--address", &address, &at("data")].map(ToOwned::to_owned).into(),
            vec![
                ("MINIO_ROOT_USER", ACCESS_KEY),
                ("MINIO_ROOT_PASSWORD", SECRET_KEY),
                ("MINIO_BROWSER", "off"),
                ("MINIO_UPDATE", "off"),
                ("MINIO_SITE_REGION", REGION),
            ],
            "/minio/health/ready",
        ),
    };
    let mut env: BTreeMap<String, String> =
        env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    env.insert("HOME".to_owned(), work.display().to_string());
    let program = Program {
        name: name.to_owned(),
        executable: executable.to_path_buf(),
        args,
        env,
        directory: work.to_owned(),
        log: work.join(format!("{name}.log")),
        at_end: AtEnd::Kill,
    };
    let process = supervisor.run(program).await?;
    let url = format!("http://{address}{ready}");
    readiness::of(&process, "the S3 server", async || readiness::healthy(&url).await).await?;
    Ok(process)
}
