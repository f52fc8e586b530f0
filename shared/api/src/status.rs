//! What a reconcile reports. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The one condition type that is written.
pub const READY: &str = "Ready";
/// Longest condition message that an API server accepts, in bytes.
pub const MESSAGE_LIMIT: usize = 32_768;

/// A published revision.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RevisionRecord {
    /// `sha256:<hex>` of the content.
    pub revision: String,
    /// When it was published or, in `retired`, when it stopped being kept.
    pub time: Time,
}

/// Status shared by snippets and libraries.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// Generation that this status judges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions; only `Ready` is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// `sha256:<hex>` of the content of the published artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Address of the published artifact.
    #[serde(rename = "artifactURL", skip_serializing_if = "Option::is_none")]
    pub artifact_url: Option<String>,
    /// Revision of the snippet's source that was rendered, as the source calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_revision: Option<String>,
    /// Last time that a revision was published or confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// Last value of `reconcile.fluxcd.io/requestedAt` that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Last value of `jaas.metio.wtf/reconcile-at` that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_jaas_reconcile_at: Option<String>,
    /// Published revisions that are kept, newest first, without duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<RevisionRecord>,
    /// Fingerprint of everything that decides the bytes of the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs_digest: Option<String>,
    /// Mounted libraries of the operator that decided the bytes, by alias; `*` stands for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounted_libraries: Vec<String>,
    /// Revisions that left `history` and wait for their grace period to end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<RevisionRecord>,
}

impl SyncStatus {
    /// The `Ready` condition, if one was written.
    pub fn ready(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == READY)
    }
}

/// The schema of `metav1.Condition` as the Kubernetes API conventions state it, with its limits, which the generated type lacks.
pub(crate) fn conditions_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "description": "Standard conditions; only `Ready` is written.",
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When the condition last changed from one status to another."},
                "message": {"type": "string", "maxLength": 32768, "description": "What is the case, for people."},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0, "description": "Generation that this condition judges."},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", "description": "What is the case, for machines."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Status of the condition."},
                "type": {"type": "string", "maxLength": 316, "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$", "description": "Type of the condition."}
            }
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"]
    })
}
