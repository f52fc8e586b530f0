//! A schedule in which the service goes away: what is announced stays served, and publishing resumes by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::{join, join_all};
use jaas_storage::Key;
use jaas_tests::s3::faults::Fault;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::bench::{Bench, Client, Question};
use super::calm::calmly;
use super::contents;
use super::lateness::Lateness;
use super::ledger::Revision;
use super::publish::put;
use super::read::{self, Seen};
use crate::Violation;

/// How long it is away.
const AWAY: Duration = Duration::from_millis(1200);
/// Revisions that were published before, and that somebody tries to publish meanwhile.
const BEFORE: usize = 4;
const MEANWHILE: usize = 3;

/// How a service is away.
fn ways() -> Vec<Fault> {
    vec![
        Fault::LoseRequest,
        Fault::LoseAnswer,
        Fault::Reset,
        Fault::Garbage,
        Fault::Stall,
        Fault::Portal,
        Fault::Empty,
        Fault::Refuse(500, "InternalError"),
        Fault::Refuse(503, "SlowDown"),
        Fault::Refuse(504, ""),
        Fault::Refuse(400, "ExpiredToken"),
        Fault::Refuse(403, "AccessDenied"),
        Fault::Refuse(403, "RequestTimeTooSkewed"),
        Fault::Refuse(404, "NoSuchBucket"),
        Fault::Refuse(301, "PermanentRedirect"),
        Fault::CutBody(50),
        Fault::CutBody(5000),
        Fault::StallBody(50),
        Fault::StallBody(5000),
    ]
}

/// Runs one schedule and returns how many faults there were, and what they broke.
pub(super) async fn run(case: &str, seed: u64, lateness: &Arc<Lateness>) -> Result<(usize, Vec<Violation>)> {
    let mut dice = StdRng::seed_from_u64(seed);
    let way = ways().choose(&mut dice).cloned().unwrap_or(Fault::Stall);
    let bench = Bench::new(format!("{case}, away with {way:?}"), lateness).await?;
    let (leader, standby) = (bench.cached("leader").await?, bench.cached("standby").await?);
    bench.claim().await?;
    let key = Key::new("team-a", "web")?;
    let before = contents::revisions(&mut bench.ledger(), &key, BEFORE, &mut dice)?;
    let meanwhile = contents::revisions(&mut bench.ledger(), &key, MEANWHILE, &mut dice)?;
    for path in &before {
        calmly(&bench, "a put before the outage", async || put(&bench, &leader, path).await).await;
    }
    let served: Vec<(String, Revision)> =
        before.iter().filter_map(|path| Some((path.clone(), bench.ledger().get(path)?.clone()))).collect();
    for (path, revision) in &served {
        calmly(&bench, "a read before the outage", async || right(&bench, &standby, path, revision).await).await;
    }
    bench.server.always(Some(way));
    let end = Instant::now() + AWAY;
    let readers = join_all([&leader, &standby].map(|client| serves(&bench, client, &served, end, dice.random())));
    let writer = async {
        for path in meanwhile.iter().cycle().take_while(|_| Instant::now() < end) {
            put(&bench, &leader, path).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    join(readers, writer).await;
    bench.server.heal();
    let injected = bench.server.met_count();
    for path in &meanwhile {
        calmly(&bench, "a put after the outage", async || put(&bench, &leader, path).await).await;
    }
    let all: Vec<(String, Revision)> =
        bench.ledger().all().map(|(path, revision)| (path.clone(), revision.clone())).collect();
    for (path, revision) in &all {
        for client in [&leader, &standby] {
            calmly(&bench, "a read after the outage", async || right(&bench, client, path, revision).await).await;
        }
    }
    Ok((injected, bench.violations()))
}

async fn right(bench: &Bench, client: &Client, path: &str, revision: &Revision) -> bool {
    let question = Question::cached("a read of", path);
    read::one(bench, client, &question, revision, Some(&revision.digest)).await == Seen::Right
}

/// Reads what is announced until the end; everything must come, and come right.
async fn serves(bench: &Bench, client: &Client, served: &[(String, Revision)], end: Instant, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    while Instant::now() < end {
        let Some((path, revision)) = served.choose(&mut dice) else { return };
        let question = Question::cached("a read of", path);
        let seen = read::one(bench, client, &question, revision, Some(&revision.digest)).await;
        if seen != Seen::Right {
            let shown = bench.shown(client, &question);
            let size = revision.packed.len();
            bench.broken("served", format!("{shown} ({size} bytes) while the service is away: {seen:?}"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
