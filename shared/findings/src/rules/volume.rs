//! The volume that the store is made of, and the room on it. Pure.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::answers::{count, judge};
use super::artifacts::{PRESENCE, presence};
use super::ask::{self, Backend};
use super::garbage::is_any_expired;
use super::outcome::{Outcome, Seen, Stop};
use super::storage::{blocks, figures};
use crate::code::Code;
use crate::facts::operator::Pod;
use crate::facts::{Facts, Volume, VolumeKind};
use crate::finding::{Evidence, Finding, Subject};
use crate::known::Why;
use crate::size::words as size;

/// The volume of a store that is a directory; `None` where none lies behind the path.
pub(crate) fn volume(facts: &Facts) -> Result<Option<&Volume>, Stop> {
    ask::only_local(facts)?;
    Ok(facts.operator.volume.told("the volume behind --storage-path")?.as_ref())
}

/// The claim or the volume as it is named in findings.
pub(crate) fn volume_subject(facts: &Facts, volume: &Volume) -> Option<Subject> {
    let name = volume.name.as_ref()?;
    (volume.kind == VolumeKind::Claim).then(|| Subject::new("PersistentVolumeClaim", &facts.operator.namespace, name))
}

/// `S400`.
pub(crate) fn no_volume(facts: &Facts) -> Outcome {
    Ok(match volume(facts)? {
        Some(_) => Seen::fine(),
        None => Finding::new(Code::NoVolume, "the store lies in the container's own layer")
            .with(Evidence::seen("volume", "none").instead_of("one mounted at --storage-path"))
            .into(),
    })
}

/// Namespace and name, and the bytes, of the largest artifact that is announced.
fn largest_artifact(facts: &Facts) -> Option<(String, u64)> {
    let ours = facts.artifacts.ok()?.iter().filter(|artifact| artifact.ours);
    let sizes = ours.filter_map(|it| Some((format!("{}/{}", it.namespace, it.name), blocks(facts, it.size?))));
    // Of several of that size always the same one.
    sizes.max_by_key(|(name, bytes)| (*bytes, Reverse(name.clone())))
}

/// Room somewhere, in bytes.
struct Room {
    left: u64,
    of: u64,
    place: &'static str,
}

impl Room {
    /// Some, but less than a tenth.
    fn is_tenth(&self) -> bool {
        self.left > 0 && self.left.saturating_mul(10) < self.of
    }

    /// Some, but not enough to publish the largest anew.
    fn refuses(&self, largest: Option<&(String, u64)>) -> bool {
        self.left > 0 && largest.is_some_and(|(_, bytes)| *bytes > self.left)
    }

    fn is_short(&self, largest: Option<&(String, u64)>) -> bool {
        self.is_tenth() || self.refuses(largest)
    }

    fn words(&self) -> String {
        format!("{} of the {} {}", size(self.left), size(self.of), self.place)
    }
}

/// What is short, with the numbers of each place; none at all is another finding.
fn shortage(quota: Option<&Room>, volume: Option<&Room>, largest: Option<&(String, u64)>) -> Option<String> {
    let rooms = || quota.into_iter().chain(volume);
    let words = |rooms: Vec<&Room>| rooms.into_iter().map(Room::words).collect::<Vec<_>>().join(", and ");
    let refusing: Vec<_> = rooms().filter(|room| room.refuses(largest)).collect();
    let tenths: Vec<_> = rooms().filter(|room| room.is_tenth() && !room.refuses(largest)).collect();
    let next = largest.filter(|_| !refusing.is_empty()).map(|(name, bytes)| {
        let left = words(refusing);
        format!("the next revision of {name}, {}, would not fit in what is left: {left}", size(*bytes))
    });
    let tenth = (!tenths.is_empty()).then(|| format!("less than a tenth is left: {}", words(tenths)));
    let parts: Vec<_> = next.into_iter().chain(tenth).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// `S402`.
pub(crate) fn nearly_full(facts: &Facts) -> Outcome {
    let usage = facts.store.usage.told("how full the store is")?;
    let quota = usage.quota.filter(|quota| *quota > 0);
    let by_quota = quota.map(|quota| (quota.saturating_sub(usage.bytes), quota));
    let is_bucket = ask::backend(facts) == Ok(Backend::S3);
    let (volume, blind) = match (usage.free_bytes.told("the room on the volume"), usage.total_bytes.told("its size")) {
        (Ok(free), Ok(total)) => (Some((*free, *total)), None),
        (Err(why), _) | (_, Err(why)) => (None, Some(why).filter(|_| !is_bucket)),
    };
    let largest = largest_artifact(facts);
    let quota = by_quota.map(|(left, of)| Room { left, of, place: "that --storage-quota allows" });
    let volume = volume.map(|(left, of)| Room { left, of, place: "of the volume" });
    if let Some(what) = shortage(quota.as_ref(), volume.as_ref(), largest.as_ref()) {
        let is_short = |room: &Option<Room>| room.as_ref().is_some_and(|room| room.is_short(largest.as_ref()));
        let mut finding = Finding::new(Code::VolumeNearlyFull, what).with(figures(usage));
        finding.commands.retain(|command| match command.command.as_str() {
            line if line.contains(" prune --expired ") => is_any_expired(facts) != Some(false),
            line if line.ends_with("advise quota") => is_short(&quota),
            line if line.ends_with("advise resize") => is_short(&volume) && !is_bucket,
            _ => true,
        });
        return Ok(Seen::from(finding).blind_to(blind));
    }
    if is_bucket && by_quota.is_none() && volume.is_none() {
        return Err(Stop::skip("a bucket has no size"));
    }
    // Without the sizes of artifacts it is not known whether each would fit once more.
    Ok(Seen::fine().blind_to(blind).blind_to(ask::artifacts(facts).err()))
}

/// `S404`.
pub(crate) fn replaced(facts: &Facts) -> Outcome {
    let Some(volume) = volume(facts)? else { return Ok(Seen::fine()) };
    let missing = judge(facts, presence)?;
    if missing.bad.is_empty() {
        return Ok(Seen::fine().blind_to(missing.blind(PRESENCE)));
    }
    let created = match (volume.created, volume.kind) {
        (Some(created), _) => Some(created),
        // An emptyDir begins with its Pod.
        (None, VolumeKind::EmptyDir) => youngest(&ask::live_pods(facts)?),
        (None, _) => None,
    };
    let created = created.ok_or_else(|| Why::not_asked("since when the volume exists"))?;
    let is_older = |updated: Option<Timestamp>| updated.is_some_and(|updated| updated < created);
    let older: Vec<_> = missing.bad.iter().filter(|(artifact, _)| is_older(artifact.updated)).collect();
    let seen = Seen::of(older, |older| {
        let summary =
            format!("{} last published before the volume existed, and missing", count(older.len(), "artifact"));
        let last = older.iter().filter_map(|(artifact, _)| artifact.updated).max();
        Finding::new(Code::VolumeReplaced, summary)
            .about(older.iter().map(|(artifact, _)| artifact.subject()))
            .about(volume_subject(facts, volume))
            .with(Evidence::seen("volume exists since", created))
            .with(Evidence::seen("last of them published", last.map_or(String::new(), |last| last.to_string())))
    });
    Ok(seen.blind_to(missing.blind(PRESENCE)))
}

fn youngest(pods: &[&Pod]) -> Option<Timestamp> {
    pods.iter().filter_map(|pod| pod.created).max()
}

/// `S415`.
pub(crate) fn claim_not_bound(facts: &Facts) -> Outcome {
    let Some(volume) = volume(facts)?.filter(|volume| volume.kind == VolumeKind::Claim) else {
        return Err(Stop::skip("the volume is no claim"));
    };
    let phase = volume.phase.as_deref().ok_or_else(|| Why::not_asked("the phase of the claim"))?;
    if phase == "Bound" {
        return Ok(Seen::fine());
    }
    let subject = volume_subject(facts, volume);
    let name = subject.as_ref().map(Subject::path).unwrap_or_default();
    let finding = Finding::new(Code::ClaimNotBound, format!("the claim {name} is {phase}"))
        .about(subject)
        .with(Evidence::seen("phase", phase).instead_of("Bound"));
    Ok(finding.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_told_with_its_own_numbers() {
        let largest = ("team-a/big".to_owned(), 80 << 10);
        let told = |quota: u64, volume: u64| {
            let quota = Room { left: quota, of: 256 << 10, place: "that --storage-quota allows" };
            let volume = Room { left: volume, of: 1 << 20, place: "of the volume" };
            shortage(Some(&quota), Some(&volume), Some(&largest))
        };
        let quota_told = "the next revision of team-a/big, 80.0 KiB, would not fit in what is left: 36.0 KiB of the 256.0 KiB that --storage-quota allows";
        assert_eq!(told(36 << 10, 512 << 10).as_deref(), Some(quota_told));
        assert_eq!(
            told(36 << 10, 90 << 10),
            Some(format!("{quota_told}; less than a tenth is left: 90.0 KiB of the 1.0 MiB of the volume"))
        );
        assert_eq!(told(36 << 10, 8 << 10), Some(format!("{quota_told}, and 8.0 KiB of the 1.0 MiB of the volume")));
        assert_eq!((told(100 << 10, 512 << 10), told(0, 512 << 10)), (None, None));
    }
}
