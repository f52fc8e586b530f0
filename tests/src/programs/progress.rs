//! Progress on standard error: a spinner for a person, plain lines for a log.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One task under way.
pub(super) struct Progress {
    begun: Instant,
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// Announces a task.
    pub(super) fn start(task: String) -> Self {
        let begun = Instant::now();
        let target = ProgressDrawTarget::stderr();
        if target.is_hidden() {
            eprintln!("{task} …");
            return Self { begun, spinner: None };
        }
        let spinner = ProgressBar::with_draw_target(None, target).with_message("");
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}") {
            spinner.set_style(style);
        }
        spinner.set_prefix(task);
        spinner.enable_steady_tick(Duration::from_millis(120));
        Self { begun, spinner: Some(spinner) }
    }

    /// Shows a passing detail; a log is spared it.
    pub(super) fn detail(&self, detail: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(detail.to_owned());
        }
    }

    /// Says that the task is done and how long it took.
    pub(super) fn done(self, outcome: &str) {
        let seconds = self.end();
        eprintln!("{outcome} in {seconds:.0} s");
    }

    /// Says that the task failed and how long that took.
    pub(super) fn failed(self, task: &str) {
        let seconds = self.end();
        eprintln!("{task} failed after {seconds:.0} s");
    }

    fn end(self) -> f64 {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        self.begun.elapsed().as_secs_f64()
    }
}
