//! The right to change anything outside this process.

/// Hands out permits. One authority exists in the process; every write to the API server and to the store asks it first.
#[derive(Clone, Debug, Default)]
pub struct Authority(());

/// Proof that the process may write now. It cannot be made outside this module, so a write without one does not compile.
#[derive(Debug)]
pub struct Permit(());

impl Authority {
    /// The authority of a process that is the only writer.
    pub fn sole_writer() -> Self {
        Self(())
    }

    /// A permit for the writes that follow at once.
    pub fn permit(&self) -> Permit {
        Permit(())
    }
}
