//! After the faults: what was acknowledged is there, and everything goes right again by itself.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use jaas_storage::Presence;
use jaas_tests::s3::faults::{Call, LAG};

use super::bench::{Bench, Client, Question, object};
use super::publish::{Publisher, put};
use super::read::{self, Seen};
use super::storm::Storm;
use super::weather::LATEST;

/// How often something is tried before it counts as lasting trouble. A connection that broke may still be in use once.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(60);

/// Ends the faults and looks at what they left.
pub(super) async fn follows(storm: &Storm) -> Result<()> {
    let bench = &storm.bench;
    bench.server.heal();
    // What is done late is done then, and listings are fresh again.
    tokio::time::sleep(LATEST + LAG).await;
    nothing_acknowledged_is_lost(bench);
    let later = bench.cached("later").await?;
    for publisher in &storm.publishers {
        publisher_is_whole(storm, publisher, &later).await;
    }
    nothing_is_left_behind(bench, &later).await;
    nothing_removed_is_back(bench);
    for publisher in &storm.publishers {
        is_deleted(storm, publisher).await;
    }
    Ok(())
}

fn nothing_acknowledged_is_lost(bench: &Bench) {
    let ledger = bench.ledger();
    for (path, revision) in ledger.all().filter(|(_, revision)| revision.must_be_there(Instant::now())) {
        let there = bench.server.object(&object(path));
        if there.as_ref() != Some(&revision.packed) && !bench.was_late(path, Call::Delete) {
            let what = if there.is_some() { "holds other bytes" } else { "is not there" };
            bench.broken("I2", format!("`{path}` was acknowledged and {what} after the faults"));
        }
    }
}

fn nothing_removed_is_back(bench: &Bench) {
    let ledger = bench.ledger();
    for (path, _) in ledger.all().filter(|(_, revision)| revision.must_be_gone(Instant::now())) {
        if bench.server.object(&object(path)).is_some() && !bench.was_late(path, Call::Put) {
            bench.broken("I3", format!("`{path}` was removed and is there after the faults"));
        }
    }
}

/// The old leader and a new one publish what is announced, and everybody reads it.
async fn publisher_is_whole(storm: &Storm, publisher: &Publisher, later: &Client) {
    let bench = &storm.bench;
    let announced = bench.ledger().current().into_iter().find(|(_, revision)| revision.key == publisher.key);
    let Some((path, revision)) = announced.or_else(|| publisher.first(bench)) else { return };
    bench.ledger().announce(&path);
    let name = revision.content.revision();
    for client in [&storm.leader, later] {
        calmly(bench, &format!("a put of `{path}` by {}", client.name), async || {
            // A loss is looked for before it is repaired; what is right is not written again.
            let question = Question::about("a look at", &path);
            let looked = bench.ask(client, &question, client.store.presence(&revision.key, name)).await;
            looked.is_ok() && put(bench, client, &path).await
        })
        .await;
        calmly(bench, &format!("`{path}` is intact to {}", client.name), async || {
            let question = Question::change("a verification of", &path);
            let looked = bench.ask(client, &question, client.store.verify(&revision.key, name)).await;
            matches!(looked, Ok(Presence::Intact { digest, .. }) if digest == revision.digest)
        })
        .await;
    }
    for client in [&storm.leader, &storm.standby, &storm.bare, later] {
        for expected in [Some(&revision.digest), None] {
            let question = Question::about("a read of", &path);
            calmly(bench, &format!("a read of `{path}` by {}", client.name), async || {
                read::one(bench, client, &question, &revision, expected).await == Seen::Right
            })
            .await;
        }
    }
}

/// Sweeps, lists, and compares with what is there.
async fn nothing_is_left_behind(bench: &Bench, client: &Client) {
    let question = Question::walk("a sweep of", "");
    calmly(bench, "a sweep", async || bench.ask(client, &question, client.store.sweep(Duration::ZERO)).await.is_ok())
        .await;
    let objects = bench.server.objects();
    for left in objects.keys().filter(|key| key.contains(super::PROBES)) {
        bench.broken("I4", format!("`{left}` is there after a sweep"));
    }
    if bench.server.uploads() != 2 {
        bench.broken("I4", format!("{} uploads after a sweep, and two are somebody's", bench.server.uploads()));
    }
    let there: BTreeSet<&str> =
        objects.keys().filter_map(|key| key.strip_prefix(super::PREFIX)?.strip_prefix('/')).collect();
    let question = Question::walk("a listing of", "");
    calmly(bench, "a listing names what is there", async || {
        let listed = bench.ask(client, &question, client.store.list()).await;
        listed.is_ok_and(|items| items.iter().map(|item| item.path.as_str()).collect::<BTreeSet<_>>() == there)
    })
    .await;
}

async fn is_deleted(storm: &Storm, publisher: &Publisher) {
    let (bench, client) = (&storm.bench, &storm.leader);
    let announced = bench.ledger().current().into_iter().find(|(_, revision)| revision.key == publisher.key);
    bench.ledger().withdraw(&publisher.key);
    let question = Question::change("a deletion of", publisher.folder());
    calmly(bench, &format!("a deletion of `{}`", publisher.key), async || {
        bench.ask(client, &question, client.store.delete(&publisher.key)).await.is_ok()
    })
    .await;
    let folder = object(&publisher.folder());
    if let Some(left) = bench.server.objects().keys().find(|key| key.starts_with(&folder)) {
        bench.broken("I3", format!("`{left}` is there after a deletion of `{}`", publisher.key));
    }
    let Some((path, revision)) = announced else { return };
    bench.ledger().leave(&path);
    for client in [&storm.leader, &storm.bare] {
        let question = Question::about("a read of", &path);
        calmly(bench, &format!("`{path}` is gone to {}", client.name), async || {
            let seen = read::one(bench, client, &question, &revision, Some(&revision.digest)).await;
            seen == Seen::Missing
        })
        .await;
    }
}

/// Tries until it succeeds, which it must soon.
pub(super) async fn calmly(bench: &Bench, what: &str, work: impl AsyncFn() -> bool) {
    for attempt in 1..=TRIES {
        if work().await {
            return;
        }
        tokio::time::sleep(PAUSE * attempt).await;
    }
    bench.broken("I7", format!("{what} does not succeed after the faults"));
}
