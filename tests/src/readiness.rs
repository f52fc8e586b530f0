//! When a program that was started may be used.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};

use crate::http;
use crate::supervisor::Process;
use crate::wait::{self, Look};

/// Longest time to readiness. A whole control plane usually takes three seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition, but no longer than the process lives. Errors end with the last lines of its log.
pub(crate) async fn of<L: Look>(
    process: &Process,
    what: impl Display,
    look: impl AsyncFnMut() -> L,
) -> Result<L::Value> {
    let name = &process.program().name;
    let outcome = tokio::select! {
        outcome = wait::eventually(what, PATIENCE, look) => outcome,
        exit = process.wait() => match exit {
            Ok(exit) => bail!("{name} ended by itself with {exit}\n{}", process.log_tail()),
            Err(error) => Err(error),
        },
    };
    outcome.map_err(|error| anyhow!("{name}: {error:#}\n{}", process.log_tail()))
}

/// Succeeds when a GET answers 200.
pub(crate) async fn healthy(url: &str) -> Result<()> {
    let answer = http::get(url).await?;
    ensure!(answer.status == ::http::StatusCode::OK, "{url} answers {}: {}", answer.status, answer.text());
    Ok(())
}
