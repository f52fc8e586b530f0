//! The part of an archive that a reference wants. Pure.

use std::fmt;
use std::str::FromStr;

/// A folder of an archive in its normal form; the empty one is the whole archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Folder(String);

/// A text that names no folder of an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path `{0}` leaves the archive; name a folder inside it, without `..`")]
pub struct InvalidFolder(String);

impl Folder {
    /// The name of a file seen from the folder, or `None` for one outside of it.
    pub fn strip<'a>(&self, name: &'a str) -> Option<&'a str> {
        if self.0.is_empty() {
            return Some(name);
        }
        name.strip_prefix(&self.0)?.strip_prefix('/').filter(|rest| !rest.is_empty())
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Folder {
    type Err = InvalidFolder;

    /// `./a`, `/a`, `a//b/` and `a/./b` mean what people mean by them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") || text.contains(['\\', '\0']) {
            return Err(InvalidFolder(text.to_owned()));
        }
        Ok(Self(parts.join("/")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_spelling_of_a_folder_is_one_folder() {
        for (text, normal) in
            [("", ""), (".", ""), ("/", ""), ("a", "a"), ("./a/", "a"), ("/a//b", "a/b"), ("a/./b/.", "a/b")]
        {
            assert_eq!(text.parse::<Folder>().unwrap().to_string(), normal, "{text}");
        }
        for wrong in ["..", "a/../b", "a\\b", "a\0"] {
            assert!(wrong.parse::<Folder>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_what_is_below_it_is_in_it() {
        let folder: Folder = "env/prod".parse().unwrap();
        assert_eq!(folder.strip("env/prod/main.jsonnet"), Some("main.jsonnet"));
        for outside in ["env/prod", "env/prod/", "env/production/x", "env/x", "x/env/prod/y"] {
            assert_eq!(folder.strip(outside), None, "{outside}");
        }
        assert_eq!(Folder::default().strip("a/b"), Some("a/b"));
    }
}
