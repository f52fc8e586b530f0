//! The operator's Pods.

use jaas_findings::facts::operator::Termination;
use jaas_findings::facts::{Flags, Pod};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};
use k8s_openapi::api::core::v1::Pod as Object;
use kube::Api;
use kube::api::ListParams;

use super::IntoKnown as _;
use crate::operator::Operator;
use crate::session::{Call, Session};

/// Each Pod that the Deployment's selector chooses, ended ones included.
pub(super) async fn list(session: &Session, operator: &Operator) -> Known<Vec<Pod>> {
    let pods: Api<Object> = Api::namespaced(session.client.clone(), operator.namespace());
    let call = Call::new("list", "", "pods", &["list"]).within(Some(operator.namespace()));
    let listed = session.call(&call, pods.list(&ListParams::default().labels(&operator.selector()))).await;
    listed.map(|listed| listed.items.iter().map(of).collect()).into_known()
}

fn of(pod: &Object) -> Pod {
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let container = spec.containers.first().cloned().unwrap_or_default();
    let states = status.container_statuses.unwrap_or_default();
    let state = states.iter().find(|state| state.name == container.name).or(states.first());
    let running = state.and_then(|state| state.state.as_ref()?.running.clone());
    let waiting = state.and_then(|state| state.state.as_ref()?.waiting.as_ref()?.reason.clone());
    let ended = state.and_then(|state| state.last_state.as_ref()?.terminated.clone());
    let conditions = status.conditions.unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let unscheduled = condition("PodScheduled").filter(|it| it.status == "False").and_then(|it| it.reason.clone());
    let is_leaving = pod.metadata.deletion_timestamp.is_some();
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let args = container.args.as_deref().unwrap_or_default();
    Pod {
        name: pod.metadata.name.clone().unwrap_or_default(),
        node: spec.node_name,
        phase: status.phase.unwrap_or_default(),
        reason: status.reason,
        ready: !is_leaving && condition("Ready").is_some_and(|it| it.status == "True"),
        started: running.and_then(|running| running.started_at).map(|time| time.0),
        // The API server writes when its grace period is over, not when it was asked to end.
        ends: pod.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
        image: container.image.clone().unwrap_or_default(),
        restarts: state.map_or(0, |state| u32::try_from(state.restart_count).unwrap_or_default()),
        waiting: waiting.or(unscheduled),
        last_termination: ended.map(|ended| Termination {
            reason: ended.reason.unwrap_or_default(),
            exit_code: Some(ended.exit_code),
            at: ended.finished_at.map(|time| time.0),
        }),
        memory_limit: limits.and_then(|limits| limits.get("memory")).and_then(|quantity| bytes(&quantity.0)),
        arguments: Flags::of_arguments(args.iter().map(String::as_str)).into(),
        leads: Known::No(Why::new(Obstacle::NotOffered, "whether the process itself says that it leads")),
    }
}

/// Bytes of a quantity such as `512Mi`; `None` for one that has no whole number of them.
pub(crate) fn bytes(quantity: &str) -> Option<u64> {
    const UNITS: [(&str, u32); 12] = [
        ("Ki", 10),
        ("Mi", 20),
        ("Gi", 30),
        ("Ti", 40),
        ("Pi", 50),
        ("Ei", 60),
        ("k", 3),
        ("M", 6),
        ("G", 9),
        ("T", 12),
        ("P", 15),
        ("E", 18),
    ];
    let (number, factor) = match UNITS.iter().find(|(unit, _)| quantity.ends_with(unit)) {
        Some((unit, power)) => {
            let base: u64 = if unit.ends_with('i') { 2 } else { 10 };
            (quantity.strip_suffix(unit)?, base.checked_pow(*power)?)
        }
        None => (quantity, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_as_bytes() {
        assert_eq!(bytes("512Mi"), Some(512 << 20));
        assert_eq!((bytes("10k"), bytes("7"), bytes("1.5Gi"), bytes("x")), (Some(10_000), Some(7), None, None));
    }

    #[test]
    fn a_pod_tells_why_it_waits_and_how_it_ended() {
        let pod = json!({"metadata": {"name": "jaas-1"}, "spec": {"containers": [{"name": "jaas", "image": "i:1",
            "args": ["--s3-secret-key=abcdefgh12"], "resources": {"limits": {"memory": "1Gi"}}}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "jaas", "image": "", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-22T12:00:00Z"}}}]}});
        let pod = of(&serde_json::from_value(pod).unwrap());
        assert_eq!((pod.ready, pod.restarts, pod.memory_limit), (false, 3, Some(1 << 30)));
        assert_eq!(pod.waiting.as_deref(), Some("CrashLoopBackOff"));
        assert_eq!(pod.last_termination.map(|end| end.reason).as_deref(), Some("OOMKilled"));
        assert_eq!(pod.arguments.ok().and_then(|flags| flags.get("s3-secret-key")), Some("****12"));
    }
}
