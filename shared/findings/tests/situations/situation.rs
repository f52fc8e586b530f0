//! Reads recorded situations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use jaas_findings::{Code, Facts, Severity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A situation.
#[derive(Debug)]
pub(crate) struct Situation {
    pub(crate) name: String,
    pub(crate) facts: Facts,
    pub(crate) expect: Expected,
}

/// Everything that must come of it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) findings: BTreeMap<Code, Severity>,
    pub(crate) unknown: BTreeSet<Code>,
    pub(crate) skipped: BTreeSet<Code>,
    pub(crate) causes: BTreeMap<Code, Vec<Code>>,
    pub(crate) roots: Vec<Code>,
    pub(crate) commands: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    /// What the situation is, for readers.
    #[serde(rename = "title")]
    _title: String,
    /// The situation that it differs from.
    #[serde(default)]
    like: Option<String>,
    facts: Value,
    expect: Expected,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/situations")
}

fn recorded(name: &str) -> Recorded {
    let path = folder().join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Facts in full.
fn facts(recorded: Recorded) -> Value {
    let Some(like) = recorded.like else { return recorded.facts };
    let mut all = facts(self::recorded(&like));
    merge(&mut all, recorded.facts);
    all
}

/// Objects are merged, except with a fact that is not known; everything else is replaced.
fn merge(old: &mut Value, new: Value) {
    let is_unknown = |value: &Value| value.as_object().is_some_and(|object| object.contains_key("unknown"));
    match (old, new) {
        (Value::Object(old), Value::Object(new))
            if !is_unknown(&Value::Object(old.clone())) && !new.contains_key("unknown") =>
        {
            for (key, value) in new {
                merge(old.entry(key).or_insert(Value::Null), value);
            }
        }
        (old, new) => *old = new,
    }
}

/// A situation by name.
pub(crate) fn named(name: &str) -> Situation {
    let mut recorded = recorded(name);
    let expect = std::mem::take(&mut recorded.expect);
    let facts = serde_json::from_value(facts(recorded)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Situation { name: name.to_owned(), facts, expect }
}

/// Every situation.
pub(crate) fn all() -> Vec<Situation> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() > 25, "{names:?}");
    names.iter().map(|name| named(name)).collect()
}
