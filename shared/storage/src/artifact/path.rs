//! Which names inside an artifact a consumer extracts. Pure.

/// Why a consumer would drop a file of this name, or `None` where it extracts it.
///
/// The rule is that of the Go implementation's reader, so that chained snippets see every file: a relative path of
/// `[A-Za-z0-9._/-]` without empty, `.`, `..` or hidden segments.
pub fn unsafe_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.starts_with('/') {
        return Some("it is absolute");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte)) {
        return Some("it has a character outside A-Z a-z 0-9 . _ / -");
    }
    name.split('/').find_map(|segment| match segment {
        "" => Some("it has an empty segment"),
        ".." => Some("it leaves the artifact"),
        hidden if hidden.starts_with('.') => Some("it has a segment that starts with a dot"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_extracted() {
        for name in ["main.jsonnet", "lib/a-b_c.libsonnet", "a/b/c.d"] {
            assert_eq!(unsafe_name(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_a_consumer_drops_are_told_apart() {
        let cases = [
            ("", "it is empty"),
            ("/a", "it is absolute"),
            ("a b", "it has a character outside A-Z a-z 0-9 . _ / -"),
            ("a\\b", "it has a character outside A-Z a-z 0-9 . _ / -"),
            ("a//b", "it has an empty segment"),
            ("a/", "it has an empty segment"),
            ("a/../b", "it leaves the artifact"),
            (".git/config", "it has a segment that starts with a dot"),
            ("a/./b", "it has a segment that starts with a dot"),
        ];
        for (name, why) in cases {
            assert_eq!(unsafe_name(name), Some(why), "{name}");
        }
    }
}
