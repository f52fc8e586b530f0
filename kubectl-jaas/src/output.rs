//! Shows reports: data on stdout, talk on stderr. Nothing else in the program prints.

mod document;
mod reconcile;
mod style;
mod table;
mod version;

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write};

use crate::cli::{Format, OutputArgs};
use crate::exit::Exit;
use crate::progress::{Listener, Meter, Progress};
use crate::run::Run;
use crate::view::{Event, Kind, Report, Target};
use style::{Paint, Tone};

/// Narrowest screen that tables are laid out for.
const SCREEN: u16 = 80;

/// The two streams of a run.
pub(crate) struct Console<'a> {
    args: OutputArgs,
    run: &'a Run,
    meter: RefCell<Meter>,
    paint: Paint,
}

impl<'a> Console<'a> {
    /// A console as the flags want it.
    pub(crate) fn new(args: OutputArgs, run: &'a Run) -> Self {
        let draws = io::stderr().is_terminal() && !args.quiet;
        Self { args, run, meter: RefCell::new(Meter::new(draws)), paint: Paint::new(args.color) }
    }

    /// Shows the result of the run, and hands back the exit code that it came with: no format may change it.
    ///
    /// # Errors
    /// Stdout could not be written.
    pub(crate) fn finish(&self, report: &Report, exit: Exit) -> io::Result<Exit> {
        self.meter.borrow().finish();
        self.finish_to(&mut io::stdout().lock(), &mut io::stderr().lock(), report, exit)
    }

    fn finish_to(&self, out: &mut impl Write, err: &mut impl Write, report: &Report, exit: Exit) -> io::Result<Exit> {
        let shown = write_report(out, report, self.args.output, terminal_width(), &self.paint);
        let mut lines = Vec::new();
        if exit != Exit::Done {
            lines.push(format!("{} {}", self.paint.on_stderr(Tone::Error), report.result.message));
        } else if !self.args.quiet && !report.result.message.is_empty() {
            lines.push(report.result.message.clone());
        }
        if let Some(hint) = &report.result.hint {
            lines.push(format!("{} {hint}", self.paint.on_stderr(Tone::Hint)));
        }
        for line in lines {
            // Where stderr is gone, nobody is left to be told.
            drop(writeln!(err, "{line}"));
        }
        shown.map(|()| exit)
    }

    /// Writes a text that was asked for.
    ///
    /// # Errors
    /// Stdout could not be written.
    pub(crate) fn text(&self, text: &str) -> io::Result<Exit> {
        writeln!(io::stdout().lock(), "{text}").map(|()| Exit::Done)
    }

    fn line(&self, text: &str) {
        // Where stderr is gone, nobody is left to be told.
        self.meter.borrow().aside(|| drop(writeln!(io::stderr().lock(), "{text}")));
    }
}

impl Listener for Console<'_> {
    fn say(&self, line: &str) {
        if !self.args.quiet {
            self.line(line);
        }
    }

    fn advance(&self, progress: &Progress) {
        if self.args.quiet {
            return;
        }
        let due = self.meter.borrow_mut().advance(progress);
        if let Some(line) = due {
            self.line(&line);
        }
    }

    fn settle(&self, target: &Target) {
        if self.args.output == Format::Ndjson {
            let event = Event::now(self.run, target);
            // A reader that went away is noticed when the document is written.
            self.meter.borrow().aside(|| drop(document::line(&mut io::stdout().lock(), &event)));
        }
    }
}

/// Writes the report in the format that was chosen.
fn write_report(
    out: &mut impl Write,
    report: &Report,
    format: Format,
    width: Option<u16>,
    paint: &Paint,
) -> io::Result<()> {
    let text = match (format, report.kind) {
        (Format::Json, _) => return document::json(out, report),
        (Format::Yaml, _) => return document::yaml(out, report),
        (Format::Ndjson, _) => return document::line(out, report),
        (Format::Name, _) => reconcile::names(report),
        (Format::Table, Kind::ReconcileReport) => reconcile::overview(report, width, paint),
        (Format::Wide, Kind::ReconcileReport) => reconcile::each(report, width, paint),
        (Format::Table | Format::Wide, Kind::ExplainReport) => String::new(),
        (Format::Table | Format::Wide, Kind::VersionReport) => version::versions(report, width, paint),
    };
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Width of the screen that stdout is; `None` for a pipe, where nothing is wrapped.
fn terminal_width() -> Option<u16> {
    let stdout = io::stdout();
    let width = || terminal_size::terminal_size_of(&stdout).map_or(SCREEN, |(width, _)| width.0.max(SCREEN));
    stdout.is_terminal().then(width)
}

/// Answers a command line that clap did not take, or that asked for help.
pub(crate) fn usage(answer: &clap::Error) -> Exit {
    // Where the stream is gone, nobody is left to be told.
    drop(answer.print());
    if answer.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// The last resort: a failure outside every report.
pub(crate) fn unexpected(error: &anyhow::Error) {
    drop(writeln!(io::stderr().lock(), "error: {error:#}\nhint: try again; if it stays, report it with this message"));
}

#[cfg(test)]
#[path = "output/tests.rs"]
mod tests;
