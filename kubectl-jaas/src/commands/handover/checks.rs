//! What is looked at before leadership is moved. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::age::{age, since};
use crate::cli::{HandoverArgs, Method};
use crate::lease::{Leadership, Place};
use crate::operator::{Operator, Replica, Store};
use crate::view::{Step, StepState};

/// A leader that is younger than this tells of other trouble.
const YOUNG: Duration = Duration::from_secs(120);

/// Everything that is known beforehand.
pub(super) struct Facts<'a> {
    pub(super) place: &'a Place,
    pub(super) before: &'a Leadership,
    /// The operator's Pods; `None` where they cannot be seen.
    pub(super) replicas: Option<&'a [Replica]>,
    pub(super) operator: Option<&'a Operator>,
    /// Whether several Pods can write the store's volume.
    pub(super) shares: Option<bool>,
    pub(super) method: Method,
    pub(super) args: &'a HandoverArgs,
    pub(super) now: Timestamp,
}

/// Why it must not be done, if so.
pub(super) fn refusal(steps: &[Step]) -> Option<String> {
    let failed: Vec<_> = steps.iter().filter(|step| step.state == StepState::Failed).collect();
    let reasons = failed.iter().map(|step| step.what.as_str()).collect::<Vec<_>>().join("; ");
    (!failed.is_empty()).then(|| format!("nothing was changed: {reasons}"))
}

impl Facts<'_> {
    /// One step for each check.
    pub(super) fn checks(&self) -> Vec<Step> {
        vec![self.lease(), self.method(), self.standby(), self.steady(), self.rollout(), self.store()]
    }

    /// What is going to be done, after "would".
    pub(super) fn deed(&self) -> String {
        let pod = self.before.pod();
        match self.method {
            Method::Cooperative => format!("ask {pod} to let go of lease {}", self.place),
            Method::Evict => format!("evict Pod {pod}"),
            Method::Delete => format!("delete Pod {pod}"),
            Method::Lease => format!("delete lease {}", self.place),
        }
    }

    /// The same once it is done.
    pub(super) fn done(&self) -> String {
        let pod = self.before.pod();
        match self.method {
            Method::Cooperative => format!("asked {pod} to let go"),
            Method::Evict => format!("evicted Pod {pod}"),
            Method::Delete => format!("deleted Pod {pod}"),
            Method::Lease => format!("deleted lease {}", self.place),
        }
    }

    /// What somebody is asked.
    pub(super) fn question(&self, steps: &[Step]) -> String {
        let mut text: String = steps.iter().map(|step| format!("{:<9} {}\n", step.name, step.what)).collect();
        text.push_str("reads go on meanwhile; writes wait for the new leader\n");
        let deed = self.deed();
        let mut letters = deed.chars();
        let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
        text.push_str(&format!("{first}{} and hand over?", letters.as_str()));
        text
    }

    fn lease(&self) -> Step {
        let held = age(self.before.acquired, self.now);
        let (state, what) = match (self.before.holder.is_empty(), self.before.is_alive(self.now), self.method) {
            (true, _, _) => (StepState::Failed, format!("nobody holds {}; see: kubectl jaas wait leader", self.place)),
            (_, true, _) => (StepState::Ok, format!("{} held by {} since {held}", self.place, self.before.pod())),
            (_, false, Method::Cooperative) => (
                StepState::Failed,
                format!(
                    "{} does not renew {}, so it would not answer; use --method evict, with --allow-outage where no other Pod is ready",
                    self.before.pod(),
                    self.place
                ),
            ),
            (_, false, _) => (StepState::Warning, format!("{} does not renew {}", self.before.pod(), self.place)),
        };
        Step::new("lease", state, what)
    }

    fn method(&self) -> Step {
        let pod = self.before.pod();
        let has_pod = self.replicas.is_some_and(|replicas| replicas.iter().any(|replica| replica.name == pod));
        let (state, what) = match self.method {
            Method::Cooperative if !self.before.steps_down => (
                StepState::Failed,
                "this operator is not known to answer a request to step down; use --method evict".to_owned(),
            ),
            Method::Cooperative => (StepState::Ok, "cooperative: no Pod ends".to_owned()),
            Method::Evict | Method::Delete if !has_pod => {
                (StepState::Failed, format!("Pod {pod} of the leader was not found"))
            }
            Method::Evict => (StepState::Ok, "evict: budgets of disruption hold".to_owned()),
            Method::Delete if !self.args.allow_outage => {
                (StepState::Failed, "delete goes round budgets of disruption; add --allow-outage".to_owned())
            }
            Method::Delete => (StepState::Warning, "delete: goes round budgets of disruption".to_owned()),
            Method::Lease if self.shares == Some(true) => (
                StepState::Failed,
                "several Pods write the volume, and for some seconds there may be two leaders; use --method evict"
                    .to_owned(),
            ),
            Method::Lease => {
                (StepState::Warning, "lease: often the old leader takes it back; for seconds two may write".to_owned())
            }
        };
        Step::new("method", state, what)
    }

    fn standby(&self) -> Step {
        let missing = if self.args.allow_outage { StepState::Warning } else { StepState::Failed };
        let and = if self.args.allow_outage { "" } else { "; --allow-outage goes on all the same" };
        let (state, what) = match self.replicas {
            None => (missing, format!("whether another replica is ready cannot be seen{and}")),
            Some(replicas) => {
                let mut others =
                    replicas.iter().filter(|replica| replica.is_ready && replica.name != self.before.pod());
                match others.next() {
                    Some(replica) => {
                        let node = replica.node.as_deref().map(|node| format!(" on {node}")).unwrap_or_default();
                        (StepState::Ok, format!("{} is ready{node}", replica.name))
                    }
                    None => (missing, format!("no other replica is ready{and}")),
                }
            }
        };
        Step::new("standby", state, what)
    }

    fn steady(&self) -> Step {
        match self.before.acquired.map(|acquired| since(acquired, self.now)) {
            Some(time) if time < YOUNG => {
                let what =
                    format!("it leads for {}s only; a leader that changes often has other trouble", time.as_secs());
                Step::new("steady", StepState::Warning, what)
            }
            Some(_) => Step::new("steady", StepState::Ok, format!("{} changes so far", self.before.transitions)),
            None => Step::new("steady", StepState::Unknown, "since when it leads is not said"),
        }
    }

    fn rollout(&self) -> Step {
        match self.operator {
            None => Step::new("rollout", StepState::Unknown, "the operator's Deployment cannot be seen"),
            Some(operator) if operator.rollout().is_running() => {
                let what = format!("{} replaces its Pods right now, which moves leadership anyway", operator.path());
                Step::new("rollout", StepState::Failed, what)
            }
            Some(_) => Step::new("rollout", StepState::Ok, "no Pods are being replaced"),
        }
    }

    fn store(&self) -> Step {
        let store = self.operator.map(Operator::store);
        let (state, what) = match (&store, self.shares) {
            (None, _) => (StepState::Unknown, "where artifacts are kept cannot be seen".to_owned()),
            (Some(Store::EmptyFolder), _) if self.args.accept_empty_store => {
                (StepState::Warning, "each Pod has a store of its own; the new leader renders everything".to_owned())
            }
            (Some(Store::EmptyFolder), _) => (
                StepState::Failed,
                "each Pod has a store of its own (emptyDir): the new leader has none of the files; \
                 --accept-empty-store goes on"
                    .to_owned(),
            ),
            (Some(Store::Bucket { .. }), _) | (Some(Store::Claim(_) | Store::Other), Some(true)) => (
                StepState::Ok,
                format!("{}: the new leader sees the same files", store.map(|it| it.to_string()).unwrap_or_default()),
            ),
            (Some(store), Some(false)) => (StepState::Warning, format!("{store}: only one node can write it")),
            (Some(store), None) => {
                (StepState::Warning, format!("{store}: whether the new leader sees the same files is not known"))
            }
        };
        Step::new("store", state, what)
    }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
