//! What a check hands back. Pure.

use crate::finding::Finding;
use crate::known::Why;

/// What a check saw, or why it stopped.
pub(crate) type Outcome = Result<Seen, Stop>;

/// What a check saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What it found, if anything.
    pub(crate) finding: Option<Finding>,
    /// What it could not look at. Without a finding, the check is then undecided.
    pub(crate) blind: Vec<Why>,
}

/// Why a check stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Facts are missing without which nothing can be said.
    Unknown(Vec<Why>),
    /// It does not apply here.
    Skipped(String),
}

impl Seen {
    /// Nothing is wrong.
    pub(crate) fn fine() -> Self {
        Self::default()
    }

    /// A finding made of `things`, if there are any.
    pub(crate) fn of<T>(things: Vec<T>, finding: impl FnOnce(&[T]) -> Finding) -> Self {
        if things.is_empty() { Self::fine() } else { Self::from(finding(&things)) }
    }

    /// The same, having been unable to look at this.
    pub(crate) fn blind_to(mut self, what: impl IntoIterator<Item = Why>) -> Self {
        self.blind.extend(what);
        self
    }
}

impl Stop {
    /// The check does not apply, because of this.
    pub(crate) fn skip(why: &str) -> Self {
        Self::Skipped(why.to_owned())
    }
}

impl From<Finding> for Seen {
    fn from(finding: Finding) -> Self {
        Self { finding: Some(finding), blind: Vec::new() }
    }
}

impl From<Why> for Stop {
    fn from(why: Why) -> Self {
        Self::Unknown(vec![why])
    }
}
