//! Paths inside a tree of files. Pure.

/// `path` without empty and `.` segments and with each `..` taken together with the segment before it; relative, so
/// what leads out of the root keeps its leading `..`.
pub(super) fn clean(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.join("/")
}

/// Where `path` leads when written in the file `importer`; `None` when that is outside of the root.
pub(super) fn beside(importer: &str, path: &str) -> Option<String> {
    let directory = importer.rsplit_once('/').map_or("", |(directory, _)| directory);
    let cleaned = clean(&format!("{directory}/{path}"));
    let outside = cleaned == ".." || cleaned.starts_with("../");
    (!outside).then_some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_keeps_only_segments_that_lead_somewhere() {
        for (path, expected) in [
            ("a/b", "a/b"),
            ("./a//b/.", "a/b"),
            ("/a", "a"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("a/../../../b", "../../b"),
            ("", ""),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_beside_a_file_stays_inside_of_the_root() {
        assert_eq!(beside("a/b.jsonnet", "c"), Some("a/c".to_owned()));
        assert_eq!(beside("a/b.jsonnet", "../c"), Some("c".to_owned()));
        assert_eq!(beside("a/b.jsonnet", "../../a/c"), None);
        assert_eq!(beside("b.jsonnet", ".."), None);
    }
}
