//! The operator's Deployment and Pods, as far as commands look at them. Pure.

mod replica;
mod store;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub(crate) use replica::Replica;
pub(crate) use store::{Store, mounted};

use crate::cli::OperatorArgs;
use crate::lease::Place;

/// Label by which an operator's Deployment is found, whatever its namespace and name.
pub(crate) const LABEL: &str = "app.kubernetes.io/name=jaas";
/// Name of the Lease where no argument says another.
const DEFAULT_LEASE: &str = "jaas-operator";

/// An operator's Deployment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operator(pub(crate) Deployment);

/// How far a Deployment is with replacing its Pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rollout {
    /// How many Pods there shall be.
    pub(crate) wanted: i32,
    /// How many are of the newest kind.
    pub(crate) updated: i32,
    /// How many there are of any kind.
    pub(crate) total: i32,
    /// How many can be used.
    pub(crate) available: i32,
    /// Whether the newest change was taken up at all.
    pub(crate) is_observed: bool,
}

impl Rollout {
    /// Whether every Pod is of the newest kind and can be used.
    pub(crate) fn is_done(self) -> bool {
        self.is_observed && self.updated == self.wanted && self.total == self.wanted && self.available >= self.wanted
    }

    /// Whether Pods are being replaced. One that only lacks a working Pod is not.
    pub(crate) fn is_running(self) -> bool {
        !self.is_observed || self.updated < self.wanted || self.total > self.updated
    }
}

impl Operator {
    /// Its namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.0.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.0.metadata.name.as_deref().unwrap_or_default()
    }

    /// Namespace and name.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.namespace(), self.name())
    }

    /// Its version, by the tag of its image.
    pub(crate) fn version(&self) -> Option<&str> {
        tag(self.image()?)
    }

    /// Its image.
    pub(crate) fn image(&self) -> Option<&str> {
        self.container()?.image.as_deref()
    }

    /// Working Pods and how many there shall be.
    pub(crate) fn ready(&self) -> (i32, i32) {
        let status = self.0.status.as_ref();
        let wanted = self.0.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        (status.and_then(|status| status.ready_replicas).unwrap_or(0), wanted)
    }

    /// How far it is with replacing its Pods.
    pub(crate) fn rollout(&self) -> Rollout {
        let status = self.0.status.clone().unwrap_or_default();
        Rollout {
            wanted: self.ready().1,
            updated: status.updated_replicas.unwrap_or(0),
            total: status.replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            is_observed: status.observed_generation.unwrap_or(0) >= self.0.metadata.generation.unwrap_or(0),
        }
    }

    /// Whether old Pods end before new ones begin: by the strategy, or since there may be none more than are wanted.
    pub(crate) fn recreates(&self) -> bool {
        let Some(strategy) = self.0.spec.as_ref().and_then(|spec| spec.strategy.as_ref()) else { return false };
        let surge = strategy.rolling_update.as_ref().and_then(|rolling| rolling.max_surge.as_ref());
        let is_none_more = surge.is_some_and(|surge| match surge {
            IntOrString::Int(number) => *number == 0,
            IntOrString::String(share) => share.trim_end_matches('%').parse() == Ok(0),
        });
        strategy.type_.as_deref() == Some("Recreate") || is_none_more
    }

    /// The selector of its Pods, as a query.
    pub(crate) fn selector(&self) -> String {
        let labels = self.0.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone()).unwrap_or_default();
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
    }

    /// The last value of a flag, in either form: `--flag=value`, or `--flag` and the value after it.
    pub(crate) fn argument(&self, flag: &str) -> Option<&str> {
        self.arguments(flag).last().copied()
    }

    /// All values of a flag.
    pub(crate) fn arguments(&self, flag: &str) -> Vec<&str> {
        let args = self.container().and_then(|container| container.args.as_deref()).unwrap_or_default();
        let mut values = Vec::new();
        for (position, argument) in args.iter().enumerate() {
            let Some(rest) = argument.strip_prefix("--").and_then(|rest| rest.strip_prefix(flag)) else { continue };
            let next = || args.get(position + 1).map(String::as_str).filter(|next| !next.starts_with("--"));
            match rest.strip_prefix('=') {
                Some(value) => values.push(value),
                None if rest.is_empty() => values.extend(next()),
                None => {}
            }
        }
        values
    }

    /// Whether one of several replicas leads; otherwise each writes.
    pub(crate) fn elects(&self) -> bool {
        self.argument("leader-election") != Some("false")
    }

    /// Variables that are set for every program, by flag or literal environment. The second part tells whether there are others
    /// whose values stand in Secrets or ConfigMaps.
    pub(crate) fn external_variables(&self) -> (BTreeMap<String, String>, bool) {
        let container = self.container().cloned().unwrap_or_default();
        let literal = container
            .env
            .iter()
            .flatten()
            .filter_map(|entry| Some((entry.name.strip_prefix("JAAS_EXT_VAR_")?.to_owned(), entry.value.clone()?)));
        let mut variables: BTreeMap<_, _> = literal.collect();
        let pairs = self.arguments("ext-var").into_iter().filter_map(|pair| pair.split_once('='));
        variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        (variables, container.env_from.is_some_and(|sources| !sources.is_empty()))
    }

    /// Where it keeps artifacts.
    pub(crate) fn store(&self) -> Store {
        Store::of(self)
    }

    /// The user that its container runs as, where its template says one.
    pub(crate) fn user(&self) -> Option<i64> {
        let own = self.container().and_then(|container| container.security_context.as_ref()?.run_as_user);
        own.or_else(|| self.template()?.security_context.as_ref()?.run_as_user)
    }

    /// Name of its ServiceAccount.
    pub(crate) fn account(&self) -> &str {
        self.template().and_then(|pod| pod.service_account_name.as_deref()).unwrap_or("default")
    }

    fn template(&self) -> Option<&PodSpec> {
        self.0.spec.as_ref()?.template.spec.as_ref()
    }

    /// Its container.
    pub(crate) fn container(&self) -> Option<&Container> {
        self.template()?.containers.first()
    }
}

/// Where the Lease is: as the flags say, else as the operator's own arguments say. `None` where neither tells a namespace.
pub(crate) fn lease(operator: Option<&Operator>, args: &OperatorArgs) -> Option<Place> {
    let argument = |flag| operator.and_then(|operator| operator.argument(flag)).filter(|value| !value.is_empty());
    let name = args.lease.as_deref().or(argument("leader-election-id")).unwrap_or(DEFAULT_LEASE);
    let namespace = argument("leader-election-namespace")
        .or(operator.map(Operator::namespace))
        .or(args.operator_namespace.as_deref())?;
    Some(Place { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// The tag of an image; a port of the registry is none, and a digest says nothing to a person.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let last = name.rsplit('/').next()?;
    last.split_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
#[path = "operator/tests.rs"]
pub(crate) mod tests;
