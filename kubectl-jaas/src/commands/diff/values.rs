//! Compares two JSON values: where, what was, what is. Pure.

use std::collections::BTreeSet;

use serde_json::Value;
use similar::{Algorithm, DiffTag, capture_diff_slices};

use crate::view::ValueChange;

/// Every value that differs, below `at`. Entries of arrays are matched by their content first, so that one that was put in front moves
/// nothing.
pub(super) fn changes(at: &str, old: Option<&Value>, new: Option<&Value>) -> Vec<ValueChange> {
    match (old, new) {
        (old, new) if old == new => Vec::new(),
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            keys.into_iter()
                .flat_map(|key| changes(&format!("{at}/{}", escaped(key)), old.get(key), new.get(key)))
                .collect()
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => entries(at, old, new),
        (old, new) => vec![ValueChange { at: at.to_owned(), old: old.cloned(), new: new.cloned() }],
    }
}

fn entries(at: &str, old: &[Value], new: &[Value]) -> Vec<ValueChange> {
    let spelled = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>();
    let steps = capture_diff_slices(Algorithm::Myers, &spelled(old), &spelled(new));
    let mut found = Vec::new();
    for step in steps.iter().filter(|step| step.tag() != DiffTag::Equal) {
        let (mut before, mut after) = (step.old_range(), step.new_range());
        loop {
            let (from, to) = (before.next(), after.next());
            // Where an entry took the place of another one, both have about the same position; the newer one is told.
            let Some(position) = to.or(from) else { break };
            found.extend(changes(
                &format!("{at}/{position}"),
                from.and_then(|position| old.get(position)),
                to.and_then(|position| new.get(position)),
            ));
        }
    }
    found
}

/// A key as a part of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(old: Value, new: Value) -> Vec<(String, Option<Value>, Option<Value>)> {
        changes("", Some(&old), Some(&new)).into_iter().map(|it| (it.at, it.old, it.new)).collect()
    }

    #[test]
    fn differences_are_told_where_they_are() {
        assert_eq!(told(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 2}]})), []);
        assert_eq!(
            told(json!({"a": {"b/c": 1, "d": null}, "e": 1}), json!({"a": {"b/c": 2, "d": 3}, "f": null})),
            [
                ("/a/b~1c".to_owned(), Some(json!(1)), Some(json!(2))),
                ("/a/d".to_owned(), Some(json!(null)), Some(json!(3))),
                ("/e".to_owned(), Some(json!(1)), None),
                ("/f".to_owned(), None, Some(json!(null))),
            ]
        );
        assert_eq!(told(json!(1), json!([1])), [(String::new(), Some(json!(1)), Some(json!([1])))]);
    }

    #[test]
    fn an_entry_that_is_put_in_front_moves_nothing() {
        assert_eq!(told(json!([1, 2]), json!([0, 1, 2])), [("/0".to_owned(), None, Some(json!(0)))]);
        assert_eq!(told(json!([0, 1, 2]), json!([1, 2])), [("/0".to_owned(), Some(json!(0)), None)]);
        assert_eq!(
            told(json!([{"n": 1, "v": 1}, 7]), json!([{"n": 1, "v": 2}, 7])),
            [("/0/v".to_owned(), Some(json!(1)), Some(json!(2)))]
        );
    }
}
