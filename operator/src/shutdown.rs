//! The order in which the process ends: reconciling first, serving last, all within one deadline.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Longest that reconciles which have started may take to finish.
pub const RECONCILES: Duration = Duration::from_secs(25);
/// Longest that started responses may take once the sockets are closed. With [`RECONCILES`], which runs beside the readiness
/// delay, and the end of the election, 15 s at most, this stays below the 65 s that the chart adds to that delay.
pub const RESPONSES: Duration = Duration::from_secs(20);

/// What ends which part of the process.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    /// No new reconciles, sweeps or checks.
    pub work: CancellationToken,
    /// No further term, and the end of this one.
    pub leadership: CancellationToken,
    /// No new connections.
    pub serving: CancellationToken,
}

/// The signals that end a process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// Where the runtime cannot handle signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next signal's name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "terminated",
            _ = self.interrupt.recv() => "interrupt",
        }
    }
}
