//! The supervisor's own process: starts what it is told to start, and ends it all when its owner is gone.
//!
//! The owner's death is noticed as the end of standard input, which the kernel delivers also after a panic, a
//! SIGKILL or an exit that runs no destructor. One thread owns all state; the others only send to it.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{self, Pid, WaitId, WaitIdOptions};
use tokio::signal::unix::{SignalKind, signal};

use super::protocol::{AtEnd, Event, Exit, Program, Request, Signal};

/// Time between SIGTERM and SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);

enum Input {
    Request(Request),
    Ended(u64),
    OwnerGone,
}

struct Running {
    child: Child,
    pid: Pid,
    at_end: AtEnd,
}

struct State {
    running: HashMap<u64, Running>,
    inputs: Sender<Input>,
}

/// Serves one owner until standard input ends, then ends every program and removes `work`.
///
/// # Errors
/// When the threads that listen cannot be set up, or `work` cannot be removed.
pub fn serve(work: Option<&Path>) -> Result<()> {
    let (inputs, received) = mpsc::channel();
    read_requests(inputs.clone());
    watch_signals(inputs.clone())?;
    let mut state = State { running: HashMap::new(), inputs };
    while let Ok(input) = received.recv() {
        match input {
            Input::Request(Request::Start { id, program }) => state.start(id, &program),
            Input::Request(Request::Signal { id, signal }) => state.signal(id, signal),
            Input::Ended(id) => state.reap(id),
            Input::OwnerGone => break,
        }
    }
    state.end(&received);
    work.map_or(Ok(()), remove)
}

fn read_requests(inputs: Sender<Input>) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line) {
                Ok(request) => drop(inputs.send(Input::Request(request))),
                Err(error) => eprintln!("supervisor: request not understood: {error}: {line}"),
            }
        }
        drop(inputs.send(Input::OwnerGone));
    });
}

/// A supervisor that is told to end takes its programs along; otherwise they would outlive everybody.
fn watch_signals(inputs: Sender<Input>) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().context("starting the signal listener")?;
    thread::spawn(move || {
        runtime.block_on(async move {
            let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) =
                (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
            else {
                return;
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
            }
            drop(inputs.send(Input::OwnerGone));
        });
    });
    Ok(())
}

impl State {
    fn start(&mut self, id: u64, program: &Program) {
        match spawn(program) {
            Ok((child, pid)) => {
                say(&Event::Started { id, pid: pid.as_raw_nonzero().get() });
                let at_end = program.at_end;
                self.running.insert(id, Running { child, pid, at_end });
                let inputs = self.inputs.clone();
                thread::spawn(move || {
                    // NOWAIT leaves a zombie behind: until it is reaped its number cannot be given to a stranger.
                    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                    while process::waitid(WaitId::Pid(pid), options)
                        .is_err_and(|error| error == rustix::io::Errno::INTR)
                    {}
                    drop(inputs.send(Input::Ended(id)));
                });
            }
            Err(error) => say(&Event::Failed { id, cause: format!("{error:#}") }),
        }
    }

    fn signal(&self, id: u64, signal: Signal) {
        if let Some(running) = self.running.get(&id) {
            deliver(process::kill_process(running.pid, raw(signal)), running.pid);
        }
    }

    fn reap(&mut self, id: u64) {
        let Some(mut running) = self.running.remove(&id) else {
            return;
        };
        deliver(process::kill_process_group(running.pid, process::Signal::KILL), running.pid);
        match running.child.wait() {
            Ok(status) => say(&Event::Exited { id, exit: exit(status) }),
            Err(error) => eprintln!("supervisor: waiting for {:?}: {error}", running.pid),
        }
    }

    fn end(&mut self, received: &Receiver<Input>) {
        for running in self.running.values() {
            let signal = match running.at_end {
                AtEnd::Kill => process::Signal::KILL,
                AtEnd::Terminate => process::Signal::TERM,
            };
            deliver(process::kill_process_group(running.pid, signal), running.pid);
        }
        self.drain(received, PATIENCE);
        for running in self.running.values() {
            deliver(process::kill_process_group(running.pid, process::Signal::KILL), running.pid);
        }
        self.drain(received, PATIENCE);
    }

    fn drain(&mut self, received: &Receiver<Input>, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.running.is_empty() {
            match received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Input::Ended(id)) => self.reap(id),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
    }
}

fn spawn(program: &Program) -> Result<(Child, Pid)> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&program.log)
        .with_context(|| format!("opening the log {}", program.log.display()))?;
    let errors = log.try_clone().context("sharing the log")?;
    let child = Command::new(&program.executable)
        .args(&program.args)
        .env_clear()
        .envs(&program.env)
        .current_dir(&program.directory)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .with_context(|| format!("running {}", program.executable.display()))?;
    let pid = Pid::from_child(&child);
    Ok((child, pid))
}

/// A process that has just ended is no fault of the sender.
fn deliver(sent: rustix::io::Result<()>, pid: Pid) {
    match sent {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => eprintln!("supervisor: signalling {pid:?}: {error}"),
    }
}

fn raw(signal: Signal) -> process::Signal {
    match signal {
        Signal::Terminate => process::Signal::TERM,
        Signal::Kill => process::Signal::KILL,
        Signal::Interrupt => process::Signal::INT,
        Signal::Stop => process::Signal::STOP,
        Signal::Continue => process::Signal::CONT,
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// Says nothing when nobody listens any more.
fn say(event: &Event) {
    if let Ok(mut line) = serde_json::to_vec(event) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        drop(out.write_all(&line).and_then(|()| out.flush()));
    }
}

/// Tries again for a second: grandchildren that were just killed may still be writing.
fn remove(work: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        match fs::remove_dir_all(work) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
            Err(error) => {
                return Err(error).with_context(|| format!("removing {}", work.display()));
            }
        }
    }
}

/// The supervisor's command line: nothing, or `--remove DIRECTORY`.
///
/// # Errors
/// On any other arguments, and whatever [`serve`] returns.
pub fn main(args: &[String]) -> Result<()> {
    match args {
        [] => serve(None),
        [flag, directory] if flag == "--remove" => serve(Some(&PathBuf::from(directory))),
        _ => anyhow::bail!("usage: jaas-test-supervisor [--remove DIRECTORY]"),
    }
}
