//! Tables as kubectl draws them: upper-case headers, no lines. Pure.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table as Layout};

use super::style::Paint;

/// Gap between two columns.
const GAP: u16 = 2;

/// A table before it is laid out.
#[derive(Clone, Debug)]
pub(super) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Names and values without a header.
    pub(super) fn facts(facts: &[(&'static str, String)]) -> Self {
        let rows = facts.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
        Self { header: Vec::new(), rows }
    }

    /// Whether it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As a table of Markdown.
    pub(super) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let cells = |row: &Vec<String>| row.iter().map(|cell| one_line(cell).replace('|', "\\|")).collect();
        let mut text = line(self.header.iter().map(|cell| (*cell).to_owned()).collect());
        text.push_str(&line(self.header.iter().map(|_| "---".to_owned()).collect()));
        text.extend(self.rows.iter().map(|row| line(cells(row))));
        text
    }

    /// Lays it out: wrapped to a screen of that width, or for a pipe one line a row with nothing wrapped or cut.
    pub(super) fn render(&self, width: Option<u16>, paint: &Paint) -> String {
        let text = match width {
            Some(width) => self.wrapped(width),
            None => self.plain(),
        };
        if self.header.is_empty() {
            return format!("{text}\n");
        }
        let (header, rows) = text.split_once('\n').unwrap_or((&text, ""));
        let mut painted = paint.header(header);
        painted.push('\n');
        if !rows.is_empty() {
            painted.push_str(rows);
            painted.push('\n');
        }
        painted
    }

    fn wrapped(&self, width: u16) -> String {
        let mut layout = Layout::new();
        layout.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        if !self.header.is_empty() {
            layout.set_header(self.header.clone());
        }
        for row in &self.rows {
            layout.add_row(row.clone());
        }
        let last = self.width().saturating_sub(1);
        for (index, column) in layout.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { GAP }));
        }
        layout.trim_fmt()
    }

    fn width(&self) -> usize {
        self.rows.first().map_or(self.header.len(), Vec::len)
    }

    fn plain(&self) -> String {
        let header: Vec<_> = self.header.iter().map(|cell| (*cell).to_owned()).collect();
        let header = (!header.is_empty()).then_some(header);
        let rows: Vec<Vec<String>> = header
            .into_iter()
            .chain(self.rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()))
            .collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.width()).map(width).collect();
        let lines = rows.iter().map(|row| {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join(&" ".repeat(usize::from(GAP))).trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// One record is one line for whoever reads a pipe.
fn one_line(cell: &str) -> String {
    cell.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["REASON", "COUNT", "MESSAGE"]);
        let message = "main.jsonnet:14:3 field does not exist: replicas\n  in the library that was imported as web";
        table.row(["EvaluationFailed".to_owned(), "2".to_owned(), message.to_owned()]);
        table.row(["RBACDenied".to_owned(), "1".to_owned(), "no".to_owned()]);
        table
    }

    #[test]
    fn a_pipe_gets_one_line_a_row() {
        assert_eq!(
            table().render(None, &Paint::default()),
            "REASON            COUNT  MESSAGE\n\
             EvaluationFailed  2      main.jsonnet:14:3 field does not exist: replicas | in the library that was imported as web\n\
             RBACDenied        1      no\n"
        );
    }

    #[test]
    fn a_screen_gets_wrapped_cells() {
        let text = table().render(Some(60), &Paint::default());
        assert!(text.starts_with("REASON            COUNT  MESSAGE\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains("RBACDenied        1      no\n"), "{text}");
    }

    #[test]
    fn a_table_without_rows_is_its_header() {
        assert_eq!(Table::new(&["A", "B"]).render(None, &Paint::default()), "A  B\n");
    }
}
