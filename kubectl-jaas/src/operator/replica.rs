//! One Pod of the operator. Pure.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

/// One Pod of the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replica {
    /// Name of the Pod.
    pub(crate) name: String,
    /// Which Pod of that name.
    pub(crate) uid: String,
    /// Whether it works and is not on its way out.
    pub(crate) is_ready: bool,
    /// The node it runs on.
    pub(crate) node: Option<String>,
    /// How often its containers were started again.
    pub(crate) restarts: i32,
    /// Why a container does not run, or why it last ended.
    pub(crate) trouble: Option<String>,
    /// When it was made.
    pub(crate) created: Option<Timestamp>,
}

impl Replica {
    /// Reads a Pod.
    pub(crate) fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let is_ready = |condition: &k8s_openapi::api::core::v1::PodCondition| {
            condition.type_ == "Ready" && condition.status == "True"
        };
        let containers = status.container_statuses.unwrap_or_default();
        let waiting = containers.iter().find_map(|container| {
            let waiting = container.state.as_ref()?.waiting.as_ref()?;
            waiting.reason.clone()
        });
        let ended = containers.iter().find_map(|container| {
            let ended = container.last_state.as_ref()?.terminated.as_ref()?;
            Some(format!("last ended with {}", ended.reason.clone().unwrap_or_else(|| ended.exit_code.to_string())))
        });
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            is_ready: pod.metadata.deletion_timestamp.is_none() && status.conditions.iter().flatten().any(is_ready),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            restarts: containers.iter().map(|container| container.restart_count).sum(),
            trouble: waiting.or(ended),
            created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_tells_whether_it_works_and_why_not() {
        let pod = json!({"metadata": {"name": "jaas-1", "uid": "u"}, "spec": {"nodeName": "node-a", "containers": []},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "jaas",
            "image": "", "imageID": "", "ready": true, "restartCount": 3,
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}});
        let replica = Replica::of(&serde_json::from_value(pod.clone()).unwrap());
        assert_eq!((replica.is_ready, replica.restarts, replica.node.as_deref()), (true, 3, Some("node-a")));
        assert_eq!(replica.trouble.as_deref(), Some("last ended with OOMKilled"));
        let mut leaving = pod;
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
        assert!(!Replica::of(&serde_json::from_value(leaving).unwrap()).is_ready);
    }
}
