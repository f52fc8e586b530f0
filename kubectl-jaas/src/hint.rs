//! Sentences and command lines that say what to do next. Pure.

use std::fmt::Display;

use crate::snippet::Key;

/// Flags whose value must not be repeated on a screen.
const SECRET_FLAG: &str = "--token";
/// How many names a command line may carry before naming them helps nobody.
const NAMES_LIMIT: usize = 5;

/// The command line that was typed, quoted for a shell, without secrets.
pub(crate) fn same_command(arguments: impl IntoIterator<Item = String>) -> String {
    let mut line = String::from("kubectl jaas");
    let mut is_secret = false;
    for argument in arguments {
        line.push(' ');
        if is_secret {
            line.push_str("TOKEN");
        } else if argument.strip_prefix(SECRET_FLAG).is_some_and(|rest| rest.starts_with('=')) {
            line.push_str("--token=TOKEN");
        } else {
            line.push_str(&quote(&argument));
        }
        is_secret = !is_secret && argument == SECRET_FLAG;
    }
    line
}

fn quote(argument: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+".contains(character);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// How to resume suspended snippets: at most a few command lines.
pub(crate) fn resume(keys: &[Key]) -> String {
    let lines = keys
        .iter()
        .take(NAMES_LIMIT)
        .map(|Key { namespace, name }| format!("  kubectl jaas resume {name} -n {namespace}"));
    let more = keys.len().saturating_sub(NAMES_LIMIT);
    let mut text = format!(
        "a suspended snippet is not rendered; resume it, which renders it at once:\n{}",
        lines.collect::<Vec<_>>().join("\n")
    );
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    text.push_str(
        "\n  or ask all the same, with --include-suspended: the operator only confirms that it got the request",
    );
    text
}

/// How many of something, whose plural ends with s.
pub(crate) fn count(number: impl Display, thing: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A few names for a sentence.
pub(crate) fn few(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_LIMIT).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_LIMIT) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Why requests stay without an answer, most likely.
pub(crate) fn unanswered(n_answered: usize) -> String {
    let look = "kubectl jaas status";
    match n_answered {
        0 => format!("likely the operator does not run, or does not watch this namespace; look: {look}"),
        _ => format!("the operator answers but has not come to all; wait longer with --timeout, or look: {look}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> String {
        same_command(arguments.iter().map(|it| (*it).to_owned()))
    }

    #[test]
    fn a_repeated_command_line_is_quoted_and_holds_no_secret() {
        assert_eq!(line(&["reconcile", "--all", "-n", "team-a"]), "kubectl jaas reconcile --all -n team-a");
        assert_eq!(line(&["reconcile", "-l", "a in (b, c)"]), "kubectl jaas reconcile -l 'a in (b, c)'");
        assert_eq!(line(&["--token", "s3cret", "version"]), "kubectl jaas --token TOKEN version");
        assert_eq!(line(&["--token=s3cret", "version"]), "kubectl jaas --token=TOKEN version");
        assert_eq!(line(&["--token", "--token", "version"]), "kubectl jaas --token TOKEN version");
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|number| count(number, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn many_names_are_counted() {
        let names: Vec<_> = (0..7).map(|n| n.to_string()).collect();
        assert_eq!(few(&names), "`0`, `1`, `2`, `3`, `4` and 2 more");
        assert_eq!(few(&names[..1]), "`0`");
    }
}
