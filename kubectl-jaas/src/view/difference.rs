//! How two artifacts differ. Pure.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// How two artifacts differ.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Difference {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) old: Side,
    pub(crate) new: Side,
    /// Files that differ.
    pub(crate) files: Vec<FileDifference>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Side {
    /// What it is, such as `published`.
    pub(crate) what: String,
    pub(crate) revision: String,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FileChange {
    /// Only the newer one has it.
    Added,
    /// Only the older one has it.
    Removed,
    /// Both have it, with other content.
    Changed,
}

impl FileChange {
    /// The word in tables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileDifference {
    pub(crate) path: String,
    pub(crate) change: FileChange,
    /// Values that differ, of a file that holds JSON or Kubernetes objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<ValueChange>,
    /// Lines that differ, as a unified diff, of any other text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
}

/// A value that differs. One that is absent is not there on that side; `null` is a value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValueChange {
    /// Where it is: a JSON pointer, after the object for Kubernetes objects.
    pub(crate) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) old: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<Value>,
}

impl Difference {
    /// How many differences there are: values, or files where no values are told.
    pub(crate) fn count(&self) -> usize {
        self.files.iter().map(|file| file.values.len().max(1)).sum()
    }
}
