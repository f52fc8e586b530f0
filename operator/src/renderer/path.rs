//! Where a path leads: to a snippet, to another spelling of itself, or nowhere. Pure.

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A snippet by its name, which may be empty.
    Snippet(String),
    /// The same under this path.
    Moved(String),
    /// Nothing that there is.
    Unknown,
    /// An escape that is none.
    Malformed,
}

/// Reads a path as it was sent. What is escaped is a part of the name and no path: `%2e%2e` climbs nowhere, and `%2F` parts nothing.
pub(super) fn route(endpoint: &str, path: &str) -> Route {
    if unescape(path.as_bytes(), false).is_none() {
        return Route::Malformed;
    }
    let cleaned = cleaned(path);
    if cleaned != path {
        return Route::Moved(cleaned.replace('\\', "%5C"));
    }
    let Some(rest) = path.strip_prefix('/').and_then(|path| path.strip_prefix(endpoint)) else { return Route::Unknown };
    match rest.strip_prefix('/') {
        Some(name) => match unescape(name.as_bytes(), false) {
            Some(name) => Route::Snippet(String::from_utf8_lossy(&name).into_owned()),
            None => Route::Malformed,
        },
        None if rest.is_empty() => Route::Moved(format!("/{endpoint}/")),
        None => Route::Unknown,
    }
}

/// The path without empty and `.` segments, with each `..` taken together with the segment before it, and with its last slash.
fn cleaned(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut cleaned = format!("/{}", segments.join("/"));
    if path.ends_with('/') && !segments.is_empty() {
        cleaned.push('/');
    }
    cleaned
}

/// The bytes that percent-encoded text stands for, and with `plus` a blank for each plus. `None` where an escape is no escape.
pub(super) fn unescape(text: &[u8], plus: bool) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next()?)? * 16 + digit(rest.next()?)?).ok()?,
            b'+' if plus => b' ',
            byte => *byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_snippet_elsewhere_or_nowhere() {
        let snippet = |name: &str| Route::Snippet(name.to_owned());
        let moved = |path: &str| Route::Moved(path.to_owned());
        for (path, expected) in [
            ("/jsonnet/app", snippet("app")),
            ("/jsonnet/a/b", snippet("a/b")),
            ("/jsonnet/a/b/", snippet("a/b/")),
            ("/jsonnet/", snippet("")),
            ("/jsonnet/a%2Fb", snippet("a/b")),
            ("/jsonnet/%2e%2e/x", snippet("../x")),
            ("/jsonnet/%2Fetc%2Fpasswd", snippet("/etc/passwd")),
            ("/jsonnet/a%20b+c", snippet("a b+c")),
            ("/jsonnet/%ff", snippet("\u{fffd}")),
            ("/jsonnet/...", snippet("...")),
            ("/jsonnet", moved("/jsonnet/")),
            ("/jsonnet/../x", moved("/x")),
            ("/jsonnet/./a", moved("/jsonnet/a")),
            ("/jsonnet//a", moved("/jsonnet/a")),
            ("//jsonnet/a/", moved("/jsonnet/a/")),
            ("//evil.example/..", moved("/")),
            ("/x/../\\evil.example", moved("/%5Cevil.example")),
            ("/", Route::Unknown),
            ("/jsonnetx", Route::Unknown),
            ("/jsonnetx/a", Route::Unknown),
            ("/other/jsonnet/a", Route::Unknown),
            ("/ready", Route::Unknown),
            ("*", moved("/*")),
            ("/jsonnet/%zz", Route::Malformed),
            ("/jsonnet/%4", Route::Malformed),
        ] {
            assert_eq!(route("jsonnet", path), expected, "{path}");
        }
        assert_eq!(route("a.b", "/a.b/x"), snippet("x"));
    }
}
