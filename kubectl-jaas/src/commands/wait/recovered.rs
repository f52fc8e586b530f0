//! Waits until what is announced lies in the store, with the bytes that are announced.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jaas_api::ExternalArtifact;
use jaas_findings::known::Obstacle;

use super::super::ending::Ending;
use super::super::select::Selection;
use super::super::settle::Waiting;
use super::super::status::is_announced;
use super::super::storage::prove::{self, Subject};
use super::super::storage::{ground, ways::Ways};
use super::super::{Error, Invocation};
use crate::cli::{Verification, WaitArgs};
use crate::exit::Exit;
use crate::road::{self, Failure, Need, Road};
use crate::session::Writes;
use crate::snippet::{Key, Snippet};
use crate::view::{Proof, Target, TargetOutcome};

/// Time between two looks where something has recovered meanwhile.
const PAUSE: Duration = Duration::from_secs(1);
/// The same after several looks in which nothing has.
const LONGEST: Duration = Duration::from_secs(8);
/// Reason of a target of which nobody could say whether it is there.
const NOT_SEEN: &str = "NotSeen";

/// Reason of a target whose revision no artifact announces.
const NOT_ANNOUNCED: &str = "NotAnnounced";

/// How it ended.
pub(super) struct Recovery {
    pub(super) ending: Ending,
    /// What kept somebody from looking into the store, if something did in the end.
    pub(super) trouble: Option<Error>,
}

/// Reason and words, by the path of a target that is not known to have recovered.
type Left = BTreeMap<String, (String, String)>;

struct Look<'a> {
    waiting: &'a Waiting<'a>,
    selection: &'a Selection,
    args: &'a WaitArgs,
    road: Option<Road>,
    /// Whether a road ever led there.
    has_seen: bool,
    left: Left,
    trouble: Option<Error>,
    /// Whether waiting changes nothing about the trouble.
    lasts: bool,
}

/// Looks again and again at what was rendered. What is proven once is not looked at again. Whoever is not proven in the end is
/// unanswered, or unknown where waiting would not have changed that.
///
/// # Errors
/// The API server refuses to tell of snippets or artifacts.
pub(super) async fn until(
    waiting: &Waiting<'_>,
    selection: &Selection,
    args: &WaitArgs,
    targets: &mut [Target],
) -> Result<Recovery, Error> {
    let rendered = targets.iter().filter(|target| target.outcome == TargetOutcome::Synced);
    let left = rendered.map(|target| (target.path(), unseen())).collect();
    let mut look = Look { waiting, selection, args, road: None, has_seen: false, left, trouble: None, lasts: false };
    let mut stop = waiting.invocation.stop.clone();
    let (mut said, mut pause) = (String::new(), PAUSE);
    let ending = loop {
        let before = look.left.len();
        tokio::select! {
            seen = look.once(targets) => seen?,
            signal = stop.signalled() => break Ending::Stopped(signal),
            () = tokio::time::sleep_until(waiting.deadline) => break Ending::Deadline,
        }
        let Some((path, (_, why))) = look.left.first_key_value() else { break Ending::Complete };
        if look.lasts {
            break Ending::Complete;
        }
        let now = format!("not yet recovered: {} of {}; {path}: {why}", look.left.len(), targets.len());
        if now != said {
            waiting.invocation.listener.say(&now);
            said = now;
        }
        pause = if look.left.len() < before { PAUSE } else { LONGEST.min(pause * 2) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            signal = stop.signalled() => break Ending::Stopped(signal),
            () = tokio::time::sleep_until(waiting.deadline) => break Ending::Deadline,
        }
    };
    let is_over = look.left.is_empty();
    for target in targets.iter_mut() {
        if let Some((reason, why)) = look.left.remove(&target.path()) {
            let is_unseen = look.lasts && reason == NOT_SEEN;
            *target = target.clone().because(&reason, why);
            target.outcome = if is_unseen { TargetOutcome::Unknown } else { TargetOutcome::Unanswered };
        }
    }
    let (ending, trouble) = if is_over { (Ending::Complete, None) } else { (ending, look.trouble) };
    Ok(Recovery { ending, trouble })
}

fn unseen() -> (String, String) {
    (NOT_SEEN.to_owned(), "nobody has looked yet".to_owned())
}

/// Whether waiting changes nothing about what keeps a road from being opened.
fn lasts(trouble: &Error) -> bool {
    let is_refused = |failure: &Failure| [Obstacle::NoRight, Obstacle::NotOffered].contains(&failure.obstacle);
    match trouble {
        Error::NoRoad { tried, .. } => tried.iter().all(is_refused),
        Error::NoOperator(_) | Error::ManyOperators(_) => true,
        other => other.exit() == Exit::Forbidden,
    }
}

impl Look<'_> {
    /// Looks once at those who are left. A look that fails leaves them as they are.
    async fn once(&mut self, targets: &mut [Target]) -> Result<(), Error> {
        self.lasts = false;
        match ground::objects(self.waiting.session, self.selection.namespace.as_deref()).await {
            Ok((snippets, artifacts)) => {
                let subjects = self.subjects(targets, &snippets, &artifacts);
                if subjects.is_empty() {
                    self.trouble = None;
                } else {
                    self.prove(&subjects, targets).await;
                }
                Ok(())
            }
            Err(error) if error.exit() == Exit::Forbidden => Err(error.into()),
            Err(error) => {
                self.waiting.invocation.listener.say(&format!("the look failed and is repeated: {error}"));
                Ok(())
            }
        }
    }

    /// What is announced of those who are left, and may be proven.
    fn subjects(
        &mut self,
        targets: &mut [Target],
        snippets: &[Snippet],
        artifacts: &[ExternalArtifact],
    ) -> Vec<Subject> {
        let snippets: BTreeMap<_, _> = snippets.iter().map(|snippet| (snippet.key().to_string(), snippet)).collect();
        let artifacts: BTreeMap<_, _> = artifacts.iter().filter_map(|it| Some((path_of(it)?, it))).collect();
        let mut subjects = Vec::new();
        for target in targets.iter_mut() {
            let path = target.path();
            let Some(left) = self.left.get_mut(&path) else { continue };
            let Some(snippet) = snippets.get(&path) else {
                *target = target.clone().because("Deleted", "it was deleted in the meantime");
                target.outcome = TargetOutcome::Removed;
                self.left.remove(&path);
                continue;
            };
            let artifact = artifacts.get(&path).copied();
            if is_announced(snippet, artifact) {
                if left.0 == NOT_ANNOUNCED {
                    *left = unseen();
                }
                let artifact = artifact.map_or(&[][..], std::slice::from_ref);
                subjects.extend(prove::subjects(std::slice::from_ref(snippet), artifact, true));
            } else {
                *left = (NOT_ANNOUNCED.to_owned(), "its artifact does not announce its revision".to_owned());
            }
        }
        subjects
    }

    async fn prove(&mut self, subjects: &[Subject], targets: &mut [Target]) {
        let (road, is_new) = match self.road.take() {
            Some(road) => (road, false),
            None => match open(self.waiting, self.args).await {
                Ok(road) => (road, true),
                Err(error) => {
                    let unseen = self.left.values_mut().filter(|(reason, _)| reason == NOT_SEEN);
                    unseen.for_each(|(_, why)| *why = error.to_string());
                    (self.lasts, self.trouble) = (!self.has_seen && lasts(&error), Some(error));
                    return;
                }
            },
        };
        let keys: BTreeMap<_, _> = subjects.iter().map(|it| (it.path.as_str(), it.key.to_string())).collect();
        let (mut proven, mut told) = (BTreeSet::new(), 0);
        let left = &mut self.left;
        let each = |proof: Proof| {
            let Some(key) = keys.get(proof.path.as_str()) else { return };
            told += usize::from(proof.state != "unread");
            if proof.state == "ok" {
                left.remove(key);
                proven.insert(key.clone());
            } else {
                left.insert(key.clone(), (proof.code.unwrap_or(NOT_SEEN).to_owned(), proof.why));
            }
        };
        // The time is over where this is waited for.
        let (never, stop) = (self.waiting.deadline + LONGEST, &self.waiting.invocation.stop);
        let (_, failure) = prove::all(&road, subjects, never, stop, each).await;
        for target in targets.iter_mut().filter(|target| proven.contains(&target.path())) {
            target.verified = Some(Verification::Hash.word());
        }
        // A road that broke is gone anew, by whatever then leads there: the Pod that it led to may be another one by now.
        if failure.is_none() && told > 0 {
            self.road = Some(road);
        }
        // A token that has run out looks like a missing right, but not on a road that was opened with it just now.
        self.lasts = is_new && failure.as_ref().is_some_and(Failure::is_missing_right);
        self.has_seen |= told > 0;
        self.trouble = failure.map(Error::from);
    }
}

/// The first road, which is said; those that lead nowhere are told as the reason for which nothing is seen.
async fn open(waiting: &Waiting<'_>, args: &WaitArgs) -> Result<Road, Error> {
    let Invocation { listener, .. } = waiting.invocation;
    let ways = Ways::find(waiting.session, &args.operator, &args.road, Writes::Refused).await?;
    match road::open(&ways.site(waiting.invocation), Need::Verify).await {
        Ok(opened) => {
            listener.say(&format!("by the {}", opened.road.words()));
            Ok(opened.road)
        }
        Err(tried) => Err(Error::NoRoad { need: Need::Verify.words(), tried }),
    }
}

fn path_of(artifact: &ExternalArtifact) -> Option<String> {
    let (namespace, name) = (artifact.metadata.namespace.clone()?, artifact.metadata.name.clone()?);
    Some(Key { namespace, name }.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_is_on_its_way_is_waited_for_and_a_missing_right_is_not() {
        let tried = |obstacles: &[Obstacle]| Error::NoRoad {
            need: "x",
            tried: obstacles.iter().map(|obstacle| Failure::new("r", *obstacle, "c")).collect(),
        };
        assert!(lasts(&tried(&[Obstacle::NotOffered, Obstacle::NoRight])));
        assert!(!lasts(&tried(&[Obstacle::NotOffered, Obstacle::NoRoad])));
        assert!(lasts(&Error::NoOperator("x".to_owned())));
    }
}
