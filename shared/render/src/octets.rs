//! Serialises bytes as one run instead of a sequence of numbers: a frame of 10 MB is then a copy, not ten million calls.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// Files by path.
type Files = BTreeMap<String, Vec<u8>>;

/// Trees by name.
type Forest = BTreeMap<String, Files>;

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_byte_buf(Run)
}

pub(crate) mod tree {
    use super::{BTreeMap, Deserialize, Deserializer, Files, Owned, Serializer, borrowed};

    pub(crate) fn serialize<S: Serializer>(files: &Files, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(borrowed(files))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Files, D::Error> {
        let files = BTreeMap::<String, Owned>::deserialize(deserializer)?;
        Ok(files.into_iter().map(|(path, file)| (path, file.0)).collect())
    }
}

pub(crate) mod forest {
    use super::{BTreeMap, Deserialize, Deserializer, Files, Forest, Serialize, Serializer, tree};

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(serialize_with = "tree::serialize")] &'a Files);

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Owned(#[serde(deserialize_with = "tree::deserialize")] Files);

    pub(crate) fn serialize<S: Serializer>(trees: &Forest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(trees.iter().map(|(name, files)| (name, Borrowed(files))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Forest, D::Error> {
        let trees = BTreeMap::<String, Owned>::deserialize(deserializer)?;
        Ok(trees.into_iter().map(|(name, files)| (name, files.0)).collect())
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Borrowed<'a>(#[serde(serialize_with = "serialize")] &'a [u8]);

#[derive(Deserialize)]
#[serde(transparent)]
struct Owned(#[serde(deserialize_with = "deserialize")] Vec<u8>);

fn borrowed(files: &Files) -> impl ExactSizeIterator<Item = (&String, Borrowed<'_>)> {
    files.iter().map(|(path, file)| (path, Borrowed(file)))
}

struct Run;

impl Visitor<'_> for Run {
    type Value = Vec<u8>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}
