//! The worker's own side: limits itself, then answers requests until there are none.

use std::any::Any;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Resource;
use rustix::time::{ClockId, clock_gettime};

use super::death::{OUT_OF_MEMORY, TOO_DEEP};
use super::frame::{self, Answer, Hello, Order, Refused, Tidied, Told};
use super::memory::Account;
use super::{STACK, confine, pad};
use crate::request::{Failure, Rendered, Request};
use crate::{budget, evaluate_and};

/// What an idle worker may keep beyond what it started with, in bytes: idle ones are no part of any limit.
const KEPT: u64 = 12 << 20;

/// Takes what an evaluation answers, and returns once the parent has it.
pub type Deliver = Box<dyn FnOnce(Result<Rendered, Failure>)>;

/// What the parent tells by arguments.
#[derive(Debug, Default, PartialEq, Eq)]
struct Orders {
    /// Address space in bytes, beyond what is in use before the first request; zero is no limit.
    memory: u64,
    /// Processor time of a request in seconds; zero is no limit.
    processor: u64,
    /// The process that the worker must not outlive.
    parent: Option<u64>,
}

/// Serves as a worker until standard input ends. Call this first thing in `main`, before any thread exists.
#[must_use]
pub fn run() -> ExitCode {
    run_with(evaluate_and)
}

/// As [`run`], with `evaluation` in the place of the engine and all limits in force.
#[must_use]
pub fn run_with(evaluation: fn(Request, Deliver)) -> ExitCode {
    let orders = Orders::read(std::env::args().skip(2));
    match orders.and_then(|orders| serve(&orders, evaluation)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(orders: &Orders, evaluation: fn(Request, Deliver)) -> io::Result<ExitCode> {
    confine::limits(orders.parent)?;
    let account = Account::open()?;
    let isolation = confine::isolate();
    let baseline = account.address_space();
    if orders.memory > 0 {
        let most = baseline.saturating_add(orders.memory);
        confine::limit(Resource::As, most, Some(most))?;
    }
    pad::take();
    let mut requests = io::stdin().lock();
    let mut answers = io::stdout().lock();
    let mut say = |frame: Vec<u8>| answers.write_all(&frame).and_then(|()| answers.flush());
    say(frame::encode(&Hello { isolation, baseline })?)?;
    while let Some(order) = frame::read(&mut requests)? {
        if orders.processor > 0 {
            let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or_default();
            confine::limit(Resource::Cpu, used.saturating_add(orders.processor), None)?;
        }
        // Not even the stack fits into the memory.
        let Ok(Evaluator { thread, outcome, told }) = Evaluator::start(order, evaluation) else {
            return Ok(ExitCode::from(OUT_OF_MEMORY));
        };
        let outcome = outcome.recv().ok();
        let is_told = outcome.is_some();
        if let Some(outcome) = outcome {
            say(frame::encode(&Answer { outcome: leave(outcome)? })?)?;
        }
        drop(told);
        if let Err(panic) = thread.join() {
            match describe(&*panic) {
                Ok(said) if !is_told => {
                    say(frame::encode(&Answer { outcome: Err(Refused::Failure(Failure::Evaluation(said))) })?)?;
                }
                Ok(_) => {}
                Err(code) => return Ok(ExitCode::from(code)),
            }
            break;
        }
        // What the allocator keeps for itself would be missing in the next evaluation, which must not fail for it.
        if account.address_space().saturating_sub(baseline) > KEPT {
            break;
        }
        say(frame::encode(&Tidied)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

type Outcome = Result<Rendered, Refused>;

/// A thread that evaluates, and takes everything the engine holds for a thread with it.
struct Evaluator {
    thread: JoinHandle<()>,
    outcome: Receiver<Outcome>,
    /// Dropped once the parent has the outcome. The thread frees nothing before that: freeing can end the process, too.
    told: Sender<()>,
}

impl Evaluator {
    /// # Errors
    /// Where there is no memory for the thread.
    fn start(order: Order, evaluation: fn(Request, Deliver)) -> io::Result<Self> {
        let Order { request, max_output_bytes } = order;
        let (deliver, outcome) = mpsc::channel();
        let (told, telling) = mpsc::channel();
        let work = move || {
            pad::start();
            budget::set(max_output_bytes);
            let deliver = move |rendered: Result<Rendered, Failure>| {
                // Whoever waits is there for as long as this thread, unless the process is ending.
                let _ = deliver.send(within(max_output_bytes, rendered));
                let _ = telling.recv();
            };
            evaluation(request, Box::new(deliver));
        };
        let stack = usize::try_from(STACK).unwrap_or(usize::MAX);
        let thread = thread::Builder::new().name("evaluation".to_owned()).stack_size(stack).spawn(work)?;
        Ok(Self { thread, outcome, told })
    }
}

/// Refuses text that is larger than the caller takes, or would have been.
fn within(max_output_bytes: u64, rendered: Result<Rendered, Failure>) -> Outcome {
    let rendered = rendered.map_err(Refused::Failure);
    let length = rendered.as_ref().map_or(0, |rendered| rendered.bytes.len());
    // What stands between documents is in no budget.
    let is_larger = max_output_bytes > 0 && u64::try_from(length).is_ok_and(|length| length > max_output_bytes);
    if is_larger || budget::is_spent() { Err(Refused::OutputTooLarge) } else { rendered }
}

/// Puts what was rendered where the parent finds it.
fn leave(outcome: Outcome) -> io::Result<Result<Told, Refused>> {
    let Rendered { bytes, objects } = match outcome {
        Ok(rendered) => rendered,
        Err(refused) => return Ok(Err(refused)),
    };
    pad::leave(&bytes)?;
    Ok(Ok(Told { length: u64::try_from(bytes.len()).map_err(io::Error::other)?, objects }))
}

/// What a panic says.
///
/// # Errors
/// The exit code, when it is one of a stack that grew until the memory was used up.
fn describe(panic: &(dyn Any + Send)) -> Result<String, u8> {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    // The engine grows its stack piece by piece.
    if message.starts_with("allocating stack failed") {
        return Err(TOO_DEEP);
    }
    Ok(format!("the engine panicked: {message}"))
}

impl Orders {
    fn read(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut orders = Self::default();
        while let Some(name) = arguments.next() {
            let number = arguments.next().and_then(|value| value.parse().ok());
            match (name.as_str(), number) {
                ("--memory", Some(bytes)) => orders.memory = bytes,
                ("--processor", Some(seconds)) => orders.processor = seconds,
                ("--parent", Some(process)) => orders.parent = Some(process),
                _ => {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("unusable argument {name}")));
                }
            }
        }
        Ok(orders)
    }
}

/// The processor time that goes with a deadline, in whole seconds: the deadline comes first, this is for a parent that
/// cannot keep it. Zero is no limit.
pub(super) fn processor_seconds(timeout: Duration) -> u64 {
    if timeout.is_zero() { 0 } else { timeout.as_secs().saturating_add(2) }
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
        assert_eq!(
            read(&["--memory", "1024", "--processor", "7", "--parent", "1"]).unwrap(),
            Orders { memory: 1024, processor: 7, parent: Some(1) }
        );
    }

    #[test]
    fn an_order_that_is_not_understood_is_refused() {
        for arguments in [&["--memory"][..], &["--memory", "1Mi"], &["--core", "1"]] {
            assert!(read(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn processor_time_ends_after_the_deadline() {
        assert_eq!(processor_seconds(Duration::ZERO), 0);
        assert_eq!(processor_seconds(Duration::from_millis(300)), 2);
        assert_eq!(processor_seconds(Duration::from_secs(5)), 7);
    }
}
