//! What lies in the store and should not. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::answers::count;
use super::ask;
use super::outcome::{Outcome, Seen, Stop};
use crate::code::{Code, Severity};
use crate::facts::signals::Topic;
use crate::facts::snippets::path_of;
use crate::facts::store::File;
use crate::facts::{Facts, FileClass, Inventory, Snippet, Snippets};
use crate::finding::{Evidence, Finding, Subject};
use crate::known::{Obstacle, Why};
use crate::size::words as size;

/// After how many seconds an upload is certainly not under way any more.
const DAY: u64 = 24 * 60 * 60;
/// By how many seconds the operator may be late in removing what it should.
const LATE: u64 = 5 * 60;
/// How many sweeps must have failed, by the metric alone, to call it more than a passing trouble.
const ENDURING: f64 = 3.0;

fn inventory(facts: &Facts) -> Result<&Inventory, Why> {
    facts.store.inventory.told("the listing of the store")
}

/// What is not known where the listing stops early.
fn cut(inventory: &Inventory) -> Option<Why> {
    (!inventory.complete).then(|| Why::new(Obstacle::Failed, "the listing of the store is not complete"))
}

fn of_class(inventory: &Inventory, class: FileClass) -> Vec<&File> {
    inventory.files.iter().filter(|file| file.class == class).collect()
}

/// A finding about files.
fn about(code: Code, files: &[&File], what: &str) -> Finding {
    let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    Finding::new(code, format!("{} {what}, {}", count(files.len(), "file"), size(bytes)))
        .about(files.iter().map(|file| Subject::file(&file.path)))
        .with(Evidence::several("files", files.iter().map(|file| file.path.clone())))
        .with(Evidence::seen("bytes", bytes))
}

/// `namespace` and `name` of an artifact's path.
fn owner(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.split('/');
    Some((parts.next()?, parts.next()?))
}

/// Every path that something names.
fn named(facts: &Facts) -> Result<BTreeSet<String>, Why> {
    let mut named: BTreeSet<String> = ask::artifacts(facts)?.iter().map(|artifact| artifact.path.clone()).collect();
    for snippet in &ask::snippets(facts)?.items {
        let revisions = snippet.history.iter().chain(&snippet.retired).map(|entry| &entry.revision);
        let revisions = revisions.chain(&snippet.revision);
        named.extend(revisions.filter_map(|revision| path_of(&snippet.namespace, &snippet.name, revision)));
    }
    Ok(named)
}

/// Whether a prune of what is expired would remove anything; `None` where that is not known.
pub(crate) fn is_any_expired(facts: &Facts) -> Option<bool> {
    let is_whole = inventory(facts).ok()?.complete && ask::snippets(facts).ok()?.unlisted.is_empty();
    let is_any = !beyond(facts, 0).ok()?.is_empty() || !due(facts, 0).ok()?.is_empty();
    (is_any || is_whole).then_some(is_any)
}

/// Files of snippets that nothing names, for this many seconds longer than the grace.
fn beyond(facts: &Facts, late: u64) -> Result<Vec<&File>, Why> {
    let inventory = inventory(facts)?;
    let named = named(facts)?;
    let snippets = ask::snippets(facts)?;
    let grace = ask::seconds(facts, "artifact-gc-grace")?;
    let known: BTreeSet<_> = snippets.items.iter().map(|it| (it.namespace.as_str(), it.name.as_str())).collect();
    let is_beyond = |file: &&File| {
        let is_due = file.age.is_none_or(|age| age > grace.saturating_add(late));
        is_due && owner(&file.path).is_some_and(|owner| known.contains(&owner)) && !named.contains(&file.path)
    };
    Ok(of_class(inventory, FileClass::Revision).into_iter().filter(is_beyond).collect())
}

/// `G601`.
pub(crate) fn beyond_history(facts: &Facts) -> Outcome {
    let beyond = beyond(facts, LATE)?;
    let (inventory, snippets) = (inventory(facts)?, ask::snippets(facts)?);
    let seen = Seen::of(beyond, |files| about(Code::BeyondHistory, files, "of existing snippets that nothing names"));
    Ok(seen.blind_to(cut(inventory)).blind_to(ask::unlisted(snippets)))
}

/// Files of revisions that left the history for this many seconds longer than the grace.
fn due(facts: &Facts, late: u64) -> Result<Vec<&File>, Why> {
    let snippets = ask::snippets(facts)?;
    let mut retired = BTreeMap::new();
    for snippet in &snippets.items {
        for entry in &snippet.retired {
            let kept = snippet.history.iter().map(|entry| &entry.revision).chain(&snippet.revision);
            let path = path_of(&snippet.namespace, &snippet.name, &entry.revision);
            if let (Some(path), Some(time), false) =
                (path, entry.time, kept.into_iter().any(|it| *it == entry.revision))
            {
                retired.insert(path, time);
            }
        }
    }
    if retired.is_empty() {
        return Ok(Vec::new());
    }
    let grace = ask::seconds(facts, "artifact-gc-grace")?.saturating_add(late);
    let is_due = |time: &Timestamp| facts.seconds_since(*time) > grace;
    let files = of_class(inventory(facts)?, FileClass::Revision).into_iter();
    Ok(files.filter(|file| retired.get(&file.path).is_some_and(is_due)).collect())
}

/// `G602`.
pub(crate) fn past_grace(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    if snippets.items.iter().all(|snippet| snippet.retired.is_empty()) {
        return Ok(Seen::fine().blind_to(ask::unlisted(snippets)));
    }
    let seen = Seen::of(due(facts, LATE)?, |files| about(Code::PastGrace, files, "past their grace"));
    Ok(seen.blind_to(inventory(facts).ok().and_then(cut)).blind_to(ask::unlisted(snippets)))
}

/// `G603`.
pub(crate) fn residue(facts: &Facts) -> Outcome {
    let inventory = inventory(facts)?;
    let halves = of_class(inventory, FileClass::Tmp);
    if halves.is_empty() {
        return Ok(Seen::fine().blind_to(cut(inventory)));
    }
    let limit = ask::seconds(facts, "storage-sweep-max-tmp-age")?;
    let ageless = halves.iter().filter(|file| file.age.is_none()).count();
    let ageless =
        (ageless > 0).then(|| Why::new(Obstacle::NotOffered, format!("the age of {}", count(ageless, "half"))));
    let old: Vec<_> = halves.into_iter().filter(|file| file.age.is_some_and(|age| age > limit)).collect();
    let seen = Seen::of(old, |files| about(Code::Residue, files, "that no writer will finish"));
    Ok(seen.blind_to(cut(inventory)).blind_to(ageless))
}

/// `G604`. Everything that could make a file of somebody look like nobody's leaves it undecided.
pub(crate) fn orphan_files(facts: &Facts) -> Outcome {
    let inventory = inventory(facts)?;
    let snippets = ask::snippets(facts)?;
    let named = named(facts)?;
    let flags = ask::flags(facts)?;
    let age = ask::seconds(facts, "max-withdraw-wait")?.saturating_add(ask::seconds(facts, "artifact-gc-grace")?);
    let known: BTreeSet<_> = snippets.items.iter().map(|it| (it.namespace.as_str(), it.name.as_str())).collect();
    let watched = flags.watched_namespaces();
    let is_watched = |namespace: &str| watched.is_empty() || watched.contains(&namespace);
    let is_orphan = |file: &&File| {
        let is_nobodys = owner(&file.path).is_some_and(|owner| is_watched(owner.0) && !known.contains(&owner));
        is_nobodys && !named.contains(&file.path) && file.age.is_none_or(|it| it > age)
    };
    let (undecided, orphans): (Vec<_>, Vec<_>) =
        of_class(inventory, FileClass::Revision).into_iter().filter(is_orphan).partition(|file| {
            owner(&file.path).is_some_and(|(namespace, _)| snippets.unlisted.iter().any(|it| it == namespace))
        });
    let refused = if undecided.is_empty() { Vec::new() } else { ask::unlisted(snippets) };
    if orphans.is_empty() {
        return Ok(Seen::fine().blind_to(cut(inventory)).blind_to(refused));
    }
    let doubts = doubts(facts, inventory, snippets)?;
    if !doubts.is_empty() {
        return Err(Stop::Unknown(doubts));
    }
    let folders: BTreeSet<_> = orphans.iter().filter_map(|file| owner(&file.path)).collect();
    let folders = folders.into_iter().map(|(namespace, name)| Subject::new("JsonnetSnippet", namespace, name));
    let finding = about(Code::OrphanFiles, &orphans, "that no snippet owns").about(folders);
    Ok(Seen::from(finding).blind_to(refused))
}

/// What makes files of somebody look like nobody's.
fn doubts(facts: &Facts, inventory: &Inventory, snippets: &Snippets) -> Result<Vec<Why>, Why> {
    let mut doubts: Vec<_> = cut(inventory).into_iter().collect();
    if !snippets.everywhere {
        doubts.push(Why::not_asked("snippets of the whole cluster"));
    }
    if snippets.items.is_empty() {
        doubts.push(Why::new(
            Obstacle::Failed,
            "no snippet exists; a cluster that is being restored looks like that too",
        ));
    }
    let mark = facts.store.owner.told("the mark of the store")?;
    let ours = facts.operator.identity.told("the mark of this installation")?;
    match mark {
        Some(mark) if mark == ours => {}
        Some(mark) => {
            doubts.push(Why::new(Obstacle::NotOffered, format!("the snippets of {}, whose store it is", mark.release)))
        }
        None => doubts.push(Why::new(Obstacle::NotOffered, "whose the store is: it carries no mark")),
    }
    Ok(doubts)
}

/// `G605`.
pub(crate) fn orphan_artifact(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let known: BTreeSet<_> = snippets.items.iter().map(Snippet::subject).collect();
    let lone = ask::artifacts(facts)?.iter().filter(|artifact| artifact.ours && !known.contains(&artifact.snippet()));
    let (undecided, lone): (Vec<_>, Vec<_>) =
        lone.partition(|artifact| !snippets.everywhere || snippets.unlisted.contains(&artifact.namespace));
    let part = (!snippets.everywhere && !undecided.is_empty()).then(|| Why::not_asked("snippets of the whole cluster"));
    let refused = if undecided.is_empty() { Vec::new() } else { ask::unlisted(snippets) };
    let seen = Seen::of(lone, |lone| {
        Finding::new(Code::OrphanArtifact, format!("{} without a snippet", count(lone.len(), "ExternalArtifact")))
            .about(lone.iter().map(|artifact| artifact.subject()))
            .with(Evidence::several("artifacts", lone.iter().map(|artifact| artifact.subject().path())))
    });
    Ok(seen.blind_to(part).blind_to(refused))
}

/// `G606`.
pub(crate) fn foreign_files(facts: &Facts) -> Outcome {
    let inventory = inventory(facts)?;
    let foreign = of_class(inventory, FileClass::Foreign);
    let seen = Seen::of(foreign, |files| about(Code::ForeignFiles, files, "that are not the operator's"));
    Ok(seen.blind_to(cut(inventory)))
}

/// `G607`.
pub(crate) fn unfinished_uploads(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let inventory = inventory(facts)?;
    let is_old = |file: &&File| file.age.is_none_or(|age| age > DAY);
    let old: Vec<_> = of_class(inventory, FileClass::Multipart).into_iter().filter(is_old).collect();
    let untold = inventory.uploads_unknown.as_ref().map(|why| Why::new(Obstacle::Failed, why.clone()));
    let seen = Seen::of(old, |files| about(Code::UnfinishedUploads, files, "whose upload never ended"));
    Ok(seen.blind_to(cut(inventory)).blind_to(untold))
}

/// `G608`.
pub(crate) fn withdraw_forced(facts: &Facts) -> Outcome {
    let events = facts.signals.events.told("the events")?;
    let forced: Vec<_> = events.iter().filter(|event| event.reason == "WithdrawForced").collect();
    Ok(Seen::of(forced, |forced| {
        Finding::new(Code::WithdrawForced, format!("{} let go with its files in place", count(forced.len(), "snippet")))
            .about(forced.iter().map(|event| Subject::new("JsonnetSnippet", &event.namespace, &event.name)))
            .with(Evidence::several("events", forced.iter().map(|event| event.message.clone())))
    }))
}

/// `G609`.
pub(crate) fn sweep_fails(facts: &Facts) -> Outcome {
    let logs = facts.signals.logs.ok().map(Vec::as_slice).unwrap_or_default();
    let records: Vec<_> = logs
        .iter()
        .filter(|record| record.topic == Topic::Sweep && super::storage::is_recent(facts, record))
        .map(|record| format!("{} times: {}", record.count, record.text))
        .collect();
    let counted =
        facts.signals.metrics.told("the metrics").and_then(|metrics| metrics.sweep_failures.told("sweeps that failed"));
    let failures = counted.as_ref().ok().copied().copied().unwrap_or_default();
    if records.is_empty() && failures <= 0.0 {
        counted?;
        return Ok(Seen::fine());
    }
    let mut finding = Finding::new(Code::SweepFails, "left-overs could not be removed");
    // The metric counts since the start: what failed while the store was away is over by now, as far as anybody can tell from it.
    if records.is_empty() && failures < ENDURING {
        finding = finding.as_bad_as(Severity::Warning);
    }
    if failures > 0.0 {
        finding = finding.with(Evidence::seen("sweeps that failed since the start", failures).instead_of(0));
    }
    if !records.is_empty() {
        finding = finding.with(Evidence::several("log records", records));
    }
    Ok(finding.into())
}

/// `G610`.
pub(crate) fn set_aside(facts: &Facts) -> Outcome {
    let inventory = inventory(facts)?;
    let aside = of_class(inventory, FileClass::Trash);
    let seen = Seen::of(aside, |files| about(Code::SetAside, files, "set aside"));
    Ok(seen.blind_to(cut(inventory)))
}
