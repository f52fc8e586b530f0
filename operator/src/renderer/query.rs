//! The query of a request as top-level arguments. Pure.

use std::collections::BTreeMap;

use jaas_render::Variable;

use super::path::unescape;

/// A name that comes once is a string, one that comes several times a list of strings in their order. What is malformed is left out, as
/// Go's `url.ParseQuery` does: a pair with a semicolon, and one with an escape that is none.
pub(super) fn arguments(query: &str) -> BTreeMap<String, Variable> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (decoded(name), decoded(value)) {
            values.entry(name).or_default().push(value);
        }
    }
    values.into_iter().map(|(name, values)| (name, argument(values))).collect()
}

fn argument(mut values: Vec<String>) -> Variable {
    match values.pop() {
        Some(only) if values.is_empty() => Variable::Text(only),
        last => {
            values.extend(last);
            // JSON is Jsonnet.
            Variable::Code(serde_json::Value::from(values).to_string())
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&unescape(text.as_bytes(), true)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_strings_and_lists_of_strings() {
        let text = |text: &str| Variable::Text(text.to_owned());
        let code = |code: &str| Variable::Code(code.to_owned());
        for (query, expected) in [
            ("", vec![]),
            ("k=v", vec![("k", text("v"))]),
            ("k=a&k=b&k=a", vec![("k", code(r#"["a","b","a"]"#))]),
            ("k=&k=", vec![("k", code(r#"["",""]"#))]),
            ("k", vec![("k", text(""))]),
            ("k=", vec![("k", text(""))]),
            ("=v", vec![("", text("v"))]),
            ("&&a=1&", vec![("a", text("1"))]),
            ("a=b=c", vec![("a", text("b=c"))]),
            ("a+b=c+d%2Be", vec![("a b", text("c d+e"))]),
            ("%6b=%22%27%0A&k=\\", vec![("k", code(r#"["\"'\n","\\"]"#))]),
            ("a=1;b=2&c=3", vec![("c", text("3"))]),
            ("a=%zz&b=%4&c=3&%=1", vec![("c", text("3"))]),
            ("a=%ff", vec![("a", text("\u{fffd}"))]),
        ] {
            let expected: BTreeMap<_, _> = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(arguments(query), expected, "{query}");
        }
    }
}
