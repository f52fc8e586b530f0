//! Reads what is announced, as the operator's server does for consumers.

use std::time::Instant;

use jaas_storage::Digest;
use jaas_storage::store::ErrorKind;
use jaas_tests::s3::faults::{Call, Met};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::bench::{Bench, Body, Client, Question};
use super::evidence::told;
use super::fitting::{brings_other_bytes, denies_existence};
use super::ledger::Revision;
use super::storm::Storm;

/// What a consumer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// All of it.
    Right,
    /// A body that ended early.
    Broken,
    /// Nothing, since it is missing or damaged.
    Missing,
    /// An error.
    Trouble(ErrorKind),
}

/// Reads something that is announced, and brings it back where it is missing.
pub(super) async fn current(storm: &Storm, client: &Client, dice: &mut StdRng) {
    let current = storm.bench.ledger().current();
    let Some((path, revision)) = current.choose(dice) else { return };
    let expected = Some(&revision.digest).filter(|_| dice.random_ratio(3, 4));
    let question = Question::about("a read of", path);
    if one(&storm.bench, client, &question, revision, expected).await == Seen::Missing {
        storm.bring_back(path).await;
    }
}

/// Reads one revision and judges what comes.
pub(super) async fn one(
    bench: &Bench,
    client: &Client,
    question: &Question,
    revision: &Revision,
    expected: Option<&Digest>,
) -> Seen {
    let begun = Instant::now();
    let reading = client.store.open(&revision.key, revision.content.revision(), expected);
    let readable = match bench.ask(client, question, reading).await {
        Err(kind) => return Seen::Trouble(kind),
        Ok(None) => {
            judge_absence(bench, client, question, begun, &Absence::Unreadable);
            return Seen::Missing;
        }
        Ok(Some(readable)) => readable,
    };
    match bench.take(client, question, readable).await {
        Body::Whole(bytes) => {
            if bytes != revision.packed {
                bench.broken("I1", format!("{} gave other bytes", bench.shown(client, question)));
            }
            Seen::Right
        }
        Body::Broken => Seen::Broken,
    }
}

/// What a store says of something that it does not hand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// It is missing.
    Missing,
    /// It is damaged.
    Damaged(String),
    /// One of them.
    Unreadable,
}

/// What must be there may be called missing only if the service itself says so, and damaged only if what came was wrong twice.
pub(super) fn judge_absence(bench: &Bench, client: &Client, question: &Question, since: Instant, absence: &Absence) {
    let path = &question.path;
    let must = bench.ledger().get(path).is_some_and(|revision| revision.must_be_there(since));
    if !must || bench.was_late(path, Call::Delete) {
        return;
    }
    let met: Vec<Met> = bench.met(client, path, since);
    let missing = met.iter().any(denies_existence) || bench.takes_denial_for_absence(client);
    let damaged = met.iter().filter(|met| brings_other_bytes(met)).count() >= 2;
    let excused = match absence {
        Absence::Missing => missing,
        Absence::Damaged(_) => damaged,
        Absence::Unreadable => missing || damaged,
    };
    if !excused {
        bench.broken("I2", format!("{}: {absence:?} after {}", bench.shown(client, question), told(&met)));
    }
}
