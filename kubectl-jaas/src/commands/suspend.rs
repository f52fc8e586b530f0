//! `suspend` and `resume`: pauses snippets, and lets them go on.
//!
//! One write for each, upon exactly the state that was seen.

mod plan;

use std::cell::Cell;
use std::future::ready;

use futures::{StreamExt as _, stream};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _};
use serde_json::json;
use tokio::time::Instant;

use self::plan::{Plan, verdict};
use super::consent::consent;
use super::ending::Ending;
use super::mark::mark;
use super::select::{Choice, States};
use super::settle::{self, Waiting};
use super::watch::Watch;
use super::{Error, Invocation, Verdict};
use crate::cli::{DryRun, SuspendArgs};
use crate::exit::Exit;
use crate::session::{self, Call, FIELD_MANAGER, Session, Writes};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::{Report, Target, TargetOutcome};

/// Writes under way at once.
const AT_ONCE: usize = 16;
/// How often a write is repeated that met a new status, which says nothing about the spec.
const TRIES: usize = 5;

/// Pauses, or with `pause: false` lets go on, and notes what became of each snippet.
pub(super) async fn run(
    args: &SuspendArgs,
    pause: bool,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let command = if pause { "suspend" } else { "resume" };
    let deadline = Instant::now() + args.timeout;
    let namespace = invocation.connection.namespace.as_deref();
    let choice = Choice::new(&args.targets, States::default(), namespace, command)?;
    report.metadata.dry_run = DryRun::word(args.change.dry_run);
    report.metadata.reason.clone_from(&args.change.reason);
    let session = Session::open(invocation.connection, invocation.run, Writes::of(args.change.dry_run)).await?;
    report.at(&session.destination);
    let selection = choice.within(&session.namespace);
    report.metadata.scope = selection.scope();
    invocation.listener.say(&format!("{command} {selection}; {}", session.destination));

    let waits = !pause && !args.no_wait && args.change.dry_run.is_none();
    let needs: &[_] = if waits { &["list", "watch", "patch"] } else { &["list", "patch"] };
    let mut watch = Watch::open(&session, &selection, needs);
    let mut stop = invocation.stop.clone();
    let snippets = tokio::select! {
        listed = watch.list(&session) => selection.matching(listed?),
        () = tokio::time::sleep_until(deadline) => return Err(watch.too_slow(args.timeout).into()),
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    report.metadata.scope.snippets = snippets.len();
    if let Err(error) = selection.check(&snippets) {
        if args.allow_empty && snippets.is_empty() {
            return Ok(Verdict { exit: Exit::Done, message: error.to_string(), hint: None });
        }
        return Err(error.into());
    }

    let plan = Plan::new(&snippets, pause);
    let by_name = !args.targets.names.is_empty();
    consent(plan.danger(by_name), &plan.question(&selection), "", None, &args.change, invocation).await?;
    let job = Job { session: &session, invocation, args, pause };
    let (written, mut targets, mut ending) = job.write(&plan).await;
    targets.extend(plan.settled);
    if waits && matches!(ending, Ending::Complete) {
        let waiting = Waiting { session: &session, invocation, deadline };
        let (rendered, waited) = waiting.until(&mut watch, written, settle::rendered).await;
        ending = waited;
        targets.retain(|target| target.outcome != TargetOutcome::Changed);
        targets.extend(rendered);
    }
    targets.sort_by_key(Target::path);
    report.targets = targets;
    Ok(verdict(&report.targets, &ending, args.change.dry_run.is_some(), pause, &super::again()))
}

struct Job<'a> {
    session: &'a Session,
    invocation: &'a Invocation<'a>,
    args: &'a SuspendArgs,
    pause: bool,
}

impl Job<'_> {
    /// Writes to all that are planned: the new states, one outcome for each, and how it ended.
    async fn write(&self, plan: &Plan<'_>) -> (Vec<Snippet>, Vec<Target>, Ending) {
        let closing = Cell::new(false);
        let mut writes = stream::iter(&plan.changes)
            .take_while(|_| ready(!closing.get()))
            .map(async |snippet| (snippet.key(), self.change(snippet).await))
            .buffer_unordered(AT_ONCE)
            .boxed_local();
        let mut stop = self.invocation.stop.clone();
        let (mut written, mut targets, mut ending) = (Vec::new(), Vec::new(), Ending::Complete);
        loop {
            let answer = tokio::select! {
                answer = writes.next() => answer,
                signal = stop.signalled(), if !closing.get() => {
                    // Writes under way are finished, so that the report knows of them.
                    closing.set(true);
                    ending = Ending::Stopped(signal);
                    continue;
                }
            };
            let Some((key, answer)) = answer else { break };
            let target = match answer {
                Ok(_) if self.args.change.dry_run.is_some() => Target::snippet(&key, TargetOutcome::WouldChange),
                Ok(snippet) => {
                    written.push(snippet);
                    Target::snippet(&key, TargetOutcome::Changed)
                }
                Err(error) => Target::snippet(&key, TargetOutcome::Failed).because(error.word(), error.to_string()),
            };
            self.invocation.listener.settle(&target);
            targets.push(target);
        }
        drop(writes);
        let seen: Vec<_> = targets.iter().map(Target::path).collect();
        let rest = plan.changes.iter().map(|snippet| snippet.key()).filter(|key| !seen.contains(&key.to_string()));
        let why = "the run ended before this one was changed";
        targets.extend(rest.map(|key| Target::snippet(&key, TargetOutcome::Skipped).because("NotDone", why)));
        (written, targets, ending)
    }

    async fn change(&self, seen: &Snippet) -> Result<Snippet, session::Error> {
        if self.args.change.dry_run == Some(DryRun::Client) {
            return Ok(seen.clone());
        }
        let Key { namespace, name } = seen.key();
        let snippets: Api<Snippet> = Api::namespaced(self.session.client.clone(), &namespace);
        let call =
            |verb, needs| Call::new(verb, jaas_api::GROUP, RESOURCE, needs).within(Some(&namespace)).named(&name);
        let params = PatchParams {
            dry_run: self.args.change.dry_run == Some(DryRun::Server),
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let mut version = seen.metadata.resource_version.clone();
        let mut tries = 0;
        loop {
            // A pause that is over leaves no field behind.
            let suspend = if self.pause { json!(true) } else { json!(null) };
            let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": {"suspend": suspend}}));
            let patched = snippets.patch(&name, &params, &patch);
            match self.session.call(&call("patch", &["patch"]), patched).await {
                Err(conflict @ session::Error::Conflict { .. }) => {
                    tries += 1;
                    let now = self.session.call(&call("get", &["get"]), snippets.get(&name)).await?;
                    if tries >= TRIES || now.metadata.generation != seen.metadata.generation {
                        return Err(conflict);
                    }
                    version = now.metadata.resource_version;
                }
                Err(error) => return Err(error),
                Ok(snippet) => {
                    let (reason, what) =
                        if self.pause { ("SuspendedByHand", "suspended") } else { ("ResumedByHand", "resumed") };
                    mark(self.session, self.invocation, &self.args.change, &snippet.object_ref(&()), reason, what)
                        .await;
                    return Ok(snippet);
                }
            }
        }
    }
}
