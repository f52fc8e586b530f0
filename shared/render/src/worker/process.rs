//! One worker process, seen from its parent.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::frame::{self, Answer, HEADER};
use super::{ARGUMENT, Death, Ending, Limits};

/// How much of standard error is kept, in bytes.
const LAST_WORDS: usize = 4 << 10;

/// How long a worker that closed its pipes may take to end before it is killed.
const ENDING: Duration = Duration::from_secs(5);

/// A running process that evaluates one request at a time. Killed when dropped.
pub(super) struct Worker {
    process: Child,
    requests: ChildStdin,
    answers: ChildStdout,
    words: JoinHandle<Vec<u8>>,
    memory_bytes: u64,
    /// Answers so far.
    pub(super) answered: u32,
}

impl Worker {
    /// Starts `program` as a worker. The worker is killed when the calling thread ends.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(super) fn start(program: &Path, limits: &Limits) -> io::Result<Self> {
        let mut process = Command::new(program)
            .args([ARGUMENT, "--memory"])
            .arg(limits.memory_bytes.to_string())
            .arg("--parent")
            .arg(std::process::id().to_string())
            .env_clear()
            // Each further arena of glibc reserves 64 MiB of the address space that is limited.
            .env("MALLOC_ARENA_MAX", "1")
            // An interrupt from a terminal is for the parent, which decides what becomes of its workers.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(requests), Some(answers), Some(words)) = pipes else {
            return Err(io::Error::other("a pipe is missing"));
        };
        Ok(Self {
            process,
            requests,
            answers,
            words: tokio::spawn(tail(words)),
            memory_bytes: limits.memory_bytes,
            answered: 0,
        })
    }

    /// Whether the process still runs. Reaps it if not.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a request and waits for its answer. A worker whose exchange was given up is out of step and must be killed.
    ///
    /// # Errors
    /// How the worker ended instead of answering. It is reaped then.
    pub(super) async fn exchange(&mut self, frame: &[u8]) -> Result<Answer, Death> {
        match self.try_exchange(frame).await {
            Ok(answer) => {
                self.answered += 1;
                Ok(answer)
            }
            Err(error) => Err(self.bury(&error).await),
        }
    }

    async fn try_exchange(&mut self, frame: &[u8]) -> io::Result<Answer> {
        // The worker answers only once it has read everything, so both pipes never fill up at the same time.
        self.requests.write_all(frame).await?;
        let mut header = [0; HEADER];
        self.answers.read_exact(&mut header).await?;
        let length = frame::length(header);
        if self.memory_bytes > 0 && length > self.memory_bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = Vec::new();
        (&mut self.answers).take(length).read_to_end(&mut message).await?;
        if u64::try_from(message.len()).is_ok_and(|read| read < length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        frame::decode(&message)
    }

    /// Kills and reaps the process; nothing if that has happened. The status is `None` when the system does not tell it.
    pub(super) async fn kill(&mut self) -> Option<ExitStatus> {
        // Fails for a process that has been reaped, and then waiting answers at once.
        let _ = self.process.start_kill();
        self.process.wait().await.ok()
    }

    async fn bury(&mut self, error: &io::Error) -> Death {
        let babble = error.kind() == io::ErrorKind::InvalidData;
        let ended = match (babble, timeout(ENDING, self.process.wait()).await) {
            (false, Ok(ended)) => ended.ok(),
            (true, _) | (false, Err(_)) => self.kill().await,
        };
        let words = (&mut self.words).await.unwrap_or_default();
        let last_words = String::from_utf8_lossy(&words).into_owned();
        let mut death = Death::new(ended.unwrap_or_default(), last_words, self.memory_bytes);
        if babble {
            death.ending = Ending::Babble;
        }
        death
    }
}

/// Reads to the end and keeps the last of it, so that a talkative worker never waits for a full pipe.
async fn tail(mut words: ChildStderr) -> Vec<u8> {
    let mut kept = Vec::with_capacity(2 * LAST_WORDS);
    while let Ok(1..) = words.read_buf(&mut kept).await {
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
    kept
}
