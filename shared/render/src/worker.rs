//! Evaluates in child processes, which can be limited and killed.
//!
//! A program in Jsonnet can run forever, take all memory or abort its process, and the engine prevents none of it. So a
//! [`Pool`] keeps children of the same binary, sends each one request at a time, and kills it when its time is up. The
//! memory limit and the end of the parent are the child's own doing, before it reads the first request.
//!
//! ```no_run
//! # fn main() -> std::process::ExitCode {
//! use jaas_render::worker;
//!
//! // Before any thread, runtime or log exists.
//! if std::env::args_os().nth(1).is_some_and(|argument| argument == worker::ARGUMENT) {
//!     return worker::run();
//! }
//! # std::process::ExitCode::SUCCESS
//! # }
//! ```

mod child;
mod death;
mod frame;
mod launcher;
mod pool;
mod process;

use std::io;
use std::time::Duration;

pub use child::run;
pub use death::{Death, Ending};
pub use pool::Pool;

use crate::request::Failure;

/// The first argument by which a binary knows that it shall be a worker.
pub const ARGUMENT: &str = "evaluation-worker";

/// What one evaluation may use, and how many run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the request being sent until its answer is read; zero is no limit. Waiting for a free worker does not count.
    pub timeout: Duration,
    /// Address space of a worker in bytes; zero is no limit. It includes the program itself and a stack of 64 MiB, so
    /// that less than 96 MiB leaves nothing to evaluate with.
    pub memory_bytes: u64,
    /// Workers at the same time; zero counts as one.
    pub max_workers: usize,
}

/// Why there is no rendered text.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// Evaluation answered so.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The evaluation was killed at its deadline.
    #[error("evaluation exceeded {0:?}")]
    Timeout(Duration),
    /// The worker ended without an answer.
    #[error("{cause}")]
    Died {
        /// How it ended.
        cause: Death,
    },
    /// The files and variables alone would use up the memory of a worker.
    #[error("files and variables of {bytes} bytes exceed the {limit} bytes that an evaluation takes")]
    TooLarge {
        /// The size of the request.
        bytes: u64,
        /// The largest size that is sent.
        limit: u64,
    },
    /// No worker can be started.
    #[error("starting an evaluation worker")]
    Unavailable(#[source] io::Error),
}
