//! One worker process, seen from its parent.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::child::processor_seconds;
use super::confine::Isolation;
use super::frame::{self, Answer, HEADER, Hello, Refused, Tidied, Told};
use super::pad::Pad;
use super::{ARGUMENT, Death, Ending, Limits, Scene, memory};
use crate::request::Rendered;

/// How long a worker that closed its pipes may take to end before it is killed.
const ENDING: Duration = Duration::from_secs(5);

/// How long a worker may take until it is ready. A machine that starves needs some of it.
const READY: Duration = Duration::from_secs(30);

/// The largest message of a worker that has no other limit, in bytes: what isolates it, or a diagnostic.
const TALK: u64 = 1 << 20;

/// The largest text of a worker whose memory has no limit, in bytes.
const UNLIMITED: u64 = 4 << 30;

/// How long a worker may free what a request took.
const TIDYING: Duration = Duration::from_secs(5);

/// A running process that evaluates one request at a time. Killed when dropped.
pub(super) struct Worker {
    process: Child,
    requests: ChildStdin,
    answers: ChildStdout,
    pad: Pad,
    memory_bytes: u64,
    /// The address space that it takes while idle, in bytes.
    baseline: u64,
    /// Answers so far.
    pub(super) answered: u32,
}

impl Worker {
    /// Starts `program` as a worker, which is not ready yet. The worker is killed when the calling thread ends.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(super) fn start(program: &Path, limits: &Limits) -> io::Result<Self> {
        // What a worker rendered fits into its memory.
        let most = [limits.output_bytes, limits.memory_bytes].into_iter().filter(|limit| *limit > 0).min();
        let pad = Pad::new(most.unwrap_or(UNLIMITED).min(UNLIMITED))?;
        let mut process = Command::new(program)
            .args([ARGUMENT, "--memory"])
            .arg(limits.memory_bytes.to_string())
            .arg("--processor")
            .arg(processor_seconds(limits.timeout).to_string())
            .arg("--parent")
            .arg(std::process::id().to_string())
            .env_clear()
            // Each further arena of glibc reserves 64 MiB of the address space that is limited.
            .env("MALLOC_ARENA_MAX", "1")
            // Otherwise glibc learns to keep up to 64 MiB for later. What it gives back, it has to be given again page by page: half of
            // the time of an evaluation that writes a megabyte, so that much is kept. Less than `child::KEPT`.
            .env("MALLOC_TRIM_THRESHOLD_", "10485760")
            .env("MALLOC_MMAP_THRESHOLD_", "4194304")
            // An interrupt from a terminal is for the parent, which decides what becomes of its workers.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(pad.for_worker()?)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("a pipe is missing"));
        };
        Ok(Self { process, requests, answers, pad, memory_bytes: limits.memory_bytes, baseline: 0, answered: 0 })
    }

    /// Waits until the worker has given up its rights.
    ///
    /// # Errors
    /// What it said instead. It is reaped then.
    pub(super) async fn ready(&mut self) -> io::Result<Isolation> {
        let hello = timeout(READY, self.read::<Hello>(TALK)).await;
        match hello.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(Hello { isolation, baseline }) => {
                self.baseline = baseline;
                Ok(isolation)
            }
            Err(error) => {
                let entry = "none";
                Err(io::Error::new(error.kind(), self.bury(entry, &error).await.to_string()))
            }
        }
    }

    /// Whether the process still runs. Reaps it if not.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a request and waits for its answer, which holds no more than so many rendered bytes; zero is no limit. A
    /// worker whose exchange was given up is out of step and must be killed.
    ///
    /// # Errors
    /// How the worker ended instead of answering. It is reaped then.
    pub(super) async fn exchange(
        &mut self,
        entry: &str,
        frame: &[u8],
        max_output_bytes: u64,
    ) -> Result<Result<Rendered, Refused>, Death> {
        let most = match (max_output_bytes, self.memory_bytes) {
            (0, 0) => u64::MAX,
            (0, memory) => memory,
            (output, _) => output,
        };
        match self.try_exchange(frame, most).await {
            Ok(answer) => {
                self.answered += 1;
                Ok(answer)
            }
            Err(error) => Err(self.bury(entry, &error).await),
        }
    }

    async fn try_exchange(&mut self, frame: &[u8], most: u64) -> io::Result<Result<Rendered, Refused>> {
        // The worker answers only once it has read everything, so both pipes never fill up at the same time.
        self.requests.write_all(frame).await?;
        // What goes wrong may be told at length too.
        match self.read(most.saturating_add(TALK)).await? {
            Answer { outcome: Ok(Told { length, .. }) } if length > most => Err(io::ErrorKind::InvalidData.into()),
            Answer { outcome: Ok(Told { length, objects }) } => {
                Ok(Ok(Rendered { bytes: self.pad.text(length)?, objects }))
            }
            Answer { outcome: Err(refused) } => Ok(Err(refused)),
        }
    }

    /// Waits until the worker has freed what the last request took. `false` if it is of no further use.
    pub(super) async fn is_tidy(&mut self) -> bool {
        let tidied = timeout(TIDYING, self.read::<Tidied>(0)).await;
        tidied.is_ok_and(|tidied| tidied.is_ok()) && self.pad.trim().is_ok()
    }

    /// The next message, of at most so many bytes.
    async fn read<T: DeserializeOwned>(&mut self, most: u64) -> io::Result<T> {
        let mut header = [0; HEADER];
        self.answers.read_exact(&mut header).await?;
        let length = frame::length(header);
        if length > most {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = Vec::new();
        (&mut self.answers).take(length).read_to_end(&mut message).await?;
        if u64::try_from(message.len()).is_ok_and(|read| read < length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        frame::decode(&message)
    }

    /// What the worker is doing, as long as it lives.
    pub(super) fn scene(&self, entry: &str) -> Scene {
        let held = self.process.id().and_then(memory::of).map(|bytes| bytes.saturating_sub(self.baseline));
        Scene {
            entry: entry.to_owned(),
            last_file: self.pad.note().file,
            memory_bytes: self.memory_bytes,
            held_bytes: held,
        }
    }

    /// Kills and reaps the process; nothing if that has happened. The status is `None` when the system does not tell it.
    pub(super) async fn kill(&mut self) -> Option<ExitStatus> {
        // Fails for a process that has been reaped, and then waiting answers at once.
        let _ = self.process.start_kill();
        self.process.wait().await.ok()
    }

    async fn bury(&mut self, entry: &str, error: &io::Error) -> Death {
        let babble = error.kind() == io::ErrorKind::InvalidData;
        let late = error.kind() == io::ErrorKind::TimedOut;
        let wait = if babble || late { Duration::ZERO } else { ENDING };
        let ended = match timeout(wait, self.process.wait()).await {
            Ok(ended) => ended.ok(),
            Err(_) => self.kill().await,
        };
        let last_words = self.pad.words();
        let note = self.pad.note();
        let ending = match babble {
            true => Ending::Babble,
            false => Ending::new(ended.unwrap_or_default(), &last_words, &note),
        };
        let memory_bytes = self.memory_bytes;
        let scene = Scene { entry: entry.to_owned(), last_file: note.file, memory_bytes, held_bytes: None };
        Death { ending, last_words, scene }
    }
}
