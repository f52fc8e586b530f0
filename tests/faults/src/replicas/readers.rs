//! Consumers that fetch what is announced, two hundred times a second, each with a connection of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use jaas_api::ExternalArtifact;
use jaas_storage::Digest;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest that an answer may take, in a round whose limits are not stretched.
const PATIENCE: Duration = Duration::from_secs(5);
/// Statuses that say that it cannot be had now.
const AWAY: [u16; 3] = [502, 503, 504];

/// What an artifact announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) name: String,
    version: Option<String>,
    url: String,
    digest: String,
}

/// A request that did not get what was announced.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// When it was sent.
    pub(super) at: Instant,
    /// What came instead.
    pub(super) kind: Kind,
    /// Which, and what, in words.
    pub(super) seen: String,
}

/// What came instead of the artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Other bytes, or an answer that is never right.
    Wrong,
    /// That there is no such artifact, although it was announced all the time.
    Missing,
    /// Nothing, or that it cannot be had now.
    Away,
}

/// A request that got what was announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) asked: Instant,
    pub(super) answered: Instant,
}

/// What the consumers met.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// The requests that got what was announced.
    pub(super) served: Vec<Served>,
    /// How many met an artifact that was changed meanwhile, so that any answer but wrong bytes is right.
    pub(super) changed: usize,
    /// For how long they fetched.
    pub(super) lasted: Duration,
    pub(super) failures: Vec<Failure>,
}

/// What is announced, as a consumer's watch tells it.
pub(super) type Catalog = Arc<Mutex<BTreeMap<String, Announced>>>;

/// Follows what is announced until it is dropped.
pub(super) fn follow(artifacts: &Api<ExternalArtifact>, tasks: &mut JoinSet<()>) -> Catalog {
    let catalog = Catalog::default();
    let (shared, artifacts) = (Arc::clone(&catalog), artifacts.clone());
    tasks.spawn(async move {
        let mut events = watcher(artifacts, watcher::Config::default()).boxed();
        while let Some(event) = events.next().await {
            let mut catalog = lock(&shared);
            match event {
                Ok(Event::Init) => catalog.clear(),
                Ok(Event::Apply(artifact) | Event::InitApply(artifact)) => match announced(&artifact) {
                    Some(announced) => drop(catalog.insert(artifact.name_any(), announced)),
                    None => drop(catalog.remove(&artifact.name_any())),
                },
                Ok(Event::Delete(artifact)) => drop(catalog.remove(&artifact.name_any())),
                // It begins anew by itself.
                Ok(Event::InitDone) | Err(_) => {}
            }
        }
    });
    catalog
}

/// What an artifact announces, if it does.
pub(super) fn announced(artifact: &ExternalArtifact) -> Option<Announced> {
    let published = artifact.published()?;
    Some(Announced {
        name: artifact.name_any(),
        version: artifact.resource_version(),
        url: published.url.clone(),
        digest: published.digest.clone()?,
    })
}

/// Fetches until it is stopped.
///
/// # Errors
/// When no client can be set up.
pub(super) async fn run(
    catalog: Catalog,
    artifacts: Api<ExternalArtifact>,
    seed: u64,
    stretch: u32,
    stop: CancellationToken,
) -> Result<Met> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE * stretch).pool_max_idle_per_host(0);
    let client = client.build().context("setting up consumers")?;
    let mut drawing = StdRng::seed_from_u64(seed);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut pending = JoinSet::new();
    let mut met = Met::default();
    let begun = Instant::now();
    while !stop.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => {
                let chosen = lock(&catalog).values().choose(&mut drawing).cloned();
                if let Some(announced) = chosen {
                    pending.spawn(fetch(client.clone(), artifacts.clone(), announced));
                }
            }
            Some(Ok(outcome)) = pending.join_next() => met.add(outcome),
        }
    }
    met.lasted = begun.elapsed();
    while let Some(Ok(outcome)) = pending.join_next().await {
        met.add(outcome);
    }
    Ok(met)
}

enum Outcome {
    Served(Served),
    Changed,
    Failed(Failure),
}

impl Met {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Served(served) => self.served.push(served),
            Outcome::Changed => self.changed += 1,
            Outcome::Failed(failure) => self.failures.push(failure),
        }
    }
}

async fn fetch(client: reqwest::Client, artifacts: Api<ExternalArtifact>, wanted: Announced) -> Outcome {
    let at = Instant::now();
    let answer = async {
        let answer = client.get(&wanted.url).send().await?;
        let status = answer.status();
        Ok::<_, reqwest::Error>((status, answer.bytes().await?))
    };
    let (kind, seen) = match answer.await {
        Ok((status, bytes)) if status == 200 => match Digest::of(&bytes).to_string() {
            digest if digest == wanted.digest => {
                return Outcome::Served(Served { asked: at, answered: Instant::now() });
            }
            digest => (Kind::Wrong, format!("{} bytes of {digest}", bytes.len())),
        },
        Ok((status, _)) if status == 404 => (Kind::Missing, status.to_string()),
        Ok((status, bytes)) => {
            let kind = if AWAY.contains(&status.as_u16()) { Kind::Away } else { Kind::Wrong };
            (kind, format!("{status} {}", String::from_utf8_lossy(&bytes)))
        }
        Err(error) => (Kind::Away, format!("{:#}", anyhow::Error::from(error))),
    };
    // Where nobody can tell, it counts as what was announced all the time.
    let now = artifacts.get_opt(&wanted.name).await;
    if kind != Kind::Wrong && now.is_ok_and(|now| now.as_ref().and_then(announced).as_ref() != Some(&wanted)) {
        return Outcome::Changed;
    }
    let seen = format!("{} at {} ms: {seen}", wanted.url, at.elapsed().as_millis());
    Outcome::Failed(Failure { at, kind, seen })
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
