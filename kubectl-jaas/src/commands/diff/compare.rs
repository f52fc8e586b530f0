//! Compares the files of two artifacts. Pure.
//!
//! What is JSON, or a stream of Kubernetes objects, is compared as values; everything else as lines.

use std::collections::BTreeMap;

use jaas_storage::artifact::Entries;
use serde_json::Value;
use similar::TextDiff;

use super::values;
use crate::view::{FileChange, FileDifference, ValueChange};

/// Lines around a difference.
const CONTEXT: usize = 3;

/// A file as it was and as it is.
type Sides<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// The files that differ, by their names.
pub(super) fn files(old: &Entries, new: &Entries) -> Vec<FileDifference> {
    let mut all: BTreeMap<&str, Sides<'_>> = BTreeMap::new();
    for (path, bytes) in old {
        all.entry(path).or_default().0 = Some(bytes);
    }
    for (path, bytes) in new {
        all.entry(path).or_default().1 = Some(bytes);
    }
    all.into_iter().filter_map(|(path, (old, new))| file(path, old, new)).collect()
}

fn file(path: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Option<FileDifference> {
    let difference = |change, values, text| Some(FileDifference { path: path.to_owned(), change, values, text });
    match (old, new) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => {
            let values = content(path, old, new);
            let text = if values.is_empty() { lines(path, old, new) } else { String::new() };
            difference(FileChange::Changed, values, text)
        }
        (Some(_), None) => difference(FileChange::Removed, Vec::new(), String::new()),
        (None, Some(_)) => difference(FileChange::Added, Vec::new(), String::new()),
        (None, None) => None,
    }
}

/// Values that differ; none where one of the two is no such document, or only its spelling differs.
fn content(path: &str, old: &[u8], new: &[u8]) -> Vec<ValueChange> {
    if let (Ok(old), Ok(new)) = (serde_json::from_slice::<Value>(old), serde_json::from_slice::<Value>(new)) {
        return values::changes("", Some(&old), Some(&new));
    }
    let is_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
    match (objects(old), objects(new)) {
        (Some(old), Some(new)) if is_yaml => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            let mut changes: Vec<_> =
                names.flat_map(|name| values::changes(&format!("{name} "), old.get(name), new.get(name))).collect();
            changes.sort_by(|a, b| a.at.cmp(&b.at));
            for change in &mut changes {
                change.at.truncate(change.at.trim_end().len());
            }
            changes
        }
        _ => Vec::new(),
    }
}

/// Kubernetes objects of a stream by kind, namespace and name; `None` where something else is in it.
fn objects(bytes: &[u8]) -> Option<BTreeMap<String, Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(std::str::from_utf8(bytes).ok()?).ok()?;
    let mut objects = BTreeMap::new();
    for object in documents.into_iter().filter(|document| !document.is_null()) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let (version, kind, name) = (text("/apiVersion")?, text("/kind")?, text("/metadata/name")?);
        let kind = match version.split_once('/') {
            Some((group, _)) => format!("{kind}.{group}"),
            None => kind.to_owned(),
        };
        let key = match text("/metadata/namespace") {
            Some(namespace) => format!("{kind} {namespace}/{name}"),
            None => format!("{kind} {name}"),
        };
        // Two of one name cannot be told apart.
        if objects.insert(key, object).is_some() {
            return None;
        }
    }
    Some(objects)
}

fn lines(path: &str, old: &[u8], new: &[u8]) -> String {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return format!("{path} is no text: {} bytes before, {} bytes now\n", old.len(), new.len());
    };
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(CONTEXT).header(&format!("old/{path}"), &format!("new/{path}")).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(files: &[(&str, &str)]) -> Entries {
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn the_same_content_differs_in_nothing_and_files_come_and_go() {
        let old = entries(&[("a", "1"), ("b", "2")]);
        assert_eq!(files(&old, &old), []);
        let told: Vec<_> =
            files(&old, &entries(&[("b", "2"), ("c", "3")])).into_iter().map(|it| (it.path, it.change)).collect();
        assert_eq!(told, [("a".to_owned(), FileChange::Removed), ("c".to_owned(), FileChange::Added)]);
    }

    #[test]
    fn json_is_compared_as_values() {
        let told = files(
            &entries(&[("rendered.json", r#"{"a": 1, "b": 2}"#)]),
            &entries(&[("rendered.json", r#"{"b": 3, "a": 1}"#)]),
        );
        let expected = ValueChange { at: "/b".to_owned(), old: Some(json!(2)), new: Some(json!(3)) };
        assert_eq!((told[0].values.as_slice(), told[0].text.as_str()), (&[expected][..], ""));
        // Spelling alone is told as lines, since the bytes are not the same.
        let spelled =
            files(&entries(&[("rendered.json", "{\"a\":1}\n")]), &entries(&[("rendered.json", "{\"a\": 1}\n")]));
        assert!(spelled[0].values.is_empty() && spelled[0].text.contains("+{\"a\": 1}"), "{spelled:?}");
    }

    #[test]
    fn objects_are_matched_by_name_wherever_they_stand() {
        let object = |name: &str, replicas: u8| {
            format!(
                r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"{name}","namespace":"a"}},"spec":{{"replicas":{replicas}}}}}"#
            )
        };
        let stream = |all: &[String]| all.iter().map(|object| format!("---\n{object}\n")).collect::<String>();
        let old = stream(&[object("web", 1), object("gone", 1)]);
        let new = stream(&[object("more", 1), object("web", 2)]);
        let told = files(&entries(&[("manifests.yaml", &old)]), &entries(&[("manifests.yaml", &new)]));
        let at: Vec<_> = told[0].values.iter().map(|it| it.at.as_str()).collect();
        assert_eq!(at, ["Deployment.apps a/gone", "Deployment.apps a/more", "Deployment.apps a/web /spec/replicas"]);
        assert_eq!((told[0].values[2].old.clone(), told[0].values[2].new.clone()), (Some(json!(1)), Some(json!(2))));
    }

    #[test]
    fn other_text_is_compared_by_lines_and_bytes_are_counted() {
        let told =
            files(&entries(&[("main.jsonnet", "{\n  a: 1,\n}\n")]), &entries(&[("main.jsonnet", "{\n  a: 2,\n}\n")]));
        let expected = "--- old/main.jsonnet\n+++ new/main.jsonnet\n@@ -1,3 +1,3 @@\n {\n-  a: 1,\n+  a: 2,\n }\n";
        assert_eq!(told[0].text, expected);
        let old = Entries::from([("x".to_owned(), vec![0xff])]);
        let new = Entries::from([("x".to_owned(), vec![0xfe, 0xff])]);
        assert_eq!(files(&old, &new)[0].text, "x is no text: 1 bytes before, 2 bytes now\n");
    }
}
