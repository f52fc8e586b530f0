//! Running programs that never outlive the test that started them.
//!
//! A test runner drops no statics, and the kernel's parent-death signal fires when the *thread* that spawned ends. So
//! every program runs under a supervisor process that ends it when the pipe from its owner closes, whatever the
//! reason.

mod process;
mod protocol;
mod serve;

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use tokio::sync::watch;

pub use process::Process;
use process::State;
pub use protocol::{AtEnd, Exit, Program, Signal};
use protocol::{Event, Request};
pub use serve::{main, serve};

use crate::environment;

/// How to start a supervisor.
#[derive(Clone, Debug)]
pub struct Launcher {
    executable: PathBuf,
    args: Vec<String>,
}

impl Launcher {
    /// The supervisor that the runner built and named in the environment.
    ///
    /// # Errors
    /// When the tests were not started by the runner.
    pub fn from_env() -> Result<Self> {
        Ok(Self { executable: environment::path(environment::SUPERVISOR)?, args: Vec::new() })
    }

    /// The running executable once more, for programs that call [`main`] when given `args`.
    ///
    /// # Errors
    /// When the executable's path cannot be found.
    pub fn this_program(args: &[&str]) -> Result<Self> {
        Ok(Self {
            executable: env::current_exe().context("finding the running executable")?,
            args: args.iter().map(ToString::to_string).collect(),
        })
    }

    /// The executable at `path`.
    #[must_use]
    pub fn executable(path: PathBuf) -> Self {
        Self { executable: path, args: Vec::new() }
    }
}

/// A supervisor and the directory that it removes in the end.
///
/// The programs end when the last handle on the supervisor or one of its processes is dropped; that drop returns after
/// they are gone. They end as well when this process does.
#[derive(Clone)]
pub struct Supervisor {
    connection: Arc<Connection>,
}

pub(crate) struct Connection {
    work: PathBuf,
    child: Mutex<Child>,
    stdin: Mutex<Option<ChildStdin>>,
    processes: Arc<Mutex<HashMap<u64, watch::Sender<State>>>>,
    next: AtomicU64,
}

impl Supervisor {
    /// Starts a supervisor with a fresh work directory.
    ///
    /// # Errors
    /// When the directory or the supervisor's process cannot be made.
    pub fn start(launcher: &Launcher) -> Result<Self> {
        let work = tempfile::Builder::new().prefix("jaas-").tempdir().context("making a work directory")?.keep();
        let mut child = match spawn(launcher, &work) {
            Ok(child) => child,
            Err(error) => {
                drop(fs::remove_dir_all(&work));
                return Err(error);
            }
        };
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the supervisor has no pipes");
        };
        let processes = Arc::new(Mutex::new(HashMap::new()));
        listen(stdout, Arc::clone(&processes));
        let connection = Arc::new(Connection {
            work,
            child: Mutex::new(child),
            stdin: Mutex::new(Some(stdin)),
            processes,
            next: AtomicU64::new(1),
        });
        Ok(Self { connection })
    }

    /// The directory that is removed in the end.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.connection.work
    }

    /// The supervisor's own process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        lock(&self.connection.child).id()
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When its log cannot be opened or it cannot be executed.
    pub async fn run(&self, program: Program) -> Result<Process> {
        let connection = Arc::clone(&self.connection);
        let id = connection.next.fetch_add(1, Ordering::Relaxed);
        let (sender, mut state) = watch::channel(State::Starting);
        lock(&connection.processes).insert(id, sender);
        connection.send(&Request::Start { id, program: program.clone() })?;
        let started = state
            .wait_for(|state| !matches!(state, State::Starting))
            .await
            .with_context(|| format!("starting {}: its supervisor is gone", program.name))?
            .clone();
        let pid = match started {
            State::Running(pid) => pid,
            // Gone before its start was noticed: the id is history, but the handle still tells how it ended.
            State::Starting | State::Exited(_) => 0,
            State::Failed(cause) => bail!("starting {}: {cause}", program.name),
        };
        Ok(Process { id, pid, program, state, connection })
    }
}

impl Connection {
    fn send(&self, request: &Request) -> Result<()> {
        let mut line = serde_json::to_vec(request).context("writing a request")?;
        line.push(b'\n');
        lock(&self.stdin)
            .as_mut()
            .context("the supervisor is ending")?
            .write_all(&line)
            .context("the supervisor is gone")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(lock(&self.stdin).take());
        drop(lock(&self.child).wait());
    }
}

fn spawn(launcher: &Launcher, work: &Path) -> Result<Child> {
    let log = File::create(work.join("supervisor.log")).context("making the supervisor's log")?;
    let mut command = Command::new(&launcher.executable);
    command.args(&launcher.args);
    if env::var_os(environment::KEEP).is_none() {
        command.arg("--remove").arg(work);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C reaches the whole foreground group; the supervisor must outlive its owner to clean up.
        .process_group(0)
        .spawn()
        .with_context(|| format!("running the supervisor {}", launcher.executable.display()))
}

/// Runs on a thread of its own, since a control plane outlives the runtime of the test that started it.
fn listen(stdout: ChildStdout, processes: Arc<Mutex<HashMap<u64, watch::Sender<State>>>>) {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(Ok(event)) = line.map(|line| serde_json::from_str::<Event>(&line)) else {
                break;
            };
            let (id, state) = match event {
                Event::Started { id, pid } => (id, State::Running(pid)),
                Event::Failed { id, cause } => (id, State::Failed(cause)),
                Event::Exited { id, exit } => (id, State::Exited(exit)),
            };
            let ended = matches!(state, State::Failed(_) | State::Exited(_));
            let mut processes = lock(&processes);
            if let Some(sender) = processes.get(&id) {
                sender.send_replace(state);
            }
            if ended {
                processes.remove(&id);
            }
        }
        // Without senders every waiting handle learns that nothing more will come.
        lock(&processes).clear();
    });
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
