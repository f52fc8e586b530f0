//! A Lease as election reads and writes it, with the meaning that client-go gives to its fields. Pure.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;

use super::{STEP_DOWN, STEP_DOWN_ANSWERED};

/// What a Lease says its duration is once its holder has let go.
const RELEASED_SECONDS: i32 = 1;

/// What is read of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which Lease of that name.
    pub uid: String,
    /// Its resourceVersion. Kubernetes orders those of one resource type as numbers.
    pub version: u64,
    /// What the holder wrote.
    pub entry: Entry,
    /// The token of a request to step down that nobody has answered.
    pub step_down: Option<String>,
}

/// What the holder wrote. As long as it stays the same, nobody has renewed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Who; nobody where empty.
    pub holder: String,
    /// For how long others keep away.
    pub seconds: i32,
    /// When the holder took over, by its own date.
    pub acquired: Option<Timestamp>,
    /// When the holder last renewed, by its own date.
    pub renewed: Option<Timestamp>,
    /// How often the holder has changed.
    pub transitions: i32,
}

impl Entry {
    /// The holder let go: whoever wants may take over at once. A name that somebody erased by hand does not say so.
    pub fn is_released(&self) -> bool {
        self.holder.is_empty() && self.seconds <= RELEASED_SECONDS
    }

    /// How long others keep away, where the record says so.
    pub fn duration(&self) -> Option<Duration> {
        u64::try_from(self.seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// The same holder of the same term, with the holder gone.
    #[must_use]
    pub fn released(&self, date: Timestamp) -> Self {
        Self {
            holder: String::new(),
            seconds: RELEASED_SECONDS,
            acquired: Some(micro(date)),
            renewed: Some(micro(date)),
            transitions: self.transitions,
        }
    }
}

impl Record {
    /// Reads a Lease.
    pub fn of(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let annotation = |name| lease.metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
        let asked = annotation(STEP_DOWN).filter(|token| !token.is_empty());
        Self {
            uid: lease.metadata.uid.clone().unwrap_or_default(),
            version: lease.metadata.resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default(),
            entry: Entry {
                holder: spec.holder_identity.unwrap_or_default(),
                seconds: spec.lease_duration_seconds.unwrap_or_default(),
                acquired: spec.acquire_time.map(|time| time.0),
                renewed: spec.renew_time.map(|time| time.0),
                transitions: spec.lease_transitions.unwrap_or_default(),
            },
            step_down: if asked == annotation(STEP_DOWN_ANSWERED) { None } else { asked },
        }
    }
}

/// A Lease that says `entry`, and that the request `answer` is answered. What others wrote into it stays, its resourceVersion too.
pub fn lease(base: Lease, entry: &Entry, answer: Option<&str>) -> Lease {
    let mut lease = base;
    let others = lease.spec.take().unwrap_or_default();
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(entry.holder.clone()),
        lease_duration_seconds: Some(entry.seconds),
        acquire_time: entry.acquired.map(MicroTime),
        renew_time: entry.renewed.map(MicroTime),
        lease_transitions: Some(entry.transitions),
        ..others
    });
    if let Some(token) = answer {
        let annotations = lease.metadata.annotations.get_or_insert_default();
        annotations.insert(STEP_DOWN_ANSWERED.to_owned(), token.to_owned());
    }
    lease
}

/// A Lease that is not there yet.
pub fn blank(namespace: &str, name: &str) -> Lease {
    let (namespace, name) = (Some(namespace.to_owned()), Some(name.to_owned()));
    Lease { metadata: ObjectMeta { namespace, name, ..ObjectMeta::default() }, spec: None }
}

/// A date as a Lease keeps it, so that what is read again equals what was written.
pub fn micro(date: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(date.as_microsecond()).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lease_of_the_go_implementation_is_read_and_kept() {
        let written = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "l", "uid": "u", "resourceVersion": "17", "labels": {"a": "b"}},
            "spec": {
                "holderIdentity": "pod_1", "leaseDurationSeconds": 15, "leaseTransitions": 3,
                "acquireTime": "2026-01-02T03:04:05.000006Z", "renewTime": "2026-01-02T03:04:07.123456Z",
            },
        });
        let read: Lease = serde_json::from_value(written.clone()).unwrap();
        let record = Record::of(&read);
        assert_eq!((record.uid.as_str(), record.version, record.entry.transitions), ("u", 17, 3));
        assert_eq!(serde_json::to_value(lease(read, &record.entry, None)).unwrap(), written);
    }

    #[test]
    fn a_request_to_step_down_is_open_until_its_own_token_is_answered() {
        let mut asked = blank("n", "l");
        let annotate = |lease: &mut Lease, name: &str, token: &str| {
            lease.metadata.annotations.get_or_insert_default().insert(name.to_owned(), token.to_owned());
        };
        assert_eq!(Record::of(&asked).step_down, None);
        annotate(&mut asked, STEP_DOWN, "two");
        annotate(&mut asked, STEP_DOWN_ANSWERED, "one");
        assert_eq!(Record::of(&asked).step_down.as_deref(), Some("two"));
        let answered = lease(asked, &Entry::default(), Some("two"));
        assert_eq!(Record::of(&answered).step_down, None);
    }

    #[test]
    fn letting_go_is_told_from_an_erased_name() {
        let held = Entry { holder: "a".to_owned(), seconds: 15, transitions: 4, ..Entry::default() };
        let released = held.released(Timestamp::UNIX_EPOCH);
        assert!(released.is_released());
        assert_eq!(released.transitions, 4);
        assert!(!Entry { holder: String::new(), ..held }.is_released());
    }
}
