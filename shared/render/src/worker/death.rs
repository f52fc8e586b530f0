//! Explains how a worker ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;

use super::pad::Note;

/// The exit code of a worker that noticed itself that its memory is used up.
pub(super) const OUT_OF_MEMORY: u8 = 12;
/// The exit code of a worker whose stack grew until its memory was used up.
pub(super) const TOO_DEEP: u8 = 13;

/// What is known of an evaluation that came to no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// The label of the request.
    pub entry: String,
    /// The file that was loaded last, by the name that diagnostics show; `None` before the first one.
    pub last_file: Option<String>,
    /// The memory limit it lived under, in bytes; zero was none.
    pub memory_bytes: u64,
    /// The address space that it had taken when it was killed, in bytes. Unknown of an evaluation that died.
    pub held_bytes: Option<u64>,
}

impl fmt::Display for Scene {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "entry file {}", self.entry)?;
        match &self.last_file {
            Some(file) => write!(formatter, ", last file loaded {file}")?,
            None => formatter.write_str(", no file loaded yet")?,
        }
        match (self.held_bytes, self.memory_bytes) {
            (None, _) => Ok(()),
            (Some(held), 0) => write!(formatter, ", {} of memory in use", mebibytes(held)),
            (Some(held), limit) => {
                write!(formatter, ", {} of {} of memory in use", mebibytes(held), mebibytes(limit))
            }
        }
    }
}

/// The end of a worker that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// What happened.
    pub ending: Ending,
    /// The beginning of what the worker wrote to standard error, 4 KiB at most.
    pub last_words: String,
    /// What it was doing.
    pub scene: Scene,
}

/// What happened to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It asked for more memory than its limit, by this many bytes at once where that is known.
    OutOfMemory(Option<u64>),
    /// It nested deeper than its stack.
    StackOverflow,
    /// It was killed, and not by its parent: the system does that when the memory of the Pod or of the node is used up.
    Killed,
    /// It used more processor time than its deadline has.
    OutOfTime,
    /// It tried what no evaluation does, and was killed for it.
    Forbidden,
    /// A signal of this number ended it.
    Signal(i32),
    /// It ended itself with this code.
    Exit(i32),
    /// It answered what cannot be understood, and was killed.
    Babble,
}

impl Ending {
    pub(super) fn new(status: ExitStatus, last_words: &str, note: &Note) -> Self {
        const ASKED: &str = "memory allocation of ";
        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        match (status.signal(), status.code()) {
            _ if is(Signal::ABORT) && last_words.contains(ASKED) => {
                let asked = last_words.split(ASKED).nth(1).and_then(|rest| rest.split(' ').next());
                Self::OutOfMemory(asked.and_then(|bytes| bytes.parse().ok()))
            }
            _ if is(Signal::ABORT) && last_words.contains("stack overflow") => Self::StackOverflow,
            // Beyond its thread's own stack an evaluation runs on pieces whose end the runtime does not know.
            _ if is(Signal::SEGV) && note.outgrown => Self::StackOverflow,
            _ if is(Signal::KILL) => Self::Killed,
            _ if is(Signal::XCPU) => Self::OutOfTime,
            _ if is(Signal::SYS) => Self::Forbidden,
            (Some(signal), _) => Self::Signal(signal),
            (None, Some(code)) if code == i32::from(OUT_OF_MEMORY) => Self::OutOfMemory(None),
            (None, Some(code)) if code == i32::from(TOO_DEEP) => Self::StackOverflow,
            (None, code) => Self::Exit(code.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ending {
            Ending::OutOfMemory(asked) => {
                let limit = mebibytes(self.scene.memory_bytes);
                write!(formatter, "evaluation needs more memory than its limit of {limit}")?;
                if let Some(bytes) = asked {
                    write!(formatter, ", which it reached asking for {bytes} bytes more")?;
                }
                return write!(formatter, "; {}", self.scene);
            }
            Ending::StackOverflow => {
                let limit = mebibytes(self.scene.memory_bytes);
                return write!(
                    formatter,
                    "evaluation nests deeper than its stack: it starts with 64 MiB and grows within the limit of {limit}; {}",
                    self.scene
                );
            }
            Ending::Killed => {
                formatter.write_str(
                    "evaluation worker was killed from outside, as the system does when the memory of the Pod or the node is used up",
                )?;
            }
            Ending::OutOfTime => {
                formatter.write_str("evaluation worker used more processor time than its deadline has")?
            }
            Ending::Forbidden => {
                formatter.write_str("evaluation worker tried what no evaluation does and was killed")?
            }
            Ending::Signal(signal) => write!(formatter, "evaluation worker was ended by signal {signal}")?,
            Ending::Exit(code) => write!(formatter, "evaluation worker ended itself with code {code}")?,
            Ending::Babble => formatter.write_str("evaluation worker gave an answer that cannot be read")?,
        }
        write!(formatter, "; {}", self.scene)?;
        match self.last_words.trim_end() {
            "" => Ok(()),
            words => write!(formatter, ": {words}"),
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw_status: i32, last_words: &str, ending: Ending, sentence: &str) {
        let scene = Scene {
            entry: "team/app/main.jsonnet".to_owned(),
            last_file: Some("lib/main.libsonnet".to_owned()),
            memory_bytes: 256 << 20,
            held_bytes: None,
        };
        let found = Ending::new(ExitStatus::from_raw(raw_status), last_words, &Note::default());
        let death = Death { ending: found, last_words: last_words.to_owned(), scene };
        let sentence = sentence.replace('@', "; entry file team/app/main.jsonnet, last file loaded lib/main.libsonnet");
        assert_eq!((death.ending, death.to_string()), (ending, sentence));
    }

    #[test]
    fn a_death_is_explained_in_one_sentence() {
        check(
            6,
            "memory allocation of 64 bytes failed\n",
            Ending::OutOfMemory(Some(64)),
            "evaluation needs more memory than its limit of 256 MiB, which it reached asking for 64 bytes more@",
        );
        let plain = "evaluation needs more memory than its limit of 256 MiB@";
        check(12 << 8, "", Ending::OutOfMemory(None), plain);
        let deep =
            "evaluation nests deeper than its stack: it starts with 64 MiB and grows within the limit of 256 MiB@";
        check(6, "fatal runtime error: stack overflow, aborting\n", Ending::StackOverflow, deep);
        check(13 << 8, "", Ending::StackOverflow, deep);
        check(11, "", Ending::Signal(11), "evaluation worker was ended by signal 11@");
        check(31, "", Ending::Forbidden, "evaluation worker tried what no evaluation does and was killed@");
        check(1 << 8, "unusable\n", Ending::Exit(1), "evaluation worker ended itself with code 1@: unusable");
    }

    #[test]
    fn a_fault_on_a_stack_that_outgrew_its_thread_is_an_overflow() {
        let note = Note { file: None, outgrown: true };
        assert_eq!(Ending::new(ExitStatus::from_raw(11), "", &note), Ending::StackOverflow);
        assert_eq!(Ending::new(ExitStatus::from_raw(9), "", &note), Ending::Killed);
    }

    #[test]
    fn a_scene_says_how_much_memory_was_in_use_where_that_is_known() {
        let scene = Scene { entry: "x".to_owned(), last_file: None, memory_bytes: 0, held_bytes: Some(3 << 20) };
        assert_eq!(scene.to_string(), "entry file x, no file loaded yet, 3 MiB of memory in use");
        let scene = Scene { memory_bytes: 256 << 20, ..scene };
        assert_eq!(scene.to_string(), "entry file x, no file loaded yet, 3 MiB of 256 MiB of memory in use");
    }
}
