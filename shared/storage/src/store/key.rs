//! Names in a store: which snippet, and which file of it. Pure.

use std::fmt;

use crate::artifact::Revision;

/// Longest file name that every file system takes.
const COMPONENT_LIMIT: usize = 253;

/// A namespace or name that cannot be part of a path in the store.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` cannot be part of a path in the store: lower-case letters, digits, `-` and `.` are allowed, at most 253"
)]
pub struct InvalidKey(String);

/// The snippet that artifacts belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    namespace: String,
    name: String,
}

impl Key {
    /// A key of names as Kubernetes allows them (RFC 1123 subdomains).
    ///
    /// # Errors
    /// [`InvalidKey`] for anything that could leave its folder or hide in it.
    pub fn new(namespace: &str, name: &str) -> Result<Self, InvalidKey> {
        for part in [namespace, name] {
            if !is_component(part) {
                return Err(InvalidKey(part.chars().take(80).collect()));
            }
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// Namespace of the snippet.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Name of the snippet.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Path of a revision below the root, as it stands in URLs and in `status.artifact.path`.
    pub fn path(&self, revision: &Revision) -> String {
        format!("{self}/{}", file_name(revision))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// File name of a revision inside the snippet's folder.
pub fn file_name(revision: &Revision) -> String {
    format!("sha256-{}.tar.gz", revision.hex())
}

/// Key and revision that a request path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactPath {
    /// The snippet.
    pub key: Key,
    /// The revision.
    pub revision: Revision,
}

impl ArtifactPath {
    /// Reads `namespace/name/sha256-<hex>.tar.gz` without any decoding: names of artifacts need none, so a path that is encoded
    /// is none of ours.
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let (namespace, name, file) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let hex = file.strip_prefix("sha256-")?.strip_suffix(".tar.gz")?;
        Some(Self { key: Key::new(namespace, name).ok()?, revision: format!("sha256:{hex}").parse().ok()? })
    }
}

fn is_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !part.is_empty()
        && part.len() <= COMPONENT_LIMIT
        && part.bytes().all(|byte| alphanumeric(byte) || byte == b'-' || byte == b'.')
        && part.bytes().next().is_some_and(alphanumeric)
        && part.bytes().next_back().is_some_and(alphanumeric)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_path_of_a_revision_reads_back() {
        let key = Key::new("team-a", "web.v1").unwrap();
        let revision = Revision::of_document(b"x");
        let path = key.path(&revision);
        assert_eq!(path, format!("team-a/web.v1/sha256-{}.tar.gz", revision.hex()));
        assert_eq!(ArtifactPath::parse(&path), Some(ArtifactPath { key, revision }));
    }

    #[test]
    fn paths_that_are_no_artifact_are_refused() {
        let hex = Revision::of_document(b"x").hex();
        let file = format!("sha256-{hex}.tar.gz");
        for path in [
            "",
            "a",
            "a/b",
            &format!("a/b/{hex}.tar.gz"),
            &format!("a/b/{file}.tmp"),
            &format!("a/b/c/{file}"),
            &format!("/a/b/{file}"),
            &format!("a//{file}"),
            &format!("../b/{file}"),
            &format!("a/../{file}"),
            &format!("a/.b/{file}"),
            &format!("a/B/{file}"),
            &format!("a/%62/{file}"),
            &format!("a/b\0/{file}"),
            &format!("a/b/SHA256-{hex}.tar.gz"),
            &format!("a/b/sha256-{}.tar.gz", hex.to_uppercase()),
        ] {
            assert_eq!(ArtifactPath::parse(path), None, "{path:?}");
        }
    }
}
