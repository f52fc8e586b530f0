//! One round, from a quiet beginning to a judged end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jaas_api::ExternalArtifact;
use jaas_storage::Digest;
use jaas_tests::apiproxy::Held;
use jaas_tests::http;
use jaas_tests::wait::eventually;
use jiff::Timestamp;
use kube::api::{DeleteParams, ListParams};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::audit::History;
use super::bed::{Bed, Ground, LEASE, PATIENCE};
use super::judge::{self, Finding, Struck, Times, finding};
use super::schedule::{Fault, Round};
use super::{readers, shelf, work};

/// Between the last change and the end, in which consumers must still be served.
const REST: Duration = Duration::from_secs(1);

/// Runs a round, and answers what did not hold.
pub(super) async fn run(ground: &Ground<'_>, round: &Round, times: &mut Times) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = attempt(ground, round, times, &mut findings).await {
        findings.push(finding("run", format!("{error:#}")));
    }
    findings
}

async fn attempt(ground: &Ground<'_>, round: &Round, times: &mut Times, findings: &mut Vec<Finding>) -> Result<()> {
    let (_, from) = ground.plane.audit_log(0).await?;
    let mut bed = Bed::new(ground, round).await?;
    let mut drawing = StdRng::seed_from_u64(round.seed);
    converge(&bed).await.context("before the fault")?;

    let (changing, consuming) = (CancellationToken::new(), CancellationToken::new());
    let (_no_changes, _no_consumers) = (changing.clone().drop_guard(), consuming.clone().drop_guard());
    let mut followers = JoinSet::new();
    let catalog = readers::follow(&bed.artifacts, &mut followers);
    let readers =
        tokio::spawn(readers::run(catalog, bed.artifacts.clone(), drawing.random(), round.stretch, consuming.clone()));
    let shelf = tokio::spawn(shelf::watch(bed.root.clone(), bed.artifacts.clone(), consuming.clone()));
    let work = work::run(bed.snippets.clone(), bed.namespace.clone(), drawing.random(), changing.clone());
    let mut work = tokio::spawn(work);

    sleep(Duration::from_millis(drawing.random_range(1000..3000))).await;
    if round.fault == Fault::Empty {
        // What is published anew would say nothing of what is brought back.
        changing.cancel();
        (&mut work).await.context("changing snippets")??;
        converge(&bed).await.context("before the directory is emptied")?;
    }
    let struck = strike(&mut bed, round).await?;
    sleep(REST).await;
    changing.cancel();
    if round.fault != Fault::Empty {
        work.await.context("changing snippets")??;
    }
    if let Err(error) = converge(&bed).await {
        findings.push(finding("I7", format!("{error:#}\n{}", bed.logs())));
    }
    sleep(REST).await;
    consuming.cancel();
    let met = readers.await.context("fetching")??;
    let (looks, lost) = shelf.await.context("looking into the store")?;
    ensure!(looks > 10, "looked only {looks} times into the store");

    let (log, _) = ground.plane.audit_log(from).await?;
    let history = History::of(&log, &bed.namespace)?;
    findings.extend(judge::writes(&history));
    findings.extend(judge::late(&struck));
    findings.extend(judge::fetches(round, &struck, &met));
    if round.fault != Fault::Empty {
        findings.extend(lost.into_iter().map(|path| finding("I2", format!("{path} was announced, and gone"))));
    }
    let late = times.add(round, &history, &struck, &met);
    let told = if late.is_empty() { String::new() } else { bed.logs() };
    findings.extend(late.into_iter().map(|late| finding(late.invariant, format!("{}\n{told}", late.seen))));
    Ok(())
}

/// Lets the fault happen and end.
async fn strike(bed: &mut Bed<'_>, round: &Round) -> Result<Struck> {
    let leader = bed.leader().await?;
    let (from, mut late) = (Instant::now(), Vec::new());
    let mut losses = Vec::new();
    match round.fault {
        Fault::Kill => {
            losses.push(Timestamp::now());
            bed.replicas[leader].operator.kill().await?;
            sleep(round.terms.lease + Duration::from_secs(2)).await;
            let operator = &mut bed.replicas[leader].operator;
            operator.restart().await?;
            operator.wait_ready().await?;
        }
        Fault::Freeze => {
            losses.push(Timestamp::now());
            bed.replicas[leader].operator.pause()?;
            sleep(round.away).await;
            bed.replicas[leader].operator.resume()?;
        }
        Fault::CutOff => {
            let cut_off = &bed.replicas[leader];
            let changes = cut_off.changes(&bed.namespace);
            let held = timeout(PATIENCE, changes).await.context("the leader changes nothing")??;
            cut_off.cut_off();
            let deletes = held.iter().map(|held| held.call.path.clone()).find(|path| path.ends_with(judge::FILE));
            // They go no further than the cut, and arrive when that is healed.
            held.into_iter().for_each(Held::release);
            losses.push(Timestamp::now());
            sleep(round.away).await;
            if let Some(path) = deletes {
                announced_again(bed, &path).await?;
            }
            late = cut_off.heal().await?;
        }
        Fault::DeleteLease => {
            losses.push(Timestamp::now());
            bed.leases.delete(LEASE, &DeleteParams::default()).await.context("deleting the Lease")?;
        }
        Fault::Roll => losses = roll(bed, round).await?,
        Fault::Empty => empty(bed)?,
    }
    let until = Instant::now();
    bed.until_ready(round.replicas).await?;
    bed.leader().await?;
    Ok(Struck { losses, from, until, late })
}

/// Waits until an artifact announces what lies there in the bucket: only then does a deletion of it do harm.
async fn announced_again(bed: &Bed<'_>, path: &str) -> Result<()> {
    eventually(format!("{path} announced again"), PATIENCE, async || {
        let artifacts = bed.artifacts.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let is_it = |artifact: &ExternalArtifact| artifact.published().is_some_and(|it| path.ends_with(&it.path));
        if artifacts.iter().any(is_it) { Ok(()) } else { Err("other revisions are".to_owned()) }
    })
    .await
}

/// Replaces every replica by a new one, as a Deployment does that may have one more than it should. Answers when a leader was ended.
async fn roll(bed: &mut Bed<'_>, round: &Round) -> Result<Vec<Timestamp>> {
    let mut losses = Vec::new();
    for _ in 0..round.replicas {
        let leader = bed.leader().await?;
        let new = bed.start().await?;
        bed.replicas.push(new);
        bed.until_ready(round.replicas + 1).await?;
        let old = bed.replicas.remove(0);
        if leader == 0 {
            losses.push(Timestamp::now());
        }
        bed.balancer.leave(old.id());
        let (exit, _) = old.operator.terminate().await?;
        ensure!(exit.success(), "it ended with {exit:?}:\n{}", old.operator.process().log_tail());
        bed.until_ready(round.replicas).await?;
    }
    Ok(losses)
}

/// Removes all that lies in the shared directory, and leaves the directory.
fn empty(bed: &Bed<'_>) -> Result<()> {
    for entry in std::fs::read_dir(&bed.root).context("reading the shared directory")? {
        let path = entry?.path();
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

/// Waits until every snippet is there, published and served by all replicas.
async fn converge(bed: &Bed<'_>) -> Result<()> {
    eventually("every snippet published and served", PATIENCE, async || match converged(bed).await {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("{error:#}")),
    })
    .await
}

async fn converged(bed: &Bed<'_>) -> Result<()> {
    work::complete(&bed.snippets, &bed.namespace).await?;
    let artifacts = bed.artifacts.list(&ListParams::default()).await?.items;
    for snippet in bed.snippets.list(&ListParams::default()).await? {
        let name = snippet.metadata.name.clone().unwrap_or_default();
        ensure!(snippet.metadata.deletion_timestamp.is_none(), "{name} is on its way out");
        let status = snippet.status.clone().unwrap_or_default();
        let is_ready = status.ready().is_some_and(|ready| ready.status == "True");
        let is_new = status.observed_generation == snippet.metadata.generation;
        ensure!(is_ready && is_new, "{name} says {}", serde_json::to_string(&snippet.status)?);
        let artifact = artifacts.iter().find(|artifact| artifact.metadata.name.as_ref() == Some(&name));
        let published = artifact.and_then(|artifact| artifact.published()).context("no artifact")?;
        ensure!(status.revision.as_ref() == Some(&published.revision), "{name}: {published:?}");
        let path = published.url.trim_start_matches(&bed.balancer.url());
        for replica in &bed.replicas {
            let answer = http::get(&format!("{}{path}", replica.operator.base_url())).await?;
            let digest = Digest::of(&answer.body).to_string();
            ensure!(answer.status == 200 && published.digest.as_ref() == Some(&digest), "{path}: {}", answer.status);
        }
        ensure!(bed.root.join(&published.path).exists(), "{} is not in the store", published.path);
    }
    Ok(())
}
