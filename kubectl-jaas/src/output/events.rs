//! The screens of `events` and `history`. Pure.

use jiff::Timestamp;

use super::screen::Screen;
use super::table::Table;
use crate::age::age;
use crate::size::words;
use crate::view::{EventView, History};

/// Characters of a revision that tell it from others: the algorithm and 12 digits.
const SHORT: usize = 19;

/// One row for each event, newest last.
pub(super) fn events(events: &[EventView], is_wide: bool, now: Timestamp) -> Screen {
    let header: &[_] = if is_wide {
        &["TIME", "TYPE", "REASON", "COUNT", "KIND", "OBJECT", "MESSAGE"]
    } else {
        &["AGE", "REASON", "OBJECT", "MESSAGE"]
    };
    let mut table = Table::new(header);
    for event in events {
        let gone = if event.deleted == Some(true) { " (deleted)" } else { "" };
        // Only of snippets the kind goes without saying.
        let kind = match event.kind.as_str() {
            "JsonnetSnippet" => String::new(),
            kind => format!("{} ", kind.to_lowercase()),
        };
        let kind = if is_wide { String::new() } else { kind };
        let object = format!("{kind}{}/{}{gone}", event.namespace, event.name);
        if is_wide {
            table.row([
                event.time.to_string(),
                event.severity.clone(),
                event.reason.clone(),
                event.count.to_string(),
                event.kind.clone(),
                object,
                event.message.clone(),
            ]);
        } else {
            table.row([age(Some(event.time), now), event.reason.clone(), object, event.message.clone()]);
        }
    }
    let mut screen = Screen::default();
    screen.table(table);
    screen
}

/// One row for each revision, newest first.
pub(super) fn revisions(history: &History, is_wide: bool, now: Timestamp) -> Screen {
    let mut table = Table::new(&["REVISION", "STATE", "AGE", "ANNOUNCED", "SIZE"]);
    for it in &history.revisions {
        let revision = if is_wide { it.revision.clone() } else { it.revision.chars().take(SHORT).collect() };
        table.row([
            revision,
            it.state.to_owned(),
            age(Some(it.time), now),
            if it.announced { "yes" } else { "" }.to_owned(),
            it.size.and_then(|bytes| u64::try_from(bytes).ok()).map(words).unwrap_or_default(),
        ]);
    }
    let mut screen = Screen::default();
    screen.facts([("kept", format!("at most {} (spec.history)", history.limit))]);
    screen.table(table);
    screen
}
