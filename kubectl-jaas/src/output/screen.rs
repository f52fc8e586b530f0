//! A screen before it is laid out: the same blocks for a terminal, a pipe and a ticket. Pure.

use super::style::Paint;
use super::table::Table;

/// One part of a screen.
#[derive(Clone, Debug)]
enum Block {
    /// Names and values, one a line.
    Facts(Vec<(&'static str, String)>),
    /// Rows under headers.
    Table(Table),
    /// Lines as they are, drawn by hand.
    Drawing(String),
}

/// What a command shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen(Vec<Block>);

impl Screen {
    /// Adds names and values; those without a value are left out.
    pub(super) fn facts(&mut self, facts: impl IntoIterator<Item = (&'static str, String)>) {
        let facts: Vec<_> = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        if !facts.is_empty() {
            self.0.push(Block::Facts(facts));
        }
    }

    /// Adds a table, unless it has no row.
    pub(super) fn table(&mut self, table: Table) {
        if !table.is_empty() {
            self.0.push(Block::Table(table));
        }
    }

    /// Adds lines that are drawn by hand.
    pub(super) fn drawing(&mut self, lines: String) {
        self.0.push(Block::Drawing(lines));
    }

    /// For a screen of that width, or for a pipe where nothing is wrapped.
    pub(super) fn render(&self, width: Option<u16>, paint: &Paint) -> String {
        let blocks = self.0.iter().map(|block| match block {
            Block::Facts(facts) => Table::facts(facts).render(width, &Paint::default()),
            Block::Table(table) => table.render(width, paint),
            Block::Drawing(lines) => format!("{lines}\n"),
        });
        blocks.collect::<Vec<_>>().join("\n")
    }

    /// For a ticket.
    pub(super) fn markdown(&self) -> String {
        let blocks = self.0.iter().map(|block| match block {
            Block::Facts(facts) => {
                facts.iter().map(|(name, value)| format!("- **{name}** {value}\n")).collect::<String>()
            }
            Block::Table(table) => table.markdown(),
            Block::Drawing(lines) => format!("```text\n{lines}\n```\n"),
        });
        blocks.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        let mut screen = Screen::default();
        screen.facts([("operator", "a/jaas".to_owned()), ("store", String::new()), ("leader", "jaas-1".to_owned())]);
        let mut table = Table::new(&["NAME", "WHAT"]);
        table.row(["web".to_owned(), "a | b".to_owned()]);
        screen.table(table);
        screen.table(Table::new(&["EMPTY"]));
        screen.drawing("a\n└─ b".to_owned());
        screen
    }

    #[test]
    fn blocks_stand_apart_and_empty_ones_are_left_out() {
        let expected = "operator  a/jaas\nleader    jaas-1\n\nNAME  WHAT\nweb   a | b\n\na\n└─ b\n";
        assert_eq!(screen().render(None, &Paint::default()), expected);
        assert_eq!(screen().render(Some(80), &Paint::default()), expected);
    }

    #[test]
    fn a_ticket_gets_markdown() {
        let expected = "- **operator** a/jaas\n- **leader** jaas-1\n\n| NAME | WHAT |\n| --- | --- |\n| web | a \\| b |\n\n\
                        ```text\na\n└─ b\n```\n";
        assert_eq!(screen().markdown(), expected);
    }
}
