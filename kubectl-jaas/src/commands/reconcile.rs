//! `reconcile`: ask the operator to render snippets now, and wait for the answers.
//!
//! One write for each snippet: the request annotation. The watch is open before the first request, so no answer can
//! slip through, and nothing is read twice.

mod ask;
mod judge;
mod missing;
mod store;
mod track;
mod verify;

use std::collections::BTreeSet;

use tokio::time::Instant;

use self::ask::{Asked, Job};
use self::judge::Facts;
use self::track::Tracker;
use self::verify::Verified;
use super::ending::Ending;
use super::select::{Choice, Selection, SelectionError, States, Which};
use super::watch::Watch;
use super::{Error, Invocation, Verdict};
use crate::cli::{DryRun, ReconcileArgs};
use crate::exit::Exit;
use crate::session::{Session, Writes};
use crate::snippet::{Key, Snippet};
use crate::view::{Next, Report, Target, TargetOutcome, to_milliseconds};

/// Asks, waits, and notes in the report what became of each snippet.
pub(super) async fn run(
    args: &ReconcileArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let deadline = Instant::now() + args.timeout;
    let choice = Choice::new(&args.targets, states(args), invocation.connection.namespace.as_deref(), "reconcile")?;
    report.metadata.dry_run = DryRun::word(args.dry_run);
    let session = Session::open(invocation.connection, invocation.run, Writes::of(args.dry_run)).await?;
    report.at(&session.destination);
    let selection = choice.within(&session.namespace);
    report.metadata.scope = selection.scope();
    invocation.listener.say(&format!("reconcile {selection}; {}", session.destination));

    let mut watch = Watch::open(&session, &selection, needs(args));
    let mut stop = invocation.stop.clone();
    let snippets = tokio::select! {
        listed = watch.list(&session) => listed?,
        () = tokio::time::sleep_until(deadline) => return Err(watch.too_slow(args.timeout).into()),
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    if invocation.format.is_document()
        && let Some(uid) = session.cluster_uid().await
    {
        report.metadata.cluster.uid = uid;
    }
    let snippets = selection.matching(snippets);
    report.metadata.scope.snippets = snippets.len();
    if let Err(error) = selection.check(&snippets) {
        if args.allow_empty && snippets.is_empty() {
            return Ok(Verdict { exit: Exit::Done, message: error.to_string(), hint: None });
        }
        return Err(error.into());
    }

    let (snippets, unknown) = if args.missing {
        let namespace = selection.namespace.as_deref();
        let found = tokio::select! {
            found = missing::find(&session, args, snippets, namespace, invocation) => found?,
            () = tokio::time::sleep_until(deadline) => return Err(watch.too_slow(args.timeout).into()),
            signal = stop.signalled() => return Err(Error::Stopped(signal)),
        };
        report.metadata.scope.snippets = found.snippets.len();
        if found.snippets.is_empty() && found.unknown.is_empty() {
            let error = SelectionError::NothingMissing(found.n_asked);
            if args.allow_empty {
                return Ok(Verdict { exit: Exit::Done, message: error.to_string(), hint: None });
            }
            return Err(error.into());
        }
        (found.snippets, found.unknown)
    } else {
        (snippets, Vec::new())
    };

    let (mut tracker, refused) = plan(args, &selection, &snippets, invocation.run.token());
    let job = Job { session: &session, invocation, args, deadline, begun: invocation.run.elapsed() };
    let mut asked = match args.dry_run {
        Some(DryRun::Client) => Asked { ending: Ending::Complete, refusal: None },
        Some(DryRun::Server) | None => ask::run(&job, &mut watch, &mut tracker).await,
    };
    let elapsed = invocation.run.elapsed().saturating_sub(job.begun);
    report.targets = tracker.finish(args.dry_run.is_some(), !args.no_wait);
    let mut verified = Verified::No;
    if matches!(asked.ending, Ending::Complete) {
        match verify::verify(&job, selection.namespace.as_deref(), &mut report.targets).await {
            Ok(told) => verified = told,
            Err(ending) => asked.ending = ending,
        }
    }
    report.targets.extend(unknown);
    report.targets.sort_by_key(Target::path);
    let facts =
        Facts { targets: &report.targets, refused: &refused, asked: &asked, verified: &verified, args, elapsed };
    let (verdict, synced_per_second) = (facts.verdict(&super::again()), facts.rate());
    report.figures.insert("seconds", to_milliseconds(elapsed.as_secs_f64()));
    report.figures.insert("answersPerSecond", to_milliseconds(synced_per_second));
    report.next = next(&report.targets);
    Ok(verdict)
}

fn states(args: &ReconcileArgs) -> States {
    States { failed: args.failed, stale: args.stale, missing: args.missing }
}

/// What the run needs of snippets.
fn needs(args: &ReconcileArgs) -> &'static [&'static str] {
    match (args.dry_run, args.no_wait) {
        (Some(_), _) => &["list"],
        (None, true) => &["list", "patch"],
        (None, false) => &["list", "watch", "patch"],
    }
}

/// Decides for each snippet whether to ask. The second part are those that were named and are suspended, which is
/// refused: whoever types a name expects it to be rendered.
fn plan(args: &ReconcileArgs, selection: &Selection, snippets: &[Snippet], token: String) -> (Tracker, Vec<Key>) {
    let mut tracker = Tracker::new(token);
    let mut refused = Vec::new();
    for snippet in snippets {
        let key = snippet.key();
        let target = |outcome| Target::snippet(&key, outcome);
        if snippet.is_terminating() {
            let why = "it is being deleted";
            tracker.settle(key.clone(), target(TargetOutcome::Skipped).because("Terminating", why));
        } else if !snippet.is_suspended() || args.include_suspended {
            tracker.plan(key);
        } else if matches!(selection.which, Which::Names(_)) {
            let why = "spec.suspend is true; not asked";
            tracker.settle(key.clone(), target(TargetOutcome::Suspended).because("Suspended", why));
            refused.push(key);
        } else {
            let why = "spec.suspend is true";
            tracker.settle(key.clone(), target(TargetOutcome::Skipped).because("Suspended", why));
        }
    }
    (tracker, refused)
}

/// Where to look at failures: one command for each reason.
fn next(targets: &[Target]) -> Vec<Next> {
    let mut reasons = BTreeSet::new();
    let failed = targets.iter().filter(|target| target.outcome == TargetOutcome::Failed);
    let firsts = failed.filter(|target| reasons.insert(target.reason.clone()));
    firsts
        .map(|target| Next {
            command: format!("kubectl describe jsonnetsnippet {} -n {}", target.object.name, target.object.namespace),
            why: format!("shows spec, status and events of one that failed with {}", target.reason),
        })
        .collect()
}
