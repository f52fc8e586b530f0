//! The way from consumers to the storage server. Pure.

use super::answers::count;
use super::ask;
use super::outcome::{Outcome, Seen, Stop};
use super::policy::{self, Entry};
use crate::code::{Code, Severity};
use crate::facts::network::{Reach, Service};
use crate::facts::{Consumer, Facts, Policy, Road, RoadKind};
use crate::finding::{Evidence, Finding, Subject};
use crate::known::{Obstacle, Why};

/// What several roads say on whether a server answers.
#[derive(Default)]
struct Reached<'a> {
    yes: Vec<&'a Road>,
    /// With the error.
    no: Vec<(&'a Road, &'a str)>,
    blind: Vec<Why>,
}

fn reached(facts: &Facts, wanted: impl Fn(RoadKind) -> bool) -> Reached<'_> {
    let mut reached = Reached::default();
    for road in facts.network.roads.iter().filter(|road| wanted(road.kind)) {
        match road.reachable.told(&format!("whether the storage server answers by {}", name(road))) {
            Ok(Reach::Yes) => reached.yes.push(road),
            Ok(Reach::No(error)) => reached.no.push((road, error)),
            Err(why) => reached.blind.push(why),
        }
    }
    reached
}

fn name(road: &Road) -> String {
    match &road.pod {
        Some(pod) => format!("{} to {pod}", road.kind.word()),
        None => road.kind.word().to_owned(),
    }
}

fn errors(reached: &Reached<'_>) -> Evidence {
    Evidence::several("roads", reached.no.iter().map(|(road, error)| format!("{}: {error}", name(road))))
}

fn nobody_asked() -> Stop {
    Why::not_asked("whether the storage server answers").into()
}

/// `N301`.
pub(crate) fn no_road_answers(facts: &Facts) -> Outcome {
    let inside = reached(facts, RoadKind::is_inside);
    let outside = reached(facts, |kind| kind == RoadKind::ServiceProxy);
    if !inside.yes.is_empty() || !outside.yes.is_empty() {
        return Ok(Seen::fine());
    }
    // What does not answer inside its own Pod answers nobody; that a road from elsewhere fails says less.
    if !inside.blind.is_empty() {
        return Err(Stop::Unknown(inside.blind));
    }
    if inside.no.is_empty() {
        return Err(if outside.blind.is_empty() { nobody_asked() } else { Stop::Unknown(outside.blind) });
    }
    let finding = Finding::new(Code::NoRoadAnswers, "the storage server answers on no road")
        .about(service(facts))
        .with(errors(&inside).instead_of("an answer"))
        .with(errors(&outside));
    Ok(Seen::from(finding).blind_to(outside.blind))
}

/// `N302`.
pub(crate) fn roads_differ(facts: &Facts) -> Outcome {
    let inside = reached(facts, RoadKind::is_inside);
    let outside = reached(facts, |kind| kind == RoadKind::ServiceProxy);
    if outside.no.is_empty() {
        return match (outside.yes.is_empty(), outside.blind.is_empty()) {
            (false, _) => Ok(Seen::fine()),
            (true, false) => Err(Stop::Unknown(outside.blind)),
            (true, true) => Err(Stop::skip("only one kind of road was used")),
        };
    }
    if inside.yes.is_empty() {
        return match (inside.no.is_empty(), inside.blind.is_empty()) {
            (_, false) => Err(Stop::Unknown(inside.blind)),
            (false, true) => Ok(Seen::fine()),
            (true, true) => Err(nobody_asked()),
        };
    }
    let finding =
        Finding::new(Code::RoadsDiffer, "the storage server answers inside its Pod, but not through its Service")
            .about(service(facts))
            .with(errors(&outside).instead_of("an answer"))
            .with(Evidence::several("roads that lead there", inside.yes.iter().map(|road| name(road))));
    Ok(finding.into())
}

fn service(facts: &Facts) -> Option<Subject> {
    let service = facts.network.storage_service.ok()?.as_ref()?;
    Some(subject(facts, service))
}

fn subject(facts: &Facts, service: &Service) -> Subject {
    Subject::new("Service", &facts.operator.namespace, &service.name)
}

/// The port that the operator's Pods serve artifacts on.
fn port(facts: &Facts) -> Result<u16, Why> {
    let port = ask::setting(facts, "storage-port")?;
    port.parse().map_err(|_| Why::new(Obstacle::NotOffered, format!("the port {port:?}")))
}

/// Policies that Kubernetes defines and that restrict what the operator's Pods take in.
fn restricting(facts: &Facts) -> Result<Vec<&Policy>, Why> {
    let policies = facts.network.policies.told("the network policies")?;
    let own = policies.iter().filter(|policy| policy.kind == policy::KIND);
    let labels = facts.network.storage_pod_labels.told("the labels of the operator's Pods")?;
    Ok(own.filter(|policy| policy::restricts(policy, &facts.operator.namespace, labels)).collect())
}

/// `N303`.
pub(crate) fn policy_blocks(facts: &Facts) -> Outcome {
    let policies = restricting(facts)?;
    if policies.is_empty() {
        return Ok(Seen::fine());
    }
    let clients = facts.network.clients.told("the Pods that fetch artifacts")?;
    let port = port(facts)?;
    let (mut shut_out, mut undecided) = (Vec::new(), Vec::new());
    for client in clients {
        let name = format!("{}/{}", client.namespace, client.name);
        match policy::lets_in(&policies, client, port) {
            Entry::Yes => {}
            Entry::No => shut_out.push((client, name)),
            Entry::Undecided => {
                undecided.push(Why::new(Obstacle::NotOffered, format!("whether an address block lets {name} in")));
            }
        }
    }
    let seen = Seen::of(shut_out, |shut_out| {
        Finding::new(Code::PolicyBlocks, format!("{} kept out of port {port}", count(shut_out.len(), "client")))
            .about(policies.iter().map(|policy| policy_subject(policy)))
            .about(shut_out.iter().map(|(client, _)| Subject::new("Pod", &client.namespace, &client.name)))
            .with(Evidence::several("kept out", shut_out.iter().map(|(_, name)| name.clone())).instead_of("let in"))
            .with(Evidence::several("policies", policies.iter().map(|policy| policy.name.clone())))
    });
    Ok(seen.blind_to(undecided))
}

fn policy_subject(policy: &Policy) -> Subject {
    Subject::new(&policy.kind, policy.namespace.as_deref().unwrap_or_default(), &policy.name)
}

/// `N304`.
pub(crate) fn no_ready_endpoint(facts: &Facts) -> Outcome {
    let found = facts.network.storage_service.told("the storage Service")?;
    let Some(service) = found else { return Err(Stop::skip("there is no storage Service")) };
    if *service.ready_endpoints.told("the addresses of the storage Service")? > 0 {
        return Ok(Seen::fine());
    }
    let mut finding =
        Finding::new(Code::NoReadyEndpoint, format!("the Service {} leads to no Pod that is ready", service.name))
            .about([subject(facts, service)])
            .with(Evidence::seen("ready addresses", 0).instead_of("1 or more"));
    if let Some(unready) = service.unready_endpoints.ok() {
        finding = finding.with(Evidence::seen("addresses that are not ready", unready));
    }
    Ok(finding.into())
}

/// `N305`.
pub(crate) fn consumers_fail(facts: &Facts) -> Outcome {
    let consumers = facts.signals.consumers.told("the objects that use our artifacts")?;
    let failing: Vec<_> = consumers.iter().filter(|consumer| cannot_fetch(consumer)).collect();
    Ok(Seen::of(failing, |failing| {
        let texts = failing.iter().map(|consumer| {
            format!("{} {}/{}: {}", consumer.kind, consumer.namespace, consumer.name, consumer.message)
        });
        let artifacts = failing.iter().filter_map(|consumer| {
            let (namespace, name) = consumer.artifact.split_once('/')?;
            Some(Subject::new("ExternalArtifact", namespace, name))
        });
        Finding::new(Code::ConsumersFail, format!("{} cannot fetch what we announce", count(failing.len(), "consumer")))
            .about(failing.iter().map(|consumer| Subject::new(&consumer.kind, &consumer.namespace, &consumer.name)))
            .about(artifacts)
            .with(Evidence::several("consumers", texts))
    }))
}

/// Whether a consumer says that it did not get its artifact, as opposed to failing with what it got.
fn cannot_fetch(consumer: &Consumer) -> bool {
    const ABOUT: [&str; 5] = ["fetch", "download", "archive", "artifact", ".tar.gz"];
    const FAILURES: [&str; 15] = [
        "404",
        "not found",
        "500",
        "502",
        "503",
        "504",
        "refused",
        "timeout",
        "timed out",
        "no such host",
        "no route to host",
        "connection reset",
        "eof",
        "digest",
        "checksum",
    ];
    let message = consumer.message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    !consumer.ready && says(&ABOUT) && says(&FAILURES)
}

/// `N306`.
pub(crate) fn policy_not_evaluated(facts: &Facts) -> Outcome {
    let policies = facts.network.policies.told("the network policies")?;
    let labels = facts.network.storage_pod_labels.ok();
    let concerns = |policy: &&Policy| {
        let is_here = policy.namespace.as_deref().is_none_or(|namespace| namespace == facts.operator.namespace);
        policy.kind != policy::KIND && is_here && labels.is_none_or(|labels| policy::selects(&policy.pods, labels))
    };
    let foreign: Vec<_> = policies.iter().filter(concerns).collect();
    let consumers = facts.signals.consumers.ok();
    let all_fetch = consumers.is_some_and(|all| !all.is_empty() && !all.iter().any(cannot_fetch));
    Ok(Seen::of(foreign, |foreign| {
        let names = foreign.iter().map(|policy| policy_subject(policy).to_string());
        let finding = Finding::new(
            Code::PolicyNotEvaluated,
            format!("{} of other dialects may concern the storage port", policies_word(foreign.len())),
        )
        .about(foreign.iter().map(|policy| policy_subject(policy)))
        .with(Evidence::several("policies", names));
        if all_fetch { finding.as_bad_as(Severity::Info) } else { finding }
    }))
}

fn policies_word(number: usize) -> String {
    if number == 1 { "1 policy".to_owned() } else { format!("{number} policies") }
}

/// `N307`.
pub(crate) fn no_storage_service(facts: &Facts) -> Outcome {
    Ok(match facts.network.storage_service.told("the storage Service")? {
        Some(_) => Seen::fine(),
        None => Finding::new(Code::NoStorageService, "no Service leads to the storage server")
            .with(Evidence::seen("Service", "missing").instead_of("jaas-storage"))
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_consumer_that_did_not_get_its_artifact_counts() {
        let says = |message: &str, ready| Consumer { message: message.to_owned(), ready, ..Consumer::default() };
        let lost = "failed to download archive: GET http://jaas-storage/a/b/sha256-0.tar.gz returned status 404";
        assert!(cannot_fetch(&says(lost, false)));
        assert!(!cannot_fetch(&says(lost, true)), "it is over");
        assert!(!cannot_fetch(&says("timeout waiting for: [Deployment/web status: 'InProgress']", false)));
        assert!(!cannot_fetch(&says("Deployment/web dry-run failed: admission denied", false)));
    }
}
