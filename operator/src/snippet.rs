//! One reconcile of a snippet: observe → check → gather → evaluate → publish → report, or withdraw.
//!
//! Decisions are pure and live in `check`, `inputs`, `report` and `retain`; effects are in `gather`, `evaluate`, `publish`,
//! `withdraw` and in the status write at the end of this file. Every outcome is reported; nothing is written when nothing changed.

pub mod artifact;
pub mod check;
pub mod evaluate;
pub mod gather;
pub mod inputs;
pub mod memory;
pub mod observe;
pub mod outcome;
pub mod outside;
pub mod pace;
pub mod publish;
pub mod report;
pub mod retain;
pub mod stopwatch;
pub mod suspects;
pub mod unwatched;
pub mod withdraw;
pub mod world;

use std::time::Duration;

use jaas_api::{FINALIZER, JsonnetSnippet, Reason};
use jaas_storage::{Key, Presence};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tracing::Instrument;

use self::observe::Seen;
use self::outcome::{Attempt, Deferred, Judgement, Refusal};
use self::stopwatch::Stopwatch;
pub use self::world::World;
use crate::cluster::write;
use crate::graph::Name;
use crate::telemetry::metrics::{Check, Stage};
use crate::telemetry::trace;

/// Lists our finalizer together with those of others, unless it stands there already.
fn finalizers_with_ours(snippet: &JsonnetSnippet) -> Option<Vec<String>> {
    let present = snippet.finalizers();
    if present.iter().any(|name| name == FINALIZER) {
        return None;
    }
    Some(present.iter().cloned().chain([FINALIZER.to_owned()]).collect())
}

/// When a snippet is looked at again, beside every change of what it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Only when something changes.
    OnChange,
    /// After this time.
    After(Duration),
}

/// Reconciles one snippet.
///
/// # Errors
/// [`Deferred`] for trouble that may pass; the caller backs off and tries again.
pub async fn reconcile(world: &World, snippet: std::sync::Arc<JsonnetSnippet>) -> Result<Next, Deferred> {
    let (namespace, name) = (snippet.namespace().unwrap_or_default(), snippet.name_any());
    let span = trace::reconcile(&namespace, &name, snippet.metadata.generation.unwrap_or_default());
    step_by_step(world, snippet).instrument(span).await
}

async fn step_by_step(world: &World, snippet: std::sync::Arc<JsonnetSnippet>) -> Result<Next, Deferred> {
    // It may have waited for its turn while it was changed, or went.
    let Some(snippet) = world.snippets.get(&ObjectRef::from_obj(&*snippet)) else { return Ok(Next::OnChange) };
    let Some(seen) = observe::observe(world, snippet).await? else { return Ok(Next::OnChange) };
    let mut stopwatch = Stopwatch::default();
    if seen.snippet.metadata.deletion_timestamp.is_some() {
        return match withdraw::withdraw(world, &seen).await {
            Ok(()) => {
                log(&seen, "withdrawn", None, &stopwatch);
                Ok(Next::OnChange)
            }
            Err(deferred) => Err(defer(world, &seen, deferred, &mut stopwatch).await),
        };
    }
    let busy = world.memory.busy(&seen.key);
    let judged = match judge(world, &seen, &mut stopwatch).await {
        Ok(judgement) => judgement,
        Err(deferred) => return Err(defer(world, &seen, deferred, &mut stopwatch).await),
    };
    if let Judgement::Deferred(wait) = judged {
        log_outcome(&seen, &judged, false, &stopwatch);
        return Ok(limited(world, &seen, wait));
    }
    if let Judgement::Published(published) = &judged {
        if seen.is_file_lost() {
            world.metrics.checked(Check::Restored);
        }
        world.memory.confirm(&seen.key, &seen.snippet, &published.inputs_digest);
    }
    let status_written = match write_report(world, &seen, &judged, &mut stopwatch).await {
        Ok(written) => written,
        Err(deferred) => return Err(defer(world, &seen, deferred, &mut stopwatch).await),
    };
    world.memory.transient_failures_over(&seen.key);
    let collected = collect_retired(world, &seen).await;
    log_outcome(&seen, &judged, status_written, &stopwatch);
    let next = next_look(world, &seen, &judged, collected);
    Ok(if busy.finish() { Next::After(Duration::ZERO) } else { next })
}

/// Tells that the snippet has been rendered often enough for now; its status says what it said.
fn limited(world: &World, seen: &Seen, wait: Duration) -> Next {
    let (namespace, name) = (seen.key.namespace(), seen.key.name());
    let delay = kube::core::Duration::from(wait).to_string();
    tracing::debug!(namespace, name, delay, "Snippet rate-limited; deferring");
    world.metrics.rate_limited(&seen.key);
    let note = format!(
        "reconcile deferred for {delay} by the per-snippet re-render rate limit (--rerender-rate/--rerender-burst)"
    );
    world.events.announce(&seen.snippet, true, "RateLimited", &note);
    Next::After(wait)
}

/// Logs trouble that may pass, and tells it in the status once it lasts: one hiccup is not worth a red condition.
async fn defer(world: &World, seen: &Seen, deferred: Deferred, stopwatch: &mut Stopwatch) -> Deferred {
    if let Some(refusal) = world.memory.transient_failure(&seen.key, &deferred) {
        // An API server that is in trouble may refuse this too; the next try writes it again.
        let _ = write_report(world, seen, &Judgement::Refused(refusal), stopwatch).await;
    }
    log(seen, "deferred", Some(&outcome::chain(&deferred)), stopwatch);
    deferred
}

/// Decides what is the case and does what follows from it, up to but not including the report.
async fn judge(world: &World, seen: &Seen, stopwatch: &mut Stopwatch) -> Attempt<Judgement> {
    if let Some(trouble) = &seen.store_trouble {
        world.metrics.flow().publish_failed(trouble.reason);
        ensure_finalizer(world, seen).await?;
        return Ok(Judgement::Refused(trouble.clone()));
    }
    let verdict = attempt(world, seen, stopwatch).await?;
    if verdict.is_about_store_or_owner() {
        // A store that takes nothing new still serves, so its announcement is kept in order.
        if let (
            Judgement::Refused(Refusal { reason: Reason::StorageFull, .. }),
            Some(Presence::Intact { digest, size }),
        ) = (&verdict, &seen.presence)
        {
            publish::announce_again(world, seen, digest, *size).await?;
        }
        return Ok(verdict);
    }
    match keep_published(world, seen, &verdict, stopwatch).await? {
        Ok(()) => {
            world.memory.found(&seen.key);
            Ok(verdict)
        }
        Err(why) if why.reason.is_about_storage() || why.reason == Reason::ArtifactConflict => {
            Ok(Judgement::Refused(why))
        }
        Err(why) => {
            world.memory.lost(&seen.key, seen.current.as_ref());
            Ok(Judgement::Refused(Refusal::lost(seen, &verdict, &why.message)))
        }
    }
}

/// What was published stays published while a snippet is suspended or refused. Answers why it is gone for good, if it is.
async fn keep_published(
    world: &World,
    seen: &Seen,
    verdict: &Judgement,
    stopwatch: &mut Stopwatch,
) -> Attempt<Result<(), Refusal>> {
    let why = match (verdict, &seen.presence) {
        (Judgement::Published(_) | Judgement::Unchanged | Judgement::Deferred(_), _) | (_, None) => return Ok(Ok(())),
        (_, Some(Presence::Intact { digest, size })) => {
            publish::announce_again(world, seen, digest, *size).await?;
            return Ok(Ok(()));
        }
        (Judgement::Suspended, Some(_)) => return restore(world, seen, stopwatch).await,
        (Judgement::Refused(refusal), Some(_)) => refusal,
    };
    // A refusal may come after the file was written again, when only its announcement is refused.
    Ok(if seen.is_there_now(world).await { Ok(()) } else { Err(why.clone()) })
}

/// The ordinary way: from the checks to the published artifact.
async fn attempt(world: &World, seen: &Seen, stopwatch: &mut Stopwatch) -> Attempt<Judgement> {
    if seen.snippet.spec.suspend.unwrap_or_default() {
        ensure_finalizer(world, seen).await?;
        return Ok(Judgement::Suspended);
    }
    let checked = match check::spec(&seen.snippet, &world.settings, |alias| world.mounted.state().knows(alias)) {
        Ok(checked) => checked,
        Err(refusal) => {
            ensure_finalizer(world, seen).await?;
            return Ok(Judgement::Refused(refusal));
        }
    };
    if let Some(way) = world.graph.cycle(&Name::new(seen.key.namespace(), seen.key.name())) {
        ensure_finalizer(world, seen).await?;
        // Whoever closed the circle, all of it is broken.
        if !seen.is_judged(Reason::DependencyCycle) {
            world.alarm.try_again(way.iter().skip(1).filter_map(|it| Key::new(&it.namespace, &it.name).ok()).collect());
        }
        return Ok(Judgement::Refused(check::cycle(seen.key.namespace(), &way)));
    }
    let files = check::files(&seen.snippet);
    if let Ok(files) = &files
        && let Some(known) = inputs::from_cache(world, seen, &checked, *files)
        && seen.is_up_to_date(&known, world)
    {
        ensure_finalizer(world, seen).await?;
        return Ok(Judgement::Unchanged);
    }
    if let Err(wait) = world.paces.render(seen.snippet.metadata.uid.as_deref().unwrap_or_default()) {
        return Ok(Judgement::Deferred(wait));
    }
    // The finalizer is in place before anything is published, but need not hold up the evaluation.
    let (finalized, rendered) =
        tokio::join!(ensure_finalizer(world, seen), render(world, seen, &checked, files, stopwatch));
    finalized?;
    let (rendered, tenant) = match rendered? {
        Ok(rendered) => rendered,
        Err(refusal) => return Ok(Judgement::Refused(refusal)),
    };
    if has_moved(world, seen) {
        return Err(Deferred::moved());
    }
    match publish::publish(world, seen, &tenant, rendered, stopwatch).await? {
        Ok(published) => Ok(Judgement::Published(Box::new(published))),
        Err(refusal) => Ok(Judgement::Refused(refusal)),
    }
}

/// Whether the snippet was changed or deleted since the reconcile started, as far as the cache knows.
fn has_moved(world: &World, seen: &Seen) -> bool {
    let reference = ObjectRef::new(seen.key.name()).within(seen.key.namespace());
    let Some(now) = world.snippets.get(&reference) else { return true };
    now.metadata.uid != seen.snippet.metadata.uid
        || now.metadata.generation > seen.snippet.metadata.generation
        || now.metadata.deletion_timestamp.is_some()
}

/// Gathers everything and evaluates it.
async fn render(
    world: &World,
    seen: &Seen,
    checked: &check::Checked,
    files: Result<inputs::Own<'_>, Refusal>,
    stopwatch: &mut Stopwatch,
) -> Attempt<Result<(evaluate::Content, gather::Tenant), Refusal>> {
    let gathered = match gather::gather(world, seen, checked, files, stopwatch).await? {
        Ok(gathered) => gathered,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let span = trace::evaluate(gathered.files.len(), gathered.libraries.len());
    let content = evaluate::evaluate(world, seen, &gathered, stopwatch).instrument(span.clone()).await;
    trace::ended(&span, &content, false);
    if let Ok(Ok(content)) = &content {
        span.record("jaas.eval.renderedBytes", trace::count(content.rendered_bytes));
    }
    Ok(content?.map(|content| (content, gathered.tenant)))
}

/// Brings back exactly the published revision of a suspended snippet, or tells why that cannot be done.
async fn restore(world: &World, seen: &Seen, stopwatch: &mut Stopwatch) -> Attempt<Result<(), Refusal>> {
    let Some(current) = &seen.current else { return Ok(Ok(())) };
    let checked = match check::spec(&seen.snippet, &world.settings, |alias| world.mounted.state().knows(alias)) {
        Ok(checked) => checked,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let files = check::files(&seen.snippet);
    let (content, tenant) = match render(world, seen, &checked, files, stopwatch).await? {
        Ok(rendered) => rendered,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if content.content.revision() != &current.revision {
        let renders_to = format!("it now renders to {}", content.content.revision());
        return Ok(Err(Refusal::new(Reason::ArtifactLost, renders_to)));
    }
    match publish::publish(world, seen, &tenant, content, stopwatch).await? {
        Ok(_) => {
            world.metrics.checked(Check::Restored);
            Ok(Ok(()))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Adds our finalizer where it is missing. Answers the snippet as the API server then has it, or `None` where nothing was to do.
async fn ensure_finalizer(world: &World, seen: &Seen) -> Attempt<Option<JsonnetSnippet>> {
    let Some(finalizers) = finalizers_with_ours(&seen.snippet) else { return Ok(None) };
    let permit = world.permit()?;
    let written = write::patch_finalizers(&permit, &world.client, &seen.snippet, &finalizers)
        .await
        .map_err(|error| Deferred::request("adding the finalizer to the snippet", error))?;
    world.memory.wrote_snippet(&seen.key, written.clone());
    Ok(Some(written))
}

/// Writes the status if anything in it changed, and tells the rest of the world. Answers whether it was written.
async fn write_report(world: &World, seen: &Seen, judgement: &Judgement, stopwatch: &mut Stopwatch) -> Attempt<bool> {
    let snippet = world.memory.freshest_snippet(&seen.key, &seen.snippet);
    let collected = world.memory.collected(&seen.key);
    let circumstances = report::Circumstances {
        announced: seen.published.as_ref(),
        unwatched: seen.unwatched.as_ref(),
        collected: &collected,
        now: Timestamp::now(),
    };
    let report = report::report(&snippet, judgement, &world.settings, &circumstances);
    world.metrics.judged(&seen.key, report.ready, report.reason);
    if let Some(patch) = report.patch {
        let permit = world.permit()?;
        let written = stopwatch
            .time(world, Stage::Status, write::patch_status(&permit, &world.client, &*snippet, patch))
            .await
            .map_err(|error| Deferred::request("writing the snippet's status", error))?;
        world.memory.wrote_snippet(&seen.key, written);
        if let Some(note) = report.announcement {
            world.events.announce(&snippet, !report.ready, report.reason.as_str(), &note);
        }
        return Ok(true);
    }
    Ok(false)
}

/// Removes revisions whose grace is over, and answers whether all could be. A failure is logged and tried again: it must not turn
/// a good publish red.
async fn collect_retired(world: &World, seen: &Seen) -> bool {
    let snippet = world.memory.freshest_snippet(&seen.key, &seen.snippet);
    let due = retain::due(snippet.status.as_ref(), world.settings.artifact_gc_grace, Timestamp::now());
    let announced = observe::announced_revision(world, &seen.key);
    let mut complete = true;
    for revision in due.expired.into_iter().filter(|revision| announced.as_ref() != Some(revision)) {
        if world.custody.may_remove().await.is_err() {
            return false;
        }
        let Ok(permit) = world.permit() else { return false };
        let Ok(removed) = permit.during(world.store.remove(&seen.key, &revision)).await else { return false };
        match removed {
            Ok(()) => world.memory.collect(&seen.key, revision),
            Err(error) => {
                complete = false;
                tracing::warn!(
                    namespace = seen.key.namespace(),
                    name = seen.key.name(),
                    %revision,
                    error = outcome::chain(&error),
                    "Removing a revision that is no longer kept failed"
                );
            }
        }
    }
    complete
}

/// What could not be removed is tried again after this time.
const COLLECT_AGAIN: Duration = Duration::from_secs(60);

fn next_look(world: &World, seen: &Seen, judgement: &Judgement, collected: bool) -> Next {
    let snippet = world.memory.freshest_snippet(&seen.key, &seen.snippet);
    let due = retain::due(snippet.status.as_ref(), world.settings.artifact_gc_grace, Timestamp::now());
    let by_judgement = match judgement {
        Judgement::Published(_) | Judgement::Unchanged => {
            let unwatched = seen.unwatched.as_ref().map(|refusal| world.memory.recheck(&seen.key, refusal));
            let covers = |namespace: &str| world.sources.covers(namespace);
            let outside = unwatched::again(&snippet, seen.key.namespace(), &world.libraries, covers);
            unwatched.into_iter().chain(outside).chain(interval(&snippet)).min()
        }
        Judgement::Suspended => None,
        Judgement::Deferred(wait) => Some(*wait),
        Judgement::Refused(refusal) => Some(world.memory.recheck(&seen.key, refusal)),
    };
    let again = (!collected).then_some(COLLECT_AGAIN);
    by_judgement.into_iter().chain(due.next).chain(again).min().map_or(Next::OnChange, Next::After)
}

/// `spec.interval` give or take five percent, so that snippets made at once do not stay in step.
fn interval(snippet: &JsonnetSnippet) -> Option<Duration> {
    let interval = Duration::from(snippet.spec.interval?);
    (!interval.is_zero()).then(|| interval.mul_f64(rand::random_range(0.95..1.05)))
}

/// One line for each reconcile, with the whole sentence where something is wrong.
fn log_outcome(seen: &Seen, judgement: &Judgement, status_written: bool, stopwatch: &Stopwatch) {
    let outcome = judgement.word(status_written);
    match judgement {
        Judgement::Refused(refusal) => log(seen, outcome, Some(&refusal.message), stopwatch),
        Judgement::Published(_) | Judgement::Unchanged => {
            log(seen, outcome, seen.unwatched.as_ref().map(|refusal| refusal.message.as_str()), stopwatch)
        }
        Judgement::Suspended | Judgement::Deferred(_) => log(seen, outcome, None, stopwatch),
    }
}

fn log(seen: &Seen, outcome: &str, error: Option<&str>, stopwatch: &Stopwatch) {
    let (namespace, name) = (seen.key.namespace(), seen.key.name());
    let generation = seen.snippet.metadata.generation.unwrap_or_default();
    let stages = stopwatch.to_string();
    let took_ms = stopwatch.total_milliseconds();
    let stored = match &seen.presence {
        Some(Presence::Intact { .. }) => "intact",
        Some(Presence::Missing) => "missing",
        Some(Presence::Damaged { cause }) => cause,
        None => "none",
    };
    match error {
        Some(error) => {
            tracing::warn!(namespace, name, generation, outcome, stored, took_ms, stages, error, "Reconciled")
        }
        None => tracing::info!(namespace, name, generation, outcome, stored, took_ms, stages, "Reconciled"),
    }
}
