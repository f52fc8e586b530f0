//! References from snippets and libraries to other objects. Pure.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kinds of Flux objects that can provide files.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A Git repository.
    GitRepository,
    /// An OCI artifact.
    OCIRepository,
    /// An object storage bucket.
    Bucket,
    /// Any artifact that follows Flux's contract, such as another snippet's.
    ExternalArtifact,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::GitRepository, Self::OCIRepository, Self::Bucket, Self::ExternalArtifact];

    /// The word that stands in `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitRepository => "GitRepository",
            Self::OCIRepository => "OCIRepository",
            Self::Bucket => "Bucket",
            Self::ExternalArtifact => "ExternalArtifact",
        }
    }

    /// Name of the resource in the API server's paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::GitRepository => "gitrepositories",
            Self::OCIRepository => "ocirepositories",
            Self::Bucket => "buckets",
            Self::ExternalArtifact => "externalartifacts",
        }
    }
}

/// Points at the Flux object whose artifact holds the files.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SourceRef {
    /// API version of the source; `source.toolkit.fluxcd.io/v1` when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the source.
    pub kind: SourceKind,
    /// Name of the source.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Namespace of the source; the namespace of the object that holds the reference when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only files below this folder of the artifact are taken, with the folder stripped from their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl SourceRef {
    /// The namespace of the source, seen from an object in `owner`.
    pub fn namespace_or<'a>(&'a self, owner: &'a str) -> &'a str {
        match self.namespace.as_deref() {
            None | Some("") => owner,
            Some(namespace) => namespace,
        }
    }
}

/// Kinds of objects that can be imported as a library.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LibraryKind {
    /// A JsonnetLibrary.
    #[default]
    JsonnetLibrary,
}

/// Points at a library that the snippet may import.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct LibraryRef {
    /// API version of the library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the library.
    pub kind: LibraryKind,
    /// Name of the library.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Namespace of the library; the snippet's own when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Alias under which the library is imported; its name when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_path: Option<String>,
}

impl LibraryRef {
    /// The alias that import statements use.
    pub fn alias(&self) -> &str {
        match self.import_path.as_deref() {
            None | Some("") => &self.name,
            Some(path) => path,
        }
    }

    /// The namespace the library lives in, seen from an object in `owner`.
    pub fn namespace_or<'a>(&'a self, owner: &'a str) -> &'a str {
        match self.namespace.as_deref() {
            None | Some("") => owner,
            Some(namespace) => namespace,
        }
    }
}

/// A named value handed to the evaluation.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Default)]
#[x_kube(
    validation = Rule::new("!(has(self.code) && self.code) || (has(self.value) && size(self.value) > 0)")
        .message("value must be non-empty when code is true")
)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its value: a string, or Jsonnet when `code` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Evaluates `value` as Jsonnet instead of passing it as a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<bool>,
}
