//! How the store is: up, or why not. Told by a gauge, in the detail of `/ready`, and by one log line for each change.
//!
//! Reading and writing fail separately. A full disk is read without trouble, so only a write that works, or nobody who waits for
//! one, ends a trouble with writing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jaas_storage::Store;
use jaas_storage::store::{StoreError, Usage};
use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::forecast::Forecast;
use super::heal::Alarm;
use crate::snippet::World;
use crate::snippet::outcome::{chain, storage_reason};
use crate::telemetry::metrics::Metrics;

/// How often the store is asked whether it is there.
const INTERVAL: Duration = Duration::from_secs(30);
/// How often while it is in trouble.
const INTERVAL_IN_TROUBLE: Duration = Duration::from_secs(5);

/// How often a store that did not tell what it can do is asked again. Each try may leave small objects where nothing may be deleted.
const INTERVAL_OF_QUESTIONS: Duration = Duration::from_secs(600);

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The reason, as snippets tell it.
    pub reason: &'static str,
    /// The whole sentence.
    pub message: String,
}

impl Trouble {
    fn of(error: &StoreError) -> Self {
        Self { reason: storage_reason(error.kind).as_str(), message: chain(error) }
    }
}

/// The store's condition. Clones share it.
#[derive(Clone)]
pub struct Condition(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Notify,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    reading: Option<Trouble>,
    writing: Option<Trouble>,
    full_in: Option<Duration>,
}

impl State {
    fn trouble(&self) -> Option<&Trouble> {
        self.reading.as_ref().or(self.writing.as_ref())
    }
}

impl Condition {
    /// A store that nothing bad is known of.
    pub fn new(metrics: Metrics) -> Self {
        metrics.store_condition(None);
        Self(Arc::new(Inner { state: Mutex::default(), changed: Notify::new(), metrics }))
    }

    /// What is wrong now.
    pub fn trouble(&self) -> Option<Trouble> {
        self.state().trouble().cloned()
    }

    /// A write was answered.
    pub fn wrote<T>(&self, answer: &Result<T, StoreError>) {
        self.change(|state| state.writing = answer.as_ref().err().map(Trouble::of));
    }

    /// A question was answered.
    pub fn asked<T>(&self, answer: &Result<T, StoreError>) {
        self.change(|state| state.reading = answer.as_ref().err().map(Trouble::of));
    }

    /// Time until the store is full, going by the last hours; `None` where it does not fill, and while too little is known.
    pub fn full_in(&self) -> Option<Duration> {
        self.state().full_in
    }

    fn forecast(&self, full_in: Option<Duration>) {
        self.state().full_in = full_in;
        self.0.metrics.store_full_in(full_in);
    }

    /// Nobody waits for a write any more.
    fn nobody_waits(&self) {
        self.change(|state| state.writing = None);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let before = state.trouble().map(|trouble| trouble.reason);
        change(&mut state);
        let now = state.trouble();
        let reason = now.map(|trouble| trouble.reason);
        if reason != before {
            self.0.metrics.store_condition(reason);
            match now {
                Some(Trouble { reason, message }) => tracing::warn!(reason, error = message, "The store is in trouble"),
                None => tracing::info!("The store is well again"),
            }
            self.0.changed.notify_one();
        }
    }
}

/// Asks the store now and then, and measures it, for as long as the process runs. Once a trouble is over, everybody who was refused
/// tries again at once.
pub async fn run(world: Arc<World>, alarm: Alarm, measure_interval: Duration, stop: CancellationToken) {
    let (mut measured, mut asked) = (None::<tokio::time::Instant>, None::<tokio::time::Instant>);
    let (began, mut forecast) = (tokio::time::Instant::now(), Forecast::default());
    loop {
        let condition = &world.condition;
        let answer = world.store.check().await;
        condition.asked(&answer);
        if let Ok(health) = &answer
            && health.capabilities.create_only.is_none()
            && asked.is_none_or(|at| at.elapsed() >= INTERVAL_OF_QUESTIONS)
        {
            tokio::select! {
                () = stop.cancelled() => return,
                () = acquaint(&*world.store) => {}
            }
            asked = Some(tokio::time::Instant::now());
        }
        // Whoever leads now tries for those whom the store refused here.
        if world.authority.permit().is_err() || world.memory.refused_by_store().is_empty() {
            condition.nobody_waits();
        }
        let due = measured.is_none_or(|at| at.elapsed() >= measure_interval);
        if answer.is_ok() && (due || condition.trouble().is_some()) {
            if let Some(usage) = measure(&*world.store, &world.metrics).await {
                forecast.measured(began.elapsed(), &usage);
                condition.forecast(forecast.full_in());
            }
            measured = Some(tokio::time::Instant::now());
        }
        if answer.is_ok() && condition.state().writing.is_none() {
            alarm.try_again(world.memory.refused_by_store());
        }
        let pause = if condition.trouble().is_some() { INTERVAL_IN_TROUBLE } else { INTERVAL };
        tokio::select! {
            () = stop.cancelled() => return,
            () = condition.0.changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Finds out what the store can do, so that whoever leads next does not have to before it publishes. It writes and removes objects of
/// its own, under names that nobody else has, so it needs no permit.
async fn acquaint(store: &dyn Store) {
    if let Err(error) = store.probe().await {
        tracing::warn!(error = chain(&error), "The store could not be asked what it can do");
    }
}

async fn measure(store: &dyn Store, metrics: &Metrics) -> Option<Usage> {
    match store.usage().await {
        Ok(usage) => {
            metrics.store_usage(&usage);
            Some(usage)
        }
        Err(error) => {
            tracing::debug!(error = chain(&error), "Measuring the store failed");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn failed() -> Result<(), StoreError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        jaas_storage::LocalStore::open(&file.join("below")).map(drop)
    }

    #[test]
    fn a_forecast_is_a_gauge_that_goes_when_nothing_fills() {
        let metrics = Metrics::default();
        let condition = Condition::new(metrics.clone());
        let told = || {
            metrics
                .encode()
                .unwrap()
                .lines()
                .find(|line| line.starts_with("jaas_storage_full_in_seconds"))
                .map(str::to_owned)
        };
        assert_eq!(told(), None);
        condition.forecast(Some(Duration::from_secs(90)));
        assert_eq!(
            (condition.full_in(), told().as_deref()),
            (Some(Duration::from_secs(90)), Some("jaas_storage_full_in_seconds{} 90"))
        );
        condition.forecast(None);
        assert_eq!((condition.full_in(), told()), (None, None));
    }

    #[test]
    fn a_trouble_is_told_by_its_reason_until_it_is_over() {
        let metrics = Metrics::default();
        let condition = Condition::new(metrics.clone());
        let up = |line: &str| metrics.encode().unwrap().lines().any(|found| found == line);
        assert!(up("jaas_storage_up{reason=\"\"} 1"));
        condition.wrote(&failed());
        assert_eq!(condition.trouble().unwrap().reason, "StorageUnavailable");
        assert!(up("jaas_storage_up{reason=\"StorageUnavailable\"} 0"));
        assert!(!up("jaas_storage_up{reason=\"\"} 1"));
        condition.asked(&Ok::<_, StoreError>(()));
        assert!(condition.trouble().is_some(), "a read that works says nothing of writing");
        condition.wrote(&Ok::<_, StoreError>(()));
        assert!(up("jaas_storage_up{reason=\"\"} 1"));
        condition.asked(&failed());
        condition.wrote(&Ok::<_, StoreError>(()));
        assert!(condition.trouble().is_some());
        condition.asked(&Ok::<_, StoreError>(()));
        assert_eq!(condition.trouble(), None);
    }
}
