//! Where calls wait until a test has decided about them.

use tokio::sync::{mpsc, oneshot};

use super::Call;

/// Where calls wait. Once nobody watches it any more, none is let through.
#[derive(Clone, Debug)]
pub struct Gate(mpsc::UnboundedSender<Held>);

/// The calls that come to a gate.
#[derive(Debug)]
pub struct Arrivals(mpsc::UnboundedReceiver<Held>);

/// A call that waits. When this is dropped, the call goes no further: its connection is closed without an answer.
#[derive(Debug)]
pub struct Held {
    /// The call, with the server's answer if it has been asked.
    pub call: Call,
    go: oneshot::Sender<()>,
}

/// A gate, and whoever watches it.
#[must_use]
pub fn gate() -> (Gate, Arrivals) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Gate(sender), Arrivals(receiver))
}

impl Gate {
    /// Returns when the call was let go, with `true`, or given up.
    pub(super) async fn pass(&self, call: &Call) -> bool {
        let (go, gone) = oneshot::channel();
        self.0.send(Held { call: call.clone(), go }).is_ok() && gone.await.is_ok()
    }
}

impl Arrivals {
    /// Waits for the next call that comes to the gate; `None` when the rule that leads there is no more.
    pub async fn next(&mut self) -> Option<Held> {
        self.0.recv().await
    }
}

impl Held {
    /// Lets the call go on.
    pub fn release(self) {
        // Whoever waited may have gone.
        let _ = self.go.send(());
    }
}
