//! Progress of anything that takes more than a second: a bar on a terminal, plain lines elsewhere.

use std::io;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::view::{Proof, Record, Target};

/// Shorter runs show nothing: a bar that flashes up only distracts.
const QUIET_START: Duration = Duration::from_secs(1);
/// Time between two plain lines, so that a log is neither flooded nor silent.
const PLAIN_PERIOD: Duration = Duration::from_secs(10);

/// Listens to a command at work; what it does with the news is not the command's concern.
pub(crate) trait Listener {
    /// A sentence for a person.
    fn say(&self, line: &str);
    /// How far the run has come.
    fn advance(&self, progress: &Progress);
    /// A target got its outcome.
    fn settle(&self, target: &Target);
    /// An artifact was read and judged.
    fn proof(&self, proof: &Proof);
    /// A question that waits for an answer on the same line.
    fn ask(&self, question: &str);
    /// A record of a log; `text` is the line as it was.
    ///
    /// # Errors
    /// The reader went away.
    fn record(&self, record: &Record, text: &str) -> io::Result<()>;
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Objects to ask.
    pub(crate) total: usize,
    /// Requests that were accepted.
    pub(crate) asked: usize,
    /// Objects that have their outcome.
    pub(crate) answered: usize,
    /// Of these, the failures.
    pub(crate) failed: usize,
    /// Time since the first request.
    pub(crate) elapsed: Duration,
}

impl Progress {
    fn words(&self) -> String {
        format!(
            "{} of {} answered, {} failed, {} asked ({:.0}/s)",
            self.answered,
            self.total,
            self.failed,
            self.asked,
            rate(self.answered, self.elapsed)
        )
    }
}

/// Objects per second.
pub(crate) fn rate(count: usize, elapsed: Duration) -> f64 {
    if elapsed.is_zero() {
        return 0.0;
    }
    // A count of objects in a cluster is far below the 2^53 that f64 holds exactly.
    count as f64 / elapsed.as_secs_f64()
}

/// Shows progress on stderr, or knows when a plain line is due.
#[derive(Debug)]
pub(crate) struct Meter {
    bar: Option<ProgressBar>,
    is_drawn: bool,
    last_line: Option<Instant>,
    started: Instant,
}

impl Meter {
    /// A meter that draws a bar, or one that writes lines.
    pub(crate) fn new(draws: bool) -> Self {
        let bar = draws.then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template("{bar:24.} {pos}/{len} {elapsed} {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
        });
        Self { bar, is_drawn: false, last_line: None, started: Instant::now() }
    }

    /// Takes the news; returns a line when one is due.
    pub(crate) fn advance(&mut self, progress: &Progress) -> Option<String> {
        if self.started.elapsed() < QUIET_START {
            return None;
        }
        if let Some(bar) = &self.bar {
            if !self.is_drawn {
                self.is_drawn = true;
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_length(progress.total as u64);
            bar.set_position(progress.answered as u64);
            bar.set_message(format!("answered, {} failed", progress.failed));
            return None;
        }
        if self.last_line.is_some_and(|last| last.elapsed() < PLAIN_PERIOD) {
            return None;
        }
        self.last_line = Some(Instant::now());
        Some(progress.words())
    }

    /// Runs `print` with the bar out of the way.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_needs_time() {
        assert_eq!(rate(10, Duration::ZERO), 0.0);
        assert_eq!(rate(10, Duration::from_secs(4)), 2.5);
    }

    #[test]
    fn a_short_run_is_silent() {
        assert_eq!(Meter::new(false).advance(&Progress::default()), None);
    }
}
