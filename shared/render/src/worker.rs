//! Evaluates in child processes, which can be limited and killed.
//!
//! A program in Jsonnet can run forever, take all memory or abort its process, and the engine prevents none of it. So a
//! [`Pool`] keeps children of the same binary, sends each one request at a time, and kills it when its time is up. The
//! memory limit, the end of the parent and the loss of every right are the child's own doing, before it reads the first
//! request.
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
mod confine;
mod death;
mod frame;
mod launcher;
mod memory;
pub(crate) mod pad;
mod pool;
mod process;
mod roster;

use std::io;
use std::time::Duration;

pub use child::{Deliver, run, run_with};
pub use confine::Isolation;
pub use death::{Death, Ending, Scene};
pub use pool::Pool;

use crate::request::Failure;

/// The first argument by which a binary knows that it shall be a worker.
pub const ARGUMENT: &str = "evaluation-worker";

/// The stack of an evaluation in bytes. It bounds how deep source text may nest: about 20,000 brackets.
pub const STACK: u64 = 64 << 20;

/// What one evaluation may use, and how many run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the request being sent until its answer is read; zero is no limit. Waiting for a free worker does not count.
    pub timeout: Duration,
    /// Address space of an evaluation in bytes, beyond what its worker takes while it is idle; zero is no limit. The
    /// [`STACK`] is part of it, so that less than 96 MiB leaves nothing to evaluate with.
    pub memory_bytes: u64,
    /// The most bytes of rendered text that any evaluation may be asked for; zero is as many as its memory. They are not part of that.
    pub output_bytes: u64,
    /// Evaluations at the same time; zero counts as one.
    pub max_workers: usize,
    /// Workers that are started ahead for whoever comes next.
    pub spare_workers: usize,
}

impl Limits {
    /// Most bytes that an evaluation may be given: files and variables, with their names. Half of its memory, since it holds them twice for
    /// a moment.
    pub fn input_bytes(&self) -> u64 {
        let largest = u64::from(u32::MAX);
        match self.memory_bytes {
            0 => largest,
            memory => largest.min(memory / 2),
        }
    }
}

/// Why there is no rendered text.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// Evaluation answered so.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The evaluation was killed at its deadline.
    #[error("evaluation exceeded {}; {scene}", seconds(*.limit))]
    Timeout {
        /// The deadline.
        limit: Duration,
        /// What was known of it then.
        scene: Scene,
    },
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
    /// What was written grew beyond what the caller takes, and writing ended there.
    #[error("the rendered text is larger than {limit} bytes")]
    OutputTooLarge {
        /// The most bytes that the caller takes.
        limit: u64,
    },
    /// No worker can be started.
    #[error("starting an evaluation worker")]
    Unavailable(#[source] io::Error),
}

/// `5s`, `1m30s`, `300ms`: as the flag is typed.
fn seconds(time: Duration) -> String {
    let (minutes, rest) = (time.as_secs() / 60, time - Duration::from_secs(time.as_secs() / 60 * 60));
    match (minutes, rest.is_zero()) {
        (0, _) => format!("{rest:?}"),
        (minutes, true) => format!("{minutes}m0s"),
        (minutes, false) => format!("{minutes}m{rest:?}"),
    }
}
