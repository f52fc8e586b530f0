//! The proof after rendering: what is announced is in the store.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Error;
use super::super::ending::Ending;
use super::super::storage::ground;
use super::super::storage::prove::{self, Subject};
use super::super::storage::ways::Ways;
use super::ask::Job;
use super::store::{Presence, look};
use crate::cli::Verification;
use crate::road::Need;
use crate::session::Writes;
use crate::view::{Target, TargetOutcome};

/// What the proof came to.
#[derive(Debug)]
pub(super) enum Verified {
    /// It was not wanted.
    No,
    /// It was done for so many.
    Yes(usize),
    /// It could not be done.
    Not {
        /// Why not.
        why: String,
        /// What would help.
        how: Option<String>,
        /// Whether somebody asked for it by name.
        was_asked_for: bool,
    },
}

/// Proves what was synced. Whose artifact is not there, or not right, has failed.
pub(super) async fn verify(job: &Job<'_>, namespace: Option<&str>, targets: &mut [Target]) -> Result<Verified, Ending> {
    let how = job.args.verify.unwrap_or_default();
    let synced: BTreeSet<String> =
        targets.iter().filter(|target| target.outcome == TargetOutcome::Synced).map(Target::path).collect();
    if how == Verification::None || synced.is_empty() {
        return Ok(Verified::No);
    }
    let mut stop = job.invocation.stop.clone();
    let seen = tokio::select! {
        seen = seen(job, how, namespace, &synced) => seen,
        signal = stop.signalled() => return Err(Ending::Stopped(signal)),
        () = tokio::time::sleep_until(job.deadline) => return Ok(not(job, "the time was over".to_owned(), None)),
    };
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return Ok(not(job, error.to_string(), error.hint())),
    };
    let mut proven = 0;
    for target in targets.iter_mut() {
        match seen.get(&target.path()) {
            Some(Ok(())) => {
                proven += 1;
                target.verified = Some(how.word());
            }
            Some(Err((reason, why))) => {
                target.verified = Some("failed");
                *target = target.clone().because(reason, format!("rendered, but {why}"));
                target.outcome = TargetOutcome::Failed;
            }
            None => {}
        }
    }
    Ok(Verified::Yes(proven))
}

fn not(job: &Job<'_>, why: String, how: Option<String>) -> Verified {
    Verified::Not { why, how, was_asked_for: job.args.verify.is_some() }
}

/// Of each artifact, whether it is right: reason and words where it is not.
type Seen = BTreeMap<String, Result<(), (&'static str, String)>>;

async fn seen(
    job: &Job<'_>,
    how: Verification,
    namespace: Option<&str>,
    synced: &BTreeSet<String>,
) -> Result<Seen, Error> {
    let (snippets, artifacts) = ground::objects(job.session, namespace).await?;
    let mut subjects = prove::subjects(&snippets, &artifacts, true);
    subjects.retain(|subject| synced.contains(&subject.key.to_string()));
    let ways = Ways::find(job.session, &job.args.operator, &job.args.road, Writes::of(job.args.dry_run)).await?;
    let opened = ways.open(Need::Verify, job.invocation).await?;
    if how == Verification::Head {
        let there = look(&opened.road, &subjects, namespace).await?;
        return Ok(there.into_iter().map(|(key, presence)| (key.to_string(), head(presence))).collect());
    }
    let mut seen = Seen::new();
    let paths: BTreeMap<&str, &Subject> = subjects.iter().map(|subject| (subject.path.as_str(), subject)).collect();
    let (_, failure) = prove::all(&opened.road, &subjects, job.deadline, &job.invocation.stop, |proof| {
        if let Some(subject) = paths.get(proof.path.as_str()) {
            let right = if proof.state == "ok" { Ok(()) } else { Err((proof.code.unwrap_or("NotSeen"), proof.why)) };
            seen.insert(subject.key.to_string(), right);
        }
    })
    .await;
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(seen),
    }
}

fn head(presence: Presence) -> Result<(), (&'static str, String)> {
    match presence {
        Presence::There => Ok(()),
        Presence::Missing => Err(("A501", "its artifact is not in the store".to_owned())),
        Presence::Unknown(why) => Err(("NotSeen", format!("nobody could say whether its artifact is there: {why}"))),
    }
}
