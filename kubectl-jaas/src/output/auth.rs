//! The screen of `auth`. Pure.

use super::screen::Screen;
use super::table::Table;
use crate::view::Right;

/// One row for each right; of all commands only those that are missing, unless `wide` shows all.
pub(super) fn rights(rights: &[Right], is_wide: bool) -> Screen {
    let is_of_one = rights.windows(2).all(|pair| pair[0].command == pair[1].command);
    let is_meant = |right: &&Right| is_wide || is_of_one || right.allowed != Some(true);
    let mut table = Table::new(&["COMMAND", "VERB", "RESOURCE", "WHERE", "HAVE"]);
    for right in rights.iter().filter(is_meant) {
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
    let mut screen = Screen::default();
    screen.table(table);
    screen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::style::Paint;

    #[test]
    fn of_many_commands_only_what_is_missing_is_shown_unless_all_is_wanted() {
        let right = |command: &str, verb: &str, allowed| Right {
            command: command.to_owned(),
            verb: verb.to_owned(),
            resource: "pods".to_owned(),
            namespace: "a".to_owned(),
            name: String::new(),
            optional: false,
            allowed: Some(allowed),
        };
        let all = [right("restart", "get", true), right("restart", "patch", false), right("wait", "list", true)];
        let shown = |all: &[Right], is_wide| rights(all, is_wide).render(None, &Paint::default());
        assert_eq!(shown(&all, false).lines().count(), 2);
        assert_eq!(shown(&all, true).lines().count(), 4);
        assert_eq!(shown(&all[..2], false).lines().count(), 3);
        assert_eq!(shown(&[right("a", "get", true), right("b", "get", true)], false), "");
    }
}
