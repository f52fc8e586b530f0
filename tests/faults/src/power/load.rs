//! What works on the store when the power fails.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use jaas_storage::Key;
use jaas_storage::store::{InvalidKey, StoreError};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::artifacts::Artifact;
use super::check::{self, Finding};
use super::site::Site;

/// Writers at a time.
const WRITERS: usize = 3;
/// Keys that only one writer changes.
const OWN_KEYS: usize = 3;
/// A writer with more artifacts removes one first, so that the volume does not fill.
const ARTIFACTS: usize = 4;

/// What a writer may do next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Put,
    PutShared,
    Remove,
    RemoveShared,
    SetAside,
    Delete,
    Sweep,
    Claim,
    Read,
}

/// How often each is drawn, of a hundred.
const STEPS: [(Step, u32); 9] = [
    (Step::Put, 44),
    (Step::PutShared, 8),
    (Step::Remove, 8),
    (Step::RemoveShared, 4),
    (Step::SetAside, 6),
    (Step::Delete, 6),
    (Step::Sweep, 6),
    (Step::Claim, 6),
    (Step::Read, 12),
];

/// What the load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Several writers that publish, remove and sweep.
    Work,
    /// The recovery from the cut before.
    Recovery,
}

/// The load at work.
#[derive(Debug)]
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Begins.
    pub(super) fn start(site: &Site, kind: Kind, rng: &mut StdRng) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        match kind {
            Kind::Work => {
                for number in 0..WRITERS {
                    let writer = Writer::new(site, number, StdRng::from_rng(rng))?;
                    tasks.spawn(writer.run(Arc::clone(&stop)));
                }
            }
            Kind::Recovery => {
                let site = site.clone();
                tasks.spawn(async move {
                    if let Err(finding) = check::recover(&site).await {
                        site.ledger.trouble(finding);
                    }
                });
            }
        }
        Ok(Self { stop, tasks })
    }

    /// Ends it, and waits until it lets go of the disk.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Release);
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("working on the store")?;
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// One of several writers. It alone changes its own keys, so it knows what they hold; one more key is everybody's.
struct Writer {
    site: Site,
    rng: StdRng,
    keys: Vec<Key>,
    shared: Key,
    /// What its own keys hold.
    held: Vec<Artifact>,
    /// Whether it is the one that writes the mark.
    claims: bool,
}

impl Writer {
    fn new(site: &Site, number: usize, rng: StdRng) -> Result<Self> {
        let keys = keys(number).context("naming a key")?;
        let mine: HashSet<&Key> = keys.iter().collect();
        let held = site.ledger.history().owed().into_iter().filter(|artifact| mine.contains(&artifact.key)).collect();
        let shared = Key::new("team-0", "shared").context("naming a key")?;
        Ok(Self { site: site.clone(), rng, keys, shared, held, claims: number == 0 })
    }

    async fn run(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Acquire) {
            if let Err(finding) = self.step().await {
                self.site.ledger.trouble(finding);
                return;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Finding> {
        let pool = Arc::clone(&self.site.pool);
        let done = match self.draw() {
            Step::Put => self.put().await,
            Step::PutShared => self.site.put(&self.shared, pool.shared(&mut self.rng)).await,
            Step::RemoveShared => {
                let revision = pool.shared(&mut self.rng).content.revision().clone();
                self.site.remove(&Artifact { key: self.shared.clone(), revision }).await
            }
            Step::Remove => match self.take() {
                Some(artifact) => self.site.remove(&artifact).await,
                None => Ok(()),
            },
            Step::SetAside => match self.take() {
                Some(artifact) => {
                    let run = format!("{:016x}", self.rng.random::<u64>());
                    self.site.set_aside(&artifact, &run).await
                }
                None => Ok(()),
            },
            Step::Delete => {
                let key = self.any_key();
                self.held.retain(|artifact| artifact.key != key);
                self.site.delete(&key).await
            }
            Step::Sweep => self.site.sweep().await.map(drop),
            Step::Claim => self.site.claim().await.map(drop),
            Step::Read => return self.read().await,
        };
        done.map_err(|error| Finding::trouble(&error))
    }

    fn draw(&mut self) -> Step {
        if self.held.len() > ARTIFACTS {
            return Step::Remove;
        }
        // The weights are constants, so there is always one to choose.
        let (step, _) = STEPS.choose_weighted(&mut self.rng, |(_, weight)| *weight).unwrap_or(&STEPS[0]);
        if *step == Step::Claim && !self.claims { Step::Read } else { *step }
    }

    /// One of the held artifacts, which from now on counts as gone.
    fn take(&mut self) -> Option<Artifact> {
        if self.held.is_empty() {
            return None;
        }
        Some(self.held.remove(self.rng.random_range(0..self.held.len())))
    }

    fn any_key(&mut self) -> Key {
        self.keys[self.rng.random_range(0..self.keys.len())].clone()
    }

    async fn put(&mut self) -> Result<(), StoreError> {
        let (key, pool) = (self.any_key(), Arc::clone(&self.site.pool));
        let known = pool.any(&mut self.rng);
        let artifact = Artifact { key, revision: known.content.revision().clone() };
        self.site.put(&artifact.key, known).await?;
        self.held.retain(|held| *held != artifact);
        self.held.push(artifact);
        Ok(())
    }

    /// What is held is read in whole, also while others work.
    async fn read(&mut self) -> Result<(), Finding> {
        if self.held.is_empty() {
            return Ok(());
        }
        let artifact = &self.held[self.rng.random_range(0..self.held.len())];
        check::read(&self.site, artifact, true).await
    }
}

/// The keys of a writer. Each pair of writers shares a namespace, and each has one that is its own.
fn keys(writer: usize) -> Result<Vec<Key>, InvalidKey> {
    let namespace =
        |place| if place == 0 { format!("solo-{writer}") } else { format!("team-{}", (writer + place) % 2) };
    (0..OWN_KEYS).map(|place| Key::new(&namespace(place), &format!("web-{writer}-{place}"))).collect()
}
