//! A process that does the work with all its system calls in one thread, in the same order each time.
//!
//! strace counts the calls of each thread apart, so everything that the store does must come from the thread that it traces: the
//! only one of the pool. The main thread plants and tells; it is not traced.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::workload::{Worker, steps};

/// Folder that does not exist, by whose names the trace tells where a step begins.
pub(super) const MARKER: &str = "/jaas-step/";
/// Longer than any case, so that the pool keeps its thread.
const KEEP: Duration = Duration::from_secs(3600);

/// Tells the traced thread on standard output, waits for a line on standard input, and does the work; after each step its outcome
/// is told as one line of JSON before the next begins.
///
/// # Errors
/// When the driver itself cannot go on; what the store cannot do is an outcome.
pub fn drive(root: &Path) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).thread_keep_alive(KEEP).build()?;
    runtime.block_on(work(root))
}

async fn work(root: &Path) -> Result<()> {
    let thread = tokio::task::spawn_blocking(|| std::fs::read_link("/proc/thread-self")).await??;
    let thread = thread.file_name().context("reading the number of a thread")?.to_string_lossy().into_owned();
    tell(&thread)?;
    let mut go = String::new();
    io::stdin().read_line(&mut go)?;
    if go.is_empty() {
        return Ok(());
    }
    let mut worker = Worker::new(root);
    for step in steps()? {
        let marker = format!("{MARKER}{}", step.name);
        tokio::task::spawn_blocking(move || Path::new(&marker).symlink_metadata().is_ok()).await?;
        let outcome = worker.perform(&step).await?;
        tell(&serde_json::to_string(&outcome)?)?;
        if !worker.is_open() {
            break;
        }
    }
    Ok(())
}

fn tell(line: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush().context("telling an outcome")
}
