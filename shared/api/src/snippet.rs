//! `JsonnetSnippet`: the Jsonnet that is evaluated and published. Pure.

use std::collections::BTreeMap;

use kube::core::{Duration, ObjectMeta};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::resource::namespaced_resource;
use crate::source::{LibraryRef, SourceRef, Variable};
use crate::status::SyncStatus;

/// File that is evaluated when `spec.entryFile` is not set.
pub const DEFAULT_ENTRY_FILE: &str = "main.jsonnet";

/// What the artifact holds.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// One file `rendered.json`: the result as JSON.
    #[default]
    Rendered,
    /// The snippet's own files, once they evaluate.
    Source,
    /// One file `manifests.yaml`: the Kubernetes objects of the result, as kustomize-controller applies them.
    Manifests,
}

impl Output {
    /// The word that stands in `spec.output`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rendered => "rendered",
            Self::Source => "source",
            Self::Manifests => "manifests",
        }
    }
}

/// Desired state of a snippet.
#[derive(CustomResource, Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[kube(
    group = "jaas.metio.wtf",
    version = "v1",
    kind = "JsonnetSnippet",
    root = "SnippetDefinition",
    plural = "jsonnetsnippets",
    singular = "jsonnetsnippet",
    shortname = "jsnip",
    namespaced,
    status = "SyncStatus",
    doc = "Jsonnet that is evaluated and published as a Flux ExternalArtifact of the same name.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision", priority = 1),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.artifactURL"),
    printcolumn(name = "Suspend", type_ = "boolean", json_path = ".spec.suspend", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("(has(self.files) && size(self.files) > 0 ? 1 : 0) + (has(self.sourceRef) ? 1 : 0) == 1")
        .message("exactly one of spec.files or spec.sourceRef must be set")
)]
#[serde(rename_all = "camelCase")]
pub struct SnippetSpec {
    /// ServiceAccount in the snippet's namespace whose rights are used for everything done on the snippet's behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// File that is evaluated.
    #[serde(default = "default_entry_file")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9._/-]+$"))]
    #[x_kube(validation = Rule::new("!self.contains('..')").message("entryFile must not contain '..'"))]
    pub entry_file: String,
    /// Files by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, String>>,
    /// Flux object that provides the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
    /// Libraries that may be imported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub libraries: Vec<LibraryRef>,
    /// Top-level arguments, for a snippet that is a function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tlas: Vec<Variable>,
    /// External variables, read by `std.extVar`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub external_variables: Vec<Variable>,
    /// What the artifact holds: `rendered` (the result as JSON), `source` (the files themselves), or `manifests` (the
    /// Kubernetes objects of the result).
    #[serde(default)]
    pub output: Output,
    /// Publishes an artifact without any object where `output: manifests` finds none. A Kustomization with `prune: true`
    /// then deletes everything it had applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_empty: Option<bool>,
    /// Pauses the snippet; what was published stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// How many published revisions are kept.
    #[serde(default = "default_history")]
    #[schemars(range(min = 1, max = 50))]
    pub history: i32,
    /// Checks the snippet again after this time, also when nothing announced a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('30s') && duration(self) <= duration('24h')")
            .message("interval must be between 30s and 24h")
    )]
    pub interval: Option<Duration>,
}

fn default_entry_file() -> String {
    DEFAULT_ENTRY_FILE.to_owned()
}

fn default_history() -> i32 {
    1
}

impl Default for SnippetSpec {
    fn default() -> Self {
        Self {
            service_account_name: None,
            entry_file: default_entry_file(),
            files: None,
            source_ref: None,
            libraries: Vec::new(),
            tlas: Vec::new(),
            external_variables: Vec::new(),
            output: Output::default(),
            allow_empty: None,
            suspend: None,
            history: default_history(),
            interval: None,
        }
    }
}

/// Jsonnet that is evaluated and published as an ExternalArtifact of the same name and namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct JsonnetSnippet {
    /// `jaas.metio.wtf/v1`; absent in items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `JsonnetSnippet`; absent in items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Desired state.
    #[serde(default)]
    pub spec: SnippetSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<SyncStatus>,
}

namespaced_resource!(JsonnetSnippet, crate::GROUP, crate::VERSION, "jsonnetsnippets", SnippetSpec, SyncStatus);
