//! Services of the operator, and the addresses behind them.

use jaas_findings::Known;
use jaas_findings::facts::network::Service;
use k8s_openapi::api::core::v1::Service as Object;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;

use super::operator::{flags, labels};
use super::tell;
use crate::operator::Operator;
use crate::session::{Call, Session};

/// Label of an EndpointSlice: the Service that it belongs to.
const OWNER: &str = "kubernetes.io/service-name";

/// Name and port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name.
    pub(super) name: String,
    /// The port.
    pub(super) port: u16,
}

/// Services that lead to the operator.
pub(super) struct Services {
    /// To the storage server.
    pub(super) storage: Known<Option<Service>>,
    /// To the metrics, where one does.
    pub(super) metrics: Option<Target>,
}

/// Looks for them in the operator's namespace.
pub(super) async fn services(session: &Session, namespace: &str, operator: Option<&Operator>) -> Services {
    let services: Api<Object> = Api::namespaced(session.client.clone(), namespace);
    let call = Call::new("list", "", "services", &["list"]).within(Some(namespace));
    let listed = match session.call(&call, services.list(&ListParams::default())).await {
        Ok(listed) => listed.items,
        Err(error) => return Services { storage: Known::No(tell::why(&error)), metrics: None },
    };
    let metrics = port(&listed, operator, "metrics");
    let storage = match storage(&listed, operator) {
        Some(target) => Some(addresses(session, namespace, target).await),
        None => None,
    };
    Services { storage: storage.into(), metrics }
}

/// The Service that the published addresses name, else one whose port is called so.
fn storage(services: &[Object], operator: Option<&Operator>) -> Option<Target> {
    let flags = operator.map(flags).unwrap_or_default();
    let base: Option<http::Uri> = flags.get("storage-base-url").and_then(|url| url.parse().ok());
    let host = base.as_ref().and_then(http::Uri::host).and_then(|host| host.split('.').next()).unwrap_or_default();
    let named = services.iter().find(|service| service.metadata.name.as_deref() == Some(host));
    let first = |service: &Object| service.spec.as_ref()?.ports.as_ref()?.first().map(|port| port.port);
    let wanted = base.as_ref().and_then(http::Uri::port_u16);
    let target = named.and_then(|service| {
        let port = wanted.or(first(service).and_then(|port| u16::try_from(port).ok()))?;
        Some(Target { name: host.to_owned(), port })
    });
    target.or_else(|| port(services, operator, "storage"))
}

/// A Service that leads to the operator's Pods and has a port of that name.
fn port(services: &[Object], operator: Option<&Operator>, name: &str) -> Option<Target> {
    let pods = labels(operator?);
    services.iter().find_map(|service| {
        let spec = service.spec.as_ref()?;
        let selector = spec.selector.as_ref().filter(|selector| !selector.is_empty())?;
        let leads_there = selector.iter().all(|(key, value)| pods.get(key) == Some(value));
        let port = spec.ports.iter().flatten().find(|port| port.name.as_deref() == Some(name))?;
        let port = u16::try_from(port.port).ok().filter(|_| leads_there)?;
        Some(Target { name: service.metadata.name.clone()?, port })
    })
}

async fn addresses(session: &Session, namespace: &str, target: Target) -> Service {
    let slices: Api<EndpointSlice> = Api::namespaced(session.client.clone(), namespace);
    let call = Call::new("list", "discovery.k8s.io", "endpointslices", &["list"]).within(Some(namespace));
    let params = ListParams::default().labels(&format!("{OWNER}={}", target.name));
    let (ready, unready) = match session.call(&call, slices.list(&params)).await {
        Ok(listed) => {
            let (ready, unready) = count(&listed.items);
            (Known::Yes(ready), Known::Yes(unready))
        }
        Err(error) => (Known::No(tell::why(&error)), Known::No(tell::why(&error))),
    };
    Service { name: target.name, port: target.port, ready_endpoints: ready, unready_endpoints: unready }
}

/// How many ready addresses a Service has.
pub(super) async fn ready(session: &Session, namespace: &str, service: &str) -> Known<u32> {
    addresses(session, namespace, Target { name: service.to_owned(), port: 0 }).await.ready_endpoints
}

/// Addresses that are ready and that are not. Where nothing is said, Kubernetes means ready.
fn count(slices: &[EndpointSlice]) -> (u32, u32) {
    let (mut ready, mut unready) = (0, 0);
    for endpoint in slices.iter().flat_map(|slice| slice.endpoints.iter().flatten()) {
        let is_ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
        let number = u32::try_from(endpoint.addresses.len()).unwrap_or(u32::MAX);
        *(if is_ready { &mut ready } else { &mut unready }) += number;
    }
    (ready, unready)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::tests::operator;

    fn service(name: &str, port: Value, selector: &str) -> Object {
        let spec = json!({"selector": {"app.kubernetes.io/name": selector}, "ports": [port]});
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    #[test]
    fn the_published_address_names_the_service_and_ports_have_names() {
        let labelled = |value: &mut Value| {
            value["spec"]["template"]["metadata"] = json!({"labels": {"app.kubernetes.io/name": "jaas"}});
        };
        let named = operator(&["--storage-base-url=http://files.jaas-system.svc:8082"], labelled);
        let all = [
            service("other", json!({"name": "storage", "port": 1}), "other"),
            service("files", json!({"port": 8082}), "jaas"),
            service("jaas-metrics", json!({"name": "metrics", "port": 8083}), "jaas"),
            service("jaas-storage", json!({"name": "storage", "port": 80}), "jaas"),
        ];
        let target = |name: &str, port| Some(Target { name: name.to_owned(), port });
        assert_eq!(storage(&all, Some(&named)), target("files", 8082));
        let outside = operator(&["--storage-base-url=https://artifacts.example.org"], labelled);
        assert_eq!(storage(&all, Some(&outside)), target("jaas-storage", 80));
        assert_eq!(port(&all, Some(&named), "metrics"), target("jaas-metrics", 8083));
        assert_eq!(storage(&all, None), None);
    }

    #[test]
    fn addresses_are_ready_unless_they_say_otherwise() {
        let slice = json!({"addressType": "IPv4", "metadata": {}, "endpoints": [{"addresses": ["10.0.0.1"]},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false}}]});
        assert_eq!(count(&[serde_json::from_value(slice).unwrap()]), (1, 1));
    }
}
