//! Compares with what was blessed before.

use std::path::PathBuf;

use super::normal::gaps;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("screens/snapshots").join(name)
}

/// What is wrong with a snapshot; nothing where it is the same. Writes it where that is wanted.
pub(crate) fn differs(name: &str, is: &str) -> Option<String> {
    let path = path(name);
    let was = std::fs::read_to_string(&path).unwrap_or_default();
    if gaps(&was) == gaps(is) {
        return None;
    }
    if std::env::var_os("JAAS_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, is).unwrap();
        return None;
    }
    let (was, is) = (gaps(&was), gaps(is));
    let diff = similar::TextDiff::from_lines(&was, &is);
    Some(format!("{name} differs; if that is meant: JAAS_BLESS=1\n{}", diff.unified_diff().context_radius(1)))
}

/// Names of all snapshots.
pub(crate) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(path("")).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
