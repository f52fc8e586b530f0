//! The screen of `diff`. Pure.

use serde_json::Value;

use super::screen::Screen;
use super::table::Table;
use crate::view::{Difference, Side};

/// Characters of a value that a screen shows.
const LIMIT: usize = 60;

/// What is compared, values that differ, then lines that differ.
pub(super) fn differences(found: &Difference, is_wide: bool) -> Screen {
    let mut screen = Screen::default();
    screen.facts([("old", side(&found.old, is_wide)), ("new", side(&found.new, is_wide))]);
    let mut table = Table::new(&["FILE", "AT", "OLD", "NEW"]);
    for file in &found.files {
        for change in &file.values {
            let at = if change.at.is_empty() { "/" } else { &change.at };
            let values = [&change.old, &change.new].map(|value| shown(value.as_ref(), is_wide));
            table.row([file.path.clone(), at.to_owned()].into_iter().chain(values));
        }
    }
    screen.table(table);
    let mut table = Table::new(&["FILE", "CHANGE"]);
    for file in found.files.iter().filter(|file| file.values.is_empty()) {
        table.row([file.path.clone(), file.change.word().to_owned()]);
    }
    screen.table(table);
    for file in found.files.iter().filter(|file| !file.text.is_empty()) {
        screen.drawing(file.text.trim_end().to_owned());
    }
    screen
}

fn side(side: &Side, is_wide: bool) -> String {
    let short = if is_wide { side.revision.len() } else { 19 };
    format!("{}  {}", side.revision.chars().take(short).collect::<String>(), side.what)
}

/// A value as compact JSON; nothing where there is none.
fn shown(value: Option<&Value>, is_wide: bool) -> String {
    let Some(value) = value else { return String::new() };
    let text = value.to_string();
    if is_wide || text.chars().count() <= LIMIT {
        return text;
    }
    format!("{}…", text.chars().take(LIMIT - 1).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::style::Paint;
    use super::*;
    use crate::view::{FileChange, FileDifference, ValueChange};

    fn found() -> Difference {
        let side =
            |what: &str, digit: &str| Side { what: what.to_owned(), revision: format!("sha256:{}", digit.repeat(64)) };
        let value = |at: &str, old, new| ValueChange { at: at.to_owned(), old, new };
        let file = |path: &str, change, values, text: &str| FileDifference {
            path: path.to_owned(),
            change,
            values,
            text: text.to_owned(),
        };
        let values =
            vec![value("/a", Some(json!(1)), Some(json!("x".repeat(100)))), value("", None, Some(json!(null)))];
        let files = vec![
            file("rendered.json", FileChange::Changed, values, ""),
            file("main.jsonnet", FileChange::Changed, Vec::new(), "--- old/main.jsonnet\n+++ new/main.jsonnet\n"),
            file("gone", FileChange::Removed, Vec::new(), ""),
        ];
        let (namespace, name) = ("a".to_owned(), "web".to_owned());
        Difference { namespace, name, old: side("published", "1"), new: side("live spec", "2"), files }
    }

    #[test]
    fn a_screen_shows_values_then_files_then_lines_and_fits() {
        let text = differences(&found(), false).render(Some(80), &Paint::default());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(
            text.starts_with("old  sha256:111111111111  published\nnew  sha256:222222222222  live spec\n"),
            "{text}"
        );
        assert!(text.contains("main.jsonnet  changed\ngone          removed\n\n--- old/main.jsonnet\n"), "{text}");
        assert!(differences(&found(), true).render(None, &Paint::default()).contains(&"x".repeat(100)));
        assert_eq!(found().count(), 4);
    }
}
