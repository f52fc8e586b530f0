//! What should be in the store, and what is announced. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{self, Answers, Word, count, judge};
use super::ask;
use super::outcome::{Outcome, Seen, Stop};
use crate::code::Code;
use crate::facts::snippets::path_of;
use crate::facts::{Artifact, Facts, Reply, RoadKind, Snippet};
use crate::finding::{Evidence, Finding, Subject};

/// What [`presence`] asks, as reasons say it.
pub(crate) const PRESENCE: &str = "whether the file is there";

/// Whether a file is there at all.
pub(crate) fn presence(_: &str, _: &Artifact, reply: &Reply) -> Word {
    match reply {
        Reply::Missing => Word::Bad("404".to_owned()),
        Reply::Restoring => Word::Bad("503, being rendered again".to_owned()),
        Reply::There(_) | Reply::Verified(_) | Reply::WrongDigest(_) | Reply::WrongContent(_) | Reply::NoTarball(_) => {
            Word::Good
        }
        Reply::Status(_) | Reply::Silent(_) => Word::Silent,
    }
}

/// `A501`.
pub(crate) fn missing(facts: &Facts) -> Outcome {
    let judged = judge(facts, presence)?;
    let all = ask::artifacts(facts)?.iter().filter(|artifact| artifact.ours).count();
    Ok(judged.seen(PRESENCE, |bad| {
        let summary = format!("{} of {all} cannot be fetched", count(bad.len(), "current artifact"));
        Finding::new(Code::ArtifactMissing, summary)
            .about(bad.iter().flat_map(|(artifact, _)| [artifact.subject(), artifact.snippet()]))
            .with(answers::evidence(bad).instead_of("200"))
    }))
}

/// `A502`.
pub(crate) fn history_missing(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let current: BTreeSet<&str> = ask::artifacts(facts)?.iter().map(|artifact| artifact.path.as_str()).collect();
    let mut retained = BTreeMap::new();
    for snippet in snippets.items.iter().filter(|snippet| snippet.deleted.is_none()) {
        for entry in snippet.history.iter().filter(|entry| snippet.revision.as_deref() != Some(&entry.revision)) {
            let path = path_of(&snippet.namespace, &snippet.name, &entry.revision);
            if let Some(path) = path.filter(|path| !current.contains(path.as_str())) {
                retained.insert(path, snippet);
            }
        }
    }
    if retained.is_empty() {
        return Ok(Seen::fine().blind_to(ask::unlisted(snippets)));
    }
    let answers = Answers::of(facts)?;
    let (mut gone, mut open) = (Vec::new(), 0);
    for (path, snippet) in &retained {
        let replies = answers.about(path);
        if replies.iter().any(|(_, reply)| matches!(reply, Reply::Missing | Reply::Restoring)) {
            gone.push((path.clone(), snippet.subject()));
        } else if replies.iter().all(|(_, reply)| matches!(reply, Reply::Status(_) | Reply::Silent(_))) {
            open += 1;
        }
    }
    let unanswered = (open > 0)
        .then(|| crate::Why::not_asked(format!("whether {} of the history are there", count(open, "revision"))));
    let seen = Seen::of(gone, |gone| {
        let summary = format!("{} of {} cannot be fetched", count(gone.len(), "retained revision"), retained.len());
        Finding::new(Code::HistoryMissing, summary)
            .about(gone.iter().map(|(_, subject)| subject.clone()))
            .with(Evidence::several("files", gone.iter().map(|(path, _)| path.clone())))
    });
    Ok(seen.blind_to(answers.blind()).blind_to(ask::unlisted(snippets)).blind_to(unanswered))
}

/// `A507`.
pub(crate) fn other_base(facts: &Facts) -> Outcome {
    let base = ask::setting(facts, "storage-base-url")?.trim_end_matches('/');
    let other: Vec<_> = ask::artifacts(facts)?
        .iter()
        // One that announces nothing yet has no address.
        .filter(|artifact| artifact.ours && !artifact.path.is_empty())
        .filter(|artifact| artifact.url != format!("{base}/{}", artifact.path))
        .collect();
    Ok(Seen::of(other, |other| {
        let summary = format!("{} under another address than the operator's", announce(other.len()));
        Finding::new(Code::OtherBase, summary)
            .about(other.iter().map(|artifact| artifact.subject()))
            .with(Evidence::several("addresses", other.iter().map(|artifact| artifact.url.clone())).instead_of(base))
    }))
}

fn announce(number: usize) -> String {
    if number == 1 { "1 artifact is announced".to_owned() } else { format!("{number} artifacts are announced") }
}

/// `A508`.
pub(crate) fn no_object(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let there: BTreeSet<_> = ask::artifacts(facts)?.iter().map(Artifact::snippet).collect();
    let without: Vec<_> = published(&snippets.items).filter(|snippet| !there.contains(&snippet.subject())).collect();
    let seen = Seen::of(without, |without| {
        let summary = format!("{} without an ExternalArtifact", count(without.len(), "ready snippet"));
        Finding::new(Code::NoArtifactObject, summary)
            .about(without.iter().map(|snippet| snippet.subject()))
            .about(without.iter().map(|snippet| Subject::new("ExternalArtifact", &snippet.namespace, &snippet.name)))
            .with(Evidence::several("snippets", ask::names(without.iter().copied())))
    });
    Ok(seen.blind_to(ask::unlisted(snippets)))
}

/// Snippets that claim to be published and are not on their way out.
fn published(snippets: &[Snippet]) -> impl Iterator<Item = &Snippet> {
    snippets.iter().filter(|snippet| snippet.is_ready() && snippet.revision.is_some() && snippet.deleted.is_none())
}

/// `A509`.
pub(crate) fn suspended_and_missing(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let asleep: BTreeSet<_> = snippets.items.iter().filter(|snippet| snippet.suspended).map(Snippet::subject).collect();
    if asleep.is_empty() {
        return Ok(Seen::fine().blind_to(ask::unlisted(snippets)));
    }
    let mut judged = judge(facts, presence)?;
    judged.bad.retain(|(artifact, _)| asleep.contains(&artifact.snippet()));
    judged.open.retain(|artifact| asleep.contains(&artifact.snippet()));
    let seen = judged.seen(PRESENCE, |bad| {
        let summary = format!("{} of suspended snippets cannot be fetched", count(bad.len(), "artifact"));
        Finding::new(Code::SuspendedAndMissing, summary)
            .about(bad.iter().flat_map(|(artifact, _)| [artifact.subject(), artifact.snippet()]))
            .with(answers::evidence(bad))
    });
    Ok(seen.blind_to(ask::unlisted(snippets)))
}

/// `A510`.
pub(crate) fn revisions_disagree(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let announced: BTreeMap<_, _> = ask::artifacts(facts)?
        .iter()
        .filter(|artifact| artifact.ours)
        .map(|artifact| (artifact.snippet(), artifact.revision.as_str()))
        .collect();
    let mut differ = Vec::new();
    for snippet in published(&snippets.items) {
        let Some(announced) = announced.get(&snippet.subject()) else { continue };
        let claimed = snippet.revision.as_deref().unwrap_or_default();
        if claimed != *announced {
            differ.push((snippet, format!("{}: {announced}, not {claimed}", snippet.subject().path())));
        }
    }
    let seen = Seen::of(differ, |differ| {
        let summary = format!("{} whose artifact names another revision", count(differ.len(), "snippet"));
        Finding::new(Code::RevisionsDisagree, summary)
            .about(differ.iter().map(|(snippet, _)| snippet.subject()))
            .with(Evidence::several("revisions", differ.iter().map(|(_, text)| text.clone())))
    });
    Ok(seen.blind_to(ask::unlisted(snippets)))
}

/// `A513`.
pub(crate) fn server_error(facts: &Facts) -> Outcome {
    let judged = judge(facts, |road, _, reply| match reply {
        _ if !RoadKind::of(road).is_some_and(RoadKind::ends_at_the_server) => Word::Silent,
        Reply::Status(status) if *status >= 500 => Word::Bad(status.to_string()),
        Reply::Silent(_) => Word::Silent,
        _ => Word::Good,
    })?;
    if !judged.heard
        && judged.blind.is_empty()
        && facts.network.roads.iter().all(|road| !road.kind.ends_at_the_server())
    {
        return Err(Stop::skip("the storage server was not asked"));
    }
    Ok(judged.seen("an answer to a request", |bad| {
        let summary = format!("requests for {} are answered with errors", count(bad.len(), "current artifact"));
        Finding::new(Code::ServerError, summary)
            .about(bad.iter().map(|(artifact, _)| artifact.subject()))
            .with(answers::evidence(bad).instead_of("200"))
    }))
}

/// `A505`.
pub(crate) fn wrong_size(facts: &Facts) -> Outcome {
    let judged = judge(facts, |_, artifact, reply| match (reply, artifact.size) {
        (Reply::There(Some(bytes)) | Reply::Verified(bytes), Some(size)) if *bytes != size => {
            Word::Bad(format!("{bytes} bytes, not {size}"))
        }
        (Reply::There(Some(_)) | Reply::Verified(_), Some(_)) => Word::Good,
        // What is not there, or was found to be something else, is another check's.
        (
            Reply::Missing | Reply::Restoring | Reply::WrongDigest(_) | Reply::WrongContent(_) | Reply::NoTarball(_),
            _,
        ) => Word::Good,
        _ => Word::Silent,
    })?;
    Ok(judged.seen("the length", |bad| {
        Finding::new(Code::WrongSize, format!("{} with another length than announced", count(bad.len(), "file")))
            .about(bad.iter().map(|(artifact, _)| artifact.subject()))
            .with(answers::evidence(bad))
    }))
}

/// `A503`.
pub(crate) fn wrong_digest(facts: &Facts) -> Outcome {
    damaged(facts, Code::WrongDigest, "whose bytes are not those that are announced", |reply| match reply {
        Reply::WrongDigest(seen) => Some(seen),
        _ => None,
    })
}

/// `A504`.
pub(crate) fn wrong_content(facts: &Facts) -> Outcome {
    damaged(facts, Code::WrongContent, "whose content is not what its name says", |reply| match reply {
        Reply::WrongContent(seen) => Some(seen),
        _ => None,
    })
}

/// `A506`.
pub(crate) fn no_tarball(facts: &Facts) -> Outcome {
    damaged(facts, Code::NoTarball, "that is no tarball", |reply| match reply {
        Reply::NoTarball(seen) => Some(seen),
        _ => None,
    })
}

/// Damage of one kind. Only files that somebody read can tell.
fn damaged(facts: &Facts, code: Code, what: &str, kind: impl Fn(&Reply) -> Option<&String>) -> Outcome {
    let judged = judge(facts, |_, _, reply| match (kind(reply), reply) {
        (Some(seen), _) => Word::Bad(seen.clone()),
        (None, Reply::Verified(_) | Reply::WrongDigest(_) | Reply::WrongContent(_) | Reply::NoTarball(_)) => Word::Good,
        _ => Word::Silent,
    })?;
    if !judged.heard && judged.blind.is_empty() {
        return Err(Stop::skip("no file was read"));
    }
    Ok(judged.seen("the bytes", |bad| {
        Finding::new(code, format!("{} {what}", count(bad.len(), "file")))
            .about(bad.iter().flat_map(|(artifact, _)| [artifact.subject(), artifact.snippet()]))
            .with(answers::evidence(bad))
    }))
}
