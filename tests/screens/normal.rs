//! Replaces what differs from run to run, so that what is left can be compared.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

/// What is replaced by what, in this order.
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let patterns = [
        (r"https?://127\.0\.0\.1:\d+", "https://SERVER"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-01-01T00:00:00Z"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "00000000-0000-0000-0000-000000000000"),
        (r"jaas-[0-9a-z]{8,10}-[0-9a-z]{5}(_[0-9a-f-]+)?", "jaas-0123456789-abcde"),
        (r"\b(run|run/) ?[0-9A-HJKMNP-TV-Z]{10}\b", "run RUN"),
        (r"#[0-9A-HJKMNP-TV-Z]{10}\b", "#RUN"),
        (r"\b(\d+d)?(\d+h)?(\d+m)?\d+(\.\d+)?(ms|µs|[smhd])\b", "0s"),
        (r"\b\d+(\.\d+)? s\b", "0 s"),
        (r"\(\d+/s\)", "(0/s)"),
        (r"\b\d+(\.\d+)? ?[KMGT]iB?\b", "0 GiB"),
        (r"in \d+\.\d+ s( \(0/s\))?", "in 0 s"),
        (r"in 0 s \(0/s\)", "in 0 s"),
        (r"\d+ failures in a row", "0 failures in a row"),
        (r"\(\d+%\)", "(0%)"),
        (r"inodes  \d+ free", "inodes  0 free"),
        (r"transition(s?) ( *)\d+", "transition${1} ${2}0"),
        (r"(?m)( )\d+\.\d+( |$)", "${1}0.0${2}"),
        (r"kubectl-jaas \d+\.\d+\.\d+", "kubectl-jaas VERSION"),
    ];
    patterns.into_iter().map(|(pattern, stands)| (Regex::new(pattern).unwrap(), stands)).collect()
});

/// Fields whose numbers tell of this run or this machine.
const MEASURED: [&str; 12] = [
    "age",
    "answersPerSecond",
    "count",
    "freeAfter",
    "freeBefore",
    "freeBytes",
    "freeInodes",
    "oldest",
    "seconds",
    "secondsWithoutLeader",
    "totalBytes",
    "transitions",
];

/// A text without what differs.
pub(crate) fn text(text: &str, names: &BTreeMap<String, &'static str>) -> String {
    let mut text = text.to_owned();
    for (name, stands) in names {
        text = text.replace(name, stands);
    }
    for (pattern, stands) in PATTERNS.iter() {
        text = pattern.replace_all(&text, *stands).into_owned();
    }
    text
}

/// A document without what differs.
pub(crate) fn document(value: &mut Value, names: &BTreeMap<String, &'static str>) {
    match value {
        Value::String(string) => *string = text(string, names),
        Value::Array(all) => all.iter_mut().for_each(|value| document(value, names)),
        Value::Object(all) => {
            for (key, value) in all.iter_mut() {
                match value {
                    Value::String(string) if key == "run" => "RUN".clone_into(string),
                    Value::Number(number) if MEASURED.contains(&key.as_str()) || number.is_f64() => *value = json!(0),
                    Value::Array(times) if key == "seconds" => times.iter_mut().for_each(|time| *time = json!(0)),
                    value => document(value, names),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A screen for comparing: how wide a gap is depends on the widths of what was replaced.
pub(crate) fn gaps(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn only_what_differs_is_replaced() {
    let names = BTreeMap::from([("team-x1y2".to_owned(), "team")]);
    let told = |before: &str| text(before, &names);
    assert_eq!(told("team-x1y2/web is at http://127.0.0.1:4711/x"), "team/web is at https://SERVER/x");
    assert_eq!(told("jaas-6f7d9c4b5d-x2v9q_0a1b leads since 3m12s"), "jaas-0123456789-abcde leads since 0s");
    assert_eq!(told("1 of 2 synced in 2.0 s (17/s)"), "1 of 2 synced in 0 s");
    assert_eq!(told("S401 is 7 of 9 artifacts, keep 5m"), "S401 is 7 of 9 artifacts, keep 0s");
    let mut value = json!({"run": "01J8ZK4TQ2", "seconds": 1.5, "snippets": 2, "at": "2026-11-22T12:00:00.5Z"});
    document(&mut value, &names);
    assert_eq!(value, json!({"run": "RUN", "seconds": 0, "snippets": 2, "at": "2026-01-01T00:00:00Z"}));
}
