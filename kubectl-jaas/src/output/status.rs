//! The screen of `status`. Pure.

use jiff::Timestamp;

use super::leader;
use super::screen::Screen;
use super::table::Table;
use crate::age::age;
use crate::snippet::State;
use crate::view::{Artifacts, OperatorView, SnippetView, Status};

/// Snippets that a screen shows; `wide` shows all.
const LIMIT: usize = 20;
/// Longest message in a row of a screen, in characters.
const MESSAGE: usize = 200;

/// Operator, leader, counts, and what needs a look.
pub(super) fn overview(status: &Status, is_wide: bool, now: Timestamp) -> Screen {
    let mut screen = Screen::default();
    let operator = status.operator.as_ref();
    let leader = status.leader.as_ref();
    screen.facts([
        ("operator", operator.map(deployment).unwrap_or_default()),
        ("trouble", operator.map(|operator| operator.troubles.join("; ")).unwrap_or_default()),
        ("leader", leader.map(|leader| leader::sentence(leader, now)).unwrap_or_default()),
        ("store", operator.map(|operator| operator.store.clone()).unwrap_or_default()),
        ("artifacts", status.artifacts.as_ref().map(artifacts).unwrap_or_default()),
        ("unknown", status.unknown.join("; ")),
    ]);
    screen.table(counts(status));
    screen.table(snippets(&status.snippets, is_wide, now));
    screen
}

fn deployment(operator: &OperatorView) -> String {
    let OperatorView { namespace, name, version, ready, wanted, restarts, .. } = operator;
    let version = version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let restarts = restarts.map(|count| format!("   restarts {count}")).unwrap_or_default();
    format!("{namespace}/{name}{version}   {ready}/{wanted} ready{restarts}")
}

fn artifacts(artifacts: &Artifacts) -> String {
    match artifacts.wrong.as_slice() {
        [] => format!("{} announced", artifacts.announced),
        wrong => {
            let more = wrong.len().saturating_sub(3);
            let shown = wrong.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("{} announced, {} missing or of another revision: {shown}{rest}", artifacts.announced, wrong.len())
        }
    }
}

fn counts(status: &Status) -> Table {
    let total: usize = status.counts.values().sum();
    let mut header = vec!["SNIPPETS"];
    let mut row = vec![total.to_string()];
    for state in State::ALL {
        let count = status.counts.get(state.word()).copied().unwrap_or(0);
        if count > 0 || matches!(state, State::Ready | State::Failed) {
            header.push(heading(state));
            row.push(count.to_string());
        }
    }
    let mut table = Table::new(&header);
    table.row(row);
    table
}

fn heading(state: State) -> &'static str {
    match state {
        State::Ready => "READY",
        State::Failed => "FAILED",
        State::Unanswered => "UNANSWERED",
        State::Stale => "STALE",
        State::Pending => "PENDING",
        State::Suspended => "SUSPENDED",
        State::Terminating => "TERMINATING",
    }
}

/// The first line of a message; one that only announces the next line, with that one.
fn first_sentence(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.next() {
        Some(next) if first.ends_with(':') => format!("{first} {next}"),
        _ => first.to_owned(),
    }
    .trim_end_matches(':')
    .to_owned()
}

/// The message without what says where to read on: what to type stands below the table.
fn without_pointer(message: &str) -> &str {
    let end = message.rfind(" (runbook: ").or(message.rfind(" (kubectl jaas explain "));
    end.filter(|_| message.ends_with(')')).and_then(|end| message.get(..end)).unwrap_or(message)
}

/// As much as a row has room for; a cut is marked, and no punctuation stands where it is.
fn cut(text: &str) -> String {
    let text = text.trim_end_matches([':', ' ']);
    if text.chars().count() <= MESSAGE {
        return text.to_owned();
    }
    let whole: String = text.chars().take(MESSAGE - 1).collect();
    format!("{}…", whole.trim_end_matches([':', ';', ',', ' ']))
}

/// A message of the store with its cause before the long path that it begins with: "writing `PATH`: CAUSE" is "CAUSE, writing PATH".
fn cause_first(message: &str) -> String {
    let parts = message.split_once('`').and_then(|(operation, rest)| {
        let (path, cause) = rest.split_once("`: ")?;
        let cause = cause.trim_end_matches(':');
        (operation.split_whitespace().count() <= 2).then(|| format!("{cause}, {operation}{path}"))
    });
    parts.unwrap_or_else(|| message.to_owned())
}

fn snippets(snippets: &[SnippetView], is_wide: bool, now: Timestamp) -> Table {
    if is_wide {
        let mut table = Table::new(&["NAMESPACE", "NAME", "STATE", "SINCE", "REASON", "REVISION", "MESSAGE"]);
        for it in snippets {
            table.row([
                it.namespace.clone(),
                it.name.clone(),
                it.state.word().to_owned(),
                age(it.since, now),
                it.reason.clone(),
                it.revision.clone().unwrap_or_default(),
                it.message.clone(),
            ]);
        }
        return table;
    }
    let mut table = Table::new(&["SNIPPET", "STATE", "SINCE", "REASON"]);
    for it in snippets.iter().take(LIMIT) {
        let message = cause_first(&first_sentence(without_pointer(&it.message)));
        let reason = cut(format!("{} {message}", it.reason).trim());
        table.row([format!("{}/{}", it.namespace, it.name), it.state.word().to_owned(), age(it.since, now), reason]);
    }
    if let Some(more) = snippets.len().checked_sub(LIMIT).filter(|more| *more > 0) {
        table.row([format!("and {more} more"), String::new(), String::new(), "-o wide lists each".to_owned()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_never_ends_with_a_colon() {
        let cases = [
            ("runtime error: no\n  at main.jsonnet:1", "runtime error: no"),
            ("these are no objects:\n  - a has no kind\n", "these are no objects: - a has no kind"),
            ("runtime error:", "runtime error"),
            ("", ""),
        ];
        for (message, expected) in cases {
            assert_eq!(first_sentence(message), expected);
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_cut_and_ends_with_no_colon() {
        let long = format!("{} free on the volume): {}", "x".repeat(MESSAGE - 22), "y".repeat(30));
        assert!(cut(&long).ends_with("free on the volume)…"), "{}", cut(&long));
        assert!(cut(&long).chars().count() <= MESSAGE);
        assert_eq!(cut("free on the volume):"), "free on the volume)");
        let told = "the volume is full (kubectl jaas explain StorageFull)";
        assert_eq!((without_pointer(told), without_pointer("a (b)")), ("the volume is full", "a (b)"));
    }

    #[test]
    fn the_cause_comes_before_the_path() {
        let told = "writing `/var/lib/jaas/artifacts/demo/web/sha256-6876.tar.gz`: the volume is full; enlarge it (needs 4 KiB)";
        assert_eq!(
            cause_first(told),
            "the volume is full; enlarge it (needs 4 KiB), writing /var/lib/jaas/artifacts/demo/web/sha256-6876.tar.gz"
        );
        for other in ["main.jsonnet:1:1: no such variable `x`: look", "`web`", "no path at all"] {
            assert_eq!(cause_first(other), other);
        }
    }
}
