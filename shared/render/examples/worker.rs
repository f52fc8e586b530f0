//! A program with a pool of workers, which evaluates without end. The tests of the pool start it.
//!
//! Its workers are those of any program, but that a request whose label starts with `probe/` tries something else than
//! evaluating. No other program has that.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{fs, io};

use jaas_render::worker::{self, Deliver, Limits, Pool};
use jaas_render::{Failure, Output, Rendered, Request, evaluate_and};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, test_kill_process};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == worker::ARGUMENT) {
        return worker::run_with(probe);
    }
    host()
}

#[tokio::main(flavor = "current_thread")]
async fn host() -> ExitCode {
    let limits =
        Limits { timeout: Duration::ZERO, memory_bytes: 256 << 20, output_bytes: 0, max_workers: 1, spare_workers: 0 };
    let code = "std.foldl(function(sum, n) sum + n, std.range(1, 2000000000), 0)";
    let request = Request {
        label: "endless.jsonnet".to_owned(),
        entry: "endless.jsonnet".to_owned(),
        files: BTreeMap::from([("endless.jsonnet".to_owned(), code.into())]),
        libraries: BTreeMap::new(),
        external_variables: BTreeMap::new(),
        top_level_arguments: BTreeMap::new(),
        output: Output::Json,
        max_stack: 0,
    };
    match Pool::new("/proc/self/exe".into(), limits).evaluate("team", &request, 0).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the label asks for and renders the word `done`, or fails with the error of the system.
fn probe(request: Request, deliver: Deliver) {
    let Some(what) = request.label.strip_prefix("probe/") else { return evaluate_and(request, deliver) };
    if let Some(after) = what.strip_prefix("after/") {
        deliver(Ok(Rendered { bytes: b"done".to_vec(), objects: None }));
        return afterwards(after);
    }
    deliver(match attempt(what) {
        Ok(()) => Ok(Rendered { bytes: b"done".to_vec(), objects: None }),
        Err(error) => Err(Failure::Evaluation(error.to_string())),
    });
}

/// Misbehaves once the parent has the outcome.
fn afterwards(what: &str) {
    match what {
        #[allow(clippy::panic, reason = "as a fault of the engine does")]
        "panic" => std::panic::panic_any("on purpose"),
        "abort" => std::process::abort(),
        "linger" => loop {
            std::thread::park();
        },
        // A frame of one byte, where one of none is due.
        _ => babble(&[1, 0, 0, 0, 9]),
    }
}

/// Writes to the parent what no worker writes.
fn babble(frame: &[u8]) {
    let _ = rustix::io::write(io::stdout(), frame);
}

fn attempt(what: &str) -> io::Result<()> {
    match what {
        "read" => fs::read("/etc/passwd").map(drop),
        "read-own" => fs::read("/proc/self/environ").map(drop),
        "write" => fs::write("/tmp/jaas-worker-probe", "x"),
        "remove" => fs::remove_file("/tmp/jaas-worker-probe"),
        "list" => fs::read_dir("/").map(drop),
        "connect" => TcpStream::connect("127.0.0.1:9").map(drop),
        "socket" => UnixDatagram::unbound().map(drop),
        "run" => Command::new("/bin/true").spawn().map(drop),
        "signal" => kill_process(Pid::INIT, Signal::TERM).map_err(io::Error::from),
        "look-for" => test_kill_process(Pid::INIT).map_err(io::Error::from),
        "signal-own" => kill_process(rustix::process::getpid(), Signal::TERM).map_err(io::Error::from),
        "thread" => std::thread::spawn(|| ()).join().map_err(|_| io::Error::other("no thread")),
        "core" => match getrlimit(Resource::Core) {
            limit if (limit.current, limit.maximum) == (Some(0), Some(0)) => Ok(()),
            limit => Err(io::Error::other(format!("{limit:?}"))),
        },
        "keep" => {
            Box::leak(vec![1_u8; 16 << 20].into_boxed_slice());
            Ok(())
        }
        "talk" => io::stderr().write_all(b"words"),
        "descriptors" => descriptors(),
        #[allow(clippy::panic, reason = "as a fault of the engine does")]
        "panic" => std::panic::panic_any("on purpose"),
        // An answer with a text of a terabyte.
        "lie" => {
            babble(&[8, 0, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0]);
            Ok(())
        }
        other => Err(io::Error::other(format!("unknown probe {other}"))),
    }
}

/// Fails if a descriptor is open beside the three standard ones and the account of memory.
fn descriptors() -> io::Result<()> {
    let open: Vec<i32> = (3..1024).filter(|number| nix::unistd::close(*number).is_ok()).collect();
    if open.len() <= 1 { Ok(()) } else { Err(io::Error::other(format!("{open:?}"))) }
}
