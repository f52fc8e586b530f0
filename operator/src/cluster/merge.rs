//! Merge patches that carry only what differs (RFC 7396). Pure.

use serde_json::{Map, Value};

/// The top-level fields that differ between two objects: the new value, or `null` for one that is gone.
pub fn difference(current: &Value, desired: &Value) -> Map<String, Value> {
    let empty = Map::new();
    let current = current.as_object().unwrap_or(&empty);
    let desired = desired.as_object().unwrap_or(&empty);
    let gone = current.keys().filter(|key| !desired.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = desired.iter().filter(|(key, value)| current.get(*key) != Some(value));
    gone.chain(changed.map(|(key, value)| (key.clone(), replacement(current.get(key), value)))).collect()
}

/// A merge patch merges objects instead of replacing them, so keys that are gone must be named.
fn replacement(current: Option<&Value>, desired: &Value) -> Value {
    match (current, desired) {
        (Some(current @ Value::Object(_)), Value::Object(_)) => Value::Object(difference(current, desired)),
        _ => desired.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_names_what_changed_and_what_is_gone() {
        let current = json!({"a": 1, "b": {"x": 1, "y": 2}, "c": [1], "d": 4});
        let desired = json!({"a": 1, "b": {"x": 1, "z": 3}, "c": [1, 2]});
        assert_eq!(
            Value::Object(difference(&current, &desired)),
            json!({"b": {"y": null, "z": 3}, "c": [1, 2], "d": null})
        );
    }

    #[test]
    fn equal_objects_need_no_patch() {
        assert_eq!(difference(&json!({"a": [1, {"b": 2}]}), &json!({"a": [1, {"b": 2}]})), Map::new());
    }
}
