//! Policies that may stand between consumers and the storage server, and the Pods that fetch.

use std::collections::BTreeMap;

use jaas_findings::Known;
use jaas_findings::facts::network::{Expression, IngressRule, Peer, PortRange, Selector};
use jaas_findings::facts::{Client, Policy};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::ListParams;

use super::{dialects, tell};
use crate::operator::Operator;
use crate::session::{Call, Error, Session};

/// Controllers of Flux that fetch artifacts, by the label that Flux gives their Pods.
const FETCHERS: &str = "app in (source-controller, kustomize-controller, helm-controller, source-watcher)";

/// All policies of the operator's namespace, of whatever dialect the API server serves.
pub(super) async fn list(session: &Session, namespace: &str, operator: Option<&Operator>) -> Known<Vec<Policy>> {
    let policies: Api<NetworkPolicy> = Api::namespaced(session.client.clone(), namespace);
    let call = Call::new("list", "networking.k8s.io", "networkpolicies", &["list"]).within(Some(namespace));
    let params = ListParams::default();
    let (own, foreign) = tokio::join!(session.call(&call, policies.list(&params)), dialects::list(session, namespace));
    let both = own.and_then(|own| foreign.map(|foreign| (own.items, foreign)));
    match both {
        Ok((own, foreign)) => {
            let ports = ports(operator);
            Known::Yes(own.iter().map(|policy| of(policy, &ports)).chain(foreign).collect())
        }
        Err(error) => Known::No(tell::why(&error)),
    }
}

/// Ports of the operator's container by name.
fn ports(operator: Option<&Operator>) -> BTreeMap<String, u16> {
    let container = operator.and_then(Operator::container).cloned().unwrap_or_default();
    let named = container.ports.into_iter().flatten();
    named.filter_map(|port| Some((port.name?, u16::try_from(port.container_port).ok()?))).collect()
}

fn of(policy: &NetworkPolicy, ports: &BTreeMap<String, u16>) -> Policy {
    let spec = policy.spec.clone().unwrap_or_default();
    let types = spec.policy_types.unwrap_or_default();
    let rules = spec.ingress.unwrap_or_default().into_iter().map(|rule| {
        // A rule whose only ports are names that the container does not have lets nothing in.
        let named = rule.ports.unwrap_or_default();
        let ranges: Vec<_> = named.iter().filter_map(|port| range(port, ports)).collect();
        let is_void = !named.is_empty() && ranges.is_empty();
        let from = rule.from.unwrap_or_default().into_iter().map(peer).collect();
        (!is_void).then_some(IngressRule { from, ports: ranges })
    });
    Policy {
        kind: "NetworkPolicy".to_owned(),
        namespace: policy.metadata.namespace.clone(),
        name: policy.metadata.name.clone().unwrap_or_default(),
        pods: spec.pod_selector.map(selector).unwrap_or_default(),
        ingress: types.is_empty() || types.iter().any(|kind| kind == "Ingress"),
        rules: rules.flatten().collect(),
    }
}

fn range(port: &NetworkPolicyPort, names: &BTreeMap<String, u16>) -> Option<PortRange> {
    if port.protocol.as_deref().is_some_and(|protocol| protocol != "TCP") {
        return None;
    }
    let from = match &port.port {
        None => return Some(PortRange { from: 0, to: u16::MAX }),
        Some(IntOrString::Int(number)) => u16::try_from(*number).ok()?,
        Some(IntOrString::String(name)) => *names.get(name)?,
    };
    let to = port.end_port.and_then(|end| u16::try_from(end).ok()).unwrap_or(from);
    Some(PortRange { from, to })
}

fn peer(peer: NetworkPolicyPeer) -> Peer {
    Peer {
        namespaces: peer.namespace_selector.map(selector),
        pods: peer.pod_selector.map(selector),
        block: peer.ip_block.map(|block| block.cidr),
    }
}

fn selector(selector: LabelSelector) -> Selector {
    let expressions = selector.match_expressions.unwrap_or_default().into_iter();
    Selector {
        labels: selector.match_labels.unwrap_or_default(),
        expressions: expressions
            .map(|it| Expression { key: it.key, operator: it.operator, values: it.values.unwrap_or_default() })
            .collect(),
    }
}

/// The Pods that fetch artifacts, with the labels of their namespaces.
pub(super) async fn clients(session: &Session) -> Known<Vec<Client>> {
    match fetchers(session).await {
        Ok(clients) => Known::Yes(clients),
        Err(error) => Known::No(tell::why(&error)),
    }
}

async fn fetchers(session: &Session) -> Result<Vec<Client>, Error> {
    let pods: Api<Pod> = Api::all(session.client.clone());
    let namespaces: Api<Namespace> = Api::all(session.client.clone());
    let (params, any) = (ListParams::default().labels(FETCHERS), ListParams::default());
    let (pods_call, places_call) =
        (Call::new("list", "", "pods", &["list"]), Call::new("list", "", "namespaces", &["list"]));
    let (pods, places) = tokio::try_join!(
        session.call(&pods_call, pods.list_metadata(&params)),
        session.call(&places_call, namespaces.list_metadata(&any)),
    )?;
    let labels: BTreeMap<_, _> = places
        .items
        .into_iter()
        .map(|place| (place.metadata.name, place.metadata.labels.unwrap_or_default()))
        .collect();
    let client = |pod: kube::core::ObjectMeta| Client {
        namespace_labels: labels.get(&pod.namespace).cloned().unwrap_or_default(),
        namespace: pod.namespace.unwrap_or_default(),
        name: pod.name.unwrap_or_default(),
        labels: pod.labels.unwrap_or_default(),
    };
    Ok(pods.items.into_iter().map(|pod| client(pod.metadata)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_that_has_a_name_is_the_containers_number() {
        let ports = BTreeMap::from([("storage".to_owned(), 8082)]);
        let policy = json!({"metadata": {"namespace": "jaas-system", "name": "jaas"}, "spec": {
            "podSelector": {"matchLabels": {"app": "jaas"}}, "policyTypes": ["Ingress"], "ingress": [
                {"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": "storage"}]},
                {"ports": [{"port": "nothing"}]}, {"ports": [{"port": 80, "endPort": 90}]}]}});
        let policy = of(&serde_json::from_value(policy).unwrap(), &ports);
        let seen: Vec<_> = policy.rules.iter().map(|rule| (rule.from.len(), rule.ports.clone())).collect();
        let one = |from, to| vec![PortRange { from, to }];
        assert_eq!(seen, [(1, one(8082, 8082)), (0, one(80, 90))]);
        assert!(policy.ingress && policy.pods.labels.contains_key("app"));
    }
}
