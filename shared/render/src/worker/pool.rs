//! Shares a bounded number of workers among all evaluations.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::confine::Isolation;
use super::frame::{self, OrderOf, Refused};
use super::launcher::Launcher;
use super::process::Worker;
use super::roster::Roster;
use super::{EvaluateError, Limits};
use crate::request::{Rendered, Request};

/// Evaluations after which a worker is replaced, so that nothing it may have lost adds up.
const LIFETIME: u32 = 10_000;

/// How long a worker waits for its owner's next request.
const REST: Duration = Duration::from_secs(60);

/// How long a request waits for a worker of its owner that is tidying up. A new one is ready after about as long.
const PATIENCE: Duration = Duration::from_millis(2);

type Outcome = Result<Rendered, EvaluateError>;

/// Evaluates in workers. Use it from one runtime only, for whose end its workers do not wait.
///
/// # Guarantees
/// At most [`Limits::max_workers`] evaluations run, each from the start of its worker until that is reaped or rests. The outcome is
/// there before that: what the evaluation held is freed afterwards, within five seconds.
/// Requests that have to wait are served in the order they came. A worker evaluates one request at a time, serves one
/// owner in its life, and is used again for that owner's next request, unless it died, was killed, has served or rested
/// long enough, or keeps memory. As many as run at once may rest, and [`Limits::spare_workers`] have served nobody.
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    slots: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    /// A worker has tidied up.
    tidied: Notify,
    launcher: Launcher,
}

#[derive(Default)]
struct Waiting {
    roster: Roster<Worker>,
    /// Whether a task looks after those that rest too long.
    watched: bool,
}

/// One request on its way.
struct Errand {
    owner: String,
    entry: String,
    frame: Vec<u8>,
    max_output_bytes: u64,
}

/// A slot, and what goes with it.
struct Place {
    _slot: OwnedSemaphorePermit,
    _held: Box<dyn Send>,
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
                waiting: Mutex::default(),
                tidied: Notify::new(),
                launcher: Launcher::new(program, limits),
            }),
        }
    }

    /// What an evaluation may use.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Starts the spare workers, and tells what the kernel enforces on them.
    ///
    /// # Errors
    /// Where no worker can be started.
    pub async fn prepare(&self) -> io::Result<Isolation> {
        let (worker, isolation) = self.inner.start().await?;
        let mut waiting = self.inner.waiting();
        if waiting.roster.lacks_spare(self.inner.limits.spare_workers) {
            waiting.roster.started(Some(worker));
        }
        drop(waiting);
        self.inner.refill();
        Ok(isolation)
    }

    /// Evaluates `request` in a worker of `owner`, waiting for a free one first. Of rendered text at most
    /// `max_output_bytes` are taken; zero is no limit.
    ///
    /// # Errors
    /// Every variant of [`EvaluateError`]. The next evaluation is not affected by any of them.
    ///
    /// # Cancel safety
    /// Dropping the future kills the evaluation. Its slot is free once the worker is reaped.
    pub async fn evaluate(
        &self,
        owner: &str,
        request: &Request,
        max_output_bytes: u64,
    ) -> Result<Rendered, EvaluateError> {
        self.evaluate_holding(owner, request, max_output_bytes, ()).await
    }

    /// As [`Pool::evaluate`], and drops `held` with the slot, which can be after the answer: a share of the slots is somebody's for as
    /// long as the slot is.
    ///
    /// # Errors
    /// As [`Pool::evaluate`].
    pub async fn evaluate_holding(
        &self,
        owner: &str,
        request: &Request,
        max_output_bytes: u64,
        held: impl Send + 'static,
    ) -> Result<Rendered, EvaluateError> {
        let slot = Arc::clone(&self.inner.slots).acquire_owned().await;
        let slot = slot.map_err(|closed| EvaluateError::Unavailable(io::Error::other(closed)))?;
        let place = Place { _slot: slot, _held: Box::new(held) };
        let errand = Errand {
            owner: owner.to_owned(),
            entry: request.label.clone(),
            frame: self.inner.encode(request, max_output_bytes)?,
            max_output_bytes,
        };
        let (caller, outcome) = oneshot::channel();
        tokio::spawn(Arc::clone(&self.inner).serve(place, errand, caller));
        let ending = |_| Err(EvaluateError::Unavailable(io::Error::other("the runtime is ending")));
        outcome.await.unwrap_or_else(ending)
    }

    /// How many evaluations hold a worker now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.inner.limits.max_workers - self.inner.slots.available_permits()
    }

    /// How many workers wait for their owner's next request now.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.inner.waiting().roster.rested()
    }

    /// How many workers have served nobody yet.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.inner.waiting().roster.spare()
    }

    /// How many evaluations there can be at once.
    #[must_use]
    pub fn max_workers(&self) -> usize {
        self.inner.limits.max_workers
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives one request to a worker. Runs apart from its caller, so that it ends in order when the caller does not wait.
    async fn serve(self: Arc<Self>, place: Place, errand: Errand, mut caller: oneshot::Sender<Outcome>) {
        let outcome = match self.worker(&errand.owner).await {
            Ok(mut worker) => {
                let exchange = worker.exchange(&errand.entry, &errand.frame, errand.max_output_bytes);
                let end = tokio::select! {
                    end = deadline(self.limits.timeout, exchange) => end,
                    () = caller.closed() => None,
                };
                match end {
                    Some(Ok(answer)) => {
                        self.waiting().roster.answered(errand.owner.clone());
                        let _ = caller.send(answer.map_err(|refused| match refused {
                            Refused::Failure(failure) => EvaluateError::Failed(failure),
                            Refused::OutputTooLarge => EvaluateError::OutputTooLarge { limit: errand.max_output_bytes },
                        }));
                        return self.settle(worker, errand.owner, place).await;
                    }
                    Some(Err(cause)) => {
                        tracing::debug!(%cause, "evaluation worker died");
                        Err(EvaluateError::Died { cause })
                    }
                    None => {
                        let scene = worker.scene(&errand.entry);
                        worker.kill().await;
                        Err(EvaluateError::Timeout { limit: self.limits.timeout, scene })
                    }
                }
            }
            Err(error) => Err(EvaluateError::Unavailable(error)),
        };
        // Before the caller goes on, which may be to ask for the counts.
        drop(place);
        let _ = caller.send(outcome);
    }

    /// Keeps a worker for its owner's next request once it has tidied up, or kills it.
    async fn settle(self: &Arc<Self>, mut worker: Worker, owner: String, place: Place) {
        if worker.is_tidy().await && worker.answered < LIFETIME {
            self.rest(owner, worker);
            drop(place);
            self.tidied.notify_waiters();
        } else {
            // Before it is reaped: whoever waits for it takes another.
            self.waiting().roster.left(&owner);
            self.tidied.notify_waiters();
            worker.kill().await;
            drop(place);
        }
    }

    /// A worker for this owner. The caller holds a slot.
    async fn worker(self: &Arc<Self>, owner: &str) -> io::Result<Worker> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let tidied = self.tidied.notified();
            if !self.waiting().roster.is_awaited(owner) || timeout_at(patience, tidied).await.is_err() {
                break;
            }
        }
        let found = std::iter::from_fn(|| self.take(owner)).find_map(|mut worker| worker.is_alive().then_some(worker));
        // Another one is started while this one works.
        self.refill();
        match found {
            Some(worker) => Ok(worker),
            None => self.start().await.map(|(worker, _)| worker),
        }
    }

    fn take(&self, owner: &str) -> Option<Worker> {
        self.waiting().roster.take(owner)
    }

    async fn start(&self) -> io::Result<(Worker, Isolation)> {
        let mut worker = self.launcher.launch().await?;
        let isolation = worker.ready().await?;
        Ok((worker, isolation))
    }

    /// Starts what lacks of spare workers.
    fn refill(self: &Arc<Self>) {
        while self.waiting().roster.lacks_spare(self.limits.spare_workers) {
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                let started = inner.start().await;
                if let Err(error) = &started {
                    // Whoever needs one tries again, and is told.
                    tracing::debug!(%error, "no spare evaluation worker");
                }
                inner.waiting().roster.started(started.ok().map(|(worker, _)| worker));
            });
        }
    }

    fn rest(self: &Arc<Self>, owner: String, worker: Worker) {
        let mut waiting = self.waiting();
        // Dropping it kills it.
        let surplus = waiting.roster.rest(owner, worker, self.limits.max_workers);
        let watched = std::mem::replace(&mut waiting.watched, true);
        drop((waiting, surplus));
        if !watched {
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    /// The request as it is sent. The worker needs it twice for a moment, as sent and as read.
    fn encode(&self, request: &Request, max_output_bytes: u64) -> Result<Vec<u8>, EvaluateError> {
        let limit = self.limits.input_bytes();
        let bytes = size(request);
        if bytes > limit {
            return Err(EvaluateError::TooLarge { bytes, limit });
        }
        let order = OrderOf { request, max_output_bytes };
        frame::encode(&order).map_err(|_| EvaluateError::TooLarge { bytes, limit })
    }
}

/// Ends workers that rest too long, as long as any rest.
async fn watch(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(REST / 4).await;
        let Some(inner) = inner.upgrade() else { return };
        let mut waiting = inner.waiting();
        let tired = waiting.roster.tired(REST);
        waiting.watched = waiting.roster.rested() > 0;
        let watched = waiting.watched;
        drop((waiting, tired));
        if !watched {
            return;
        }
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
