//! What the owner and its supervisor say to each other: one JSON value per line. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A program to run, completely described: nothing is inherited from the owner's environment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    /// Name for messages.
    pub name: String,
    /// The executable.
    pub executable: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory, which must exist.
    pub directory: PathBuf,
    /// Standard output and standard error are appended to this file.
    pub log: PathBuf,
    /// How it is ended when its owner goes away.
    pub at_end: AtEnd,
}

/// How a program is ended when its owner goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtEnd {
    /// SIGKILL at once, for programs whose data is thrown away.
    Kill,
    /// SIGTERM, and SIGKILL five seconds later.
    Terminate,
}

/// Signals that an owner may send to one of its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// SIGINT.
    Interrupt,
    /// SIGSTOP: the process freezes.
    Stop,
    /// SIGCONT: a frozen process goes on.
    Continue,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It returned this exit code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// Whether the program returned 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
        }
    }
}

/// A line from the owner to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Start a program under an id that the owner chose.
    Start { id: u64, program: Program },
    /// Send a signal to a program; without effect when it has ended.
    Signal { id: u64, signal: Signal },
}

/// A line from the supervisor to the owner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The program runs.
    Started { id: u64, pid: i32 },
    /// The program could not be started.
    Failed { id: u64, cause: String },
    /// The program ended, and so did every process of its group.
    Exited { id: u64, exit: Exit },
}
