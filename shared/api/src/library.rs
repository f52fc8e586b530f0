//! `JsonnetLibrary`: files that snippets import under an alias. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::resource::namespaced_resource;
use crate::source::SourceRef;
use crate::status::{READY, conditions_schema};

/// Desired state of a library.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Default)]
#[kube(
    group = "jaas.metio.wtf",
    version = "v1",
    kind = "JsonnetLibrary",
    root = "LibraryDefinition",
    plural = "jsonnetlibraries",
    singular = "jsonnetlibrary",
    shortname = "jlib",
    namespaced,
    status = "LibraryStatus",
    doc = "Jsonnet files that snippets import under an alias.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Files", type_ = "integer", json_path = ".status.files"),
    printcolumn(name = "Dependents", type_ = "integer", json_path = ".status.dependents"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("(has(self.files) && size(self.files) > 0 ? 1 : 0) + (has(self.sourceRef) ? 1 : 0) == 1")
        .message("exactly one of spec.files or spec.sourceRef must be set")
)]
#[serde(rename_all = "camelCase")]
pub struct LibrarySpec {
    /// Files by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, String>>,
    /// Flux object that provides the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// What the operator tells of a library. Snippets do not go by it.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LibraryStatus {
    /// Generation that this status judges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions; only `Ready` is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// Number of files, once a snippet needed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<i64>,
    /// Digest of the files or, for a library from a source, of the source's artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Revision of the source, as that calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_revision: Option<String>,
    /// Number of snippets that import the library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependents: Option<i64>,
}

impl LibraryStatus {
    /// The `Ready` condition, if one was written.
    pub fn ready(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == READY)
    }
}

/// Jsonnet files that snippets import under an alias.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct JsonnetLibrary {
    /// `jaas.metio.wtf/v1`; absent in items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `JsonnetLibrary`; absent in items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Desired state.
    #[serde(default)]
    pub spec: LibrarySpec,
    /// Observed state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<LibraryStatus>,
}

namespaced_resource!(JsonnetLibrary, crate::GROUP, crate::VERSION, "jsonnetlibraries", LibrarySpec, LibraryStatus);
