//! How the store is, and what decides about its files.

use std::time::Duration;

use jaas_api::Reason;
use jaas_api::admin::{Health, HealthState, Owner, Stats, StoreUsage};
use jaas_storage::store::{self, ErrorKind, OwnerMark, StoreError, Usage};

use super::Admin;
use crate::snippet::outcome::chain;

/// Asks the store.
pub(super) async fn stats(admin: &Admin) -> Stats {
    let world = &admin.world;
    let (usage, health, owner) = tokio::join!(world.store.usage(), world.store.check(), world.store.read_owner());
    let usage = usage.ok();
    let trouble = world.condition.trouble().map(|trouble| (trouble.reason, trouble.message));
    Stats {
        place: health.as_ref().map_or(&admin.place, |health| &health.place).trim_end_matches('/').to_owned(),
        usage: usage.as_ref().map(|usage| told(usage, world.quotas.limit(), world.condition.full_in())),
        health: Some(judged(&health, trouble, usage.as_ref())),
        owner_known: owner.is_ok(),
        owner: owner.ok().flatten().as_ref().map(mark),
        identity: world.custody.identity().map(mark),
        guarded: world.custody.may_remove().await.err().map(|why| why.to_string()),
        settings: admin.settings.clone(),
    }
}

fn told(usage: &Usage, namespace_quota: Option<u64>, full_in: Option<Duration>) -> StoreUsage {
    let Usage { bytes, files, free_bytes, total_bytes, free_inodes, quota } = *usage;
    let full_in_seconds = full_in.map(|time| time.as_secs());
    StoreUsage { bytes, files, free_bytes, total_bytes, free_inodes, quota, namespace_quota, full_in_seconds }
}

fn mark(mark: &OwnerMark) -> Owner {
    Owner { cluster: mark.cluster.clone(), release: mark.release.clone() }
}

/// What the store answered just now, or else what it last said to those who use it: reading and writing fail separately.
fn judged(
    asked: &Result<store::Health, StoreError>,
    trouble: Option<(&'static str, String)>,
    usage: Option<&Usage>,
) -> Health {
    let capabilities = asked.as_ref().ok().map(|health| &health.capabilities);
    let no_inodes = usage.is_some_and(|usage| usage.free_inodes == Some(0));
    let (state, detail) = match (asked, trouble) {
        (Err(error), _) => (of_kind(error.kind), chain(error)),
        (Ok(_), Some((reason, message))) => (of_reason(reason), message),
        (Ok(_), None) if no_inodes => (HealthState::NoInodes, "no inode is free on the volume".to_owned()),
        (Ok(_), None) if usage.is_some_and(|usage| usage.free_bytes == Some(0)) => {
            (HealthState::Full, "no byte is free on the volume".to_owned())
        }
        (Ok(_), None) => (HealthState::Fine, String::new()),
    };
    Health {
        state: if state == HealthState::Full && no_inodes { HealthState::NoInodes } else { state },
        detail,
        clock_ahead_seconds: capabilities.and_then(|known| known.clock_ahead_seconds),
        missing_is_told: capabilities.and_then(|known| known.missing_is_told),
    }
}

fn of_kind(kind: ErrorKind) -> HealthState {
    match kind {
        ErrorKind::Full | ErrorKind::QuotaReached => HealthState::Full,
        ErrorKind::ReadOnly => HealthState::ReadOnly,
        ErrorKind::Denied | ErrorKind::CredentialsRejected => HealthState::Denied,
        ErrorKind::BucketMissing => HealthState::BucketMissing,
        ErrorKind::ClockSkew => HealthState::ClockSkew,
        ErrorKind::Throttled => HealthState::Throttled,
        ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::WrongRegion
        | ErrorKind::Corrupt
        | ErrorKind::Unavailable => HealthState::Unavailable,
    }
}

/// The same of a reason that snippets tell.
fn of_reason(reason: &str) -> HealthState {
    let known = [
        (Reason::StorageFull, HealthState::Full),
        (Reason::StorageReadOnly, HealthState::ReadOnly),
        (Reason::StorageDenied, HealthState::Denied),
        (Reason::BucketMissing, HealthState::BucketMissing),
        (Reason::ClockSkew, HealthState::ClockSkew),
    ];
    known.iter().find(|(known, _)| known.as_str() == reason).map_or(HealthState::Unavailable, |(_, state)| *state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snippet::outcome::storage_reason;

    #[test]
    fn a_kind_of_trouble_and_its_reason_mean_the_same() {
        for kind in ErrorKind::ALL.into_iter().filter(|kind| *kind != ErrorKind::Throttled) {
            assert_eq!(of_reason(storage_reason(kind).as_str()), of_kind(kind), "{kind:?}");
        }
    }

    #[test]
    fn what_was_refused_to_writers_counts_although_reading_works() {
        let well = || {
            Ok(store::Health {
                place: "/data".to_owned(),
                latency: std::time::Duration::ZERO,
                capabilities: store::Capabilities::default(),
            })
        };
        let volume = |bytes, inodes| Usage { free_bytes: Some(bytes), free_inodes: Some(inodes), ..Usage::default() };
        let state = |trouble: Option<&'static str>, usage: Usage| {
            judged(&well(), trouble.map(|reason| (reason, "words".to_owned())), Some(&usage)).state
        };
        assert_eq!(state(None, volume(1, 1)), HealthState::Fine);
        assert_eq!(state(None, volume(0, 1)), HealthState::Full);
        assert_eq!(state(None, volume(1, 0)), HealthState::NoInodes);
        assert_eq!(state(Some("StorageFull"), volume(1, 1)), HealthState::Full);
        assert_eq!(state(Some("StorageFull"), volume(1, 0)), HealthState::NoInodes);
        assert_eq!(state(Some("StorageReadOnly"), volume(1, 1)), HealthState::ReadOnly);
    }
}
