//! Who may evaluate now.

use std::time::Duration;

use crate::fair::{Slot, Slots};

use super::OWNER;

/// How long a request waits for a slot: an evaluation that was just answered keeps its own until its worker has tidied up.
const MOMENT: Duration = Duration::from_millis(100);

/// Slots for the evaluations of requests.
#[derive(Clone, Debug)]
pub struct Gate {
    slots: Slots,
    keep: usize,
}

impl Gate {
    /// Slots that reconciles need too: the last ones are theirs.
    pub fn shared(slots: Slots) -> Self {
        Self { slots, keep: 1 }
    }

    /// Slots that nobody else needs.
    pub fn alone(slots: Slots) -> Self {
        Self { slots, keep: 0 }
    }

    /// A slot, unless there is none within a moment. Nobody waits longer: who asks has a retry of its own.
    pub(super) async fn take(&self) -> Option<Slot> {
        tokio::time::timeout(MOMENT, self.slots.take_spare(OWNER, self.keep)).await.ok()
    }
}
