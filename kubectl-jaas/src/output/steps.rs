//! The screen of commands that act in steps. Pure.

use super::screen::Screen;
use super::table::Table;
use crate::view::{Step, StepState};

/// One row for each step.
pub(super) fn steps(steps: &[Step], is_ascii: bool) -> Screen {
    let mut table = Table::new(&["", "STEP", "WHAT", "SECONDS"]);
    for step in steps {
        table.row([
            mark(step.state, is_ascii).to_owned(),
            step.name.to_owned(),
            step.what.clone(),
            step.seconds.map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
        ]);
    }
    let mut screen = Screen::default();
    screen.table(table);
    screen
}

fn mark(state: StepState, is_ascii: bool) -> &'static str {
    match (state, is_ascii) {
        (StepState::Ok, false) => "√",
        (StepState::Ok, true) => "ok",
        (StepState::Warning, false) => "‼",
        (StepState::Warning, true) => "warn",
        (StepState::Failed, false) => "×",
        (StepState::Failed, true) => "fail",
        (StepState::Unknown, _) => "?",
        (StepState::Planned, _) => "-",
    }
}
