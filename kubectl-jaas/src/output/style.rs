//! When colour is used, and which. Colour never carries meaning alone.

use std::io::IsTerminal;

use crate::cli::ColorWhen;

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[1;31m";
const CYAN: &str = "\u{1b}[36m";
const RESET: &str = "\u{1b}[0m";

/// What a line on stderr is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Why it did not work.
    Error,
    /// What to do next.
    Hint,
}

/// Decides for each stream on its own, since one may be a terminal and the other a pipe.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paint {
    stdout: bool,
    stderr: bool,
}

impl Paint {
    /// As the flag, the environment and the streams want it.
    pub(super) fn new(when: ColorWhen) -> Self {
        Self { stdout: wanted(when, &std::io::stdout()), stderr: wanted(when, &std::io::stderr()) }
    }

    /// The word that begins a line on stderr.
    pub(super) fn on_stderr(self, tone: Tone) -> String {
        let (word, color) = match tone {
            Tone::Error => ("error:", RED),
            Tone::Hint => ("hint:", CYAN),
        };
        if self.stderr { format!("{color}{word}{RESET}") } else { word.to_owned() }
    }

    /// The header of a table on stdout.
    pub(super) fn header(self, text: &str) -> String {
        if self.stdout { format!("{BOLD}{text}{RESET}") } else { text.to_owned() }
    }
}

fn wanted(when: ColorWhen, stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if set("NO_COLOR") => false,
        ColorWhen::Auto if set("CLICOLOR_FORCE") => true,
        ColorWhen::Auto => stream.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
    }
}
