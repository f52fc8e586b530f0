//! `JsonnetLibrary`: files that snippets import under an alias. Pure.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::resource::namespaced_resource;
use crate::source::SourceRef;
use crate::status::SyncStatus;

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
    status = "SyncStatus",
    doc = "Jsonnet files that snippets import under an alias.",
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
    pub status: Option<SyncStatus>,
}

namespaced_resource!(JsonnetLibrary, crate::GROUP, crate::VERSION, "jsonnetlibraries", LibrarySpec, SyncStatus);
