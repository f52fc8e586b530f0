//! Lays out a page of the documentation for a terminal. Pure.

/// Indent of what belongs to the line before.
const BELOW: &str = "  ";

/// The page within that width. Command lines are only broken where a shell takes them up again; a word that is wider than the screen stays
/// whole.
pub(super) fn fit(page: &str, width: usize) -> String {
    let page = linked(page);
    let mut laid = String::new();
    let mut paragraph = String::new();
    let (mut fence, mut is_in_table) = (None, false);
    for line in page.lines() {
        let is_head = line.starts_with('|') && !is_in_table;
        is_in_table = line.starts_with('|');
        if let Some(language) = line.strip_prefix("```") {
            flush(&mut laid, &mut paragraph, width);
            fence = if fence.is_some() { None } else { Some(language.to_owned()) };
            continue;
        }
        match &fence {
            Some(language) if language == "sh" => laid.push_str(&command(&format!("{BELOW}{line}"), width)),
            Some(_) => laid.push_str(&wrap(&format!("{BELOW}{line}"), width, BELOW)),
            None if line.starts_with('|') => {
                flush(&mut laid, &mut paragraph, width);
                if !is_head {
                    laid.push_str(&row(line, width));
                }
            }
            None if line.is_empty() || line.starts_with(['#', '-']) => {
                flush(&mut laid, &mut paragraph, width);
                if line.starts_with('-') {
                    line.clone_into(&mut paragraph);
                } else {
                    laid.push_str(&format!("{}\n", line.trim_start_matches(['#', ' '])));
                }
            }
            None => {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(line.trim_start());
            }
        }
    }
    flush(&mut laid, &mut paragraph, width);
    laid
}

/// The page with `[words](place)` as `words (place)`: a page beside this one is named from the root of the repository.
fn linked(page: &str) -> String {
    let mut parts = page.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let link = part.split_once(')').filter(|(place, _)| place.contains(".md") || place.starts_with("http"));
        match (link, text.rfind('[')) {
            (Some((place, rest)), Some(open)) => {
                text.remove(open);
                let place = match place.strip_prefix("../") {
                    Some(place) => format!("docs/{place}"),
                    None if place.starts_with("http") => place.to_owned(),
                    None => format!("docs/reasons/{place}"),
                };
                text.push_str(&format!(" ({place}){rest}"));
            }
            _ => text.push_str(&format!("]({part}")),
        }
    }
    text
}

fn flush(laid: &mut String, paragraph: &mut String, width: usize) {
    if !paragraph.is_empty() {
        let below = if paragraph.starts_with('-') { BELOW } else { "" };
        laid.push_str(&wrap(paragraph, width, below));
        paragraph.clear();
    }
}

/// A row of a table as an entry of a list; the line below its header says nothing there.
fn row(line: &str, width: usize) -> String {
    let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let is_rule = cells.iter().all(|cell| cell.chars().all(|character| matches!(character, '-' | ' ' | '|')));
    match cells.split_first() {
        Some((first, rest)) if !is_rule && !rest.is_empty() => {
            wrap(&format!("- {first}: {}", rest.join("; ")), width, BELOW)
        }
        _ => String::new(),
    }
}

/// Breaks a line at its spaces. What it begins with, and `below` besides, stands before each further line.
pub(super) fn wrap(line: &str, width: usize, below: &str) -> String {
    let text = line.trim_start();
    let indent = line.get(..line.len() - text.len()).unwrap_or_default();
    broken(text.split(' '), indent, &format!("{indent}{below}"), width, "")
}

/// A command line, broken at spaces outside of quotes, so that a shell takes it up again.
fn command(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return format!("{line}\n");
    }
    let mut quote = None;
    let text = line.trim_start();
    let indent = line.get(..line.len() - text.len()).unwrap_or_default();
    let words = text.split(|character: char| {
        quote = match (quote, character) {
            (None, '\'' | '"') => Some(character),
            (Some(open), character) if open == character => None,
            (quote, _) => quote,
        };
        character == ' ' && quote.is_none()
    });
    broken(words, indent, &format!("{indent}{BELOW}"), width, " \\")
}

/// Words on lines, each but the last of which has `end`.
fn broken<'a>(words: impl Iterator<Item = &'a str>, first: &str, further: &str, width: usize, end: &str) -> String {
    let length = |text: &str| text.chars().count();
    let (mut laid, mut line, mut is_first_word) = (String::new(), first.to_owned(), true);
    for word in words {
        let fits = length(&line) + 1 + length(word) + length(end) <= width;
        if !is_first_word && !fits {
            laid.push_str(&format!("{}{end}\n", line.trim_end()));
            further.clone_into(&mut line);
        } else if !is_first_word {
            line.push(' ');
        }
        line.push_str(word);
        is_first_word = false;
    }
    format!("{laid}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_rows_and_messages_are_wrapped() {
        let page = "# Head\n\none two\nthree four five\n\n| message | cause |\n| --- | --- |\n| `a` | why it is so |\n\n- one two three four\n";
        let expected = "Head\n\none two three\nfour five\n\n- `a`: why it\n  is so\n\n- one two three\n  four\n";
        assert_eq!(fit(page, 15), expected);
        assert_eq!(fit("```text\n  a long message\n```\n", 10), "    a long\n      message\n");
    }

    #[test]
    fn links_name_the_file_in_the_repository() {
        let page = "See [Outputs](../outputs.md#x), [b](c.md) and [this](https://a/b).\n";
        assert_eq!(fit(page, 80), "See Outputs (docs/outputs.md#x), b (docs/reasons/c.md) and this (https://a/b).\n");
        assert_eq!(fit("an array[0](x)\n", 80), "an array[0](x)\n");
    }

    #[test]
    fn a_command_stays_one_command() {
        let page = "```sh\nkubectl patch it -p '{\"a\": 1}'\n```\n";
        assert_eq!(fit(page, 20), "  kubectl patch it \\\n    -p '{\"a\": 1}'\n");
        assert_eq!(fit("```sh\nlog x | grep 'a b c'\n```\n", 16), "  log x | grep \\\n    'a b c'\n");
        assert_eq!(fit("```sh\nkubectl get it\n```\n", 20), "  kubectl get it\n");
    }

    #[test]
    fn a_word_that_is_too_wide_stays_whole() {
        assert_eq!(wrap("https://example.org/long x", 10, ""), "https://example.org/long\nx\n");
    }
}
