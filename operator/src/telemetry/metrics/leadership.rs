//! Who leads, under the name that every controller-runtime program has.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::leadership::decide::{Action, Failure};
use crate::leadership::{Hooks, State};

/// The metrics. Clones share the values.
#[derive(Clone, Default)]
pub struct Leadership {
    master: Family<[(&'static str, String); 1], Gauge>,
    changes: Counter,
    requests: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Leadership {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let leadership = Self::default();
        registry.register(
            "leader_election_master_status",
            "Whether this replica leads; `name` is that of the Lease",
            leadership.master.clone(),
        );
        registry.register(
            "jaas_leadership_changes",
            "Terms of this replica that began or ended",
            leadership.changes.clone(),
        );
        registry.register("jaas_lease_requests", "Requests for the Lease by their result", leadership.requests.clone());
        leadership
    }

    /// Counts for the Lease of this name.
    pub fn of(&self, lease: &str) -> impl Hooks + use<> {
        let labels = [("name", lease.to_owned())];
        self.master.get_or_create(&labels).set(0);
        Counting { to: self.clone(), labels }
    }

    /// This process leads without a Lease: there is no election.
    pub fn sole(&self, lease: &str) {
        self.master.get_or_create(&[("name", lease.to_owned())]).set(1);
    }
}

struct Counting {
    to: Leadership,
    labels: [(&'static str, String); 1],
}

impl Hooks for Counting {
    fn state(&self, state: &State) {
        let leads = i64::from(matches!(state, State::Leader { .. }));
        if self.to.master.get_or_create(&self.labels).set(leads) != leads {
            self.to.changes.inc();
        }
    }

    fn call(&self, _: Action, failure: Option<Failure>, _: Duration) {
        let result = if failure.is_some() { "failed" } else { "answered" };
        self.to.requests.get_or_create(&[("result", result)]).inc();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_change_counts_once() {
        let mut registry = Registry::default();
        let hooks = Leadership::registered(&mut registry).of("jaas-operator");
        for state in [
            State::Standby { holder: None },
            State::Leader { epoch: crate::leadership::Epoch::default(), since: jiff::Timestamp::UNIX_EPOCH },
            State::Leader { epoch: crate::leadership::Epoch::default(), since: jiff::Timestamp::UNIX_EPOCH },
        ] {
            hooks.state(&state);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("leader_election_master_status{name=\"jaas-operator\"} 1"), "{text}");
        assert!(text.contains("jaas_leadership_changes_total 1"), "{text}");
    }
}
