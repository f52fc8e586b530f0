//! The status of a Pod. Pure.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Ending;

/// What the container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It runs since then.
    Running(Timestamp),
    /// It is to be started later, for this reason.
    Waiting(&'static str),
    /// It has ended for good.
    Ended(Ending),
}

/// What is known of a Pod.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) container: String,
    pub(super) image: String,
    pub(super) ip: IpAddr,
    pub(super) began: Timestamp,
    pub(super) doing: Doing,
    pub(super) last: Option<Ending>,
    pub(super) restarts: u32,
    pub(super) ready: bool,
    /// When it became ready, or not.
    pub(super) changed: Timestamp,
}

/// The status, whole.
pub(super) fn status(known: &Known) -> Value {
    let Known { container, image, ip, began, doing, last, restarts, ready, changed } = known;
    let truth = |truth: bool| if truth { "True" } else { "False" };
    let condition = |kind: &str, is: bool, since: &Timestamp| json!({"type": kind, "status": truth(is), "lastTransitionTime": seconds(since)});
    let phase = match doing {
        Doing::Ended(ending) if ending.exit_code == 0 => "Succeeded",
        Doing::Ended(_) => "Failed",
        Doing::Waiting("ContainerCreating") => "Pending",
        Doing::Running(_) | Doing::Waiting(_) => "Running",
    };
    let state = match doing {
        Doing::Running(since) => json!({"running": {"startedAt": seconds(since)}}),
        Doing::Waiting(reason) => json!({"waiting": {"reason": reason}}),
        Doing::Ended(ending) => json!({"terminated": terminated(ending)}),
    };
    let last_state = last.as_ref().map_or_else(|| json!({}), |ending| json!({"terminated": terminated(ending)}));
    json!({
        "phase": phase,
        "hostIP": "127.0.0.1",
        "podIP": ip.to_string(),
        "podIPs": [{"ip": ip.to_string()}],
        "startTime": seconds(began),
        "conditions": [
            condition("PodScheduled", true, began),
            condition("Initialized", true, began),
            condition("ContainersReady", *ready, changed),
            condition("Ready", *ready, changed),
        ],
        "containerStatuses": [{
            "name": container, "image": image, "imageID": "", "containerID": "process://",
            "ready": ready, "started": matches!(doing, Doing::Running(_)),
            "restartCount": restarts, "state": state, "lastState": last_state,
        }],
    })
}

fn terminated(ending: &Ending) -> Value {
    json!({
        "exitCode": ending.exit_code, "reason": ending.reason, "startedAt": seconds(&ending.began),
        "finishedAt": seconds(&ending.ended), "containerID": "process://",
    })
}

/// Kubernetes' times have whole seconds.
fn seconds(time: &Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_container_runs_and_tells_how_it_ended() {
        let time = Timestamp::UNIX_EPOCH;
        let ending = Ending { exit_code: 137, reason: "OOMKilled", began: time, ended: time };
        let known = Known {
            container: "jaas".to_owned(),
            image: "i:1".to_owned(),
            ip: IpAddr::from([192, 0, 2, 1]),
            began: time,
            doing: Doing::Running(time),
            last: Some(ending.clone()),
            restarts: 1,
            ready: true,
            changed: time,
        };
        let said = status(&known);
        let container = &said["containerStatuses"][0];
        assert_eq!((&said["phase"], &container["restartCount"]), (&json!("Running"), &json!(1)));
        assert_eq!(container["lastState"]["terminated"]["reason"], "OOMKilled");
        assert_eq!(container["state"]["running"]["startedAt"], "1970-01-01T00:00:00Z");
        assert_eq!(said["conditions"][3]["status"], "True");
        let over = status(&Known { doing: Doing::Ended(ending), ready: false, ..known });
        assert_eq!((&over["phase"], &over["conditions"][3]["status"]), (&json!("Failed"), &json!("False")));
    }
}
