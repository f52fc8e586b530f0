//! Files that are corrupted, truncated, replaced or planted behind the store's back.
//!
//! Each case is a small store of its own, something planted in it, and one question to the store: one that has just been opened,
//! or one that had verified every file before. Whatever is planted, the answer comes soon, is right, and touches nothing outside.

mod operation;
mod plant;
mod site;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jaas_storage::LocalStore;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::operation::{Operation, Question};
use self::plant::{Place, Plant};
use self::site::{Artifact, Site};
use crate::invariants::{self, Broken, Fate, Ledger};
use crate::tally::{Plan, Scale, Tally, Violation};

/// Cases that run at a time.
const PARALLEL: usize = 2;
/// Cases of a sample.
const SAMPLE: usize = 120;
/// An answer that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(5);

/// Runs the class.
///
/// # Errors
/// When a case cannot be set up; what the store does wrong is a violation.
pub async fn run(plan: &Plan) -> Result<Tally> {
    let mut tally = Tally::new("files");
    let artifacts = Arc::new(site::artifacts()?);
    let mut cases = planned(plan, all(&artifacts)).into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < PARALLEL
            && let Some(case) = cases.next()
        {
            let artifacts = Arc::clone(&artifacts);
            running.spawn(async move { happen(&artifacts, case).await.with_context(|| case.shown(&artifacts)) });
        }
        let Some(done) = running.join_next().await else { break };
        tally.case(plan, done??);
    }
    Ok(tally)
}

/// One thing planted, and one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    /// Index of the artifact.
    artifact: usize,
    place: Place,
    plant: Plant,
    operation: Operation,
    /// Whether the store had verified every file before.
    verified: bool,
}

impl Case {
    fn shown(&self, artifacts: &[Artifact]) -> String {
        let path = artifacts.get(self.artifact).map(|artifact| self.place.path(artifact)).unwrap_or_default();
        let store = if self.verified { "a store that had verified it" } else { "a new store" };
        format!("{:?} at {path}, {:?} of {store}", self.plant, self.operation)
    }
}

/// Every case. What belongs to a folder or to the mark is asked of one artifact in each.
fn all(artifacts: &[Artifact]) -> Vec<Case> {
    const ALONE: usize = 2;
    let mut cases = Vec::new();
    for (index, artifact) in artifacts.iter().enumerate() {
        let places = [
            (Place::File, true),
            (Place::Temporary, true),
            (Place::Folder, index == 0 || index == ALONE),
            (Place::Namespace, index == 0 || index + 1 == artifacts.len()),
            (Place::Mark, index == 0),
            (Place::MarkTemporary, index == 0),
        ];
        for (place, _) in places.into_iter().filter(|(_, wanted)| *wanted) {
            for plant in place.plants(artifact.packed.len()) {
                for operation in Operation::at(place) {
                    let case = |verified| Case { artifact: index, place, plant, operation: *operation, verified };
                    cases.extend([case(false), case(true)]);
                }
            }
        }
    }
    cases
}

/// The cases of a plan: all, or a sample with everything that is planted, every place and every question.
fn planned(plan: &Plan, mut cases: Vec<Case>) -> Vec<Case> {
    if plan.scale == Scale::Full {
        return cases;
    }
    cases.shuffle(&mut StdRng::seed_from_u64(plan.seed));
    let (mut plants, mut questions) = (BTreeSet::new(), BTreeSet::new());
    let (mut drawn, rest): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| {
        let plant = plants.insert((case.place, case.plant.kind()));
        questions.insert((case.place, case.operation)) || plant
    });
    let more = SAMPLE.saturating_sub(drawn.len());
    drawn.extend(rest.into_iter().take(more));
    drawn
}

async fn happen(artifacts: &[Artifact], case: Case) -> Result<Vec<Violation>> {
    let Case { place, plant, operation, .. } = case;
    let artifact = artifacts.get(case.artifact).context("no such artifact")?;
    let other = artifacts.iter().find(|other| other.path != artifact.path).context("only one artifact")?;
    let (site, filled) = Site::new(artifacts).await?;
    plant.apply(place, &site, artifact, other)?;
    let outside = site.seen_outside()?;
    let store = if case.verified { filled } else { LocalStore::open(&site.root())? };
    let others: Vec<_> = artifacts.iter().filter(|other| is_untouched(other, artifact, place)).collect();
    let question = Question { site: &site, artifact, others: &others, place, plant };

    let mut broken = Vec::new();
    match timeout(LIMIT, question.ask(&store, operation)).await {
        Ok(answer) => broken.extend(answer),
        Err(_) => broken.push(hung(&site, place, artifact)),
    }
    let mut ledger = Ledger::default();
    for other in others.iter().filter(|other| !operation.takes_away(other, artifact)) {
        ledger.note(&other.key, other.content.revision(), Fate::Kept(other.digest.clone()));
    }
    match timeout(LIMIT, aftermath(&question, &ledger)).await {
        Ok(found) => broken.extend(found?),
        Err(_) => broken.push(hung(&site, place, artifact)),
    }
    if site.seen_outside()? != outside {
        broken.push(Broken::new("I1", format!("outside of the store is now {:?}", site.seen_outside()?)));
    }
    let shown = case.shown(artifacts);
    Ok(broken.into_iter().map(|broken| broken.at(&shown)).collect())
}

/// Whether nothing was done to `other` when something was planted for `artifact`.
fn is_untouched(other: &Artifact, artifact: &Artifact, place: Place) -> bool {
    match place {
        Place::File => other.path != artifact.path,
        Place::Folder => other.key != artifact.key,
        Place::Namespace => other.key.namespace() != artifact.key.namespace(),
        Place::Temporary | Place::Mark | Place::MarkTemporary => true,
    }
}

/// What a new store serves, and whether it heals.
async fn aftermath(question: &Question<'_>, ledger: &Ledger) -> Result<Vec<Broken>> {
    let store = LocalStore::open(&question.site.root())?;
    let mut broken = invariants::served(&store, ledger).await;
    broken.extend(question.heal(&store).await);
    Ok(broken)
}

fn hung(site: &Site, place: Place, artifact: &Artifact) -> Broken {
    plant::release(&[site.root().join(place.path(artifact)), site.outside().join("pipe")]);
    Broken::new("I7", format!("no answer within {} s", LIMIT.as_secs()))
}
