//! Questions that many checks ask of the facts, with the reason where there is no answer. Pure.

use std::collections::BTreeSet;

use super::outcome::Stop;
use crate::facts::operator::Deployment;
use crate::facts::{Artifact, Facts, Flags, Implementation, Pod, Snippet, Snippets};
use crate::known::{Obstacle, Why};

/// What a store is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A directory.
    Local,
    /// A bucket.
    S3,
}

/// The operator's settings.
pub(crate) fn flags(facts: &Facts) -> Result<&Flags, Why> {
    facts.operator.flags.told("the operator's settings")
}

/// A setting that is a duration, in seconds.
pub(crate) fn seconds(facts: &Facts, flag: &str) -> Result<u64, Why> {
    flags(facts)?.seconds(flag).ok_or_else(|| not_told(flag))
}

/// A setting that is a word.
pub(crate) fn setting<'a>(facts: &'a Facts, flag: &str) -> Result<&'a str, Why> {
    flags(facts)?.get(flag).ok_or_else(|| not_told(flag))
}

fn not_told(flag: &str) -> Why {
    Why::new(Obstacle::NotOffered, format!("the setting --{flag}"))
}

/// Which program the operator is.
pub(crate) fn implementation(facts: &Facts) -> Result<Implementation, Why> {
    facts.operator.implementation.told("which program the operator is").copied()
}

/// What the store is made of.
pub(crate) fn backend(facts: &Facts) -> Result<Backend, Why> {
    match flags(facts)?.backend() {
        "local" => Ok(Backend::Local),
        "s3" => Ok(Backend::S3),
        other => Err(Why::new(Obstacle::NotOffered, format!("stores of the kind {other:?}"))),
    }
}

/// Goes on only where the store is a directory.
pub(crate) fn only_local(facts: &Facts) -> Result<(), Stop> {
    match backend(facts)? {
        Backend::Local => Ok(()),
        Backend::S3 => Err(Stop::skip("the store is a bucket")),
    }
}

/// Goes on only where the store is a bucket.
pub(crate) fn only_s3(facts: &Facts) -> Result<(), Stop> {
    match backend(facts)? {
        Backend::S3 => Ok(()),
        Backend::Local => Err(Stop::skip("the store is a directory")),
    }
}

/// The operator's Deployment.
pub(crate) fn deployment(facts: &Facts) -> Result<&Deployment, Stop> {
    let found = facts.operator.deployment.told("the operator's Deployment")?;
    found.as_ref().ok_or_else(|| Stop::skip("no operator is installed"))
}

/// The operator's Pods, ended ones included.
pub(crate) fn pods(facts: &Facts) -> Result<&[Pod], Why> {
    facts.operator.pods.told("the operator's Pods").map(Vec::as_slice)
}

/// The operator's Pods that run, or are on their way.
pub(crate) fn live_pods(facts: &Facts) -> Result<Vec<&Pod>, Why> {
    Ok(pods(facts)?.iter().filter(|pod| pod.is_live()).collect())
}

/// The snippets.
pub(crate) fn snippets(facts: &Facts) -> Result<&Snippets, Why> {
    facts.snippets.told("the snippets")
}

/// The ExternalArtifacts.
pub(crate) fn artifacts(facts: &Facts) -> Result<&[Artifact], Why> {
    facts.artifacts.told("the ExternalArtifacts").map(Vec::as_slice)
}

/// One reason for each namespace whose snippets could not be listed.
pub(crate) fn unlisted(snippets: &Snippets) -> Vec<Why> {
    let names: BTreeSet<_> = snippets.unlisted.iter().collect();
    let why = |name: &String| Why::new(Obstacle::NoRight, format!("list jsonnetsnippets in {name}"));
    names.into_iter().map(why).collect()
}

/// Snippets as `namespace/name`, for evidence.
pub(crate) fn names<'a>(snippets: impl IntoIterator<Item = &'a Snippet>) -> impl Iterator<Item = String> {
    snippets.into_iter().map(|snippet| snippet.subject().path())
}
