//! Label selectors as people type them, such as `team=web,stage in (test,live),!old`. Pure.

use kube::core::{Expression, Selector};

/// Longest name of a label, and longest value, in bytes.
const LONGEST: usize = 63;
/// Longest prefix of a label's name, in bytes.
const LONGEST_PREFIX: usize = 253;

/// What is wrong with a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

/// Reads a selector in the form that `kubectl -l` takes; an empty one selects everything. Comparisons of numbers (`<`, `>`) are not
/// supported.
///
/// # Errors
/// [`SelectorError`], which names the part that is wrong.
pub fn parse(text: &str) -> Result<Selector, SelectorError> {
    if text.trim().is_empty() {
        return Ok(Selector::default());
    }
    parts(text)?.into_iter().map(requirement).collect()
}

/// Splits at the commas that stand outside of parentheses.
fn parts(text: &str) -> Result<Vec<&str>, SelectorError> {
    let (mut parts, mut begin, mut inside) = (Vec::new(), 0, false);
    for (index, letter) in text.char_indices() {
        match (letter, inside) {
            ('(', false) => inside = true,
            (')', true) => inside = false,
            ('(' | ')', _) => return Err(SelectorError(format!("a parenthesis too many in {text:?}"))),
            (',', false) => {
                parts.push(&text[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(SelectorError(format!("a parenthesis is not closed in {text:?}")));
    }
    parts.push(&text[begin..]);
    Ok(parts)
}

fn requirement(text: &str) -> Result<Expression, SelectorError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SelectorError("nothing stands before or after a comma".to_owned()));
    }
    if let Some((head, values)) = text.split_once('(') {
        return set(text, head, values);
    }
    if text.contains(['<', '>']) {
        return Err(SelectorError(format!("{text:?} compares numbers, which is not supported; use =, !=, in, notin")));
    }
    if let Some((key, wanted)) = text.split_once("!=") {
        return Ok(Expression::NotEqual(name(key)?, value(wanted)?));
    }
    if let Some((key, wanted)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Expression::Equal(name(key)?, value(wanted)?));
    }
    match text.strip_prefix('!') {
        Some(key) => Ok(Expression::DoesNotExist(name(key)?)),
        None => Ok(Expression::Exists(name(text)?)),
    }
}

fn set(text: &str, head: &str, values: &str) -> Result<Expression, SelectorError> {
    let wrong = || SelectorError(format!("{text:?} must be NAME in (VALUE,…) or NAME notin (VALUE,…)"));
    let values = values.trim_end().strip_suffix(')').ok_or_else(wrong)?;
    if values.trim().is_empty() {
        return Err(wrong());
    }
    let values = values.split(',').map(value).collect::<Result<_, _>>()?;
    match head.split_whitespace().collect::<Vec<_>>().as_slice() {
        [key, "in"] => Ok(Expression::In(name(key)?, values)),
        [key, "notin"] => Ok(Expression::NotIn(name(key)?, values)),
        _ => Err(wrong()),
    }
}

/// A label's name, with or without a prefix.
fn name(text: &str) -> Result<String, SelectorError> {
    let text = text.trim();
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let is_prefix = |prefix: &str| {
        prefix.len() <= LONGEST_PREFIX
            && prefix.split('.').all(|part| {
                is_word(part)
                    && !part.contains(['_', '.'])
                    && !part.contains(|letter: char| letter.is_ascii_uppercase())
            })
    };
    if prefix.is_none_or(is_prefix) && is_word(name) {
        return Ok(text.to_owned());
    }
    Err(SelectorError(format!("{text:?} is no name of a label")))
}

fn value(text: &str) -> Result<String, SelectorError> {
    let text = text.trim();
    if text.is_empty() || is_word(text) {
        return Ok(text.to_owned());
    }
    Err(SelectorError(format!("{text:?} is no value of a label")))
}

/// Letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn is_word(text: &str) -> bool {
    let is_end = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    text.len() <= LONGEST
        && is_end(text.chars().next())
        && is_end(text.chars().next_back())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    use kube::core::SelectorExt as _;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn every_form_is_read_and_written_as_the_api_server_takes_it() {
        for (text, written) in [
            ("", ""),
            ("  ", ""),
            ("team=web", "team=web"),
            (" team == web ", "team=web"),
            ("team!=web", "team!=web"),
            ("team", "team"),
            ("!team", "!team"),
            ("team in (b, a)", "team in (a,b)"),
            ("team notin(a)", "team notin (a)"),
            ("a.example.com/team=x,stage in (test,live),!old", "a.example.com/team=x,stage in (live,test),!old"),
            ("team=", "team="),
        ] {
            assert_eq!(parse(text).map(|selector| selector.to_string()), Ok(written.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for text in [
            ",",
            "a,",
            ",a",
            "a,,b",
            "a b",
            "a in b",
            "a in ()",
            "a in (b",
            "a in b)",
            "a (b)",
            "a within (b)",
            "a in (b))",
            "=x",
            "!",
            "a=b=c",
            "a=-x",
            "-a",
            "A_/b=c",
            "/b",
            "a/",
            "a>1",
            "a<1",
            "a=ü",
            "a in ((b))",
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(!told.is_empty(), "{text}");
        }
        assert!(parse(&"x".repeat(64)).is_err());
        assert!(parse(&format!("a={}", "x".repeat(64))).is_err());
    }

    #[test]
    fn a_missing_label_is_not_equal_and_in_no_set() {
        let matches = |text: &str, on: &[(&str, &str)]| parse(text).unwrap().matches(&labels(on));
        assert!(matches("", &[]) && matches("team!=a", &[]) && matches("team notin (a)", &[]) && matches("!team", &[]));
        assert!(!matches("team=a", &[]) && !matches("team in (a)", &[]) && !matches("team", &[]));
        assert!(matches("team=a,stage", &[("team", "a"), ("stage", "")]));
        assert!(!matches("team=a,stage", &[("team", "a")]));
    }
}
