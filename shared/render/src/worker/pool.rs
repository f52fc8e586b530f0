//! Shares a bounded number of workers among all evaluations.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::frame::{self, Answer};
use super::launcher::Launcher;
use super::process::Worker;
use super::{Death, EvaluateError, Limits};
use crate::request::{Rendered, Request};

/// Evaluations after which a worker is replaced, so that nothing it may have lost adds up.
const LIFETIME: u32 = 10_000;

type Outcome = Result<Rendered, EvaluateError>;

/// Evaluates in workers. Use it from one runtime only, for whose end its workers do not wait.
///
/// # Guarantees
/// At most [`Limits::max_workers`] processes exist, from the start of each until it is reaped. Requests that have to
/// wait are served in the order they came. A worker evaluates one request at a time and is used again for the next one,
/// unless it died, was killed, or has served long enough.
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Worker>>,
    launcher: Launcher,
}

impl Pool {
    /// A pool without any worker yet. `program` calls [`run`](super::run) when its first argument is
    /// [`ARGUMENT`](super::ARGUMENT); `/proc/self/exe` is the running binary, even after its file was replaced.
    #[must_use]
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        let limits = Limits { max_workers: limits.max_workers.clamp(1, Semaphore::MAX_PERMITS), ..limits };
        Self {
            inner: Arc::new(Inner {
                limits,
                slots: Arc::new(Semaphore::new(limits.max_workers)),
                idle: Mutex::default(),
                launcher: Launcher::new(program, limits),
            }),
        }
    }

    /// Evaluates `request` in a worker, waiting for a free one first.
    ///
    /// # Errors
    /// Every variant of [`EvaluateError`]. The next evaluation is not affected by any of them.
    ///
    /// # Cancel safety
    /// Dropping the future kills the evaluation. Its slot is free once the worker is reaped.
    pub async fn evaluate(&self, request: &Request) -> Result<Rendered, EvaluateError> {
        let slot = Arc::clone(&self.inner.slots).acquire_owned().await;
        let slot = slot.map_err(|closed| EvaluateError::Unavailable(io::Error::other(closed)))?;
        let frame = self.inner.encode(request)?;
        let (caller, outcome) = oneshot::channel();
        tokio::spawn(Arc::clone(&self.inner).serve(slot, frame, caller));
        let ending = |_| Err(EvaluateError::Unavailable(io::Error::other("the runtime is ending")));
        outcome.await.unwrap_or_else(ending)
    }

    /// How many evaluations hold a worker now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.inner.limits.max_workers - self.inner.slots.available_permits()
    }

    /// How many workers wait for a request now.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.inner.idle().len()
    }

    /// How many workers there can be.
    #[must_use]
    pub fn max_workers(&self) -> usize {
        self.inner.limits.max_workers
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives one request to a worker. Runs apart from its caller, so that it ends in order when the caller does not wait.
    async fn serve(self: Arc<Self>, slot: OwnedSemaphorePermit, frame: Vec<u8>, mut caller: oneshot::Sender<Outcome>) {
        let outcome = match self.worker().await {
            Ok(mut worker) => {
                let exchange = deadline(self.limits.timeout, worker.exchange(&frame));
                let end = tokio::select! {
                    end = exchange => end,
                    () = caller.closed() => None,
                };
                self.settle(worker, end).await
            }
            Err(error) => Err(EvaluateError::Unavailable(error)),
        };
        // Before the caller goes on, which may be to ask for the counts.
        drop(slot);
        let _ = caller.send(outcome);
    }

    /// Keeps the worker for the next request, or kills it; `None` is an exchange that was given up.
    async fn settle(&self, mut worker: Worker, end: Option<Result<Answer, Death>>) -> Outcome {
        match end {
            Some(Ok(Answer { outcome, last })) => {
                if last || worker.answered >= LIFETIME {
                    worker.kill().await;
                } else {
                    self.idle().push(worker);
                }
                outcome.map_err(EvaluateError::Failed)
            }
            Some(Err(cause)) => {
                tracing::debug!(%cause, "evaluation worker died");
                Err(EvaluateError::Died { cause })
            }
            None => {
                worker.kill().await;
                Err(EvaluateError::Timeout(self.limits.timeout))
            }
        }
    }

    /// The worker used last, else a new one. The caller holds a slot.
    async fn worker(&self) -> io::Result<Worker> {
        while let Some(mut worker) = self.rested() {
            if worker.is_alive() {
                return Ok(worker);
            }
        }
        self.launcher.launch().await
    }

    /// The request as it is sent. The worker needs it twice for a moment, as sent and as read.
    fn encode(&self, request: &Request) -> Result<Vec<u8>, EvaluateError> {
        let largest = u64::from(u32::MAX);
        let limit = match self.limits.memory_bytes {
            0 => largest,
            memory => largest.min(memory / 2),
        };
        let bytes = size(request);
        if bytes > limit {
            return Err(EvaluateError::TooLarge { bytes, limit });
        }
        frame::encode(request).map_err(|_| EvaluateError::TooLarge { bytes, limit })
    }

    fn rested(&self) -> Option<Worker> {
        self.idle().pop()
    }
}

/// The size of everything a request holds, in bytes.
fn size(request: &Request) -> u64 {
    let trees = std::iter::once(&request.files).chain(request.libraries.values());
    let files = trees.flatten().map(|(path, file)| path.len() + file.len());
    let variables = request.external_variables.iter().chain(&request.top_level_arguments);
    let variables = variables.map(|(name, variable)| name.len() + variable.text().len());
    files.chain(variables).filter_map(|bytes| u64::try_from(bytes).ok()).sum()
}

/// `None` when `time` is up; zero is no limit.
async fn deadline<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    if time.is_zero() { Some(work.await) } else { timeout(time, work).await.ok() }
}
