//! Shows reports: data on stdout, talk on stderr. Nothing else in the program prints.

mod auth;
mod diff;
mod doctor;
mod document;
mod events;
mod leader;
mod logs;
mod reconcile;
mod render;
mod screen;
mod status;
mod steps;
mod storage;
mod style;
mod table;
mod tree;
mod version;

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write};

use clap::error::{ContextKind, ErrorKind};

use crate::cli::{Format, OutputArgs};
use crate::exit::Exit;
use crate::progress::{Listener, Meter, Progress};
use crate::run::Run;
use crate::view::{Detail, Event, Kind, Proof, ProofEvent, Record, RecordEvent, Report, Target};
use screen::Screen;
use style::{Paint, Tone};

/// Narrowest screen that tables are laid out for.
const SCREEN: u16 = 80;
/// How many commands a screen proposes.
const NEXT: usize = 3;

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
        let shown = write_report(out, report, self.args, terminal_width(), &self.paint);
        let mut lines = Vec::new();
        if self.args.output == Format::Short && matches!(exit, Exit::Done | Exit::Findings) {
            // The sentence is the result itself.
        } else if exit != Exit::Done {
            lines.push(format!("{} {}", self.paint.on_stderr(Tone::Error), report.result.message));
        } else if !self.args.quiet && !report.result.message.is_empty() {
            lines.push(report.result.message.clone());
        }
        if let Some(hint) = &report.result.hint {
            lines.push(format!("{} {hint}", self.paint.on_stderr(Tone::Hint)));
        }
        if !self.args.quiet && self.args.output == Format::Table {
            lines.extend(report.next.iter().take(NEXT).map(|next| format!("next: {}", next.command)));
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
        match writeln!(io::stdout().lock(), "{text}") {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
            written => written.map(|()| Exit::Done),
        }
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

    fn ask(&self, question: &str) {
        let mut err = io::stderr().lock();
        // Where stderr is gone, nobody is left to be asked.
        self.meter.borrow().aside(|| drop(write!(err, "{question} ").and_then(|()| err.flush())));
    }

    fn record(&self, record: &Record, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.args.output {
            Format::Ndjson => document::line(&mut out, &RecordEvent::now(self.run, record)),
            Format::Json | Format::Yaml => Ok(()),
            // A pipe gets the line as it was, for whoever reads it with a program.
            Format::Table | Format::Wide if io::stdout().is_terminal() => {
                let pod = if text.starts_with(&format!("{} ", record.pod)) { &record.pod } else { "" };
                let gap = if pod.is_empty() { "" } else { "  " };
                writeln!(out, "{pod}{gap}{}", logs::line(&record.record)).and_then(|()| out.flush())
            }
            _ => writeln!(out, "{text}").and_then(|()| out.flush()),
        }
    }

    fn proof(&self, proof: &Proof) {
        // A reader that went away is noticed when the document is written.
        self.meter.borrow().aside(|| match self.args.output {
            Format::Ndjson => {
                drop(document::line(&mut io::stdout().lock(), &ProofEvent::now(self.run, proof)));
            }
            Format::Table | Format::Wide => {
                let mut out = io::stdout().lock();
                let line = storage::proof(proof, self.args.ascii, self.args.output == Format::Wide);
                drop(writeln!(out, "{line}").and_then(|()| out.flush()));
            }
            Format::Short | Format::Markdown | Format::Json | Format::Yaml | Format::Name => {}
        });
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
    args: OutputArgs,
    width: Option<u16>,
    paint: &Paint,
) -> io::Result<()> {
    let text = match args.output {
        Format::Json => return document::json(out, report),
        Format::Yaml => return document::yaml(out, report),
        Format::Ndjson => return document::line(out, report),
        Format::Name => names(report),
        Format::Short => short(report),
        Format::Table | Format::Wide if is_plain_text(report) => render::text(report),
        Format::Table | Format::Wide if let Some(text) = storage::text(report) => text.to_owned(),
        Format::Table => screen(report, false, args.ascii).render(width, paint),
        Format::Wide => screen(report, true, args.ascii).render(width, paint),
        Format::Markdown => ticket(report, args.ascii).markdown(),
    };
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether the result is a text that is written as it is.
fn is_plain_text(report: &Report) -> bool {
    matches!(&report.detail, Some(Detail::Rendered(rendered)) if !rendered.text.is_empty())
}

/// What is drawn for people.
fn screen(report: &Report, is_wide: bool, is_ascii: bool) -> Screen {
    let now = report.metadata.started_at;
    match &report.detail {
        Some(Detail::Status(found)) => status::overview(found, is_wide, now),
        Some(Detail::Diagnosis(found)) => doctor::overview(found, report, is_wide),
        Some(Detail::Leader(found)) => leader::facts(found, now),
        Some(Detail::History(found)) => events::revisions(found, is_wide, now),
        Some(Detail::Events(found)) => events::events(found, is_wide, now),
        Some(Detail::Tree(found)) => tree::drawing(found, is_ascii, terminal_width()),
        Some(Detail::Rights(found)) => auth::rights(found, is_wide),
        Some(Detail::Steps(found)) => steps::steps(found, is_ascii),
        Some(Detail::Rendered(found)) => render::figures(found),
        Some(Detail::Difference(found)) => diff::differences(found, is_wide),
        Some(Detail::Store(found)) => storage::screen(found, is_wide),
        // They were shown as they came, or as plain text.
        Some(Detail::Records(_) | Detail::Explanation(_)) => Screen::default(),
        None if report.kind == Kind::VersionReport => version::versions(report),
        None if is_wide => reconcile::each(report),
        None => reconcile::overview(report),
    }
}

/// What stands in a ticket: for a look at an installation also what to type.
fn ticket(report: &Report, is_ascii: bool) -> Screen {
    let mut screen = screen(report, false, is_ascii);
    if matches!(report.detail, Some(Detail::Diagnosis(_))) && !report.next.is_empty() {
        let lines: Vec<_> = report.next.iter().take(NEXT).map(|next| next.command.clone()).collect();
        screen.drawing(lines.join("\n"));
    }
    screen
}

/// The names of objects, as kubectl takes them.
fn names(report: &Report) -> String {
    match &report.detail {
        Some(Detail::Status(found)) => found.snippets.iter().map(|snippet| reconcile::name(&snippet.name)).collect(),
        Some(Detail::Diagnosis(found)) => doctor::names(found),
        Some(Detail::Store(found)) => storage::names(found),
        _ => reconcile::names(report),
    }
}

/// One sentence, and what to type next.
fn short(report: &Report) -> String {
    let mut text = format!("{}\n", report.result.message);
    text.extend(report.next.iter().take(NEXT).map(|next| format!("next: {}\n", next.command)));
    text
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
    if answer.kind() == ErrorKind::MissingRequiredArgument
        && let Some(usage) = answer.get(ContextKind::Usage)
        && let Some(example) = crate::cli::example(&usage.to_string())
    {
        drop(writeln!(io::stderr().lock(), "hint: for example: {example}"));
    }
    if answer.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// Answers a question for completions.
pub(crate) fn completion(text: &str) -> Exit {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Unexpected,
    }
}

/// The last resort: a failure outside every report.
pub(crate) fn unexpected(error: &anyhow::Error) {
    drop(writeln!(io::stderr().lock(), "error: {error:#}\nhint: try again; if it stays, report it with this message"));
}

#[cfg(test)]
#[path = "output/screen_tests.rs"]
mod screen_tests;
#[cfg(test)]
#[path = "output/tests.rs"]
mod tests;
