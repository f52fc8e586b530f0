//! Flux's `ExternalArtifact`, as far as it is read and written here. Pure.
//!
//! Source of the schema: <https://github.com/fluxcd/source-controller/blob/main/docs/spec/v1/externalartifacts.md>

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::resource::namespaced_resource;

/// API group of Flux's source kinds.
pub const FLUX_SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";
/// Key of an artifact's metadata: the revision that it was made of, as Flux's own artifacts have it.
/// Source: <https://github.com/opencontainers/image-spec/blob/main/annotations.md>
pub const SOURCE_REVISION: &str = "org.opencontainers.image.revision";
/// Version of [`FLUX_SOURCE_GROUP`] that is read and written.
pub const FLUX_SOURCE_VERSION: &str = "v1";

/// Names the object that produced the artifact. Every field is optional here, so that foreign artifacts never make a list unreadable.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProducerRef {
    /// API version of the producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of the producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl ProducerRef {
    /// The reference that an artifact of the snippet `name` carries: exactly three keys, which consumers look up.
    pub fn snippet(name: &str) -> Self {
        Self {
            api_version: Some(crate::API_VERSION.to_owned()),
            kind: Some("JsonnetSnippet".to_owned()),
            name: Some(name.to_owned()),
            namespace: None,
        }
    }

    /// Whether this names the snippet `name` in the artifact's own namespace, in any version of our group.
    pub fn names_snippet(&self, name: &str) -> bool {
        let group = self.api_version.as_deref().and_then(|version| version.split_once('/')).map(|(group, _)| group);
        group == Some(crate::GROUP)
            && self.kind.as_deref() == Some("JsonnetSnippet")
            && self.name.as_deref() == Some(name)
    }
}

/// Desired state of an artifact.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalArtifactSpec {
    /// Who produced the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<ProducerRef>,
}

/// Where the bytes are and what they must hash to.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Artifact {
    /// Path below the store's root.
    pub path: String,
    /// Address of the tarball.
    pub url: String,
    /// Identity of the content.
    pub revision: String,
    /// `sha256:<hex>` of the tarball's bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// RFC 3339 time of the last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<String>,
    /// Size of the tarball in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// What else is known of it, such as [`SOURCE_REVISION`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Observed state of an artifact.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalArtifactStatus {
    /// What consumers fetch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// An artifact that Flux's consumers fetch.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalArtifact {
    /// `source.toolkit.fluxcd.io/v1`; absent in items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `ExternalArtifact`; absent in items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Desired state.
    #[serde(default)]
    pub spec: ExternalArtifactSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ExternalArtifactStatus>,
}

impl ExternalArtifact {
    /// The published artifact, if there is one.
    pub fn published(&self) -> Option<&Artifact> {
        self.status.as_ref()?.artifact.as_ref()
    }
}

namespaced_resource!(
    ExternalArtifact,
    FLUX_SOURCE_GROUP,
    FLUX_SOURCE_VERSION,
    "externalartifacts",
    ExternalArtifactSpec,
    ExternalArtifactStatus
);
