//! Words in capitals stand for somebody's own.

use std::collections::BTreeMap;

use regex::Regex;

/// Words that are meant as they are.
const MEANT: [&str; 4] = ["INC", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "TOKEN"];

/// What the words of a page stand for.
pub(crate) type Words = BTreeMap<&'static str, String>;

/// A command for this situation.
///
/// # Errors
/// With a word that nobody knows.
pub(crate) fn filled(command: &str, words: &Words) -> Result<String, String> {
    let word = Regex::new(r"\b[A-Z][A-Z_]{2,}\b").unwrap();
    let mut unknown = None;
    let text = word.replace_all(command, |found: &regex::Captures<'_>| {
        let name = &found[0];
        words.get(name).cloned().unwrap_or_else(|| {
            if !MEANT.contains(&name) {
                unknown = Some(name.to_owned());
            }
            name.to_owned()
        })
    });
    let text = text.into_owned();
    unknown.map_or(Ok(text), |name| Err(format!("`{command}`: what is {name}?")))
}

#[test]
fn whole_words_are_filled_in_and_strange_ones_are_told() {
    let words = Words::from([("NAME", "web".to_owned()), ("NAMESPACE", "team-a".to_owned())]);
    assert_eq!(filled("x NAME -n NAMESPACE:NAMESPACE-y", &words).unwrap(), "x web -n team-a:team-a-y");
    assert!(filled("x JAAS_NAMESPACE", &words).unwrap_err().contains("JAAS_NAMESPACE"));
}
