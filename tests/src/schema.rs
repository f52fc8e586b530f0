//! The JSON schema of the chart's values, made from `values.yaml` and `files/refused.yaml`: what is in neither is a mistake that Helm tells.
//!
//! A default's type is the value's type. A comment right above a value becomes its description, and a line `One of: a, b` in it the
//! values that are taken. What `refused.yaml` names is let through, so that the templates can say the sentence.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The list of what this chart lacks.
#[derive(Deserialize)]
struct Refused {
    refused: Vec<Refusal>,
    unread: Vec<String>,
}

#[derive(Deserialize)]
struct Refusal {
    value: String,
}

/// The schema as it is kept in the chart.
///
/// # Errors
/// When a file of the chart cannot be read.
pub fn of_chart(chart: &Path) -> Result<String> {
    let read =
        |file: &str| fs::read_to_string(chart.join(file)).with_context(|| format!("reading {file} of the chart"));
    let (values, refused) = (read("values.yaml")?, read("files/refused.yaml")?);
    let defaults: Value = serde_saphyr::from_str(&values).context("reading values.yaml")?;
    let refused: Refused = serde_saphyr::from_str(&refused).context("reading files/refused.yaml")?;
    let mut schema = of(&defaults, "", &comments(&values));
    let open: Vec<_> = refused.unread.iter().chain(refused.refused.iter().map(|refusal| &refusal.value)).collect();
    for path in open {
        let names: Vec<_> = path.split('.').collect();
        let_through(&mut schema, &names);
    }
    // Helm itself puts this there.
    let_through(&mut schema, &["global"]);
    if let Some(root) = schema.as_object_mut() {
        root.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    }
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// Comments by the path of the value that they stand above.
fn comments(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let words = line.trim_start();
        let indent = line.len() - words.len();
        if let Some(comment) = words.strip_prefix('#') {
            above.push(comment.trim().to_owned());
            continue;
        }
        if let Some((name, _)) = words.split_once(':').filter(|_| !words.starts_with('-')) {
            path.retain(|(outer, _)| *outer < indent);
            path.push((indent, name.to_owned()));
            let names: Vec<_> = path.iter().map(|(_, name)| name.as_str()).collect();
            if !above.is_empty() {
                found.insert(names.join("."), above.clone());
            }
        }
        above.clear();
    }
    found
}

fn of(value: &Value, path: &str, comments: &BTreeMap<String, Vec<String>>) -> Value {
    let mut schema = match value {
        Value::Null => json!({"type": ["integer", "string", "null"]}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "number"}),
        Value::Number(_) => json!({"type": "integer"}),
        // A quantity or a duration may be written as a bare number.
        Value::String(_) => json!({"type": ["string", "number"]}),
        Value::Array(_) => json!({"type": "array"}),
        Value::Object(members) if members.is_empty() => json!({"type": ["object", "null"]}),
        Value::Object(members) => {
            let inner = |name: &String| if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let members = members.iter().map(|(name, value)| (name.clone(), of(value, &inner(name), comments)));
            json!({"type": "object", "additionalProperties": false, "properties": members.collect::<Map<_, _>>()})
        }
    };
    let (choices, words): (Vec<&str>, Vec<&str>) =
        comments.get(path).into_iter().flatten().map(String::as_str).partition(|line| line.starts_with("One of: "));
    if let Some(members) = schema.as_object_mut() {
        if let Some(choices) = choices.first().and_then(|line| line.strip_prefix("One of: ")) {
            let choices = choices.split(", ").map(|choice| choice.trim_matches('"'));
            members.insert("enum".to_owned(), choices.collect());
        }
        if !words.is_empty() {
            members.insert("description".to_owned(), words.join(" ").into());
        }
    }
    schema
}

/// Takes anything at a path.
fn let_through(schema: &mut Value, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else { return };
    // What is open already stays open.
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    if rest.is_empty() {
        properties.insert((*first).to_owned(), json!({}));
        return;
    }
    let closed = || json!({"type": ["object", "null"], "additionalProperties": false, "properties": {}});
    let_through(properties.entry(*first).or_insert_with(closed), rest);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test reports by panicking")]
    use super::*;

    #[test]
    fn defaults_comments_and_refusals_make_a_schema() {
        let values = "# Head.\na:\n  # How.\n  # One of: x, \"\"\n  b: x\n  c: 1\n  d: {}\n";
        let defaults: Value = serde_saphyr::from_str(values).unwrap();
        let mut schema = of(&defaults, "", &comments(values));
        let_through(&mut schema, &["a", "e", "f"]);
        let inner = json!({"type": ["object", "null"], "additionalProperties": false, "properties": {"f": {}}});
        let a = json!({
            "b": {"type": ["string", "number"], "enum": ["x", ""], "description": "How."},
            "c": {"type": "integer"},
            "d": {"type": ["object", "null"]},
            "e": inner,
        });
        let a = json!({"type": "object", "additionalProperties": false, "properties": a, "description": "Head."});
        assert_eq!(schema, json!({"type": "object", "additionalProperties": false, "properties": {"a": a}}));
    }
}
