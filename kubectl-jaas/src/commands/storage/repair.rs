//! `storage repair`: sets damaged artifacts aside, has them rendered again, and proves the result.
//!
//! One at a time, and no further after the first that does not heal: what breaks one may break all.

use std::collections::{BTreeMap, BTreeSet};

use jaas_api::admin::{Action, ActionItem};
use jaas_api::{RECONCILE_REQUEST, Reason};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _};
use serde_json::json;
use tokio::time::Instant;

use super::super::consent::{Danger, consent};
use super::super::ending::Ending;
use super::super::mark::mark;
use super::super::select::{Choice, Selection, States, Which};
use super::super::settle::{self, Waiting};
use super::super::watch::Watch;
use super::super::{Error, Invocation, Verdict, again};
use super::act::{Work, act};
use super::ground;
use super::meant::{self, Ask, Meant};
use super::prove::{self, Subject};
use crate::cli::{DryRun, RepairArgs};
use crate::exit::Exit;
use crate::facts;
use crate::hint::count;
use crate::progress::Progress;
use crate::road::{Admin, Need, Road, Site};
use crate::session::{Call, FIELD_MANAGER, Session, Writes};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::{Found, Next, Proof, Repair, Report, TargetOutcome};

/// Proves, asks, repairs.
pub(super) async fn run(args: &RepairArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let deadline = Instant::now() + args.timeout;
    let choice =
        Choice::new(&args.targets, States::default(), invocation.connection.namespace.as_deref(), "storage repair")?;
    report.metadata.dry_run = DryRun::word(args.how.change.dry_run);
    report.metadata.reason.clone_from(&args.how.change.reason);
    let ask = Ask {
        command: "storage repair",
        choice,
        labels: args.targets.selector.as_deref(),
        allow_empty: args.allow_empty,
        operator: &args.how.operator,
        road: &args.how.road,
        writes: Writes::of(args.how.change.dry_run),
    };
    let Meant { ground, selection, snippets, artifacts } = match meant::look(ask, invocation, report).await? {
        Ok(meant) => meant,
        Err(nothing) => return Ok(nothing),
    };
    let subjects = prove::subjects(&snippets, &artifacts, false);
    let site = ground.site(invocation, &args.how.operator, &args.how.road);
    let mut opened = ground::look(invocation, ground::open(&site, Need::Act, invocation)).await?;

    let mut proofs: Vec<Proof> = Vec::new();
    let (total, begun) = (subjects.len(), invocation.run.elapsed());
    let (ending, failure) = prove::all(&opened.road, &subjects, deadline, &invocation.stop, |proof| {
        proofs.push(proof);
        let (asked, answered) = (proofs.len(), proofs.len());
        let failed = proofs.iter().filter(|proof| proof.code.is_some()).count();
        let elapsed = invocation.run.elapsed().saturating_sub(begun);
        invocation.listener.advance(&Progress { total, asked, answered, failed, elapsed });
    })
    .await;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    match ending {
        Ending::Complete => {}
        Ending::Stopped(signal) => return Err(Error::Stopped(signal)),
        Ending::Deadline | Ending::Broken(_) => {
            let message =
                format!("only {} of {} read in time; nothing was changed", proofs.len(), count(total, "artifact"));
            return Ok(Verdict {
                exit: Exit::TimedOut,
                message,
                hint: Some("raise --timeout, or choose fewer".to_owned()),
            });
        }
    }
    let unread = proofs.iter().filter(|proof| proof.state == "unread").count();
    proofs.retain(|proof| proof.state == "damaged");
    proofs.sort_by(|a, b| a.path.cmp(&b.path));
    if proofs.is_empty() {
        report.detail = Some(ground.view(Some(&opened), Found::Repairs(Vec::new())));
        let message = format!("nothing is damaged among {}", count(total - unread, "artifact"));
        return Ok(match unread {
            0 => Verdict { exit: Exit::Done, message, hint: None },
            unread => Verdict {
                exit: Exit::Partial,
                message: format!("{message}; {unread} were not read"),
                hint: Some("see why: kubectl jaas storage verify --all".to_owned()),
            },
        });
    }
    let (damaged, mut repairs) = sort(&proofs, &snippets, &selection)?;
    let question = format!(
        "{} damaged: {}\nThey are set aside and kept for a day; what is announced is rendered again, the history is not. Go on?",
        damaged.len(),
        crate::hint::few(&damaged.iter().map(|proof| proof.path.clone()).collect::<Vec<_>>())
    );
    let planned = |repairs: Vec<Repair>| {
        let all = damaged.iter().map(|proof| repair(proof, "would-repair", proof.why.clone()));
        Found::Repairs(all.chain(repairs).collect())
    };
    if !damaged.is_empty()
        && let Err(error) = consent(Danger::Bounded, &question, "", None, &args.how.change, invocation).await
    {
        report.detail = Some(ground.view(Some(&opened), planned(repairs)));
        return Err(error);
    }
    if args.how.change.dry_run == Some(DryRun::Client) {
        let message = format!("would repair {}; nothing was changed", count(damaged.len(), "artifact"));
        report.detail = Some(ground.view(Some(&opened), planned(repairs)));
        return Ok(Verdict { exit: Exit::Done, message, hint: None });
    }
    let Road::Admin(admin) = &mut opened.road else {
        return Err(Error::NoRoad { need: Need::Act.words(), tried: Vec::new() });
    };
    let healer = Healer { site, session: &ground.session, invocation, args, deadline, subjects: &subjects };
    let mut stopped = None;
    for (number, proof) in damaged.iter().enumerate() {
        let snippet = snippets.iter().find(|snippet| snippet.key() == key(proof));
        let (healed, ending) = healer.heal(admin, proof, snippet).await;
        let goes_on = matches!(healed.outcome, "healed" | "set-aside" | "would-repair");
        repairs.push(healed);
        if !goes_on || !matches!(ending, Ending::Complete) {
            let rest = damaged.iter().skip(number + 1);
            repairs.extend(
                rest.map(|proof| repair(proof, "skipped", "not tried: the one before did not heal".to_owned())),
            );
            stopped = Some(ending);
            break;
        }
    }
    let verdict = verdict(&repairs, stopped.as_ref(), args.how.change.dry_run.is_some());
    report.next = next(&repairs);
    report.detail = Some(ground.view(Some(&opened), Found::Repairs(repairs)));
    Ok(verdict)
}

fn key(proof: &Proof) -> Key {
    Key { namespace: proof.namespace.clone(), name: proof.name.clone() }
}

fn repair(proof: &Proof, outcome: &'static str, message: String) -> Repair {
    Repair { proof: proof.clone(), outcome, message }
}

/// Why a render would not bring the damaged bytes back, as far as the snippet itself tells; and what to do about it. A source or a library
/// that has changed since shows in its condition, unless that change was rendered.
fn hindrance(snippet: &Snippet) -> Option<(String, &'static str)> {
    let observed = snippet.status.as_ref().and_then(|status| status.observed_generation);
    if snippet.is_suspended() {
        let why = "suspended: it would not be rendered again".to_owned();
        return Some((why, "resume it first: kubectl jaas resume"));
    }
    if observed != snippet.metadata.generation {
        let why = "its spec changed and was not rendered since: a render would give something else".to_owned();
        return Some((why, "let it be rendered first: kubectl jaas reconcile"));
    }
    let ready = snippet.status.as_ref().and_then(|status| status.ready())?;
    if ready.status == "False" && cannot_be_rendered(ready.reason.parse().ok()?) {
        let why = format!("not ready ({}): it could not be rendered again", ready.reason);
        return Some((why, "see why, and mend that first: kubectl jaas explain"));
    }
    None
}

/// Whether a snippet that says so has inputs that cannot be had, or that give nothing.
fn cannot_be_rendered(reason: Reason) -> bool {
    match reason {
        Reason::InvalidSpec
        | Reason::LibraryNotFound
        | Reason::CrossNamespaceRefRejected
        | Reason::ExternalVariableConflict
        | Reason::ServiceAccountMissing
        | Reason::RBACDenied
        | Reason::EvaluationFailed
        | Reason::EvaluationTimeout
        | Reason::EvaluationOutOfMemory
        | Reason::EvaluationTooDeep
        | Reason::SourceRefNotYetSupported
        | Reason::SourceNotReady
        | Reason::SourceFetchFailed
        | Reason::DependencyCycle
        | Reason::ArtifactTooLarge
        | Reason::NoManifests
        | Reason::InvalidManifests => true,
        // Nothing is wrong with what it is made of, or a damaged file is what is wrong.
        Reason::Pending
        | Reason::Synced
        | Reason::Suspended
        | Reason::StorageUnavailable
        | Reason::StorageFull
        | Reason::StorageReadOnly
        | Reason::StorageDenied
        | Reason::BucketMissing
        | Reason::ClockSkew
        | Reason::ArtifactConflict
        | Reason::ArtifactLost
        | Reason::ApiUnavailable => false,
    }
}

/// What is repaired, and what is left alone: what would not be rendered again to the same would only be lost.
fn sort<'a>(
    proofs: &'a [Proof],
    snippets: &[Snippet],
    selection: &Selection,
) -> Result<(Vec<&'a Proof>, Vec<Repair>), Error> {
    let hindered: BTreeMap<_, _> =
        snippets.iter().filter_map(|snippet| Some((snippet.key(), hindrance(snippet)?))).collect();
    let (mut left, mut damaged) = (Vec::new(), Vec::new());
    for proof in proofs {
        match hindered.get(&key(proof)) {
            None => damaged.push(proof),
            Some((why, how)) if matches!(selection.which, Which::Names(_)) => {
                let Key { namespace, name } = key(proof);
                return Err(Error::Refused {
                    what: format!("{namespace}/{name} is left alone, {why}; nothing was changed"),
                    how: format!("{how} {name} -n {namespace}"),
                });
            }
            Some((why, _)) => left.push(repair(proof, "skipped", why.clone())),
        }
    }
    Ok((damaged, left))
}

struct Healer<'a> {
    site: Site<'a>,
    session: &'a Session,
    invocation: &'a Invocation<'a>,
    args: &'a RepairArgs,
    deadline: Instant,
    subjects: &'a [Subject],
}

impl Healer<'_> {
    /// Sets one aside, has its snippet rendered, and proves the new file.
    async fn heal(&self, admin: &mut Admin, proof: &Proof, snippet: Option<&Snippet>) -> (Repair, Ending) {
        let is_dry = self.args.how.change.dry_run.is_some();
        let work = Work {
            site: self.site,
            invocation: self.invocation,
            change: &self.args.how.change,
            deadline: self.deadline,
            action: Action::Repair,
            dry_run: is_dry,
            older_than: None,
        };
        let acted = act(&work, admin, &[ActionItem { path: proof.path.clone(), version: String::new() }]).await;
        let told = |outcome, message: String| repair(proof, outcome, message);
        if let Some(failure) = acted.failure {
            return (told("failed", failure.to_string()), acted.ending);
        }
        if !matches!(acted.ending, Ending::Complete) {
            return (told("failed", "interrupted while it was set aside".to_owned()), acted.ending);
        }
        match acted.deeds.first().map(|deed| (deed.outcome, deed.why.clone())) {
            Some(("would-set-aside", _)) => {
                return (told("would-repair", "it would be set aside".to_owned()), Ending::Complete);
            }
            Some(("set-aside" | "missing", _)) => {}
            // Somebody else has put it right meanwhile.
            Some(("kept", why)) => return (told("healed", why), Ending::Complete),
            Some((_, why)) => return (told("failed", why), Ending::Complete),
            None => return (told("failed", acted.stopped.unwrap_or_else(|| "no answer".to_owned())), Ending::Complete),
        }
        let Some(snippet) = snippet else {
            return (told("failed", "its snippet is gone".to_owned()), Ending::Complete);
        };
        let object = snippet.object_ref(&());
        let what = format!("set aside damaged {}", proof.path);
        mark(self.session, self.invocation, &self.args.how.change, &object, "RepairedByHand", &what).await;
        if proof.role != "current" {
            let message = "set aside; a revision of the history is not rendered again".to_owned();
            return (told("set-aside", message), Ending::Complete);
        }
        match self.render(snippet).await {
            Ok(Ending::Complete) => {}
            Ok(ending) => return (told("failed", "set aside, and not rendered in time".to_owned()), ending),
            Err(message) => return (told("failed", message), Ending::Complete),
        }
        self.prove(admin, proof).await
    }

    /// Asks for a render as `reconcile` does, and waits for it.
    async fn render(&self, snippet: &Snippet) -> Result<Ending, String> {
        let Key { namespace, name } = snippet.key();
        let selection =
            Selection { which: Which::Names(BTreeSet::from([name.clone()])), namespace: Some(namespace.clone()) };
        let mut watch = Watch::open(self.session, &selection, &["list", "watch", "patch"]);
        watch.list(self.session).await.map_err(|error| error.to_string())?;
        let snippets: Api<Snippet> = Api::namespaced(self.session.client.clone(), &namespace);
        let call = Call::new("patch", jaas_api::GROUP, RESOURCE, &["patch"]).within(Some(&namespace)).named(&name);
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        // One run asks more than once, so the run's own token would look answered.
        let token = format!("{:.9}#{}", jiff::Timestamp::now(), self.invocation.run.id);
        let patch = Patch::Merge(json!({"metadata": {"annotations": {RECONCILE_REQUEST: token}}}));
        let asked = self.session.call(&call, snippets.patch(&name, &params, &patch)).await;
        let asked = asked.map_err(|error| format!("set aside, and not asked to render: {error}"))?;
        let waiting = Waiting { session: self.session, invocation: self.invocation, deadline: self.deadline };
        let (targets, ending) = waiting.until(&mut watch, [asked], settle::rendered).await;
        match (targets.first(), &ending) {
            (Some(target), Ending::Complete) if target.outcome != TargetOutcome::Synced => {
                Err(format!("set aside, and rendering failed: {} {}", target.reason, target.message))
            }
            _ => Ok(ending),
        }
    }

    /// The same path again: where the inputs changed, another revision is current now, and this one is not needed any more.
    async fn prove(&self, admin: &Admin, before: &Proof) -> (Repair, Ending) {
        let told = |outcome, message: String| (repair(before, outcome, message), Ending::Complete);
        let Some(subject) = self.subjects.iter().find(|subject| subject.path == before.path) else {
            return told("failed", "it cannot be proven".to_owned());
        };
        // Rendered again it may be packed in other bytes; the content is what counts.
        let subject = Subject { digest: None, ..subject.clone() };
        let mut lines = match admin.verify(std::slice::from_ref(&subject.path)).await {
            Ok(lines) => lines,
            Err(failure) => return told("failed", failure.to_string()),
        };
        match lines.next().await {
            Ok(Some(line)) => match prove::judge(&subject, facts::reply(&line, None)) {
                proof if proof.state == "ok" => told("healed", "rendered again and proven".to_owned()),
                proof if proof.state == "missing" => {
                    told("healed", "another revision is current now; this one was set aside".to_owned())
                }
                proof => told("failed", format!("still {}: {}", proof.state, proof.why)),
            },
            Ok(None) => told("failed", "it was not proven: no answer".to_owned()),
            Err(failure) => told("failed", failure.to_string()),
        }
    }
}

fn next(repairs: &[Repair]) -> Vec<Next> {
    let failed = repairs.iter().find(|repair| repair.outcome == "failed");
    let line = failed.map(|repair| Next {
        command: format!("kubectl jaas explain {} -n {}", repair.proof.name, repair.proof.namespace),
        why: "says why it is not rendered".to_owned(),
    });
    line.into_iter().collect()
}

fn verdict(repairs: &[Repair], stopped: Option<&Ending>, is_dry: bool) -> Verdict {
    let ended = |outcome: &str| repairs.iter().filter(|repair| repair.outcome == outcome).count();
    let exit = match stopped {
        Some(Ending::Stopped(signal)) => signal.exit(),
        Some(Ending::Deadline) => Exit::TimedOut,
        Some(Ending::Broken(error)) => error.exit(),
        _ if ended("failed") + ended("skipped") > 0 => Exit::Partial,
        _ => Exit::Done,
    };
    let mut message = match is_dry {
        true => format!("would repair {}; nothing was changed", count(ended("would-repair"), "artifact")),
        false => format!("{} healed", ended("healed")),
    };
    let others = [("set-aside", "of histories set aside"), ("failed", "did not heal"), ("skipped", "left alone")];
    for (outcome, words) in others {
        if ended(outcome) > 0 {
            message.push_str(&format!("; {} {words}", ended(outcome)));
        }
    }
    let first = repairs.iter().find(|repair| matches!(repair.outcome, "failed" | "skipped"));
    let hint = match (exit, first) {
        (Exit::Done, _) => None,
        (Exit::Interrupted | Exit::Terminated | Exit::TimedOut, _) => Some(format!("to go on: {}", again())),
        (_, Some(repair)) => Some(format!("{}: {}", repair.proof.path, repair.message)),
        (_, None) => None,
    };
    Verdict { exit, message, hint }
}

#[cfg(test)]
mod tests {
    use jaas_findings::facts::Reply;

    use super::super::keep::tests::snippet;
    use super::*;

    fn proof() -> Proof {
        let subjects = prove::subjects(&[snippet()], &[], true);
        prove::judge(&subjects[0], Reply::NoTarball("x".to_owned()))
    }

    #[test]
    fn a_suspended_snippet_is_refused_by_name_and_left_alone_otherwise() {
        let mut paused = snippet();
        paused.spec.suspend = Some(true);
        let proofs = [proof()];
        let sorted = |which, snippet: Snippet| {
            sort(&proofs, &[snippet], &Selection { which, namespace: None })
                .map(|(damaged, left)| (damaged.len(), left.len()))
        };
        assert_eq!(sorted(Which::All, paused.clone()).unwrap(), (0, 1));
        assert!(matches!(sorted(Which::Names(BTreeSet::new()), paused), Err(Error::Refused { .. })));
        assert_eq!(sorted(Which::Names(BTreeSet::new()), snippet()).unwrap(), (1, 0));
        // So is one that would be rendered to something else.
        let mut changed = snippet();
        changed.metadata.generation = Some(99);
        assert_eq!(sorted(Which::All, changed.clone()).unwrap(), (0, 1));
        let Err(Error::Refused { what, how }) = sorted(Which::Names(BTreeSet::new()), changed) else { panic!() };
        assert!(what.contains("a render would give something else"), "{what}");
        assert_eq!(how, "let it be rendered first: kubectl jaas reconcile web -n team-a");
        // So is one whose source or library changed to something that cannot be rendered.
        let not_ready = |reason: &str| {
            let mut snippet = snippet();
            let condition = serde_json::json!({"type": "Ready", "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": "2026-11-22T11:00:00Z"});
            let status = snippet.status.as_mut().unwrap();
            status.conditions = vec![serde_json::from_value(condition).unwrap()];
            snippet
        };
        assert_eq!(sorted(Which::All, not_ready("EvaluationFailed")).unwrap(), (0, 1));
        assert_eq!(sorted(Which::All, not_ready("StorageFull")).unwrap(), (1, 0));
        let Err(Error::Refused { what, how }) = sorted(Which::Names(BTreeSet::new()), not_ready("SourceFetchFailed"))
        else {
            panic!()
        };
        assert!(what.contains("not ready (SourceFetchFailed): it could not be rendered again"), "{what}");
        assert_eq!(how, "see why, and mend that first: kubectl jaas explain web -n team-a");
    }

    #[test]
    fn one_that_does_not_heal_makes_it_partial() {
        let all = |outcomes: &[&'static str]| -> Vec<Repair> {
            outcomes.iter().map(|outcome| repair(&proof(), outcome, "why".to_owned())).collect()
        };
        assert_eq!(verdict(&all(&["healed", "set-aside"]), None, false).exit, Exit::Done);
        let told = verdict(&all(&["healed", "failed", "skipped"]), None, false);
        assert_eq!((told.exit, told.message.as_str()), (Exit::Partial, "1 healed; 1 did not heal; 1 left alone"));
        assert_eq!(verdict(&all(&["healed"]), Some(&Ending::Deadline), false).exit, Exit::TimedOut);
        assert_eq!(next(&all(&["failed"]))[0].command, "kubectl jaas explain web -n team-a");
    }
}
