//! One kill, from a quiet beginning to a judged end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jaas_tests::wait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{sleep, timeout};

use super::bed::{Bed, PATIENCE, Scene};
use super::effects::{Case, Effect, Meanwhile, OPERATIONS, Operation};
use super::judge::{self, Finding, Wanted, finding};

/// Longest pauses before the kill and before the restart, in milliseconds. Before the kill, what runs beside the effect goes on.
const PAUSES: [u64; 2] = [20, 50];
/// How long nothing must have been done for all to have been done.
const QUIET: Duration = Duration::from_secs(2);
/// How often a consumer asks while the operator comes back.
const ASKING: Duration = Duration::from_millis(30);

const BEFORE: &str = "before";
const AFTER: &str = "after";
const MEANWHILE: &str = "meanwhile";

/// Does everything once without a kill, and answers the effects of each operation.
pub(super) async fn record(bed: &Bed<'_>) -> Result<Vec<(Operation, Vec<Effect>)>> {
    let scene = bed.scene("record").await?;
    let mut recorded = Vec::new();
    for operation in OPERATIONS {
        bed.forget();
        scene.act(operation, if operation == Operation::Publish { BEFORE } else { AFTER }).await?;
        bed.until(&scene, &wanted(operation)).await?;
        let mut effects = bed.effects(&scene);
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            sleep(ASKING).await;
            let now = bed.effects(&scene);
            if now != effects {
                (effects, since) = (now, Instant::now());
            }
        }
        // Whatever else there is: without these there would be hardly a case, and nobody would know.
        ensure!(effects.len() >= 2, "{operation:?} had only {effects:?}");
        recorded.push((operation, effects));
    }
    Ok(recorded)
}

/// What is the case after an operation.
fn wanted(operation: Operation) -> Wanted {
    match operation {
        Operation::Publish => Wanted::Text(BEFORE.to_owned()),
        Operation::Update => Wanted::Text(AFTER.to_owned()),
        Operation::Withdraw => Wanted::Nothing,
    }
}

/// Runs a case, and answers what did not hold.
pub(super) async fn run(bed: &mut Bed<'_>, case: &Case) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = attempt(bed, case, &mut findings).await {
        findings.push(finding("run", format!("{error:#}")));
    }
    bed.pass();
    findings
}

async fn attempt(bed: &mut Bed<'_>, case: &Case, findings: &mut Vec<Finding>) -> Result<()> {
    let mut drawing = StdRng::seed_from_u64(case.seed);
    let mut pause = |most: u64| Duration::from_millis(drawing.random_range(0..=most));
    if bed.operator.process().exit().is_some() {
        // The case before ended in the middle.
        bed.operator.restart().await?;
        bed.operator.wait_ready().await?;
    }
    let scene = bed.scene("kill").await?;
    if case.operation != Operation::Publish {
        published(bed, &scene).await?;
    }

    bed.forget();
    let stopped = bed.stop(&scene, &case.effect, case.moment);
    let mut stopped = stopped.context("there is no way to the server of the effect")?;
    let text = if case.operation == Operation::Publish { BEFORE } else { AFTER };
    scene.act(case.operation, text).await?;
    let held = timeout(PATIENCE, stopped.next()).await.ok().flatten();
    let held = held.with_context(|| format!("the effect did not come; there were {:?}", bed.effects(&scene)))?;
    sleep(pause(PAUSES[0])).await;
    bed.operator.kill().await?;
    // What was stopped before it was sent is never sent.
    drop(held);
    bed.pass();

    findings.extend(judge::down(bed, &scene).await?);
    let wanted = meanwhile(&scene, case).await?;
    sleep(pause(PAUSES[1])).await;
    bed.operator.restart().await?;
    bed.operator.wait_ready().await?;
    if !converge(bed, &scene, &wanted, findings).await? {
        return Ok(());
    }
    findings.extend(judge::done(bed, &scene, &wanted).await?);
    bed.clear(&scene).await
}

/// Publishes a snippet, and waits until nothing of that is still to come.
async fn published(bed: &Bed<'_>, scene: &Scene) -> Result<()> {
    bed.forget();
    scene.act(Operation::Publish, BEFORE).await?;
    bed.until(scene, &wanted(Operation::Publish)).await?;
    // The last effect; it is sent beside everything else.
    wait::eventually("the event", PATIENCE, async || {
        let effects = bed.effects(scene);
        if effects.iter().any(|effect| effect.what == "POST events") { Ok(()) } else { Err(format!("{effects:?}")) }
    })
    .await
}

/// Lets happen what happens while the operator is down, and answers what is wanted then.
async fn meanwhile(scene: &Scene, case: &Case) -> Result<Wanted> {
    match case.meanwhile {
        Meanwhile::Nothing => Ok(wanted(case.operation)),
        Meanwhile::Edited => {
            scene.act(Operation::Update, MEANWHILE).await?;
            Ok(Wanted::Text(MEANWHILE.to_owned()))
        }
        Meanwhile::Deleted => {
            scene.act(Operation::Withdraw, "").await?;
            Ok(Wanted::Nothing)
        }
    }
}

/// Asks as a consumer does until everything is as it is wanted, and answers whether that came to be.
async fn converge(bed: &Bed<'_>, scene: &Scene, wanted: &Wanted, findings: &mut Vec<Finding>) -> Result<bool> {
    let begun = Instant::now();
    loop {
        findings.extend(judge::served(bed, scene).await?);
        let said = match scene.says(wanted).await {
            Ok(()) => return Ok(true),
            Err(said) => said,
        };
        if begun.elapsed() > PATIENCE {
            let log = bed.operator.process().log_tail();
            findings.push(finding("I7", format!("{wanted} did not come within {PATIENCE:?}: {said}\n{log}")));
            return Ok(false);
        }
        sleep(ASKING).await;
    }
}
