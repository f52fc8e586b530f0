//! Proves stored artifacts, by whatever road.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use jaas_api::ExternalArtifact;
use jaas_api::admin::MAX_ITEMS;
use jaas_findings::facts::Reply;
use jaas_findings::facts::snippets::path_of;
use tokio::time::Instant;

use super::super::ending::Ending;
use super::super::{Error, one};
use crate::cli::Sample;
use crate::facts;
use crate::interrupt::Stop;
use crate::road::{Admin, Failure, Road};
use crate::session::Session;
use crate::snippet::{Key, Snippet};
use crate::view::{Proof, Report};

/// Files of a bucket or folder that are read at once.
const AT_ONCE: usize = 4;

/// One artifact that is to be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Subject {
    pub(in crate::commands) key: Key,
    pub(in crate::commands) revision: String,
    pub(in crate::commands) path: String,
    /// What is announced of its bytes.
    pub(in crate::commands) digest: Option<String>,
    /// `current` or `history`.
    pub(in crate::commands) role: &'static str,
}

/// What these snippets announce and, unless only that is meant, what their histories name.
pub(in crate::commands) fn subjects(
    snippets: &[Snippet],
    artifacts: &[ExternalArtifact],
    current_only: bool,
) -> Vec<Subject> {
    let announced: BTreeMap<_, _> = artifacts
        .iter()
        .filter_map(|artifact| {
            let key = (artifact.metadata.namespace.as_deref()?, artifact.metadata.name.as_deref()?);
            Some((key, artifact.published()?))
        })
        .collect();
    let mut subjects = BTreeMap::new();
    for snippet in snippets {
        let key = snippet.key();
        let status = snippet.status.clone().unwrap_or_default();
        let artifact = announced.get(&(key.namespace.as_str(), key.name.as_str()));
        let current = artifact.map(|artifact| artifact.revision.clone()).or_else(|| status.revision.clone());
        let history = status.history.into_iter().map(|entry| entry.revision).filter(|_| !current_only);
        for revision in current.iter().cloned().chain(history) {
            let Some(path) = path_of(&key.namespace, &key.name, &revision) else { continue };
            let is_current = Some(&revision) == current.as_ref();
            let digest = artifact.filter(|_| is_current).and_then(|artifact| artifact.digest.clone());
            let role = if is_current { "current" } else { "history" };
            let subject = Subject { key: key.clone(), revision, path: path.clone(), digest, role };
            subjects.entry(path).or_insert(subject);
        }
    }
    subjects.into_values().collect()
}

/// What one snippet announces and what its history names.
///
/// # Errors
/// It cannot be asked for.
pub(in crate::commands) async fn of_one(
    session: &Session,
    key: &Key,
    report: &mut Report,
) -> Result<Vec<Subject>, Error> {
    let snippet = one::get(session, key, report).await?;
    let artifact = one::artifact(session, key).await?;
    Ok(subjects(&[snippet], artifact.as_slice(), false))
}

/// Whether an artifact belongs to a part of all. The part of a name never changes, so that all parts together are all.
pub(in crate::commands) fn is_in(path: &str, sample: Option<Sample>) -> bool {
    let Some(Sample { from, to, of }) = sample else { return true };
    // FNV-1a: small, and the same everywhere.
    let hash = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // The low bits of that hash are the better ones.
    let part = u32::try_from((hash >> 7) % u64::from(of.max(1))).unwrap_or_default();
    (from..to).contains(&part)
}

/// Proves each of them, and tells every proof as it comes.
pub(in crate::commands) async fn all(
    road: &Road,
    subjects: &[Subject],
    deadline: Instant,
    stop: &Stop,
    mut each: impl FnMut(Proof),
) -> (Ending, Option<Failure>) {
    let mut stop = stop.clone();
    let work = async {
        match road {
            Road::Admin(admin) => inside(admin, subjects, &mut each).await,
            Road::Files(files) => {
                let mut replies = stream::iter(subjects)
                    .map(async |it| (it, files.read(&it.path, it.digest.as_deref(), &it.revision).await))
                    .buffer_unordered(files.at_once);
                while let Some((subject, reply)) = replies.next().await {
                    each(judge(subject, reply));
                }
                None
            }
            Road::Backing(backing) => {
                let mut replies = stream::iter(subjects)
                    .map(async |it| (it, backing.verify(&it.path, it.digest.as_deref()).await))
                    .buffer_unordered(AT_ONCE);
                while let Some((subject, reply)) = replies.next().await {
                    each(judge(subject, reply));
                }
                None
            }
        }
    };
    tokio::select! {
        failure = work => (Ending::Complete, failure),
        signal = stop.signalled() => (Ending::Stopped(signal), None),
        () = tokio::time::sleep_until(deadline) => (Ending::Deadline, None),
    }
}

/// Has the operator read them; no bytes cross the network.
async fn inside(admin: &Admin, subjects: &[Subject], each: &mut impl FnMut(Proof)) -> Option<Failure> {
    for part in subjects.chunks(MAX_ITEMS) {
        let by_path: BTreeMap<_, _> = part.iter().map(|subject| (subject.path.as_str(), subject)).collect();
        let paths: Vec<_> = part.iter().map(|subject| subject.path.clone()).collect();
        let mut lines = match admin.verify(&paths).await {
            Ok(lines) => lines,
            Err(failure) => return Some(failure),
        };
        loop {
            match lines.next().await {
                Ok(Some(line)) => {
                    if let Some(subject) = by_path.get(line.path.as_str()) {
                        each(judge(subject, facts::reply(&line, subject.digest.as_deref())));
                    }
                }
                Ok(None) => break,
                Err(failure) => return Some(failure),
            }
        }
    }
    None
}

/// What a reply says of an artifact.
pub(in crate::commands) fn judge(subject: &Subject, reply: Reply) -> Proof {
    let is_current = subject.role == "current";
    let (state, code, bytes, why) = match reply {
        Reply::Verified(bytes) => ("ok", None, Some(bytes), String::new()),
        Reply::There(bytes) => ("unread", None, bytes, "it is there, and nobody read it".to_owned()),
        Reply::Missing => {
            let why =
                if is_current { "it is announced and not there" } else { "its history names it and it is not there" };
            ("missing", Some(if is_current { "A501" } else { "A502" }), None, why.to_owned())
        }
        Reply::Restoring => ("restoring", None, None, "it is being brought back".to_owned()),
        Reply::WrongDigest(why) => {
            let why = if why.starts_with("sha256:") { format!("its bytes hash to {why}") } else { why };
            ("damaged", Some("A503"), None, why)
        }
        Reply::WrongContent(why) => ("damaged", Some("A504"), None, why),
        Reply::NoTarball(why) => ("damaged", Some("A506"), None, why),
        Reply::Status(status) => ("unread", None, None, format!("answered with {status}")),
        Reply::Silent(why) => ("unread", None, None, why),
    };
    Proof {
        namespace: subject.key.namespace.clone(),
        name: subject.key.name.clone(),
        revision: subject.revision.clone(),
        path: subject.path.clone(),
        role: subject.role,
        state,
        code,
        bytes,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::super::keep::tests::snippet;
    use super::*;

    #[test]
    fn what_is_announced_and_what_the_history_names_is_proven_once() {
        let all = subjects(&[snippet()], &[], false);
        let seen: Vec<_> = all.iter().map(|it| (it.revision.as_str(), it.role)).collect();
        assert_eq!(seen, [("sha256:3", "history"), ("sha256:4", "current")]);
        assert_eq!(subjects(&[snippet()], &[], true).len(), 1);
    }

    #[test]
    fn all_parts_together_are_all_and_none_is_in_two() {
        let paths: Vec<_> = (0..1000).map(|number| format!("team-a/web-{number}/sha256-0.tar.gz")).collect();
        let counts: Vec<_> = (0..7)
            .map(|part| {
                paths.iter().filter(|path| is_in(path, Some(Sample { from: part, to: part + 1, of: 7 }))).count()
            })
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), 1000);
        assert!(counts.iter().all(|count| (80..220).contains(count)), "{counts:?}");
        let tenth = paths.iter().filter(|path| is_in(path, Some(Sample { from: 0, to: 10, of: 100 }))).count();
        assert!((50..150).contains(&tenth), "{tenth}");
        assert!(is_in("x", None));
    }

    #[test]
    fn a_reply_is_a_finding_by_what_it_contradicts() {
        let subject = |role| Subject {
            key: Key { namespace: "a".to_owned(), name: "b".to_owned() },
            revision: "sha256:0".to_owned(),
            path: "a/b/sha256-0.tar.gz".to_owned(),
            digest: None,
            role,
        };
        let told = |role, reply| {
            let proof = judge(&subject(role), reply);
            (proof.state, proof.code)
        };
        assert_eq!(told("current", Reply::Verified(1)), ("ok", None));
        assert_eq!(told("current", Reply::Missing), ("missing", Some("A501")));
        assert_eq!(told("history", Reply::Missing), ("missing", Some("A502")));
        assert_eq!(told("current", Reply::WrongDigest("x".to_owned())), ("damaged", Some("A503")));
        assert_eq!(told("history", Reply::WrongContent("x".to_owned())), ("damaged", Some("A504")));
        assert_eq!(told("history", Reply::NoTarball("x".to_owned())), ("damaged", Some("A506")));
        assert_eq!(told("current", Reply::Silent("x".to_owned())), ("unread", None));
    }
}
