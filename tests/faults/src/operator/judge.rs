//! What must be true while the operator is down, while it comes back, and once it is done.

use std::fmt;

use anyhow::Result;
use jaas_api::artifact::Artifact;
use jaas_storage::artifact::{is_content_of, unpack};
use jaas_storage::{Digest, Key, Revision};
use jaas_tests::{http, wait};
use serde_json::Value;

use super::bed::{Bed, NAME, PATIENCE, Scene};

/// What is to be the case in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// An artifact with this text is published.
    Text(String),
    /// Everything is withdrawn.
    Nothing,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "the publication of {text:?}"),
            Self::Nothing => f.write_str("the withdrawal"),
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) invariant: &'static str,
    pub(super) seen: String,
}

pub(super) fn finding(invariant: &'static str, seen: impl fmt::Display) -> Finding {
    Finding { invariant, seen: seen.to_string() }
}

/// What is announced, with the operator not running: it is in the store, and it is what was announced.
pub(super) async fn down(bed: &Bed<'_>, scene: &Scene) -> Result<Vec<Finding>> {
    let Some(published) = announced(scene).await? else { return Ok(Vec::new()) };
    Ok(match bed.shelf.read(&published.path).await? {
        None => vec![finding("I6", format!("{} is announced and not in the store", published.path))],
        Some(bytes) => agree(&published, &bytes, &bed.operator.base_url(), &scene.namespace),
    })
}

/// What a consumer gets who asks for what is announced: the right bytes, or the word that they come soon.
pub(super) async fn served(bed: &Bed<'_>, scene: &Scene) -> Result<Vec<Finding>> {
    let Some(published) = announced(scene).await? else { return Ok(Vec::new()) };
    let url = &published.url;
    let seen = match http::read(bed.consumer.get(url)).await {
        Ok(answer) => match answer.status.as_u16() {
            200 => return Ok(agree(&published, &answer.body, &bed.operator.base_url(), &scene.namespace)),
            503 => return Ok(Vec::new()),
            other => format!("{url} answers {other}: {}", answer.text()),
        },
        Err(error) => format!("{url}: {error:#}"),
    };
    // It may have been replaced or withdrawn between the two looks.
    let still = announced(scene).await?.is_some_and(|now| now.url == *url);
    Ok(if still { vec![finding("I1", seen)] } else { Vec::new() })
}

/// What must be true once the operator has done what was wanted.
pub(super) async fn done(bed: &Bed<'_>, scene: &Scene, wanted: &Wanted) -> Result<Vec<Finding>> {
    let Wanted::Text(text) = wanted else {
        return Ok(shelved(bed, scene, None).await);
    };
    let Some(published) = announced(scene).await? else { return Ok(vec![finding("I7", "nothing is announced")]) };
    let status = scene.snippets.get(NAME).await?.status.unwrap_or_default();
    let mut findings = Vec::new();
    if (status.revision.as_ref(), status.artifact_url.as_ref()) != (Some(&published.revision), Some(&published.url)) {
        let told = format!("the snippet says {:?} at {:?}", status.revision, status.artifact_url);
        findings.push(finding("I5", format!("{told}, the artifact {} at {}", published.revision, published.url)));
    }
    findings.extend(shelved(bed, scene, Some(&published.path)).await);
    let answer = http::read(bed.consumer.get(&published.url)).await?;
    if answer.status != ::http::StatusCode::OK {
        findings.push(finding("I7", format!("{} still answers {}", published.url, answer.status)));
        return Ok(findings);
    }
    findings.extend(agree(&published, &answer.body, &bed.operator.base_url(), &scene.namespace));
    let rendered = text_of(&answer.body);
    if rendered.as_ref() != Some(text) {
        findings.push(finding("I7", format!("{text:?} is wanted, and {rendered:?} published")));
    }
    Ok(findings)
}

async fn announced(scene: &Scene) -> Result<Option<Artifact>> {
    let artifact = scene.artifacts.get_opt(NAME).await?;
    Ok(artifact.and_then(|artifact| artifact.published().cloned()))
}

/// Waits until the store holds nothing of the namespace but what is announced.
async fn shelved(bed: &Bed<'_>, scene: &Scene, announced: Option<&str>) -> Vec<Finding> {
    let mut last = Ok(Vec::new());
    let clean = wait::eventually("a tidy store", PATIENCE, async || {
        last = bed.shelf.list(&scene.namespace).await;
        let Ok(found) = &last else { return None };
        leftovers(found, &scene.namespace, announced).is_empty().then_some(())
    });
    match (clean.await, last) {
        (Ok(()), _) => Vec::new(),
        (Err(_), Ok(found)) => leftovers(&found, &scene.namespace, announced),
        (Err(_), Err(error)) => vec![finding("run", format!("{error:#}"))],
    }
}

/// What is in the folder of a namespace and should not be, and what should be and is not.
fn leftovers(found: &[String], namespace: &str, announced: Option<&str>) -> Vec<Finding> {
    let folders = [format!("{namespace}/"), format!("{namespace}/{NAME}/")];
    let mut findings = Vec::new();
    for path in found {
        let expected = Some(path.as_str()) == announced || (announced.is_some() && folders.contains(path));
        // The namespace's own folder may stay: another snippet could come at any time.
        if expected || *path == folders[0] {
            continue;
        }
        let artifact = path.ends_with(".tar.gz") || path.ends_with('/');
        findings.push(finding(if artifact { "I3" } else { "I4" }, format!("{path} stays in the store")));
    }
    if let Some(path) = announced.filter(|announced| !found.iter().any(|path| path == announced)) {
        findings.push(finding("I2", format!("{path} is announced and gone from the store")));
    }
    findings
}

/// Compares bytes with what is announced of them. Pure.
fn agree(published: &Artifact, bytes: &[u8], base_url: &str, namespace: &str) -> Vec<Finding> {
    let Artifact { path, url, revision, digest, size, .. } = published;
    let actual = Digest::of(bytes).to_string();
    if digest.as_ref() != Some(&actual) {
        return vec![finding("I1", format!("{url} hashes to {actual}, announced is {digest:?}"))];
    }
    let parsed: Option<Revision> = revision.parse().ok();
    let key = Key::new(namespace, NAME).ok();
    let mut findings = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            findings.push(finding("I5", format!("{what}: {published:?}, {} bytes", bytes.len())));
        }
    };
    check(*size == i64::try_from(bytes.len()).ok(), "size");
    check(*url == format!("{base_url}/{path}"), "url");
    check(key.zip(parsed.as_ref()).is_some_and(|(key, revision)| *path == key.path(revision)), "path");
    let entries = unpack(bytes).ok();
    check(entries.zip(parsed).is_some_and(|(entries, revision)| is_content_of(&entries, &revision)), "revision");
    findings
}

/// The text that the artifact was rendered with.
fn text_of(tarball: &[u8]) -> Option<String> {
    let entries = unpack(tarball).ok()?;
    let (_, rendered) = entries.first_key_value()?;
    let rendered: Value = serde_json::from_slice(rendered).ok()?;
    rendered["text"].as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_storage::Content;

    fn artifact() -> (Artifact, Vec<u8>) {
        let content = Content::document("rendered.json", br#"{"text": "x"}"#.to_vec());
        let bytes = content.packed().unwrap().to_vec();
        let path = Key::new("a", NAME).unwrap().path(content.revision());
        let published = Artifact {
            url: format!("http://base/{path}"),
            path,
            revision: content.revision().to_string(),
            digest: Some(Digest::of(&bytes).to_string()),
            size: i64::try_from(bytes.len()).ok(),
            last_update_time: None,
            ..Artifact::default()
        };
        (published, bytes)
    }

    fn invariants(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.invariant).collect()
    }

    #[test]
    fn what_disagrees_is_found() {
        let (good, bytes) = artifact();
        let judged =
            |published: &Artifact, bytes: &[u8]| invariants(&agree(published, bytes, "http://base", "a")).join(" ");
        assert_eq!(judged(&good, &bytes), "");
        assert_eq!(text_of(&bytes).as_deref(), Some("x"));
        assert_eq!(judged(&good, &bytes[1..]), "I1");
        assert_eq!(judged(&Artifact { digest: None, ..good.clone() }, &bytes), "I1");
        assert_eq!(judged(&Artifact { size: Some(1), ..good.clone() }, &bytes), "I5");
        assert_eq!(judged(&Artifact { url: good.path.clone(), ..good.clone() }, &bytes), "I5");
        let other = Revision::of_document(b"y").to_string();
        assert_eq!(judged(&Artifact { revision: other, ..good }, &bytes), "I5 I5");
    }

    #[test]
    fn what_is_left_and_what_is_missing_is_found() {
        let left = |found: &[&str], announced| {
            let found: Vec<_> = found.iter().map(|path| (*path).to_owned()).collect();
            invariants(&leftovers(&found, "a", announced)).join(" ")
        };
        assert_eq!(left(&["a/", "a/web/", "a/web/x.tar.gz"], Some("a/web/x.tar.gz")), "");
        assert_eq!(left(&["a/"], None), "");
        assert_eq!(left(&[], Some("a/web/x.tar.gz")), "I2");
        assert_eq!(left(&["a/web/x.tar.gz", "a/web/y.tar.gz"], Some("a/web/x.tar.gz")), "I3");
        assert_eq!(left(&["a/", "a/web/"], None), "I3");
        assert_eq!(left(&["a/web/x.tar.gz.tmp"], None), "I4");
    }
}
