//! How doing or waiting ended.

use crate::interrupt::Signal;
use crate::session::Error;

/// How doing or waiting ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// There is nothing left to do or to wait for.
    Complete,
    /// The time was over.
    Deadline,
    /// A signal came.
    Stopped(Signal),
    /// It makes no sense to go on.
    Broken(Error),
}
