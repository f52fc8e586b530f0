//! What a class is asked to do, and what it found.

use std::path::PathBuf;

use indicatif::ProgressBar;

/// How much of a class is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A few cases of every kind, drawn by the seed: what the test command runs.
    Sample,
    /// Everything.
    Full,
}

/// What a class is asked to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides everything that is drawn. The same seed gives the same cases in the same order.
    pub seed: u64,
    /// How much is run.
    pub scale: Scale,
    /// Moves on with every case.
    pub progress: ProgressBar,
    /// Program that does the store's work as a process of its own when its first argument is `drive`.
    pub driver: PathBuf,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The case, in words that say how to repeat it.
    pub case: String,
    /// The invariant, `I1` to `I8`, or what else went wrong.
    pub invariant: String,
    /// What was seen.
    pub seen: String,
}

/// What a class found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Name of the class.
    pub class: &'static str,
    /// Cases that were run to their end.
    pub cases: u64,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// What was measured besides, a line each.
    pub notes: Vec<String>,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new(class: &'static str) -> Self {
        Self { class, cases: 0, violations: Vec::new(), notes: Vec::new() }
    }

    /// Counts a case and what it broke.
    pub fn case(&mut self, plan: &Plan, violations: impl IntoIterator<Item = Violation>) {
        self.cases += 1;
        self.violations.extend(violations);
        plan.progress.inc(1);
    }
}
