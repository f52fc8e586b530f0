//! What is asked of an evaluation, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::octets;

/// One evaluation, self-contained.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Request {
    /// The name that diagnostics and `std.thisFile` show for the entry file, by custom `<namespace>/<name>/<entry>`.
    pub label: String,
    /// The key in `files` of the program to evaluate.
    pub entry: String,
    /// The snippet's own files by path: relative, `/` between segments, no `.` or `..`.
    #[serde(with = "octets::tree")]
    pub files: BTreeMap<String, Vec<u8>>,
    /// The files of each library by path, by the alias under which programs import it.
    #[serde(with = "octets::forest")]
    pub libraries: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// What `std.extVar` answers, by name.
    pub external_variables: BTreeMap<String, Variable>,
    /// What the program is called with when it is a function, by parameter; unused otherwise.
    pub top_level_arguments: BTreeMap<String, Variable>,
    /// What the value is written as.
    pub output: Output,
    /// The deepest chain of calls and imports, in frames. Zero means 500.
    pub max_stack: u32,
}

/// A value handed to a program from outside.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The text is the value, a string.
    Text(String),
    /// The text is a program, evaluated when its value is first used; its imports resolve as those of the entry file.
    Code(String),
}

impl Variable {
    /// The text, whatever it stands for.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Code(text) => text,
        }
    }
}

/// What a value is written as.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The JSON text of the whole value.
    Json,
    /// A stream of YAML documents, one for each Kubernetes object found in the value.
    Manifests {
        /// Whether a value without any object is an empty stream; a failure otherwise.
        allow_empty: bool,
    },
}

/// The answer of a successful evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text to publish, with its final newline.
    pub bytes: Vec<u8>,
    /// How many Kubernetes objects `bytes` holds; `None` for [`Output::Json`].
    pub objects: Option<u32>,
}

/// What evaluation itself answered instead of a value. The same request fails the same way each time.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The program does not evaluate. Several lines: the message, then `file:line:column` of each frame, innermost first.
    #[error("{0}")]
    Evaluation(String),
    /// The value is well formed and holds nothing to apply.
    #[error("the value holds no Kubernetes object, that is no object with both apiVersion and kind")]
    NoManifests,
    /// The value cannot be taken apart into objects to apply. One line for each finding, with its path in the value.
    #[error("{0}")]
    InvalidManifests(String),
}
