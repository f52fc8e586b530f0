//! Explains how a worker ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;

/// The exit code of a worker that noticed itself that its memory is used up.
pub(super) const OUT_OF_MEMORY: u8 = 12;

/// The end of a worker that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// What happened.
    pub ending: Ending,
    /// The end of what the worker wrote to standard error, 4 KiB at most.
    pub last_words: String,
    /// The memory limit it lived under, in bytes; zero was none.
    pub memory_bytes: u64,
}

/// What happened to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It asked for more memory than its limit.
    OutOfMemory,
    /// It nested deeper than its stack.
    StackOverflow,
    /// A signal of this number ended it.
    Signal(i32),
    /// It ended itself with this code.
    Exit(i32),
    /// It answered what cannot be understood, and was killed.
    Babble,
}

impl Death {
    pub(super) fn new(status: ExitStatus, last_words: String, memory_bytes: u64) -> Self {
        let ending = match (status.signal(), status.code()) {
            (Some(signal), _) if signal == Signal::ABORT.as_raw() && last_words.contains("memory allocation of") => {
                Ending::OutOfMemory
            }
            (Some(signal), _) if signal == Signal::ABORT.as_raw() && last_words.contains("stack overflow") => {
                Ending::StackOverflow
            }
            (Some(signal), _) => Ending::Signal(signal),
            (None, Some(code)) if code == i32::from(OUT_OF_MEMORY) => Ending::OutOfMemory,
            (None, code) => Ending::Exit(code.unwrap_or_default()),
        };
        Self { ending, last_words, memory_bytes }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ending {
            Ending::OutOfMemory => {
                let limit = self.memory_bytes >> 20;
                return write!(formatter, "evaluation needs more memory than its limit of {limit} MiB");
            }
            Ending::StackOverflow => return formatter.write_str("evaluation nests deeper than its stack of 64 MiB"),
            Ending::Signal(signal) => write!(formatter, "evaluation worker was ended by signal {signal}")?,
            Ending::Exit(code) => write!(formatter, "evaluation worker ended itself with code {code}")?,
            Ending::Babble => formatter.write_str("evaluation worker gave an answer that cannot be read")?,
        }
        match self.last_words.trim_end() {
            "" => Ok(()),
            words => write!(formatter, ": {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw_status: i32, last_words: &str, ending: Ending, sentence: &str) {
        let death = Death::new(ExitStatus::from_raw(raw_status), last_words.to_owned(), 256 << 20);
        assert_eq!((death.ending, death.to_string().as_str()), (ending, sentence));
    }

    #[test]
    fn a_death_is_explained_in_one_sentence() {
        check(
            6,
            "memory allocation of 64 bytes failed\n",
            Ending::OutOfMemory,
            "evaluation needs more memory than its limit of 256 MiB",
        );
        check(12 << 8, "", Ending::OutOfMemory, "evaluation needs more memory than its limit of 256 MiB");
        check(
            6,
            "fatal runtime error: stack overflow, aborting\n",
            Ending::StackOverflow,
            "evaluation nests deeper than its stack of 64 MiB",
        );
        check(9, "", Ending::Signal(9), "evaluation worker was ended by signal 9");
        check(1 << 8, "unusable\n", Ending::Exit(1), "evaluation worker ended itself with code 1: unusable");
    }
}
