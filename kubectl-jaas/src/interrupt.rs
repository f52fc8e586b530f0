//! Ctrl-C and SIGTERM: the first asks the command to stop and report, the second leaves at once.

use std::io;

use tokio::sync::watch;

use crate::exit::Exit;

/// What ended the run from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit code of a run that this signal ended.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
        }
    }
}

/// Tells a command that it was asked to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Option<Signal>>);

impl Stop {
    /// Starts to listen for signals; must be called on a runtime.
    ///
    /// # Errors
    /// When the system does not let a handler be installed.
    pub(crate) fn listen() -> io::Result<Self> {
        let (tx, rx) = watch::channel(None);
        let mut signals = Signals::open()?;
        tokio::spawn(async move {
            let first = signals.next().await;
            // Nobody listens any more when the command is already over.
            let _ = tx.send(Some(first));
            let second = signals.next().await;
            std::process::exit(i32::from(second.exit().code()));
        });
        Ok(Self(rx))
    }

    /// Waits for the first signal; for ever if none comes.
    pub(crate) async fn signalled(&mut self) -> Signal {
        match self.0.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn open() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn open() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}
