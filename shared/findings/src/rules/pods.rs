//! The operator's Pods. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::answers::count;
use super::ask;
use super::outcome::{Outcome, Seen};
use crate::code::{Code, Severity};
use crate::facts::operator::Pod;
use crate::facts::{Facts, VolumeKind};
use crate::finding::{Danger, Evidence, Finding, Subject};
use crate::size::words as size;

/// How long a kill for want of memory is told of.
const DAY: u64 = 24 * 60 * 60;
/// How long a Pod may take to become ready, or to get a node, before that is worth telling.
const PATIENCE: u64 = 60;

/// How long before a kill a change may have been its cause, in seconds.
const SHORTLY: i64 = 10 * 60;

const CRASHES: [&str; 1] = ["CrashLoopBackOff"];
const IMAGES: [&str; 6] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
];
const STARTS: [&str; 5] =
    ["Unschedulable", "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "FailedMount"];

fn about(facts: &Facts, pods: &[&Pod], code: Code, what: &str) -> Finding {
    Finding::new(code, format!("{} {what}", count(pods.len(), "Pod")))
        .about(pods.iter().map(|pod| Subject::new("Pod", &facts.operator.namespace, &pod.name)))
}

fn waits(pod: &Pod, words: &[&str]) -> bool {
    pod.waiting.as_deref().is_some_and(|waiting| words.contains(&waiting))
}

fn waiting(pods: &[&Pod]) -> Evidence {
    Evidence::several(
        "Pods",
        pods.iter().map(|pod| {
            let why = pod.waiting.as_deref().unwrap_or("no reason given");
            format!("{}: {why}, {}", pod.name, restarts(pod))
        }),
    )
}

fn restarts(pod: &Pod) -> String {
    count(usize::try_from(pod.restarts).unwrap_or(usize::MAX), "restart")
}

fn ends(pods: &[&Pod]) -> Evidence {
    let texts = pods.iter().map(|pod| {
        let ends = pod.ends.map_or(String::new(), |ends| format!(" by {ends}"));
        format!("{}: gone{ends}", pod.name)
    });
    Evidence::several("Pods", texts)
}

/// `P101`.
pub(crate) fn out_of_memory(facts: &Facts) -> Outcome {
    let was_killed = |pod: &&Pod| {
        pod.last_termination
            .as_ref()
            .is_some_and(|end| end.reason == "OOMKilled" && end.at.is_none_or(|at| facts.seconds_since(at) <= DAY))
    };
    let killed: Vec<_> = ask::pods(facts)?.iter().filter(was_killed).collect();
    Ok(Seen::of(killed, |killed| {
        let texts = killed.iter().map(|pod| {
            let limit =
                pod.memory_limit.map_or("no limit of its own".to_owned(), |bytes| format!("limit {}", size(bytes)));
            let when = pod.last_termination.as_ref().and_then(|end| end.at);
            let when = when.map_or(String::new(), |at| format!(", {at}"));
            format!("{}: {limit}, {}{when}", pod.name, restarts(pod))
        });
        let kills = Evidence::several("kills", texts);
        let finding = about(facts, killed, Code::OutOfMemory, "killed for want of memory within a day").with(kills);
        match suspects(facts, killed) {
            suspects if suspects.is_empty() => finding,
            suspects => finding.with(Evidence::several("changed shortly before", suspects)),
        }
    }))
}

/// Snippets whose spec, or what they published, changed shortly before a kill: what the operator was at then. The latest comes first.
fn suspects(facts: &Facts, killed: &[&Pod]) -> Vec<String> {
    let ends: Vec<_> = killed.iter().filter_map(|pod| pod.last_termination.as_ref()?.at).collect();
    let is_shortly_before =
        |at: &Timestamp| ends.iter().any(|end| (0..=SHORTLY).contains(&end.duration_since(*at).as_secs()));
    let snippets = facts.snippets.ok().map(|snippets| snippets.items.as_slice()).unwrap_or_default();
    let artifacts = facts.artifacts.ok().map(Vec::as_slice).unwrap_or_default();
    let specs = snippets.iter().filter_map(|it| Some((*it.spec_changed.ok()?, &it.namespace, &it.name)));
    let made = snippets.iter().filter_map(|it| Some((it.created?, &it.namespace, &it.name)));
    let published = artifacts.iter().filter_map(|it| Some((it.updated?, &it.namespace, &it.name)));
    let mut latest = BTreeMap::new();
    for (at, namespace, name) in specs.chain(made).chain(published).filter(|(at, ..)| is_shortly_before(at)) {
        let known = latest.entry((namespace, name)).or_insert(at);
        *known = at.max(*known);
    }
    let mut latest: Vec<_> = latest.into_iter().collect();
    latest.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    latest.into_iter().map(|((namespace, name), at)| format!("{namespace}/{name}, {at}")).collect()
}

/// `P102`.
pub(crate) fn crash_loop(facts: &Facts) -> Outcome {
    let crashing: Vec<_> = ask::live_pods(facts)?.into_iter().filter(|pod| waits(pod, &CRASHES)).collect();
    Ok(Seen::of(crashing, |crashing| {
        let ends = crashing.iter().filter_map(|pod| {
            let end = pod.last_termination.as_ref()?;
            let code = end.exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
            Some(format!("{}: {}{code}", pod.name, end.reason))
        });
        let ends = Evidence::several("last ends", ends);
        about(facts, crashing, Code::CrashLoop, "ending shortly after each start").with(waiting(crashing)).with(ends)
    }))
}

/// `P103`.
pub(crate) fn not_ready(facts: &Facts) -> Outcome {
    let is_unready = |pod: &&Pod| {
        let told_elsewhere = waits(pod, &CRASHES) || waits(pod, &IMAGES) || waits(pod, &STARTS);
        let since = pod.started.or(pod.created);
        pod.phase == "Running"
            && !pod.ready
            && !told_elsewhere
            && since.is_none_or(|at| facts.seconds_since(at) > PATIENCE)
    };
    let live = ask::live_pods(facts)?;
    let is_replaced = live.iter().any(|pod| pod.ready);
    // One that was asked to end is not ready by rights, as long as it keeps to its time and another one serves.
    let is_leaving = |pod: &Pod| is_replaced && pod.ends.is_some_and(|ends| facts.seconds_since(ends) <= PATIENCE);
    let (leaving, unready): (Vec<_>, Vec<_>) = live.into_iter().filter(is_unready).partition(|pod| is_leaving(pod));
    if unready.is_empty() {
        return Ok(Seen::of(leaving, |leaving| {
            let mut finding = about(facts, leaving, Code::PodNotReady, "on its way out while another one is ready")
                .with(ends(leaving));
            finding.commands.retain(|command| command.danger == Danger::L0);
            finding.as_bad_as(Severity::Info)
        }));
    }
    Ok(Seen::of(unready, |unready| {
        about(facts, unready, Code::PodNotReady, "running, but not ready").with(waiting(unready))
    }))
}

/// `P104`.
pub(crate) fn image_not_pulled(facts: &Facts) -> Outcome {
    let stuck: Vec<_> = ask::live_pods(facts)?.into_iter().filter(|pod| waits(pod, &IMAGES)).collect();
    Ok(Seen::of(stuck, |stuck| {
        let images = Evidence::several("images", stuck.iter().map(|pod| pod.image.clone()));
        about(facts, stuck, Code::ImageNotPulled, "without an image").with(waiting(stuck)).with(images)
    }))
}

/// `P105`.
pub(crate) fn cannot_start(facts: &Facts) -> Outcome {
    let is_stuck = |pod: &&Pod| {
        let is_late = pod.created.is_some_and(|at| facts.seconds_since(at) > PATIENCE);
        waits(pod, &STARTS) || pod.phase == "Pending" && is_late && !waits(pod, &CRASHES) && !waits(pod, &IMAGES)
    };
    let stuck: Vec<_> = ask::live_pods(facts)?.into_iter().filter(is_stuck).collect();
    Ok(Seen::of(stuck, |stuck| about(facts, stuck, Code::PodCannotStart, "that cannot start").with(waiting(stuck))))
}

/// `P106`.
pub(crate) fn evicted(facts: &Facts) -> Outcome {
    let pods = ask::pods(facts)?;
    let evicted: Vec<_> = pods.iter().filter(|pod| pod.reason.as_deref() == Some("Evicted")).collect();
    let volume = facts.operator.volume.ok().and_then(Option::as_ref);
    // The record of an eviction stays for a long time. Where nothing went with the Pod and another one serves, it is history.
    let is_history =
        volume.is_some_and(|volume| volume.kind != VolumeKind::EmptyDir) && pods.iter().any(|pod| pod.ready);
    Ok(Seen::of(evicted, |evicted| {
        let names = Evidence::several("Pods", evicted.iter().map(|pod| pod.name.clone()));
        let finding = about(facts, evicted, Code::PodEvicted, "evicted").with(names);
        if is_history { finding.as_bad_as(Severity::Warning) } else { finding }
    }))
}

/// `P107`.
pub(crate) fn no_pods(facts: &Facts) -> Outcome {
    let deployment = ask::deployment(facts)?;
    let live = ask::live_pods(facts)?.len();
    if deployment.desired == 0 || live > 0 {
        return Ok(Seen::fine());
    }
    let finding = Finding::new(Code::NoPods, "the Deployment has no Pod that runs or is on its way")
        .about([Subject::new("Deployment", &facts.operator.namespace, &deployment.name)])
        .with(Evidence::seen("Pods", 0).instead_of(deployment.desired));
    Ok(finding.into())
}

/// `P108`.
pub(crate) fn scaled_to_zero(facts: &Facts) -> Outcome {
    let deployment = ask::deployment(facts)?;
    if deployment.desired > 0 {
        return Ok(Seen::fine());
    }
    let finding = Finding::new(Code::ScaledToZero, "the Deployment wants no Pods")
        .about([Subject::new("Deployment", &facts.operator.namespace, &deployment.name)])
        .with(Evidence::seen("replicas", 0).instead_of("1 or more"));
    Ok(finding.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

    use super::*;
    use crate::facts::operator::Termination;
    use crate::facts::{Artifact, Snippet, Snippets};
    use crate::known::Known;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn whoever_changed_shortly_before_a_kill_is_suspected_the_latest_first() {
        let mut facts = Facts::empty(at("2026-11-22T12:00:00Z"));
        let snippet = |name: &str, changed: &str| Snippet {
            namespace: "a".to_owned(),
            name: name.to_owned(),
            spec_changed: Known::Yes(at(changed)),
            ..Snippet::default()
        };
        let items = vec![
            snippet("early", "2026-11-22T11:40:00Z"),
            snippet("web", "2026-11-22T11:52:00Z"),
            snippet("late", "2026-11-22T11:59:30Z"),
        ];
        facts.snippets = Known::Yes(Snippets { items, ..Snippets::default() });
        facts.artifacts = Known::Yes(vec![Artifact {
            namespace: "a".to_owned(),
            name: "grid".to_owned(),
            updated: Some(at("2026-11-22T11:58:00Z")),
            ..Artifact::default()
        }]);
        let end =
            Termination { reason: "OOMKilled".to_owned(), at: Some(at("2026-11-22T11:59:00Z")), exit_code: Some(137) };
        let killed = Pod { last_termination: Some(end), ..Pod::default() };
        assert_eq!(suspects(&facts, &[&killed]), ["a/grid, 2026-11-22T11:58:00Z", "a/web, 2026-11-22T11:52:00Z"]);
    }
}
