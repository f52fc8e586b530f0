//! Two engines behind one protocol: the renderer of this workspace, and go-jsonnet, which it is compared with.
//!
//! Either runs in a process of its own, since a program can end the process that evaluates it. A task is one line of JSON, and so is
//! its answer; see `controlplane/jsonnet/main.go` for the other side.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A program and all that it may see, or a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The path of the program among `files`.
    pub entry: String,
    /// Bytes by path.
    pub files: BTreeMap<String, Octets>,
    /// External variables that are text.
    pub text: BTreeMap<String, String>,
    /// External variables that are code.
    pub code: BTreeMap<String, String>,
    /// The deepest chain of calls; zero is 500.
    pub stack: u32,
    /// Measures instead of evaluating `files`.
    pub measure: Option<Measure>,
}

/// Renders the entry of a folder to a tarball, several times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Where the files are.
    pub folder: PathBuf,
    /// The file to write.
    pub tarball: PathBuf,
    /// How often.
    pub rounds: usize,
}

/// What an engine writes for a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The text of the value, unless there is an error.
    pub output: Option<Octets>,
    /// Why there is none; empty when there is one.
    pub error: String,
    /// In nanoseconds, one for each round that was measured.
    pub times: Option<Vec<u64>>,
}

/// Bytes, which are base 64 in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Octets(pub Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Task {
    /// A program that imports nothing.
    #[must_use]
    pub fn program(code: &str) -> Self {
        let files = BTreeMap::from([("main.jsonnet".to_owned(), Octets(code.into()))]);
        Self { entry: "main.jsonnet".to_owned(), files, ..Self::default() }
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The text of the value, with its final newline.
    Output(Vec<u8>),
    /// The engine's message.
    Refused(String),
    /// The process ended without an answer.
    Died,
    /// It took too long and was killed.
    Late,
}

/// An engine, started when it is first needed and again after it died.
pub struct Engine {
    program: PathBuf,
    deadline: Duration,
    running: Option<Running>,
}

struct Running {
    child: Child,
    stdin: ChildStdin,
    replies: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Engine {
    /// An engine that answers each task within `deadline` or is killed.
    #[must_use]
    pub fn new(program: &Path, deadline: Duration) -> Self {
        Self { program: program.to_owned(), deadline, running: None }
    }

    /// Evaluates one program.
    ///
    /// # Errors
    /// When the engine cannot be started, or answers something else than a reply.
    pub fn evaluate(&mut self, task: &Task) -> Result<Answer> {
        Ok(match self.ask(task)? {
            Ok(Reply { output: Some(output), error, .. }) if error.is_empty() => Answer::Output(output.0),
            Ok(reply) => Answer::Refused(reply.error),
            Err(answer) => answer,
        })
    }

    /// Runs a measurement: one time for each round.
    ///
    /// # Errors
    /// When the program does not evaluate, or as [`Engine::evaluate`].
    pub fn measure(&mut self, entry: &str, measure: Measure) -> Result<Vec<Duration>> {
        let task = Task { entry: entry.to_owned(), measure: Some(measure), ..Task::default() };
        let reply = self.ask(&task)?.map_err(|answer| anyhow::anyhow!("{}: {answer:?}", self.program.display()))?;
        ensure!(reply.error.is_empty(), "{}: {}", self.program.display(), reply.error);
        Ok(reply.times.unwrap_or_default().into_iter().map(Duration::from_nanos).collect())
    }

    fn ask(&mut self, task: &Task) -> Result<Result<Reply, Answer>> {
        if self.running.is_none() {
            self.running = Some(start(&self.program)?);
        }
        let Some(running) = &mut self.running else { return Ok(Err(Answer::Died)) };
        let mut line = serde_json::to_string(task).context("writing a task")?;
        line.push('\n');
        // An engine that just died cannot be written to; that it did shows below.
        let written = running.stdin.write_all(line.as_bytes()).and_then(|()| running.stdin.flush());
        let reply = match written {
            Ok(()) => running.replies.recv_timeout(self.deadline),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        match reply {
            Ok(reply) => Ok(Ok(serde_json::from_str(&reply).with_context(|| format!("reading the reply {reply}"))?)),
            Err(trouble) => {
                self.running = None;
                Ok(Err(if trouble == RecvTimeoutError::Timeout { Answer::Late } else { Answer::Died }))
            }
        }
    }
}

fn start(program: &Path) -> Result<Running> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("running {}", program.display()))?;
    let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).context("reaching the engine")?;
    let (sender, replies) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok(Running { child, stdin, replies })
}
