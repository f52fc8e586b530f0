//! Which lines of a log are about a snippet. Pure.

use serde_json::Value;

use crate::snippet::Key;

/// Lets through what is about one snippet, or everything.
#[derive(Clone, Debug)]
pub(super) struct Filter(Option<Key>);

impl Filter {
    /// A filter for one snippet, or for everything.
    pub(super) fn new(key: Option<Key>) -> Self {
        Self(key)
    }

    /// The record of a line that is let through: JSON where it is, its text otherwise.
    pub(super) fn record(&self, line: &str) -> Option<Value> {
        let record = serde_json::from_str::<Value>(line).ok().filter(Value::is_object);
        let is_meant = match (&self.0, &record) {
            (None, _) => true,
            (Some(key), Some(record)) => is_about(record, key),
            (Some(key), None) => names(line, key),
        };
        is_meant.then(|| record.unwrap_or_else(|| Value::from(line)))
    }
}

/// A record names a snippet by two fields, by one path, or as an object with both.
fn is_about(record: &Value, key: &Key) -> bool {
    let pair = |value: &Value| value["namespace"] == key.namespace.as_str() && value["name"] == key.name.as_str();
    let path = key.to_string();
    let is_path = |field: &str| match record[field].as_str() {
        Some(text) => text == path || text.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/')),
        None => false,
    };
    pair(record)
        || pair(&record["JsonnetSnippet"])
        || pair(&record["snippet"])
        || ["snippet", "artifact", "object", "path"].into_iter().any(is_path)
}

/// A line of text names a snippet by its path, or by two fields.
fn names(line: &str, key: &Key) -> bool {
    let is_end = |text: &str| !text.starts_with(|next: char| next.is_ascii_alphanumeric() || "-.".contains(next));
    let has =
        |needle: &str| line.match_indices(needle).any(|(at, _)| line.get(at + needle.len()..).is_some_and(is_end));
    let field = |name: &str, value: &str| has(&format!("{name}={value}")) || has(&format!("{name}=\"{value}\""));
    has(&key.to_string()) || (field("namespace", &key.namespace) && field("name", &key.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_shown(line: &str) -> bool {
        Filter::new(Some(Key { namespace: "a".into(), name: "web".into() })).record(line).is_some()
    }

    #[test]
    fn records_name_a_snippet_in_several_ways() {
        for record in [
            json!({"msg": "x", "namespace": "a", "name": "web"}),
            json!({"JsonnetSnippet": {"namespace": "a", "name": "web"}}),
            json!({"snippet": "a/web"}),
            json!({"artifact": "a/web/sha256-00.tar.gz"}),
        ] {
            assert!(is_shown(&record.to_string()), "{record}");
        }
        for record in [
            json!({"namespace": "a", "name": "website"}),
            json!({"namespace": "b", "name": "web"}),
            json!({"snippet": "a/website"}),
            json!({"msg": "a/web"}),
        ] {
            assert!(!is_shown(&record.to_string()), "{record}");
        }
    }

    #[test]
    fn lines_of_text_are_looked_through() {
        assert!(is_shown("time=1 level=INFO msg=\"x\" namespace=\"a\" name=\"web\""));
        assert!(is_shown("about a/web: no"));
        assert!(!is_shown("about a/website: no"));
        assert!(!is_shown("namespace=a name=web-2"));
    }

    #[test]
    fn without_a_name_everything_is_let_through() {
        let all = Filter::new(None);
        assert_eq!(all.record("plain"), Some(json!("plain")));
        assert_eq!(all.record("{\"a\":1}"), Some(json!({"a": 1})));
    }
}
