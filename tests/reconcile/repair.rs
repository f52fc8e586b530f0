//! What is damaged by hand or by fate comes back by itself.

use std::fs;

use jaas_api::ExternalArtifact;
use jaas_tests::wait::{eventually, object};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::field::{Field, PATIENCE, message, one_file};

async fn published(name: &str) -> Field {
    let field = Field::new(name).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    field
}

/// Asks for the snippet's artifact until it is there, and answers every status on the way.
async fn statuses_until_served(field: &Field, url: &str) -> Vec<u16> {
    let mut seen = Vec::new();
    eventually("the artifact to be served", PATIENCE, async || {
        let answer = field.get(url).await;
        seen.push(answer.status.as_u16());
        if answer.status == 503 {
            let after: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((2..=5).contains(&after), "{after}");
        }
        if answer.status == 200 { Ok(()) } else { Err(answer.status) }
    })
    .await
    .unwrap();
    seen
}

#[tokio::test]
async fn an_artifact_that_is_deleted_by_hand_is_back_at_once() {
    let field = published("ea-deleted").await;
    let before = field.artifact("web").await;
    field.artifacts.delete("web", &DeleteParams::default()).await.unwrap();
    let after = object(&field.artifacts, "web", "is back", PATIENCE, |artifact| {
        artifact.uid() != before.uid() && artifact.published().is_some()
    })
    .await
    .unwrap();
    assert_eq!(after.spec, before.spec);
    let same = |artifact: &ExternalArtifact| {
        let published = artifact.published().unwrap();
        (published.url.clone(), published.digest.clone(), published.size)
    };
    assert_eq!(same(&after), same(&before));
}

#[tokio::test]
async fn an_artifact_that_is_edited_by_hand_is_put_right() {
    let field = published("ea-edited").await;
    let before = field.artifact("web").await;
    let status_edit = json!({"status": {"artifact": {"digest": format!("sha256:{}", "0".repeat(64)), "url": "http://evil"}, "conditions": []}});
    field.artifacts.patch_status("web", &PatchParams::default(), &Patch::Merge(status_edit)).await.unwrap();
    let right = |artifact: &ExternalArtifact| {
        let (published, expected) = (artifact.published(), before.published());
        published.map(|it| (&it.url, &it.digest)) == expected.map(|it| (&it.url, &it.digest))
            && artifact.status.as_ref().is_some_and(|status| status.conditions.len() == 1)
    };
    object(&field.artifacts, "web", "announces what is right", PATIENCE, right).await.unwrap();

    let spec_edit = json!({"metadata": {"ownerReferences": null}, "spec": {"sourceRef": {"namespace": "elsewhere"}}});
    field.artifacts.patch("web", &PatchParams::default(), &Patch::Merge(spec_edit)).await.unwrap();
    object(&field.artifacts, "web", "names its producer again", PATIENCE, |artifact| {
        artifact.spec == before.spec && !artifact.owner_references().is_empty() && right(artifact)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_foreign_artifact_is_never_touched() {
    let field = Field::new("foreign").await;
    let foreign = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"name": "web", "namespace": field.namespace.name},
        "spec": {"sourceRef": {"apiVersion": "example.com/v1", "kind": "Generator", "name": "web"}},
    });
    let foreign: ExternalArtifact = serde_json::from_value(foreign).unwrap();
    let before = field.artifacts.create(&PostParams::default(), &foreign).await.unwrap();
    field.create_file("web", "1").await;
    let refused = field.judged("web", "ArtifactConflict").await;
    assert_eq!(
        message(&refused),
        "an ExternalArtifact of this name exists and names Generator \"web\" as its source; it is left alone. Rename the snippet, or delete the artifact if nobody needs it (kubectl jaas explain ArtifactConflict)"
    );
    field.delete("web").await;
    jaas_tests::wait::gone(&field.snippets, "web", PATIENCE).await.unwrap();
    let after = field.artifacts.get("web").await.unwrap();
    assert_eq!((after.resource_version(), after.spec), (before.resource_version(), before.spec));

    // Once the way is free the snippet takes it.
    field.create_file("web", "1").await;
    field.judged("web", "ArtifactConflict").await;
    field.artifacts.delete("web", &DeleteParams::default()).await.unwrap();
    field.synced("web").await;
}

#[tokio::test]
async fn a_damaged_file_is_never_served_and_is_replaced_by_the_same_bytes() {
    let field = published("damaged").await;
    let (file, artifact) = (field.file("web").await, field.artifact("web").await);
    let right = fs::read(&file).unwrap();
    let url = &artifact.published().unwrap().url;
    for damage in [&b"garbage"[..], b"", &right[..right.len() / 2]] {
        fs::write(&file, damage).unwrap();
        let seen = statuses_until_served(&field, url).await;
        assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "{seen:?}");
        assert_eq!(fs::read(&file).unwrap(), right);
    }
    let after = field.artifact("web").await;
    assert_eq!(after.resource_version(), artifact.resource_version(), "nothing was announced anew");
}

#[tokio::test]
async fn an_emptied_store_is_whole_again_without_help_or_a_write() {
    let mut field = Field::new("emptied").await;
    let names: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    for name in &names {
        field.create_file(name, &format!("'{name}'")).await;
    }
    let mut urls = Vec::new();
    for name in &names {
        field.synced(name).await;
        urls.push(field.artifact(name).await.published().unwrap().url.clone());
    }
    let versions = versions(&field).await;
    for stopped in [false, true] {
        if stopped {
            field.operator.kill().await.unwrap();
        }
        empty(&field);
        if stopped {
            field.operator.restart().await.unwrap();
            field.operator.wait_ready().await.unwrap();
        }
        // One consumer misses one file; the others come back all the same.
        let seen = statuses_until_served(&field, &urls[0]).await;
        assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "stopped {stopped}: {seen:?}");
        eventually("every file", PATIENCE, async || {
            let files = field.stored().iter().filter(|path| path.ends_with(".tar.gz")).count();
            if files == names.len() { Ok(()) } else { Err(format!("{files} files")) }
        })
        .await
        .unwrap();
        for url in &urls {
            assert_eq!(field.get(url).await.status, 200);
        }
        assert_eq!(self::versions(&field).await, versions, "stopped {stopped}: nothing was written");
    }
}

/// Resource versions of everything that the operator could have written.
async fn versions(field: &Field) -> Vec<Option<String>> {
    let all = kube::api::ListParams::default();
    let snippets = field.snippets.list(&all).await.unwrap().items.into_iter().map(|it| it.resource_version());
    let artifacts = field.artifacts.list(&all).await.unwrap().items.into_iter().map(|it| it.resource_version());
    snippets.chain(artifacts).collect()
}

fn empty(field: &Field) {
    crate::field::empty(field.operator.storage_path());
}

#[tokio::test]
async fn a_suspended_snippet_gets_its_file_back_only_if_it_renders_to_the_same() {
    let field = published("suspended-lost").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    field.patch("web", json!({"spec": {"suspend": true}})).await;
    field.judged("web", "Suspended").await;
    empty(&field);
    let seen = statuses_until_served(&field, &url).await;
    assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "{seen:?}");
    field.judged("web", "Suspended").await;

    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "2"}}})).await;
    field.judged("web", "Suspended").await;
    empty(&field);
    let answer = field.get(&url).await;
    assert!(matches!(answer.status.as_u16(), 503 | 404));
    let lost = field.judged("web", "ArtifactLost").await;
    assert!(
        message(&lost).contains("is missing in the store and cannot be rendered again: the snippet is suspended, and it now renders to sha256:"),
        "{}",
        message(&lost)
    );
    eventually("404 for what will not come back", PATIENCE, async || {
        let answer = field.get(&url).await;
        if answer.status == 404 { Ok(()) } else { Err(answer.status) }
    })
    .await
    .unwrap();
    // Resumed, it publishes what it now is.
    field.patch("web", json!({"spec": {"suspend": false}})).await;
    field.synced("web").await;
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "2\n"));
}

#[tokio::test]
async fn a_failing_snippet_that_lost_its_file_says_so() {
    let field = published("failing-lost").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "error 'no'"}}})).await;
    field.judged("web", "EvaluationFailed").await;
    empty(&field);
    field.get(&url).await;
    let lost = field.judged("web", "ArtifactLost").await;
    assert!(
        message(&lost).contains("cannot be rendered again: ") && message(&lost).contains("no"),
        "{}",
        message(&lost)
    );
    assert_eq!(field.get(&url).await.status, 404);
}

#[tokio::test]
async fn a_store_that_refuses_is_told_and_recovered_from() {
    let field = published("refusing").await;
    let namespace = field.operator.storage_path().join(&field.namespace.name);
    // A file in place of the folder: nothing can be written below it, whoever asks.
    let aside = field.operator.storage_path().join("aside");
    fs::rename(&namespace, &aside).unwrap();
    fs::write(&namespace, b"in the way").unwrap();
    field.create_file("new", "2").await;
    let refused = field.judged("new", "StorageUnavailable").await;
    assert!(
        message(&refused).starts_with(&format!("writing `{}", namespace.display()))
            && message(&refused).ends_with("(kubectl jaas explain StorageUnavailable)"),
        "{}",
        message(&refused)
    );
    fs::remove_file(&namespace).unwrap();
    fs::rename(&aside, &namespace).unwrap();
    field.synced("new").await;
    field.synced("web").await;
}

/// The same tar, compressed by somebody else: other bytes of the same content, as the Go implementation leaves them.
pub(crate) fn packed_by_others(ours: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(ours), &mut tar).unwrap();
    let mut foreign = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut foreign, &tar).unwrap();
    foreign.finish().unwrap()
}

#[tokio::test]
async fn what_other_software_packed_is_taken_over_unchanged() {
    let mut field = published("adopt").await;
    let file = field.file("web").await;
    field.operator.kill().await.unwrap();
    let foreign = packed_by_others(&fs::read(&file).unwrap());
    fs::write(&file, &foreign).unwrap();
    let digest = jaas_storage::Digest::of(&foreign).to_string();
    let status = json!({"status": {"artifact": {"digest": digest, "size": foreign.len()}}});
    field.artifacts.patch_status("web", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    let owner = json!({"metadata": {"ownerReferences": null}});
    let left = field.artifacts.patch("web", &PatchParams::default(), &Patch::Merge(owner)).await.unwrap();
    let fingerprint = json!({"status": {"inputsDigest": Value::Null}});
    let snippet =
        field.snippets.patch_status("web", &PatchParams::default(), &Patch::Merge(fingerprint)).await.unwrap();

    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    let adopted = object(&field.artifacts, "web", "has an owner", PATIENCE, |it| !it.owner_references().is_empty())
        .await
        .unwrap();
    assert_eq!((adopted.spec, adopted.status), (left.spec, left.status));
    assert_eq!(fs::read(&file).unwrap(), foreign);
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "1\n"));
    assert_eq!(field.snippets.get("web").await.unwrap().resource_version(), snippet.resource_version());
    assert_eq!(crate::field::status(&snippet).inputs_digest, None);
}
