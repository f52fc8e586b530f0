//! Whether a NetworkPolicy of Kubernetes lets a Pod reach a port. Pure.
//!
//! Policies add up: a Pod that no policy selects takes everybody; one that some select takes whom any of them lets in.

use std::collections::BTreeMap;

use crate::facts::network::{Expression, IngressRule, Peer, Selector};
use crate::facts::{Client, Policy};

/// The kind that is evaluated.
pub(crate) const KIND: &str = "NetworkPolicy";

/// Whether a client is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// It is not.
    No,
    /// Only a rule of addresses could let it in, and those are not evaluated.
    Undecided,
    /// It is.
    Yes,
}

type Labels = BTreeMap<String, String>;

/// Whether `policy` restricts what comes in to the Pods that carry `labels` in `namespace`.
pub(crate) fn restricts(policy: &Policy, namespace: &str, labels: &Labels) -> bool {
    policy.ingress && policy.namespace.as_deref() == Some(namespace) && selects(&policy.pods, labels)
}

/// Whether policies that all restrict the same Pods let `client` in at `port`.
pub(crate) fn lets_in(policies: &[&Policy], client: &Client, port: u16) -> Entry {
    if policies.is_empty() {
        return Entry::Yes;
    }
    let rules = policies.iter().flat_map(|policy| policy.rules.iter().map(|rule| (*policy, rule)));
    rules.map(|(policy, rule)| by_rule(policy, rule, client, port)).max().unwrap_or(Entry::No)
}

fn by_rule(policy: &Policy, rule: &IngressRule, client: &Client, port: u16) -> Entry {
    let is_for_port = |ports: &crate::facts::network::PortRange| (ports.from..=ports.to).contains(&port);
    if !rule.ports.is_empty() && !rule.ports.iter().any(is_for_port) {
        return Entry::No;
    }
    if rule.from.is_empty() {
        return Entry::Yes;
    }
    rule.from.iter().map(|peer| by_peer(policy, peer, client)).max().unwrap_or(Entry::No)
}

fn by_peer(policy: &Policy, peer: &Peer, client: &Client) -> Entry {
    if peer.block.is_some() {
        return Entry::Undecided;
    }
    let is_there = match &peer.namespaces {
        Some(selector) => selects(selector, &client.namespace_labels),
        None => peer.pods.is_some() && policy.namespace.as_deref() == Some(client.namespace.as_str()),
    };
    let is_it = peer.pods.as_ref().is_none_or(|selector| selects(selector, &client.labels));
    if is_there && is_it { Entry::Yes } else { Entry::No }
}

/// Whether a selector selects what carries these labels.
pub(crate) fn selects(selector: &Selector, labels: &Labels) -> bool {
    selector.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && selector.expressions.iter().all(|expression| holds(expression, labels))
}

fn holds(expression: &Expression, labels: &Labels) -> bool {
    let value = labels.get(&expression.key);
    match expression.operator.as_str() {
        "In" => value.is_some_and(|value| expression.values.contains(value)),
        "NotIn" => value.is_none_or(|value| !expression.values.contains(value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        // The API server takes no other; one of a later version selects nothing here.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::network::PortRange;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn selector(pairs: &[(&str, &str)]) -> Selector {
        Selector { labels: labels(pairs), expressions: Vec::new() }
    }

    fn client() -> Client {
        Client {
            namespace: "flux-system".to_owned(),
            name: "source-controller".to_owned(),
            namespace_labels: labels(&[("kubernetes.io/metadata.name", "flux-system")]),
            labels: labels(&[("app", "source-controller")]),
        }
    }

    fn policy(rules: Vec<IngressRule>) -> Policy {
        Policy {
            kind: KIND.to_owned(),
            namespace: Some("jaas-system".to_owned()),
            ingress: true,
            rules,
            ..Policy::default()
        }
    }

    fn from(peer: Peer) -> IngressRule {
        IngressRule { from: vec![peer], ports: Vec::new() }
    }

    fn entry(policies: &[Policy]) -> Entry {
        lets_in(&policies.iter().collect::<Vec<_>>(), &client(), 8082)
    }

    #[test]
    fn without_a_policy_everybody_is_let_in_and_with_an_empty_one_nobody() {
        assert_eq!(entry(&[]), Entry::Yes);
        assert_eq!(entry(&[policy(Vec::new())]), Entry::No);
        assert_eq!(entry(&[policy(vec![IngressRule::default()])]), Entry::Yes);
    }

    #[test]
    fn one_policy_that_lets_in_is_enough() {
        assert_eq!(entry(&[policy(Vec::new()), policy(vec![IngressRule::default()])]), Entry::Yes);
    }

    #[test]
    fn both_selectors_of_a_peer_must_hold() {
        let place = Some(selector(&[("kubernetes.io/metadata.name", "flux-system")]));
        let right =
            Peer { namespaces: place.clone(), pods: Some(selector(&[("app", "source-controller")])), block: None };
        let wrong = Peer { namespaces: place, pods: Some(selector(&[("app", "helm-controller")])), block: None };
        assert_eq!(entry(&[policy(vec![from(right)])]), Entry::Yes);
        assert_eq!(entry(&[policy(vec![from(wrong)])]), Entry::No);
    }

    #[test]
    fn without_a_namespace_selector_the_policys_own_namespace_counts() {
        let peer = Peer { pods: Some(Selector::default()), ..Peer::default() };
        assert_eq!(entry(&[policy(vec![from(peer.clone())])]), Entry::No);
        let there = Policy { namespace: Some("flux-system".to_owned()), ..policy(vec![from(peer)]) };
        assert_eq!(entry(&[there]), Entry::Yes);
    }

    #[test]
    fn a_rule_for_other_ports_lets_nobody_in() {
        let ports = |from, to| policy(vec![IngressRule { from: Vec::new(), ports: vec![PortRange { from, to }] }]);
        assert_eq!(entry(&[ports(8083, 9000)]), Entry::No);
        assert_eq!(entry(&[ports(8000, 8082)]), Entry::Yes);
    }

    #[test]
    fn addresses_leave_it_undecided() {
        let peer = Peer { block: Some("10.0.0.0/8".to_owned()), ..Peer::default() };
        assert_eq!(entry(&[policy(vec![from(peer)])]), Entry::Undecided);
    }

    #[test]
    fn expressions_mean_what_kubernetes_says() {
        let labels = labels(&[("app", "jaas")]);
        let holds = |key: &str, operator: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            holds(&Expression { key: key.to_owned(), operator: operator.to_owned(), values }, &labels)
        };
        assert!(
            holds("app", "In", &["jaas", "other"]) && !holds("app", "In", &["other"]) && !holds("tier", "In", &["x"])
        );
        assert!(
            holds("app", "NotIn", &["other"]) && !holds("app", "NotIn", &["jaas"]) && holds("tier", "NotIn", &["x"])
        );
        assert!(holds("app", "Exists", &[]) && !holds("tier", "Exists", &[]));
        assert!(holds("tier", "DoesNotExist", &[]) && !holds("app", "DoesNotExist", &[]));
    }
}
