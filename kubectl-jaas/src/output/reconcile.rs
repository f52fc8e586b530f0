//! The screens of commands that act on many snippets. Pure.

use std::collections::BTreeMap;

use super::screen::Screen;
use super::table::Table;
use crate::view::{Kind, Report, Target, TargetOutcome};

/// How an object is written so that kubectl takes it back.
const KIND: &str = "jsonnetsnippet.jaas.metio.wtf";

/// Counts, then whatever is not as wanted, grouped by reason and message.
pub(super) fn overview(report: &Report) -> Screen {
    let mut screen = Screen::default();
    if !report.targets.is_empty() {
        screen.table(counts(report));
        screen.table(problems(&report.targets));
    }
    screen
}

/// One row for each snippet.
pub(super) fn each(report: &Report) -> Screen {
    let mut table = Table::new(&["NAMESPACE", "NAME", "OUTCOME", "REASON", "SECONDS", "MESSAGE"]);
    for target in &report.targets {
        table.row([
            target.object.namespace.clone(),
            target.object.name.clone(),
            target.outcome.word().to_owned(),
            target.reason.clone(),
            target.seconds.map(|seconds| format!("{seconds:.3}")).unwrap_or_default(),
            target.message.clone(),
        ]);
    }
    let mut screen = Screen::default();
    screen.table(table);
    screen
}

/// The names of those that were asked, or would be.
pub(super) fn names(report: &Report) -> String {
    let asked = report.targets.iter().filter(|target| match target.outcome {
        TargetOutcome::Skipped => false,
        TargetOutcome::Suspended => target.seconds.is_some(),
        _ => true,
    });
    asked.map(|target| name(&target.object.name)).collect()
}

/// A snippet as kubectl takes it.
pub(super) fn name(name: &str) -> String {
    format!("{KIND}/{name}\n")
}

fn counts(report: &Report) -> Table {
    let mut header = vec!["SNIPPETS"];
    let mut row = vec![report.targets.len().to_string()];
    for outcome in TargetOutcome::ALL {
        let count = report.targets.iter().filter(|target| target.outcome == outcome).count();
        let always: &[_] = match report.kind {
            Kind::SuspendReport => &[TargetOutcome::Failed],
            _ => &[TargetOutcome::Synced, TargetOutcome::Failed],
        };
        if count > 0 || always.contains(&outcome) {
            header.push(heading(outcome));
            row.push(count.to_string());
        }
    }
    for (heading, name) in [("SECONDS", "seconds"), ("PER SECOND", "answersPerSecond")] {
        if let Some(figure) = report.figures.get(name) {
            header.push(heading);
            row.push(format!("{figure:.1}"));
        }
    }
    let mut table = Table::new(&header);
    table.row(row);
    table
}

fn heading(outcome: TargetOutcome) -> &'static str {
    match outcome {
        TargetOutcome::Synced => "SYNCED",
        TargetOutcome::Failed => "FAILED",
        TargetOutcome::Unanswered => "UNANSWERED",
        TargetOutcome::Suspended => "SUSPENDED",
        TargetOutcome::Changed => "CHANGED",
        TargetOutcome::Unchanged => "UNCHANGED",
        TargetOutcome::Skipped => "SKIPPED",
        TargetOutcome::Removed => "REMOVED",
        TargetOutcome::Asked => "ASKED",
        TargetOutcome::WouldChange => "WOULD CHANGE",
        TargetOutcome::Unknown => "UNKNOWN",
    }
}

/// Many snippets often fail for one reason; it is said once, with one of them to look at.
fn problems(targets: &[Target]) -> Table {
    let mut groups: BTreeMap<(&str, &str), Vec<&Target>> = BTreeMap::new();
    for target in targets {
        let is_fine = match target.outcome {
            TargetOutcome::Synced | TargetOutcome::Asked | TargetOutcome::WouldChange => true,
            TargetOutcome::Changed | TargetOutcome::Unchanged => true,
            TargetOutcome::Failed | TargetOutcome::Unanswered | TargetOutcome::Suspended => false,
            TargetOutcome::Skipped | TargetOutcome::Removed | TargetOutcome::Unknown => false,
        };
        if !is_fine {
            groups.entry((&target.reason, &target.message)).or_default().push(target);
        }
    }
    let mut table = Table::new(&["REASON", "COUNT", "FIRST", "MESSAGE"]);
    for ((reason, message), targets) in groups {
        let first = targets.first().map(|target| target.path()).unwrap_or_default();
        table.row([reason.to_owned(), targets.len().to_string(), first, message.to_owned()]);
    }
    table
}
