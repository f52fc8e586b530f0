//! Who may evaluate now.

use crate::fair::{Slot, Slots};

use super::OWNER;

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

    /// A slot, unless there is none. Nobody waits for one: who asks has a retry of its own.
    pub(super) fn try_take(&self) -> Option<Slot> {
        self.slots.try_take(OWNER, self.keep)
    }
}
