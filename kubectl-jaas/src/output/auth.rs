//! The screen of `auth`. Pure.

use super::screen::Screen;
use super::table::Table;
use crate::view::Right;

/// One row for each right.
pub(super) fn rights(rights: &[Right]) -> Screen {
    let mut table = Table::new(&["COMMAND", "VERB", "RESOURCE", "WHERE", "HAVE"]);
    for right in rights {
        let have = match (right.allowed, right.optional) {
            (Some(true), _) => "yes",
            (Some(false), true) => "no (in part)",
            (Some(false), false) => "no",
            (None, _) => "unknown",
        };
        let place = if right.namespace.is_empty() { "everywhere".to_owned() } else { right.namespace.clone() };
        let what =
            if right.name.is_empty() { right.resource.clone() } else { format!("{} {}", right.resource, right.name) };
        table.row([right.command.clone(), right.verb.clone(), what, place, have.to_owned()]);
    }
    Screen::of(table)
}
