//! The owner's handle on one supervised program.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::watch;

use super::Connection;
use super::protocol::{Exit, Program, Request, Signal};

/// Longest that a process may go on after SIGSTOP.
const STANDSTILL: Duration = Duration::from_secs(10);
/// Lines of a log that an error shows.
const TAIL: usize = 30;

#[derive(Clone, Debug)]
pub(super) enum State {
    Starting,
    Running(i32),
    Failed(String),
    Exited(Exit),
}

/// A supervised program. Dropping the handle ends the program with SIGKILL, without waiting.
pub struct Process {
    pub(super) id: u64,
    pub(super) pid: i32,
    pub(super) program: Program,
    pub(super) state: watch::Receiver<State>,
    pub(super) connection: Arc<Connection>,
}

impl Process {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What was started.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        match *self.state.borrow() {
            State::Exited(exit) => Some(exit),
            State::Starting | State::Running(_) | State::Failed(_) => None,
        }
    }

    /// Fails, with the end of its log, when the program has ended.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn ensure_running(&self) -> Result<()> {
        match self.exit() {
            None => Ok(()),
            Some(exit) => bail!("{} ended by itself with {exit}\n{}", self.program.name, self.log_tail()),
        }
    }

    /// Waits until the program has ended, and its process group with it.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn wait(&self) -> Result<Exit> {
        let mut state = self.state.clone();
        let ended = state
            .wait_for(|state| matches!(state, State::Exited(_)))
            .await
            .with_context(|| format!("waiting for {}: its supervisor is gone", self.program.name))?;
        match *ended {
            State::Exited(exit) => Ok(exit),
            ref other => bail!("{} is {other:?}", self.program.name),
        }
    }

    /// Sends a signal to the process, not to its children. After [`Signal::Stop`] it stands still when this returns: a thread that
    /// still ran for a moment would answer what must not be answered any more.
    ///
    /// # Errors
    /// When the supervisor is gone, or a process that is to stop goes on.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.id;
        self.connection.send(&Request::Signal { id, signal })?;
        let until = Instant::now() + STANDSTILL;
        while signal == Signal::Stop && self.exit().is_none() && !is_stopped(self.pid)? {
            ensure!(Instant::now() < until, "{} goes on after SIGSTOP", self.program.name);
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub async fn kill(&self) -> Result<Exit> {
        self.signal(Signal::Kill)?;
        self.wait().await
    }

    /// SIGTERM, and waits for the end: how it ended and how long that took.
    ///
    /// # Errors
    /// When it still runs after `patience`; it is left running.
    pub async fn terminate(&self, patience: Duration) -> Result<(Exit, Duration)> {
        let begun = Instant::now();
        self.signal(Signal::Terminate)?;
        match tokio::time::timeout(patience, self.wait()).await {
            Ok(exit) => Ok((exit?, begun.elapsed())),
            Err(_) => bail!("{} still runs {patience:?} after SIGTERM\n{}", self.program.name, self.log_tail()),
        }
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.program.log)
    }

    /// The last lines it has printed, under a heading.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.program.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.signal(Signal::Kill));
    }
}

/// The last lines of a log, under a heading.
fn tail(log: &Path) -> String {
    let text = read(log);
    let lines: Vec<&str> = text.lines().collect();
    let kept = &lines[lines.len().saturating_sub(TAIL)..];
    format!("--- last {} lines of {} ---\n{}", kept.len(), log.display(), kept.join("\n"))
}

fn read(log: &Path) -> String {
    match fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(no log: {error})"),
    }
}

/// Whether every thread of the process is stopped; one that is gone is. See `proc_pid_stat(5)`.
fn is_stopped(pid: i32) -> Result<bool> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Ok(true) };
    for thread in threads {
        let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else { continue };
        // The name before it stands in parentheses and may hold some itself.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if !matches!(state, Some('T' | 'Z' | 'X')) {
            return Ok(false);
        }
    }
    Ok(true)
}
