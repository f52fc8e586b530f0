//! What the API server lets be seen, kind by kind: what is told of it at the probes, in metrics and in the log.
//!
//! The snippets, their artifacts and their libraries are needed: without one of them nothing can be judged. A Flux source kind that is
//! not installed or may not be watched is a matter of that kind alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics::Metrics;

/// A watch that went well before has to be forbidden so many times in a row to count as refused: while a role is being replaced, one
/// may be refused for a moment.
const FORBIDDEN: u32 = 4;
/// How often the log tells what is still waited for.
const REMIND: Duration = Duration::from_secs(30);

/// Why a kind is not watched, as metrics and probes tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The first list has not come yet.
    Starting,
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Silent,
    /// The kind is not installed.
    Missing,
    /// The operator lacks a right.
    Forbidden,
    /// Its credentials are not accepted.
    Unauthorized,
    /// The API server has too much to do.
    Throttled,
    /// It has forgotten what has changed since; everything is listed anew.
    Expired,
    /// Any other answer.
    Refused,
}

impl Cause {
    /// The word in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Missing => "missing",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::Throttled => "throttled",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }

    /// What an HTTP status other than success means.
    pub fn of_status(status: http::StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::Missing,
            410 => Self::Expired,
            429 => Self::Throttled,
            _ => Self::Refused,
        }
    }

    /// Whether somebody has to change something in the cluster before it passes.
    fn is_lasting(self) -> bool {
        matches!(self, Self::Missing | Self::Forbidden | Self::Unauthorized)
    }
}

/// A kind that is watched.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Group, version and kind, as the Go implementation writes them in labels.
    pub gvk: String,
    /// Whether nothing can be judged without it.
    pub needed: bool,
}

/// The state of one watch.
#[derive(Clone, Debug)]
struct Slot {
    trouble: Option<(Cause, String)>,
    since: Instant,
    /// Failures in a row.
    failures: u32,
    /// Those of them at the end for which the right was missing.
    forbidden: u32,
    /// The namespace that is watched; all where none is given.
    namespace: Option<String>,
    /// Whether it ever went well.
    begun: bool,
    /// What the API server said when it came to be refused; it stays so until it goes well.
    refused: Option<String>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// One for each watched namespace.
    slots: Vec<Slot>,
}

impl Entry {
    fn trouble(&self) -> Option<&Slot> {
        // What lasts says more than what is about to pass.
        let troubled = || self.slots.iter().filter(|slot| slot.trouble.is_some());
        let lasting = |slot: &&Slot| slot.trouble.as_ref().is_some_and(|(cause, _)| cause.is_lasting());
        troubled().find(lasting).or_else(|| troubled().next())
    }
}

/// A kind that is not watched, as the probes tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Why.
    pub cause: Cause,
    /// In the words of whoever said so.
    pub message: String,
    /// For how many seconds.
    pub seconds: u64,
}

/// That the operator may not watch a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In the API server's words.
    pub message: String,
    /// Where; everywhere if it is not given.
    pub namespace: Option<String>,
}

/// What is known of all watches. Clones share it.
#[derive(Clone)]
pub struct Watches(Arc<Inner>);

struct Inner {
    kinds: Mutex<BTreeMap<&'static str, Entry>>,
    metrics: Metrics,
    /// Which kinds came back that had not been installed; a number that grows.
    returned: watch::Sender<u64>,
    /// For each kind a number that grows when it comes to be refused, and when that is over.
    refusals: watch::Sender<BTreeMap<&'static str, u64>>,
}

impl Watches {
    /// Nothing is watched yet.
    pub fn new(metrics: Metrics) -> Self {
        let (returned, refusals) = (watch::Sender::new(0), watch::Sender::default());
        Self(Arc::new(Inner { kinds: Mutex::default(), metrics, returned, refusals }))
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<&'static str, Entry>> {
        self.0.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A further watch of a kind, in one namespace or in all.
    pub fn part(&self, kind: Kind, namespace: Option<&str>) -> Part {
        let name = kind.name;
        let mut kinds = self.kinds();
        let entry = kinds.entry(name).or_insert_with(|| Entry { kind, slots: Vec::new() });
        let trouble = Some((Cause::Starting, "it has not been listed yet".to_owned()));
        entry.slots.push(Slot {
            trouble,
            since: Instant::now(),
            failures: 0,
            forbidden: 0,
            namespace: namespace.map(str::to_owned),
            begun: false,
            refused: None,
        });
        let index = entry.slots.len() - 1;
        drop(kinds);
        self.0.metrics.watches().up(name, false);
        Part { watches: self.clone(), kind: name, index }
    }

    /// Kinds that are not watched, by name.
    pub fn troubles(&self) -> BTreeMap<&'static str, Trouble> {
        let kinds = self.kinds();
        let troubled = kinds.iter().filter_map(|(name, entry)| {
            let slot = entry.trouble()?;
            let (cause, message) = slot.trouble.clone()?;
            Some((*name, Trouble { cause, message, seconds: slot.since.elapsed().as_secs() }))
        });
        troubled.collect()
    }

    /// The API server has forgotten what has changed since a watch of this kind began; it goes on with a list.
    pub fn expired(&self, kind: &'static str) {
        self.0.metrics.watches().failed(kind, Cause::Expired.as_str());
    }

    /// Whether everything is watched without which nothing can be judged.
    pub fn is_ready_to_reconcile(&self) -> bool {
        self.kinds().values().all(|entry| !entry.kind.needed || entry.trouble().is_none())
    }

    /// A number that changes when a kind that is needed is there again after it was missing: what was decided without it may be
    /// wrong.
    pub fn returned(&self) -> watch::Receiver<u64> {
        self.0.returned.subscribe()
    }

    /// What the API server said when it refused to let this kind be watched where this namespace is; `None` where it does not.
    pub fn refusal(&self, kind: &str, namespace: &str) -> Option<Refusal> {
        let kinds = self.kinds();
        let mut slots = kinds.get(kind)?.slots.iter();
        slots.find_map(|slot| {
            let there = slot.namespace.as_deref().is_none_or(|watched| watched == namespace);
            let message = slot.refused.as_ref().filter(|_| there)?;
            Some(Refusal { message: message.clone(), namespace: slot.namespace.clone() })
        })
    }

    /// For each kind a number that changes when it comes to be refused, and when that is over.
    pub fn refusals(&self) -> watch::Receiver<BTreeMap<&'static str, u64>> {
        self.0.refusals.subscribe()
    }

    /// Tells now and then what is still waited for.
    pub async fn remind(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REMIND) => {}
            }
            let waiting: Vec<_> = {
                let kinds = self.kinds();
                let needed = kinds.values().filter(|entry| entry.kind.needed);
                needed.filter_map(|entry| Some((entry.kind.gvk.clone(), entry.trouble()?.trouble.clone()?))).collect()
            };
            for (gvk, (cause, error)) in waiting {
                tell_waiting(&gvk, cause, &error);
            }
        }
    }
}

fn tell_waiting(gvk: &str, cause: Cause, error: &str) {
    tracing::warn!(gvk, cause = cause.as_str(), error, "waiting for a watched resource before reconciling");
}

/// One watch of a kind.
#[derive(Clone)]
pub struct Part {
    watches: Watches,
    kind: &'static str,
    index: usize,
}

impl Part {
    /// The API server has begun to tell what changes.
    pub fn well(&self) {
        self.change(|slot| {
            slot.failures = 0;
            slot.forbidden = 0;
            slot.begun = true;
            slot.refused = None;
            slot.trouble.take().map(|_| None)
        });
    }

    /// It did not.
    pub fn failed(&self, cause: Cause, message: String) {
        self.watches.0.metrics.watches().failed(self.kind, cause.as_str());
        self.change(|slot| {
            slot.failures = slot.failures.saturating_add(1);
            slot.forbidden = if cause == Cause::Forbidden { slot.forbidden.saturating_add(1) } else { 0 };
            let known = slot.trouble.as_ref().map(|(cause, _)| *cause);
            if known.is_none() {
                slot.since = Instant::now();
            }
            slot.trouble = Some((cause, message.clone()));
            if cause == Cause::Forbidden && (!slot.begun || slot.forbidden >= FORBIDDEN) {
                slot.refused.get_or_insert_with(|| message.clone());
            }
            // Whoever reads the log wants to know of what is new.
            Some(Some((cause, message.clone())).filter(|_| known != Some(cause)))
        });
    }

    /// How long to wait before the next attempt: longer where somebody has to do something first.
    pub fn pause(&self) -> Duration {
        let kinds = self.watches.kinds();
        let slot = kinds.get(self.kind).and_then(|entry| entry.slots.get(self.index));
        let (failures, lasting) = slot.map_or((0, false), |slot| {
            (slot.failures, slot.trouble.as_ref().is_some_and(|(cause, _)| cause.is_lasting()))
        });
        let most = Duration::from_secs(if lasting { 15 } else { 8 });
        let pause = Duration::from_millis(250).saturating_mul(1 << failures.saturating_sub(1).min(10)).min(most);
        pause.mul_f64(rand::random_range(0.7..1.0))
    }

    /// Changes what is known, and tells what follows. The change answers `None` where nothing is to be told; `Some(None)` for the end
    /// of a trouble.
    fn change(&self, change: impl FnOnce(&mut Slot) -> Option<Option<(Cause, String)>>) {
        let (inner, mut kinds) = (&self.watches.0, self.watches.kinds());
        let Some(entry) = kinds.get_mut(self.kind) else { return };
        let before = entry.trouble().and_then(|slot| slot.trouble.as_ref().map(|(cause, _)| *cause));
        let was_missing = before == Some(Cause::Missing);
        let Some(slot) = entry.slots.get_mut(self.index) else { return };
        let was_refused = slot.refused.is_some();
        let news = change(slot);
        let turned = slot.refused.is_some() != was_refused;
        let up = entry.trouble().is_none();
        inner.metrics.watches().up(self.kind, up);
        let kind = entry.kind.clone();
        let ready = kinds.values().all(|entry| !entry.kind.needed || entry.trouble().is_none());
        inner.metrics.watches().ready_to_reconcile(ready);
        drop(kinds);
        if turned {
            inner.refusals.send_modify(|turns| *turns.entry(self.kind).or_default() += 1);
        }
        match news {
            None => {}
            Some(Some((cause, error))) => self.tell_trouble(&kind, cause, &error),
            Some(None) => {
                if up && was_missing && kind.needed {
                    inner.returned.send_modify(|count| *count += 1);
                }
                if up {
                    tell_end(&kind, before, ready);
                }
            }
        }
    }

    fn tell_trouble(&self, kind: &Kind, cause: Cause, error: &str) {
        let gvk = kind.gvk.as_str();
        if kind.needed && cause == Cause::Missing {
            tell_waiting(gvk, cause, error);
        } else if kind.needed {
            tracing::error!(gvk, cause = cause.as_str(), error, "Failed to watch");
        } else if cause == Cause::Missing {
            tracing::info!(gvk, "Skipping watch on Flux source kind not installed in cluster");
        } else {
            let word = cause.as_str();
            tracing::warn!(gvk, cause = word, error, "Failed to engage Flux source watch; retrying");
        }
    }

    /// Counts a refusal of the API server to let an installed Flux source kind be watched.
    pub fn refused(&self) {
        let gvk =
            self.watches.kinds().get(self.kind).filter(|entry| !entry.kind.needed).map(|entry| entry.kind.gvk.clone());
        if let Some(gvk) = gvk {
            self.watches.0.metrics.watches().refused(&gvk);
        }
    }
}

fn tell_end(kind: &Kind, before: Option<Cause>, ready: bool) {
    let gvk = kind.gvk.as_str();
    match (kind.needed, before) {
        (true, _) if ready => {
            tracing::info!("all watched resources are now installed and permitted; reconciliation can proceed");
        }
        (true, _) | (false, None | Some(Cause::Starting)) => tracing::debug!(gvk, "Watched"),
        (false, Some(Cause::Missing)) => {
            tracing::info!(gvk, "Engaged dynamic watch on newly-installed Flux source kind");
        }
        (false, Some(_)) => tracing::info!(gvk, "Flux source kind is watched again"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kind(name: &'static str, needed: bool) -> Kind {
        Kind { name, gvk: format!("g/v1, Kind={name}"), needed }
    }

    fn has(metrics: &Metrics, line: &str) {
        let text = metrics.encode().unwrap();
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }

    #[test]
    fn a_kind_is_watched_once_every_part_of_it_is() {
        let metrics = Metrics::default();
        let watches = Watches::new(metrics.clone());
        let parts =
            [watches.part(kind("JsonnetSnippet", true), None), watches.part(kind("JsonnetSnippet", true), None)];
        let source = watches.part(kind("Bucket", false), None);
        assert_eq!(watches.troubles()["JsonnetSnippet"].cause, Cause::Starting);
        parts[0].well();
        assert!(!watches.is_ready_to_reconcile());
        has(&metrics, "jaas_ready_to_reconcile 0");
        parts[1].well();
        assert!(watches.is_ready_to_reconcile(), "a source kind is no reason not to be");
        has(&metrics, "jaas_ready_to_reconcile 1");
        has(&metrics, "jaas_watch_up{kind=\"JsonnetSnippet\"} 1");
        has(&metrics, "jaas_watch_up{kind=\"Bucket\"} 0");
        source.failed(Cause::Forbidden, "no".to_owned());
        source.refused();
        assert_eq!(watches.troubles().keys().collect::<Vec<_>>(), [&"Bucket"]);
        has(&metrics, "jaas_watch_failures_total{kind=\"Bucket\",cause=\"forbidden\"} 1");
        has(&metrics, "jaas_crd_watch_engagement_failures_total{gvk=\"g/v1, Kind=Bucket\"} 1");
        parts[0].failed(Cause::Unreachable, "gone".to_owned());
        assert!(!watches.is_ready_to_reconcile());
        has(&metrics, "jaas_watch_up{kind=\"JsonnetSnippet\"} 0");
    }

    #[test]
    fn a_refusal_of_a_needed_kind_is_no_matter_of_sources() {
        let metrics = Metrics::default();
        Watches::new(metrics.clone()).part(kind("JsonnetSnippet", true), None).refused();
        assert!(!metrics.encode().unwrap().contains("jaas_crd_watch_engagement_failures_total{"));
    }

    #[test]
    fn a_needed_kind_that_returns_wakes_everybody_and_one_that_was_away_does_not() {
        let watches = Watches::new(Metrics::default());
        let part = watches.part(kind("ExternalArtifact", true), None);
        let returned = watches.returned();
        part.well();
        part.failed(Cause::Unreachable, String::new());
        part.well();
        assert!(!returned.has_changed().unwrap());
        part.failed(Cause::Missing, String::new());
        part.well();
        assert!(returned.has_changed().unwrap());
    }

    #[test]
    fn a_kind_counts_as_refused_where_it_is_and_until_it_is_watched_again() {
        let watches = Watches::new(Metrics::default());
        let here = watches.part(kind("Bucket", false), Some("a"));
        let there = watches.part(kind("Bucket", false), Some("b"));
        let mut refusals = watches.refusals();
        here.well();
        for _ in 1..FORBIDDEN {
            here.failed(Cause::Unreachable, "away".to_owned());
        }
        for _ in 1..FORBIDDEN {
            here.failed(Cause::Forbidden, "first".to_owned());
        }
        assert!(watches.refusal("Bucket", "a").is_none() && !refusals.has_changed().unwrap(), "it may be over soon");
        here.failed(Cause::Forbidden, "list".to_owned());
        here.failed(Cause::Forbidden, "watch".to_owned());
        here.failed(Cause::Unreachable, "away".to_owned());
        let refusal = Some(Refusal { message: "list".to_owned(), namespace: Some("a".to_owned()) });
        assert_eq!(watches.refusal("Bucket", "a"), refusal);
        assert_eq!(refusals.borrow_and_update()["Bucket"], 1);
        assert_eq!(watches.refusal("Bucket", "b"), None);
        assert_eq!(watches.refusal("GitRepository", "a"), None);
        there.failed(Cause::Forbidden, "never".to_owned());
        assert!(watches.refusal("Bucket", "b").is_some(), "what never went well waits for nothing");
        here.well();
        there.well();
        assert_eq!(watches.refusal("Bucket", "a"), None);
        assert_eq!(refusals.borrow_and_update()["Bucket"], 4);
    }

    #[test]
    fn pauses_grow_to_a_few_seconds_and_start_small_again() {
        let part = Watches::new(Metrics::default()).part(kind("Bucket", false), None);
        let tried = |times, cause| {
            part.well();
            for _ in 0..times {
                part.failed(cause, String::new());
            }
            part.pause().as_secs_f64()
        };
        assert!(tried(1, Cause::Unreachable) <= 0.25);
        assert!((5.6..=8.0).contains(&tried(60, Cause::Unreachable)));
        assert!((10.5..=15.0).contains(&tried(60, Cause::Forbidden)));
        assert!(tried(1, Cause::Forbidden) <= 0.25);
    }
}
