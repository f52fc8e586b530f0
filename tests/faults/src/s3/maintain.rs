//! What the operator does to a store beside publishing and serving: looking, listing, sweeping, claiming.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jaas_storage::Presence;
use jaas_storage::store::{Claim, Item, ItemKind};
use jaas_tests::s3::faults::{Call, LAG};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::bench::{Bench, Client, Question, mark, object};
use super::evidence::told;
use super::fitting::brings_other_bytes;
use super::ledger::Ledger;
use super::read::{Absence, judge_absence};
use super::storm::Storm;

/// Age of left-overs that may still belong to a living writer.
const LIVING: Duration = Duration::from_secs(3600);
/// Where the mark of the installation is.
const MARK: &str = ".jaas-owner.json";

/// Looks at something that is announced, or reads it to verify it, and brings it back where it is missing.
pub(super) async fn look(storm: &Storm, dice: &mut StdRng) {
    let (bench, current) = (&storm.bench, storm.bench.ledger().current());
    let Some((path, revision)) = current.choose(dice) else { return };
    let clients = [&storm.leader, &storm.standby, &storm.bare];
    let Some(client) = clients.choose(dice) else { return };
    let begun = Instant::now();
    let (key, name) = (&revision.key, revision.content.revision());
    let (question, looked) = if dice.random() {
        let question = Question::about("a look at", path);
        let looked = bench.ask(client, &question, client.store.presence(key, name)).await;
        (question, looked)
    } else {
        let question = Question::change("a verification of", path);
        let looked = bench.ask(client, &question, client.store.verify(key, name)).await;
        (question, looked)
    };
    let absence = match looked {
        Err(_) => return,
        Ok(Presence::Intact { digest, size }) => {
            if (&digest, size) != (&revision.digest, revision.packed.len() as u64) {
                bench.broken("I5", format!("{}: {digest}, {size} bytes", bench.shown(client, &question)));
            }
            return;
        }
        Ok(Presence::Missing) => Absence::Missing,
        Ok(Presence::Damaged { cause }) => Absence::Damaged(cause),
    };
    judge_absence(bench, client, &question, begun, &absence);
    storm.bring_back(path).await;
}

/// Lists, and compares the listing with what is known.
pub(super) async fn list(bench: &Bench, client: &Client) {
    let begun = Instant::now();
    let question = Question::walk("a listing of", "");
    let Ok(items) = bench.ask(client, &question, client.store.list()).await else { return };
    // A service that lists late is within the contract, but not by more than that.
    let since = begun.checked_sub(LAG).unwrap_or(begun);
    let named: BTreeMap<&str, &Item> = items.iter().map(|item| (item.path.as_str(), item)).collect();
    let mut wrong: Vec<String> = Vec::new();
    if named.len() != items.len() || !items.is_sorted_by(|a, b| a.path < b.path) {
        wrong.push("it names something twice or out of order".to_owned());
    }
    {
        let ledger = bench.ledger();
        let missing = ledger.all().filter(|(path, revision)| {
            revision.must_be_there(since) && !named.contains_key(path.as_str()) && !bench.was_late(path, Call::Delete)
        });
        wrong.extend(missing.map(|(path, _)| format!("it omits `{path}`")));
        wrong.extend(items.iter().filter_map(|item| named_wrongly(bench, &ledger, item, since)));
    }
    if let Some(first) = wrong.first() {
        let met = bench.server.met_since(begun, |met| met.asked.client == client.name && met.asked.call == Call::List);
        let shown = bench.shown(client, &question);
        bench.broken("listing", format!("{shown}: {first}, and {} more after {}", wrong.len() - 1, told(&met)));
    }
}

/// Why an item should not be in a listing, if so.
fn named_wrongly(bench: &Bench, ledger: &Ledger, item: &Item, since: Instant) -> Option<String> {
    let path = &item.path;
    let known = ledger.get(path.split(".trash-").next().unwrap_or_default());
    match (&item.kind, known) {
        (ItemKind::Revision(_), Some(known)) if known.must_be_gone(since) && !bench.was_late(path, Call::Put) => {
            Some(format!("it names `{path}`, which is gone"))
        }
        (ItemKind::Revision(_) | ItemKind::Trash, Some(known)) if bench.server.object(&object(path)).is_some() => {
            (item.size != known.packed.len() as u64).then(|| format!("it gives `{path}` {} bytes", item.size))
        }
        (ItemKind::Revision(_) | ItemKind::Trash, Some(_)) | (ItemKind::OwnerMark | ItemKind::Temporary, _) => None,
        _ => Some(format!("it names `{path}`, which nobody put")),
    }
}

/// Sweeps what no living writer can have left.
pub(super) async fn sweep(bench: &Bench, client: &Client) {
    let question = Question::walk("a sweep of", "");
    // What it must not remove, others miss.
    let _ = bench.ask(client, &question, client.store.sweep(LIVING)).await;
}

/// Claims the store, which is this installation's own.
pub(super) async fn claim(bench: &Bench, client: &Client) {
    let begun = Instant::now();
    let question = Question::change("a claim of", MARK);
    let Ok(claim) = bench.ask(client, &question, client.store.claim(&mark(), false)).await else { return };
    let spoiled = bench.met(client, MARK, begun).iter().any(brings_other_bytes);
    if !spoiled && !matches!(claim, Claim::Claimed | Claim::Held) {
        bench.broken("I8", format!("{}: {claim:?}", bench.shown(client, &question)));
    }
}
