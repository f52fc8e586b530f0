//! Who of several replicas writes. Pure.

use super::ask;
use super::outcome::{Outcome, Seen, Stop};
use crate::code::Code;
use crate::facts::operator::Pod;
use crate::facts::{Facts, Lease};
use crate::finding::{Command, Danger, Evidence, Finding, Subject};

/// The Lease, where there is an election.
fn lease(facts: &Facts) -> Result<Option<&Lease>, Stop> {
    if !ask::flags(facts)?.is_on("leader-election", true) {
        return Err(Stop::skip("leader election is off"));
    }
    Ok(facts.lease.told("the Lease")?.as_ref())
}

/// The Lease, where somebody holds it.
fn held(facts: &Facts) -> Result<&Lease, Stop> {
    let lease = lease(facts)?.filter(|lease| !lease.holder.is_empty());
    lease.ok_or_else(|| Stop::skip("nobody holds the Lease"))
}

fn subject(facts: &Facts, lease: &Lease) -> Subject {
    Subject::new("Lease", &facts.operator.namespace, &lease.name)
}

/// `P110`.
pub(crate) fn no_leader(facts: &Facts) -> Outcome {
    Ok(match lease(facts)? {
        Some(lease) if !lease.holder.is_empty() => Seen::fine(),
        Some(lease) => Finding::new(Code::NoLeader, "the Lease has no holder")
            .about([subject(facts, lease)])
            .with(Evidence::seen("holder", "nobody").instead_of("a Pod of the operator"))
            .into(),
        None => Finding::new(Code::NoLeader, "there is no Lease").with(Evidence::seen("Lease", "missing")).into(),
    })
}

/// `P111`.
pub(crate) fn flaps(facts: &Facts) -> Outcome {
    let lease = held(facts)?;
    if ask::deployment(facts)?.rolling {
        return Err(Stop::skip("a roll-out is under way"));
    }
    let watched = lease.watched.told("how steady the Lease is")?;
    // Once a minute or more often. A single change in a longer look may be a handover that somebody wanted.
    if watched.changes == 0 || u64::from(watched.changes) * 60 < u64::from(watched.seconds) {
        return Ok(Seen::fine());
    }
    let finding = Finding::new(Code::LeaderFlaps, "the Lease changed hands while it was watched")
        .about([subject(facts, lease)])
        .with(Evidence::seen("changes", format!("{} in {} s", watched.changes, watched.seconds)).instead_of("0"))
        .with(Evidence::seen("changes so far", lease.transitions));
    Ok(finding.into())
}

/// `P112`.
pub(crate) fn stuck(facts: &Facts) -> Outcome {
    let lease = held(facts)?;
    let age = lease.renewed.map(|at| facts.seconds_since(at));
    // Twice its time, because the holder's clock is not ours.
    if age.is_some_and(|age| age <= 2 * u64::from(lease.seconds)) {
        return Ok(Seen::fine());
    }
    let age = age.map_or("never".to_owned(), |age| format!("{age} s ago"));
    let mut finding =
        Finding::new(Code::LeaderStuck, format!("{} holds the Lease and renewed it {age}", lease.holder_pod()))
            .about([subject(facts, lease), Subject::new("Pod", &facts.operator.namespace, lease.holder_pod())])
            .with(Evidence::seen("renewed", age).instead_of(format!("at most {} s ago", lease.seconds)))
            .with(Evidence::seen("holder", &lease.holder));
    if let Some(pod) = heir(facts, lease) {
        finding.summary = format!("{}; {}, which is younger, is about to take over", finding.summary, pod.name);
        finding.commands.retain(|command| command.danger < Danger::L2);
        finding.commands.insert(
            0,
            Command {
                command: "kubectl jaas wait leader --timeout 2m".to_owned(),
                why: "a new Pod is there already: waits until it leads, which takes until the Lease has run out"
                    .to_owned(),
                danger: Danger::L0,
            },
        );
        return Ok(finding.with(Evidence::seen("younger Pod", &pod.name)).into());
    }
    // Where nobody can take over, there is nothing to hand over: a new Pod is the repair.
    if let Ok(deployment) = ask::deployment(facts) {
        let is_ready = |pod: &&Pod| pod.ready && pod.name != lease.holder_pod();
        let pods = facts.operator.pods.ok();
        let is_alone = deployment.desired < 2 || pods.is_some_and(|pods| !pods.iter().any(|pod| is_ready(&pod)));
        if is_alone {
            finding.summary.push_str("; no other Pod is ready, so nobody else can take over");
        }
        finding.commands.retain(|command| match command.command.as_str() {
            line if line.contains(" force-handover ") => !is_alone,
            line if line.contains(" restart ") => is_alone,
            _ => true,
        });
    }
    Ok(finding.into())
}

/// How many seconds a Pod is given to come up and take a Lease that nobody renews.
const COMING_UP: u64 = 5 * 60;

/// A Pod on its way up that was made after the Lease was last renewed, and not long ago: it takes over by itself.
fn heir<'a>(facts: &'a Facts, lease: &Lease) -> Option<&'a Pod> {
    let renewed = lease.renewed?;
    let is_heir = |pod: &&Pod| {
        let is_young =
            pod.created.is_some_and(|created| created > renewed && facts.seconds_since(created) <= COMING_UP);
        is_young && pod.is_live() && pod.ends.is_none() && pod.restarts == 0 && pod.name != lease.holder_pod()
    };
    facts.operator.pods.ok()?.iter().filter(is_heir).min_by_key(|pod| pod.name.as_str())
}

/// `P113`.
pub(crate) fn two_leaders(facts: &Facts) -> Outcome {
    let pods = ask::live_pods(facts)?;
    let (mut leading, mut blind) = (Vec::new(), Vec::new());
    for pod in pods.iter().filter(|_| pods.len() > 1) {
        match pod.leads.told(&format!("whether Pod {} leads", pod.name)) {
            Ok(true) => leading.push(pod),
            Ok(false) => {}
            Err(why) => blind.push(why),
        }
    }
    if leading.len() < 2 {
        return Ok(Seen::fine().blind_to(blind));
    }
    let finding = Finding::new(Code::TwoLeaders, format!("{} Pods say that they lead", leading.len()))
        .about(leading.iter().map(|pod| Subject::new("Pod", &facts.operator.namespace, &pod.name)))
        .with(Evidence::several("leaders", leading.iter().map(|pod| pod.name.clone())).instead_of("1"));
    Ok(Seen::from(finding).blind_to(blind))
}

/// `P114`.
pub(crate) fn holder_gone(facts: &Facts) -> Outcome {
    let lease = held(facts)?;
    let pods = ask::live_pods(facts)?;
    if pods.iter().any(|pod| pod.name == lease.holder_pod()) {
        return Ok(Seen::fine());
    }
    let finding = Finding::new(Code::HolderGone, format!("{} holds the Lease and does not exist", lease.holder_pod()))
        .about([subject(facts, lease), Subject::new("Pod", &facts.operator.namespace, lease.holder_pod())])
        .with(Evidence::seen("holder", &lease.holder))
        .with(Evidence::several("Pods", pods.iter().map(|pod| pod.name.clone())));
    Ok(finding.into())
}

/// `P115`.
pub(crate) fn standby_not_ready(facts: &Facts) -> Outcome {
    let replicas = ask::deployment(facts)?.desired;
    if replicas < 2 {
        return Err(Stop::skip("one replica is wanted"));
    }
    let lease = held(facts)?;
    let is_standby = |pod: &&&Pod| pod.ready && pod.name != lease.holder_pod();
    let pods = ask::live_pods(facts)?;
    if pods.iter().any(|pod| is_standby(&pod)) {
        return Ok(Seen::fine());
    }
    let finding = Finding::new(Code::StandbyNotReady, format!("besides {} no Pod is ready", lease.holder_pod()))
        .about([subject(facts, lease)])
        .with(Evidence::seen("ready to take over", 0).instead_of(replicas - 1));
    Ok(finding.into())
}
