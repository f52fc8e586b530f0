//! The ExternalArtifact that a snippet is to have, and how far one is from it. Pure.

use std::collections::BTreeMap;

use jaas_api::artifact::{Artifact, ExternalArtifactSpec, ProducerRef, SOURCE_REVISION};
use jaas_api::{API_VERSION, ExternalArtifact, JsonnetSnippet};
use jaas_storage::{Digest, Key, Revision};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference, Time};
use serde_json::{Map, Value, json};

use super::world::World;
use crate::cluster::merge;

/// Whose an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It names this snippet as its producer.
    Ours,
    /// It names somebody else, or nobody.
    Foreign,
}

/// What is announced of a stored artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Path below the store's root.
    pub path: String,
    /// Address.
    pub url: String,
    /// Identity of the content.
    pub revision: String,
    /// Digest of the bytes.
    pub digest: String,
    /// Number of bytes.
    pub size: i64,
    /// What the snippet's source calls the state that was rendered, if it has one; `None` where that is left as it is.
    pub source_revision: Option<Option<String>>,
}

/// What is to be announced of stored bytes.
pub fn announcement(world: &World, key: &Key, revision: &Revision, digest: &Digest, size: u64) -> Announcement {
    let path = key.path(revision);
    Announcement {
        url: format!("{}/{path}", world.base_url),
        path,
        revision: revision.to_string(),
        digest: digest.to_string(),
        size: i64::try_from(size).unwrap_or(i64::MAX),
        source_revision: None,
    }
}

/// Whose the artifact is. What counts is the producer that it names, as the Go implementation writes it too.
pub fn ownership(artifact: &ExternalArtifact, snippet: &JsonnetSnippet) -> Ownership {
    let name = snippet.metadata.name.as_deref().unwrap_or_default();
    match &artifact.spec.source_ref {
        Some(producer) if producer.names_snippet(name) => Ownership::Ours,
        Some(_) | None => Ownership::Foreign,
    }
}

/// The artifact as it is created; its status is written afterwards, since a create drops it.
pub fn new(key: &Key, snippet: &JsonnetSnippet) -> ExternalArtifact {
    let mut artifact = ExternalArtifact::new(key.namespace(), key.name(), spec(snippet));
    artifact.metadata.owner_references = Some(vec![owner(snippet)]);
    artifact
}

fn spec(snippet: &JsonnetSnippet) -> ExternalArtifactSpec {
    let name = snippet.metadata.name.as_deref().unwrap_or_default();
    ExternalArtifactSpec { source_ref: Some(ProducerRef::snippet(name)) }
}

/// Lets Kubernetes remove the artifact with its snippet, without making the snippet's deletion wait for it.
fn owner(snippet: &JsonnetSnippet) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: "JsonnetSnippet".to_owned(),
        name: snippet.metadata.name.clone().unwrap_or_default(),
        uid: snippet.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    }
}

/// Owners as they should be: this very snippet, and whoever else is named, but no earlier snippet of its name.
fn owners(artifact: &ExternalArtifact, snippet: &JsonnetSnippet) -> Vec<OwnerReference> {
    let ours = owner(snippet);
    let present = artifact.metadata.owner_references.clone().unwrap_or_default();
    let ours_is_there = present.iter().any(|other| other.uid == ours.uid && other.kind == ours.kind);
    if ours_is_there {
        return present;
    }
    let mut owners = present;
    owners.retain(|other| other.kind != ours.kind || other.name != ours.name);
    // There can be one controller only.
    let controlled = owners.iter().any(|other| other.controller == Some(true));
    let ours = OwnerReference { controller: (!controlled).then_some(true), ..ours };
    owners.push(ours);
    owners
}

/// The patch that brings metadata and spec in order, or `None` where they are.
pub fn object_patch(artifact: &ExternalArtifact, snippet: &JsonnetSnippet) -> Option<Value> {
    let spec = difference(&artifact.spec, &spec(snippet));
    let owners = owners(artifact, snippet);
    let owned = artifact.metadata.owner_references.as_ref().is_some_and(|present| *present == owners);
    if spec.is_empty() && owned {
        return None;
    }
    let mut patch = json!({"metadata": {}});
    if !spec.is_empty() {
        patch["spec"] = Value::Object(spec);
    }
    if !owned {
        patch["metadata"]["ownerReferences"] = json!(owners);
    }
    Some(patch)
}

/// The patch that brings the status in order; empty where it is.
pub fn status_patch(artifact: &ExternalArtifact, announced: &Announcement, now: Timestamp) -> Map<String, Value> {
    let current = artifact.status.clone().unwrap_or_default();
    let mut desired = current.clone();
    let metadata = metadata(current.artifact.as_ref(), announced);
    let same = current.artifact.as_ref().is_some_and(|present| announces(present, announced));
    if same && let Some(artifact) = &mut desired.artifact {
        artifact.metadata = metadata;
    } else {
        desired.artifact = Some(Artifact {
            metadata,
            path: announced.path.clone(),
            url: announced.url.clone(),
            revision: announced.revision.clone(),
            digest: Some(announced.digest.clone()),
            size: Some(announced.size),
            last_update_time: Some(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        });
    }
    let generation = artifact.metadata.generation;
    let previous = current.conditions.iter().find(|condition| condition.type_ == "Ready");
    if !previous.is_some_and(|ready| is_ready(ready, generation)) {
        let since = previous.filter(|ready| ready.status == "True").map(|ready| ready.last_transition_time.clone());
        desired.conditions.retain(|condition| condition.type_ != "Ready");
        desired.conditions.push(Condition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            reason: "Succeeded".to_owned(),
            message: "artifact published".to_owned(),
            observed_generation: generation,
            last_transition_time: since.unwrap_or(Time(now)),
        });
    }
    difference(&current, &desired)
}

/// What else is told of the artifact. A revision of the source that is not known any more is left as it was told; consumers fetch by
/// the artifact's own.
fn metadata(present: Option<&Artifact>, announced: &Announcement) -> BTreeMap<String, String> {
    let mut metadata = present.map(|present| present.metadata.clone()).unwrap_or_default();
    match &announced.source_revision {
        Some(Some(revision)) => drop(metadata.insert(SOURCE_REVISION.to_owned(), revision.clone())),
        Some(None) => drop(metadata.remove(SOURCE_REVISION)),
        None => {}
    }
    metadata
}

/// Whether nothing has to be written to announce this.
pub fn is_as_announced(artifact: &ExternalArtifact, snippet: &JsonnetSnippet, announced: &Announcement) -> bool {
    ownership(artifact, snippet) == Ownership::Ours
        && object_patch(artifact, snippet).is_none()
        && status_patch(artifact, announced, Timestamp::UNIX_EPOCH).is_empty()
}

fn announces(present: &Artifact, announced: &Announcement) -> bool {
    present.path == announced.path
        && present.url == announced.url
        && present.revision == announced.revision
        && present.digest.as_deref() == Some(announced.digest.as_str())
        && present.size == Some(announced.size)
        && present.last_update_time.is_some()
}

fn is_ready(ready: &Condition, generation: Option<i64>) -> bool {
    ready.status == "True"
        && ready.reason == "Succeeded"
        && ready.message == "artifact published"
        && ready.observed_generation == generation
}

fn difference<T: serde::Serialize>(current: &T, desired: &T) -> Map<String, Value> {
    // Both are plain structures of strings and numbers, which always serialise.
    let value = |it: &T| serde_json::to_value(it).unwrap_or_default();
    merge::difference(&value(current), &value(desired))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaas_api::snippet::SnippetSpec;

    fn snippet() -> JsonnetSnippet {
        let mut snippet = JsonnetSnippet::new("a", "web", SnippetSpec::default());
        snippet.metadata.uid = Some("u-2".to_owned());
        snippet
    }

    fn announced() -> Announcement {
        Announcement {
            path: "a/web/sha256-00.tar.gz".to_owned(),
            url: "http://jaas/a/web/sha256-00.tar.gz".to_owned(),
            revision: "sha256:00".to_owned(),
            digest: "sha256:11".to_owned(),
            size: 7,
            source_revision: Some(None),
        }
    }

    /// An artifact as we leave it.
    fn published() -> ExternalArtifact {
        let mut artifact = ExternalArtifact::new("a", "web", spec(&snippet()));
        artifact.metadata.owner_references = Some(vec![owner(&snippet())]);
        artifact.metadata.generation = Some(1);
        let patch = Value::Object(status_patch(&artifact, &announced(), Timestamp::UNIX_EPOCH));
        artifact.status = serde_json::from_value(patch).unwrap_or_default();
        artifact
    }

    #[test]
    fn the_status_has_every_field_that_consumers_read() {
        let artifact = ExternalArtifact { status: None, ..published() };
        assert_eq!(
            Value::Object(status_patch(&artifact, &announced(), Timestamp::UNIX_EPOCH)),
            json!({
                "artifact": {
                    "path": "a/web/sha256-00.tar.gz",
                    "url": "http://jaas/a/web/sha256-00.tar.gz",
                    "revision": "sha256:00",
                    "digest": "sha256:11",
                    "size": 7,
                    "lastUpdateTime": "1970-01-01T00:00:00Z",
                },
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Succeeded", "message": "artifact published",
                    "observedGeneration": 1, "lastTransitionTime": "1970-01-01T00:00:00Z",
                }],
            })
        );
    }

    #[test]
    fn nothing_is_written_when_nothing_changed() {
        assert!(is_as_announced(&published(), &snippet(), &announced()));
        assert_eq!(status_patch(&published(), &announced(), Timestamp::now()), Map::new());
    }

    #[test]
    fn each_edit_by_hand_is_noticed() {
        let edits: [fn(&mut ExternalArtifact); 6] = [
            |artifact| artifact.metadata.owner_references = None,
            |artifact| {
                if let Some(status) = &mut artifact.status {
                    status.artifact = None;
                }
            },
            |artifact| {
                if let Some(published) = artifact.status.as_mut().and_then(|status| status.artifact.as_mut()) {
                    published.digest = Some("sha256:22".to_owned());
                }
            },
            |artifact| {
                if let Some(status) = &mut artifact.status {
                    status.conditions.clear();
                }
            },
            |artifact| artifact.metadata.generation = Some(2),
            |artifact| {
                if let Some(producer) = &mut artifact.spec.source_ref {
                    producer.namespace = Some("a".to_owned());
                }
            },
        ];
        for (position, edit) in edits.into_iter().enumerate() {
            let mut artifact = published();
            edit(&mut artifact);
            assert!(!is_as_announced(&artifact, &snippet(), &announced()), "edit {position}");
        }
    }

    #[test]
    fn an_artifact_belongs_to_whom_it_names() {
        let mut artifact = published();
        assert_eq!(ownership(&artifact, &snippet()), Ownership::Ours);
        for producer in [
            None,
            Some(ProducerRef::snippet("other")),
            Some(ProducerRef { kind: Some("Job".to_owned()), ..ProducerRef::snippet("web") }),
        ] {
            artifact.spec.source_ref = producer;
            assert_eq!(ownership(&artifact, &snippet()), Ownership::Foreign);
        }
    }

    #[test]
    fn conditions_and_owners_of_others_are_kept() {
        let mut artifact = published();
        let foreign = OwnerReference { kind: "Team".to_owned(), controller: Some(true), ..owner(&snippet()) };
        let earlier = OwnerReference { uid: "u-1".to_owned(), ..owner(&snippet()) };
        artifact.metadata.owner_references = Some(vec![foreign.clone(), earlier]);
        let expected = OwnerReference { controller: None, ..owner(&snippet()) };
        assert_eq!(
            object_patch(&artifact, &snippet()),
            Some(json!({"metadata": {"ownerReferences": [foreign, expected]}}))
        );

        let other = Condition {
            type_: "SourceVerified".to_owned(),
            status: "True".to_owned(),
            reason: "Ok".to_owned(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        };
        if let Some(status) = &mut artifact.status {
            status.conditions = vec![other.clone()];
        }
        let patch = status_patch(&artifact, &announced(), Timestamp::UNIX_EPOCH);
        assert_eq!(patch["conditions"][0], json!(other));
        assert_eq!(patch["conditions"][1]["type"], json!("Ready"));
    }
}
