//! Names of files that may be taken. Pure.

/// The normal form of a name that may be taken, without `.` segments; `None` for one that is passed over: empty, absolute, with `..`,
/// hidden, or with anything but letters, digits, `.`, `_`, `-` and `/`.
pub fn normal(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let parts: Vec<_> = name.split('/').filter(|part| *part != ".").collect();
    let normal = parts.join("/");
    is_safe(&normal).then_some(normal)
}

/// Whether a name may be taken as it stands.
pub fn is_safe(name: &str) -> bool {
    let fits = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    name.split('/').all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_mean_something_else_are_passed_over() {
        for (name, taken) in [
            ("a", Some("a")),
            ("./a/b.libsonnet", Some("a/b.libsonnet")),
            ("a/./b", Some("a/b")),
            ("A-1_x.y/z", Some("A-1_x.y/z")),
        ] {
            assert_eq!(normal(name.as_bytes()).as_deref(), taken, "{name}");
        }
        let passed_over: [&[u8]; 16] = [
            b"",
            b".",
            b"/",
            b"/etc/passwd",
            b"..",
            b"../a",
            b"a/../b",
            b"a/..",
            b"a\\b",
            b"a\0b",
            b".git/config",
            b"a/.hidden",
            b"a//b",
            b"a/",
            b"a b",
            b"\xff",
        ];
        for name in passed_over {
            assert_eq!(normal(name), None, "{}", String::from_utf8_lossy(name));
        }
        assert_eq!(normal("ä".as_bytes()), None);
    }
}
