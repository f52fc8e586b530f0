//! The worker's own side: limits itself, then answers requests until there are none.

use std::any::Any;
use std::io::{self, Write};
use std::process::ExitCode;
use std::{fs, thread};

use rustix::process::{Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit};

use super::death::OUT_OF_MEMORY;
use super::frame::{self, Answer};
use crate::evaluate;
use crate::request::{Failure, Request};

/// The stack of an evaluation in bytes. It bounds how deep source text may nest: about 20,000 brackets.
const STACK: usize = 64 << 20;

/// What the parent tells by arguments.
#[derive(Debug, Default, PartialEq, Eq)]
struct Orders {
    /// Address space in bytes; zero is no limit.
    memory: u64,
    /// The process that the worker must not outlive.
    parent: Option<u64>,
}

/// Serves as a worker until standard input ends. Call this first thing in `main`, before any thread exists.
#[must_use]
pub fn run() -> ExitCode {
    let orders = Orders::read(std::env::args().skip(2));
    match orders.and_then(|orders| serve(&orders)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(orders: &Orders) -> io::Result<ExitCode> {
    confine(orders)?;
    let unused = address_space();
    let mut requests = io::stdin().lock();
    let mut answers = io::stdout().lock();
    while let Some(request) = frame::read(&mut requests)? {
        let Some(mut answer) = answer(request) else {
            return Ok(ExitCode::from(OUT_OF_MEMORY));
        };
        // What the allocator keeps for itself would be missing in the next evaluation, which must not fail for it.
        let kept = address_space().saturating_sub(unused);
        answer.last |= orders.memory > 0 && kept > orders.memory / 4;
        answers.write_all(&frame::encode(&answer)?)?;
        answers.flush()?;
        if answer.last {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives up memory and core dumps, and ties this process to its parent.
fn confine(orders: &Orders) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A parent that ended before the call above sends no signal.
    let parent = getppid().and_then(|parent| u64::try_from(parent.as_raw_nonzero().get()).ok());
    if orders.parent.is_some() && orders.parent != parent {
        return Err(io::Error::other("the parent process has ended"));
    }
    limit(Resource::Core, 0)?;
    if orders.memory > 0 {
        limit(Resource::As, orders.memory)?;
    }
    Ok(())
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    Ok(setrlimit(resource, limit)?)
}

/// Evaluates on a thread of its own, which takes everything the engine holds for a thread with it. `None` when even the
/// stack does not fit into the memory.
fn answer(request: Request) -> Option<Answer> {
    let evaluation =
        thread::Builder::new().name("evaluation".to_owned()).stack_size(STACK).spawn(move || evaluate::run(request));
    let (outcome, last) = match evaluation.ok()?.join() {
        Ok(outcome) => (outcome, false),
        Err(panic) => (Err(Failure::Evaluation(describe(&*panic)?)), true),
    };
    Some(Answer { outcome, last })
}

/// `None` when the memory is used up.
fn describe(panic: &(dyn Any + Send)) -> Option<String> {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    // The engine grows its stack piece by piece.
    let out_of_memory = message.starts_with("allocating stack failed");
    (!out_of_memory).then(|| format!("the engine panicked: {message}"))
}

/// The address space in use, in bytes; zero if unknown.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")?.parse().ok())
        .map_or(0, |kibibytes: u64| kibibytes << 10)
}

impl Orders {
    fn read(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut orders = Self::default();
        while let Some(name) = arguments.next() {
            let number = arguments.next().and_then(|value| value.parse().ok());
            match (name.as_str(), number) {
                ("--memory", Some(bytes)) => orders.memory = bytes,
                ("--parent", Some(process)) => orders.parent = Some(process),
                _ => {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("unusable argument {name}")));
                }
            }
        }
        Ok(orders)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(arguments: &[&str]) -> io::Result<Orders> {
        Orders::read(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn orders_are_read_from_the_arguments() {
        assert_eq!(read(&[]).unwrap(), Orders::default());
        assert_eq!(read(&["--memory", "1024", "--parent", "1"]).unwrap(), Orders { memory: 1024, parent: Some(1) });
    }

    #[test]
    fn an_order_that_is_not_understood_is_refused() {
        for arguments in [&["--memory"][..], &["--memory", "1Mi"], &["--core", "1"]] {
            assert!(read(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn the_address_space_in_use_is_known() {
        assert!(address_space() > 1 << 20);
    }
}
