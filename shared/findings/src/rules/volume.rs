//! The volume that the store is made of, and the room on it. Pure.

use jiff::Timestamp;

use super::answers::{count, judge};
use super::artifacts::{PRESENCE, presence};
use super::ask::{self, Backend};
use super::garbage::is_any_expired;
use super::outcome::{Outcome, Seen, Stop};
use super::storage::figures;
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
    let sizes = ours.filter_map(|it| Some((format!("{}/{}", it.namespace, it.name), it.size?)));
    sizes.max_by_key(|(_, bytes)| *bytes)
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
    // Some, but less than a tenth, or too little to publish the largest anew; none at all is another finding.
    let is_tenth = |room: &(u64, u64)| room.0 > 0 && room.0.saturating_mul(10) < room.1;
    let is_short = |room: &(u64, u64)| is_tenth(room) || room.0 > 0 && largest.as_ref().is_some_and(|it| it.1 > room.0);
    let short = [("--storage-quota", by_quota), ("the volume", volume)];
    let short: Vec<_> = short.iter().filter(|(_, room)| room.as_ref().is_some_and(is_short)).map(|it| it.0).collect();
    if !short.is_empty() {
        let rooms: Vec<_> = by_quota.iter().chain(&volume).collect();
        let what = match &largest {
            Some((name, bytes)) if !rooms.iter().any(|room| is_tenth(room)) => {
                format!("{name}, {}, would not fit once more: too little room is left", size(*bytes))
            }
            _ => "less than a tenth of the room is left".to_owned(),
        };
        let mut finding =
            Finding::new(Code::VolumeNearlyFull, format!("{what} on {}", short.join(" and on "))).with(figures(usage));
        if is_any_expired(facts) == Some(false) {
            finding.commands.retain(|command| !command.command.contains(" prune --expired "));
        }
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
