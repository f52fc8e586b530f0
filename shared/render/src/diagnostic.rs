//! Writes an error of the engine for people.

use jrsonnet_evaluator::analyze::Diagnostic;
use jrsonnet_evaluator::error::ErrorKind;
use jrsonnet_evaluator::{Error, Span, StackTraceElement};

/// How many frames are shown; of a longer chain the ends are, which is where the cause and the caller are.
const SHOWN_FRAMES: usize = 20;

/// The length of a diagnostic in bytes, at most. Programs choose their messages, and a diagnostic ends up in an object
/// of the cluster.
const LONGEST: usize = 16 * 1024;

const INDENT: &str = "\n    ";

/// The message, and below it `file:line:column` and description of each frame, innermost first; `label` stands for the
/// place of an error that has none.
pub(crate) fn describe(error: &Error, label: &str) -> String {
    let (mut text, mut lines) = match error.error() {
        ErrorKind::StaticAnalysisError(findings) => {
            ("static analysis failed".to_owned(), findings.iter().map(finding).collect())
        }
        // A comprehension over an array that is written out is evaluated anew where it fails, and forgets the cause meanwhile.
        ErrorKind::InfiniteRecursionDetected => (
            "infinite recursion detected, or an element of an array that a comprehension goes over fails".to_owned(),
            Vec::new(),
        ),
        message => (message.to_string(), Vec::new()),
    };
    lines.extend(error.trace().0.iter().map(frame));
    // A recursion repeats its frame.
    lines.dedup();
    let placed = lines.iter().any(|line| line.placed);
    truncate(&mut text, LONGEST / 2);
    let hidden = lines.len().saturating_sub(SHOWN_FRAMES);
    let middle = SHOWN_FRAMES / 2..SHOWN_FRAMES / 2 + hidden;
    for (at, line) in lines.iter().enumerate() {
        if !middle.contains(&at) {
            text.push_str(INDENT);
            text.push_str(&line.text);
        } else if at == middle.start {
            text.push_str(&format!("{INDENT}… {hidden} more …"));
        }
    }
    if !placed {
        text.push_str(&format!("{INDENT}in {label}"));
    }
    truncate(&mut text, LONGEST);
    text
}

#[derive(PartialEq)]
struct Line {
    text: String,
    placed: bool,
}

fn finding(finding: &Diagnostic) -> Line {
    line(finding.span.as_ref(), &finding.message)
}

fn frame(frame: &StackTraceElement) -> Line {
    match frame.desc.as_str() {
        // Said of the entry file too, and the message has said that it is about syntax.
        "parse imported" => line(frame.location.as_ref(), "here"),
        description => line(frame.location.as_ref(), description),
    }
}

fn line(span: Option<&Span>, description: &str) -> Line {
    Line {
        text: span.map_or_else(|| description.to_owned(), |span| format!("{}: {description}", place(span))),
        placed: span.is_some(),
    }
}

/// Shortens `text` to at most `length` bytes and the mark that something is missing.
fn truncate(text: &mut String, length: usize) {
    if text.len() > length {
        text.truncate(text.floor_char_boundary(length));
        text.push('…');
    }
}

/// `file:line:column` of the start of a span. Lines and columns count from one, columns in characters.
fn place(Span(source, start, _): &Span) -> String {
    let code = source.code();
    let start = usize::try_from(*start).unwrap_or(usize::MAX);
    let before = &code[..code.floor_char_boundary(start)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    format!("{}:{line}:{column}", source.source_path())
}
