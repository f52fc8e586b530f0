//! What a road to the store itself tells: how it is, whose it is, what lies in it, and what the leader has tried.

use std::collections::BTreeMap;

use jaas_api::admin::{Reconciles, Stats, VerifiedState};
use jaas_findings::facts::network::Reach;
use jaas_findings::facts::{Answer, Artifact, Facts, Inventory, LifecycleRule, Reply, Road, RoadKind, Usage};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};

use super::Ask;
use crate::cli::{Depth, Route};
use crate::road::{self, Admin, Failure, Need, Site, damaged};

/// What was seen of the store.
pub(super) struct Seen {
    kind: RoadKind,
    stats: Result<Stats, Failure>,
    inventory: Result<(Inventory, Vec<String>), Failure>,
    attempts: Option<Result<Reconciles, Failure>>,
    road: Option<Road>,
    lifecycle: Option<Result<Vec<LifecycleRule>, Failure>>,
}

/// Looks into the store; `None` where no road to it is wanted.
///
/// # Errors
/// Why none leads there.
pub(super) async fn look(ask: &Ask<'_>, site: &Site<'_>, facts: &Facts) -> Option<Result<Seen, Failure>> {
    if !matches!(ask.road.route, Route::Auto | Route::Admin | Route::S3 | Route::Path) {
        return None;
    }
    match road::open(site, Need::List).await {
        Ok(opened) => Some(Ok(see(ask, site, facts, &opened.road).await)),
        // The first road is the one that shows all; the others are only there for whoever has keys.
        Err(tried) => tried.into_iter().next().map(Err),
    }
}

async fn see(ask: &Ask<'_>, site: &Site<'_>, facts: &Facts, road: &road::Road) -> Seen {
    let namespace = ask.scope.namespace;
    let attempts = async {
        match road {
            road::Road::Admin(admin) => Some(admin.reconciles(namespace).await),
            road::Road::Backing(_) | road::Road::Files(_) => None,
        }
    };
    let lifecycle = async {
        match road {
            road::Road::Backing(backing) => backing.lifecycle().await,
            road::Road::Admin(_) | road::Road::Files(_) => road::bucket_beside(site).await?.lifecycle().await,
        }
    };
    let inside = async {
        let road::Road::Admin(admin) = road else { return None };
        let answers = if ask.depth == Depth::Full { verified(admin, facts).await } else { Known::Yes(Vec::new()) };
        let (reachable, pod) = (Known::Yes(Reach::Yes), Some(admin.place().to_owned()));
        Some(Road { kind: RoadKind::Admin, pod, reachable, answers })
    };
    let (stats, inventory, attempts, lifecycle, inside) =
        tokio::join!(road.stats(site.flags), road.inventory(namespace), attempts, lifecycle, inside);
    Seen { kind: road.kind(), stats, inventory, attempts, road: inside, lifecycle }
}

/// Notes what was seen, or why nothing was.
pub(super) fn note(seen: Result<Seen, Failure>, facts: &mut Facts) {
    let seen = match seen {
        Ok(seen) => seen,
        Err(failure) => return unknown(facts, &failure),
    };
    match seen.stats {
        Ok(stats) => tell(facts, stats, seen.kind),
        Err(failure) => unknown(facts, &failure),
    }
    facts.store.inventory = match seen.inventory {
        Ok((mut inventory, omitted)) => {
            // Of one namespace it is whole where nothing of that namespace is left out: snippets are of the same scope.
            inventory.complete &= omitted.is_empty();
            Known::Yes(inventory)
        }
        Err(failure) => Known::No(failure.why()),
    };
    match seen.attempts {
        Some(Ok(told)) => facts.signals.attempts = Known::Yes(told.attempts),
        Some(Err(failure)) => facts.signals.attempts = Known::No(failure.why()),
        None => {}
    }
    match seen.lifecycle {
        Some(Ok(rules)) => facts.store.lifecycle = Known::Yes(rules),
        Some(Err(failure)) => facts.store.lifecycle = Known::No(failure.why()),
        None => {}
    }
    facts.network.roads.extend(seen.road);
}

/// What is not known where no road tells it.
fn unknown(facts: &mut Facts, failure: &Failure) {
    let why = failure.why();
    let store = &mut facts.store;
    store.inventory = Known::No(why.clone());
    store.usage = Known::No(why.clone());
    store.owner = Known::No(why.clone());
    store.health = Known::No(why.clone());
    facts.operator.identity = Known::No(why.clone());
    facts.signals.attempts = Known::No(why);
}

fn tell(facts: &mut Facts, stats: Stats, road: RoadKind) {
    let silent = |what: &str| Why::new(Obstacle::NotOffered, format!("{what}, by the road {}", road.word()));
    facts.store.usage = match stats.usage {
        Some(usage) => Known::Yes(Usage {
            bytes: usage.bytes,
            files: usage.files,
            free_bytes: usage.free_bytes.map_or_else(|| Known::No(silent("free bytes")), Known::Yes),
            total_bytes: usage.total_bytes.map_or_else(|| Known::No(silent("the size of the volume")), Known::Yes),
            free_inodes: Known::Yes(usage.free_inodes),
            quota: usage.quota,
        }),
        None => Known::No(Why::new(Obstacle::Failed, "the store did not tell how full it is")),
    };
    // Only the operator itself can say whether the store takes its writes.
    facts.store.health = match stats.health.filter(|_| road == RoadKind::Admin) {
        Some(health) => Known::Yes(health),
        None => Known::No(silent("whether the store takes writes")),
    };
    facts.store.owner = match stats.owner_known {
        true => Known::Yes(stats.owner),
        false => Known::No(Why::new(Obstacle::Failed, "the mark of the store could not be read")),
    };
    facts.operator.identity = match stats.identity {
        Some(identity) => Known::Yes(identity),
        None => Known::No(silent("the mark of this installation")),
    };
}

/// Current artifacts, read and judged inside the operator.
async fn verified(admin: &Admin, facts: &Facts) -> Known<Vec<Answer>> {
    let artifacts = facts.artifacts.ok().map(Vec::as_slice).unwrap_or_default();
    let ours: BTreeMap<_, _> =
        artifacts.iter().filter(|it| it.ours && !it.path.is_empty()).map(|it| (it.path.as_str(), it)).collect();
    let paths: Vec<_> = ours.keys().map(|path| (*path).to_owned()).collect();
    let mut answers = Vec::new();
    for part in paths.chunks(jaas_api::admin::MAX_ITEMS) {
        let mut lines = match admin.verify(part).await {
            Ok(lines) => lines,
            Err(failure) => return Known::No(failure.why()),
        };
        loop {
            match lines.next().await {
                Ok(Some(line)) => {
                    let announced =
                        ours.get(line.path.as_str()).and_then(|artifact: &&Artifact| artifact.digest.as_deref());
                    let reply = reply(&line, announced);
                    answers.push(Answer { path: line.path, reply });
                }
                Ok(None) => break,
                Err(failure) => return Known::No(failure.why()),
            }
        }
    }
    Known::Yes(answers)
}

/// The endpoint's verdict as one on bytes.
pub(crate) fn reply(line: &jaas_api::admin::Verified, announced: Option<&str>) -> Reply {
    match line.state {
        VerifiedState::Intact => match (&line.digest, announced) {
            (Some(digest), Some(announced)) if digest != announced => Reply::WrongDigest(digest.clone()),
            _ => Reply::Verified(line.bytes.unwrap_or_default()),
        },
        VerifiedState::Missing => Reply::Missing,
        VerifiedState::Damaged => damaged(&line.why, announced.is_some()),
        VerifiedState::Refused | VerifiedState::Failed => Reply::Silent(line.why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use jaas_api::admin::Verified;

    use super::*;

    fn line(state: VerifiedState, digest: Option<&str>, why: &str) -> Verified {
        Verified {
            path: "a/b/c".to_owned(),
            state,
            digest: digest.map(str::to_owned),
            bytes: Some(7),
            why: why.to_owned(),
        }
    }

    #[test]
    fn right_content_in_other_bytes_is_not_what_was_announced() {
        let intact = line(VerifiedState::Intact, Some("sha256:1"), "");
        assert_eq!(reply(&intact, Some("sha256:1")), Reply::Verified(7));
        assert_eq!(reply(&intact, None), Reply::Verified(7));
        assert_eq!(reply(&intact, Some("sha256:2")), Reply::WrongDigest("sha256:1".to_owned()));
    }

    #[test]
    fn damage_is_told_by_what_it_was_measured_against() {
        let content = line(VerifiedState::Damaged, None, "its content does not hash to its name");
        assert!(matches!(reply(&content, Some("sha256:1")), Reply::WrongDigest(_)));
        assert!(matches!(reply(&content, None), Reply::WrongContent(_)));
        let archive = line(VerifiedState::Damaged, None, "the archive is damaged");
        assert!(matches!(reply(&archive, None), Reply::NoTarball(_)));
        assert_eq!(reply(&line(VerifiedState::Missing, None, ""), None), Reply::Missing);
        assert!(matches!(reply(&line(VerifiedState::Failed, None, "late"), None), Reply::Silent(why) if why == "late"));
    }
}
