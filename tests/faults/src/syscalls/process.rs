//! Runs the driver under strace.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::workload::Outcome;

/// A driver that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// How often the state of a process is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// What a driver did.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// What it told before its end.
    pub(super) outcomes: Vec<Outcome>,
    /// What strace wrote.
    pub(super) log: String,
    /// Whether it was killed.
    pub(super) killed: bool,
}

/// A driver whose one thread of interest is traced, and which waits to be let go.
#[derive(Debug)]
pub(super) struct Traced {
    driver: Child,
    strace: Child,
    told: BufReader<ChildStdout>,
    log: BufReader<ChildStderr>,
}

impl Traced {
    /// Starts both. `calls` is a set as strace takes it, `inject` its expressions.
    ///
    /// # Errors
    /// When one does not start, or strace may not trace.
    pub(super) async fn start(program: &Path, root: &Path, calls: &str, inject: &[String]) -> Result<Self> {
        let mut driver = Command::new(program)
            .arg("drive")
            .arg(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("running {}", program.display()))?;
        let mut told = BufReader::new(driver.stdout.take().context("reading what the driver tells")?);
        let mut thread = String::new();
        told.read_line(&mut thread).await.context("reading what the driver tells")?;
        let mut strace = Command::new("strace")
            .args(["-p", thread.trim(), "-e", &format!("trace={calls}")])
            .args(inject.iter().flat_map(|expression| ["-e".to_owned(), format!("inject={expression}")]))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("running strace: `cargo verify` and `cargo faults` install it")?;
        let mut log = BufReader::new(strace.stderr.take().context("reading what strace writes")?);
        let mut attached = String::new();
        log.read_line(&mut attached).await.context("reading what strace writes")?;
        ensure!(attached.trim_end().ends_with("attached"), "{}: tracing needs root", attached.trim());
        Ok(Self { driver, strace, told, log })
    }

    /// Lets the driver work.
    ///
    /// # Errors
    /// When it is gone already.
    pub(super) async fn go(&mut self) -> Result<()> {
        let mut stdin = self.driver.stdin.take().context("the driver works already")?;
        stdin.write_all(b"go\n").await.context("letting the driver go")
    }

    /// Waits for the end of both.
    ///
    /// # Errors
    /// When the driver does not end, fails, or tells what cannot be read.
    pub(super) async fn finish(mut self) -> Result<Run> {
        let (mut told, mut log) = (String::new(), String::new());
        let reading =
            async { tokio::try_join!(self.told.read_to_string(&mut told), self.log.read_to_string(&mut log)) };
        tokio::time::timeout(LIMIT, reading).await.context("waiting for the driver")??;
        let status = self.driver.wait().await.context("waiting for the driver")?;
        self.strace.wait().await.context("waiting for strace")?;
        let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(Signal::KILL.as_raw());
        ensure!(killed || status.success(), "the driver ended with {status}");
        let outcomes = told.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        Ok(Run { outcomes: outcomes.with_context(|| format!("reading `{told}`"))?, log, killed })
    }

    /// Waits until a signal has stopped the driver. Its main thread is not traced, so that its state is its own.
    ///
    /// # Errors
    /// When it ends before.
    pub(super) async fn stopped(&self) -> Result<Stopped> {
        let number = self.driver.id().context("the driver ended before it was stopped")?;
        let waiting = async {
            loop {
                let stat = std::fs::read_to_string(format!("/proc/{number}/stat"))?;
                match stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
                    Some('T') => return Ok(()),
                    Some('Z' | 'X') | None => bail!("the driver ended before it was stopped"),
                    Some(_) => tokio::time::sleep(LOOK).await,
                }
            }
        };
        tokio::time::timeout(LIMIT, waiting).await.context("waiting for the driver to stop")??;
        let number = i32::try_from(number).ok().and_then(Pid::from_raw).context("numbering the driver")?;
        Ok(Stopped(number))
    }
}

/// A driver that stands still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped(Pid);

impl Stopped {
    /// Sets the length that no file of the driver may exceed: a write that would is cut there.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(super) fn limit_files(self, bytes: Option<u64>) -> Result<()> {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(self.0), Resource::Fsize, limit).context("limiting the size of files")?;
        Ok(())
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn go_on(self) -> Result<()> {
        kill_process(self.0, Signal::CONT).context("letting the driver go on")
    }
}
