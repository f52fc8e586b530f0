//! The screen of `version`. Pure.

use super::screen::Screen;
use super::table::Table;
use crate::view::Report;

/// One row for each component.
pub(super) fn versions(report: &Report) -> Screen {
    let mut table = Table::new(&["COMPONENT", "VERSION", "DETAIL"]);
    for component in &report.components {
        // A person reads the reason right where the version would be.
        let version = if component.version == "unknown" { "unknown:".to_owned() } else { component.version.clone() };
        table.row([component.name.to_owned(), version, component.detail.clone()]);
    }
    let mut screen = Screen::default();
    screen.table(table);
    screen
}
