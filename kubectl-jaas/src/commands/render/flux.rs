//! Files from Flux sources, fetched with the person's own rights by whatever road leads to the archive: through the API server to a Service
//! or into a Pod, or directly where the address is no Service's. What may be asked, what proves the bytes and what is taken out of them are
//! the operator's own rules.

use std::net::SocketAddr;

use bytes::Bytes;
use jaas_api::artifact::{FLUX_SOURCE_GROUP, FLUX_SOURCE_VERSION};
use jaas_api::source::SourceRef;
use jaas_findings::Known;
use jaas_findings::facts::Reply;
use jaas_sources::hosts::Target;
use jaas_sources::{Folder, Hosts, Limits, Upstream, archive, upstream};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};

use super::super::Error;
use super::input::Files;
use crate::facts::storage_service;
use crate::operator::Operator;
use crate::road::Files as Server;
use crate::session::{Call, Session};

/// Longest download, as the operator has it.
const LONGEST: usize = 64 << 20;

/// Whom files are fetched for, and from where they may be.
pub(super) struct Flux<'a> {
    session: &'a Session,
    operator: Option<&'a Operator>,
    hosts: Hosts,
}

/// Where an archive is.
enum Place<'a> {
    /// Behind a Service of the cluster.
    Service { namespace: String, name: String, port: u16, path: &'a str },
    /// At an address that is asked from here.
    Host { target: Target, base: &'a str, path: &'a str },
}

impl<'a> Flux<'a> {
    /// With the hosts that the operator may ask or, where it cannot be seen, those that it may ask by default.
    pub(super) fn new(session: &'a Session, operator: Option<&'a Operator>) -> Self {
        let flag = |name| operator.and_then(|operator| operator.argument(name)).unwrap_or_default();
        let namespace = Some(flag("flux-namespace")).filter(|name| !name.is_empty()).unwrap_or("flux-system");
        let services = ["", ".svc", ".svc.cluster.local"].map(|end| format!("*.{namespace}{end}")).join(",");
        let listed = Some(flag("allowed-source-hosts")).filter(|list| !list.is_empty()).unwrap_or(&services);
        let hosts = Hosts::parse(listed).unwrap_or_default();
        Self { session, operator, hosts: hosts.and(jaas_sources::hosts::of_url(flag("storage-base-url"))) }
    }

    /// The files that a reference means, seen from the namespace `owner`. `what` says whose they are.
    ///
    /// # Errors
    /// The source cannot be read or is not usable, no road leads to its archive, or that is not what was announced.
    pub(super) async fn fetch(&self, owner: &str, reference: &SourceRef, what: &str) -> Result<Files, Error> {
        let source = format!("{} {}/{}", reference.kind.as_str(), reference.namespace_or(owner), reference.name);
        let refused = |cause: String, how: &str| Error::Refused {
            what: format!("the files of {what} cannot be had from {source}: {cause}"),
            how: how.to_owned(),
        };
        let folder: Folder = reference
            .path
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(|error| refused(format!("spec.sourceRef.path: {error}"), "correct the path"))?;
        let upstream = upstream::read(&self.read(owner, reference).await?)
            .map_err(|error| refused(error.to_string(), "wait until the source is ready, or look at its conditions"))?;
        let place = self.place(&upstream.url).await;
        let place = place
            .map_err(|cause| refused(cause, "the operator may not fetch it either: see --allowed-source-hosts"))?;
        let bytes = self.download(&place).await.map_err(|tried| {
            let cause = format!("no road leads to {}: {}", upstream.url, tried.join("; "));
            refused(
                cause,
                "get the right for one of them, or render a file with the files inline: kubectl jaas render FILE",
            )
        })?;
        prove(&upstream, &bytes).map_err(|cause| refused(cause, "run it again: the source may just have moved on"))?;
        let files = archive::read(&*bytes, &folder, &Limits::default());
        let files =
            files.map_err(|error| refused(error.to_string(), "publish less, or name a folder in sourceRef.path"))?;
        if files.is_empty() {
            let cause = format!("no file lies in the folder {:?}", folder.to_string());
            return Err(refused(cause, "correct sourceRef.path"));
        }
        Ok(files)
    }

    async fn read(&self, owner: &str, reference: &SourceRef) -> Result<serde_json::Value, Error> {
        let version = match reference.api_version.as_deref().and_then(|text| text.split_once('/')) {
            Some((_, version)) if !version.is_empty() => version.to_owned(),
            _ => FLUX_SOURCE_VERSION.to_owned(),
        };
        let kind = ApiResource {
            group: FLUX_SOURCE_GROUP.to_owned(),
            api_version: format!("{FLUX_SOURCE_GROUP}/{version}"),
            version,
            kind: reference.kind.as_str().to_owned(),
            plural: reference.kind.plural().to_owned(),
        };
        let namespace = reference.namespace_or(owner);
        let sources: Api<DynamicObject> = Api::namespaced_with(self.session.client.clone(), namespace, &kind);
        let call = Call::new("get", FLUX_SOURCE_GROUP, reference.kind.plural(), &["get"]).within(Some(namespace));
        Ok(self.session.call(&call.named(&reference.name), sources.get(&reference.name)).await?.data)
    }

    /// Where an archive is. The operator's own storage server is where its Service leads, whatever address it announces.
    async fn place<'b>(&self, url: &'b str) -> Result<Place<'b>, String> {
        let base = self.operator.and_then(|operator| operator.argument("storage-base-url")).unwrap_or_default();
        let own = url.strip_prefix(base.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
        if let (Some(operator), Some(path), false) = (self.operator, own, base.is_empty())
            && let Known::Yes(Some(service)) = storage_service(self.session, operator.namespace(), self.operator).await
        {
            let namespace = operator.namespace().to_owned();
            return Ok(Place::Service { namespace, name: service.name, port: service.port, path });
        }
        let target = self.hosts.judge_url(url).map_err(|error| error.to_string())?;
        let (base, path) = split(url).ok_or("its address cannot be read")?;
        match service(&target.host).filter(|_| target.address.is_none()) {
            Some((name, namespace)) => {
                let (name, namespace) = (name.to_owned(), namespace.to_owned());
                Ok(Place::Service { namespace, name, port: target.port, path })
            }
            None => Ok(Place::Host { target, base, path }),
        }
    }

    /// The bytes by the first road that leads there, or what stood in the way of each.
    async fn download(&self, place: &Place<'_>) -> Result<Bytes, Vec<String>> {
        let (namespace, name, port, path) = match place {
            Place::Service { namespace, name, port, path } => (namespace, name, *port, *path),
            Place::Host { target, base, path } => {
                self.allowed(target).await.map_err(|cause| vec![cause])?;
                return match Server::by_address(self.session, base) {
                    Ok(server) => take(&server, path).await.map_err(|cause| vec![cause]),
                    Err(error) => Err(vec![error.to_string()]),
                };
            }
        };
        let mut tried = Vec::new();
        match Server::by_proxy(self.session, namespace, name, port) {
            Ok(server) => match take(&server, path).await {
                Ok(bytes) => return Ok(bytes),
                Err(cause) => tried.push(cause),
            },
            Err(error) => tried.push(error.to_string()),
        }
        match self.inside(namespace, name, port).await {
            Ok(server) => match take(&server, path).await {
                Ok(bytes) => return Ok(bytes),
                Err(cause) => tried.push(cause),
            },
            Err(cause) => tried.push(format!("port-forward: {cause}")),
        }
        Err(tried)
    }

    /// Whether every address of a host may be asked.
    async fn allowed(&self, target: &Target) -> Result<(), String> {
        if target.address.is_some() {
            return Ok(());
        }
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| format!("{}: {error}", target.host))?.collect();
        found
            .into_iter()
            .try_for_each(|address| self.hosts.judge_address(&target.host, address).map_err(|error| error.to_string()))
    }

    /// A Pod behind a Service.
    async fn inside(&self, namespace: &str, name: &str, port: u16) -> Result<Server, String> {
        let services: Api<Service> = Api::namespaced(self.session.client.clone(), namespace);
        let call = Call::new("get", "", "services", &["get"]).within(Some(namespace)).named(name);
        let service = self.session.call(&call, services.get(name)).await.map_err(|error| error.to_string())?;
        let spec = service.spec.unwrap_or_default();
        let selector = spec.selector.unwrap_or_default();
        if selector.is_empty() {
            return Err(format!("service {namespace}/{name} selects no Pods"));
        }
        let labels = selector.iter().map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>().join(",");
        let pods: Api<Pod> = Api::namespaced(self.session.client.clone(), namespace);
        let call = Call::new("list", "", "pods", &["list"]).within(Some(namespace));
        let found = self.session.call(&call, pods.list(&ListParams::default().labels(&labels))).await;
        let found = found.map_err(|error| error.to_string())?;
        let runs = |pod: &&Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
        let Some(pod) = found.items.iter().find(runs) else {
            return Err(format!("no Pod of service {namespace}/{name} runs"));
        };
        let ports = spec.ports.unwrap_or_default();
        let wanted = ports.into_iter().find(|it| u16::try_from(it.port) == Ok(port));
        let inner = inner_port(wanted.and_then(|it| it.target_port), pod, port);
        let pod = pod.metadata.name.clone().unwrap_or_default();
        Ok(Server::inside(self.session, namespace, &pod, inner))
    }
}

/// The port of a Pod that a port of a Service leads to.
fn inner_port(target: Option<IntOrString>, pod: &Pod, port: u16) -> u16 {
    match target {
        None => port,
        Some(IntOrString::Int(number)) => u16::try_from(number).unwrap_or(port),
        Some(IntOrString::String(name)) => {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
            let named = ports.find(|it| it.name.as_deref() == Some(name.as_str()));
            named.and_then(|it| u16::try_from(it.container_port).ok()).unwrap_or(port)
        }
    }
}

/// Name and namespace of the Service that a host within a cluster means.
fn service(host: &str) -> Option<(&str, &str)> {
    let host = host.trim_end_matches('.');
    let host = host.strip_suffix(".svc.cluster.local").or_else(|| host.strip_suffix(".svc")).unwrap_or(host);
    let (name, namespace) = host.split_once('.')?;
    (!name.is_empty() && !namespace.is_empty() && !namespace.contains('.')).then_some((name, namespace))
}

/// Scheme and host, and the path after its slash.
fn split(url: &str) -> Option<(&str, &str)> {
    let after = url.find("://")? + 3;
    let slash = after + url.get(after..)?.find('/')?;
    Some((url.get(..slash)?, url.get(slash + 1..)?))
}

async fn take(server: &Server, path: &str) -> Result<Bytes, String> {
    let told = |cause: String| format!("{}: {cause}", server.words());
    let bytes = server.bytes(path).await.map_err(|reply| {
        told(match reply {
            Reply::Missing => "it answers 404: the source may just have moved on".to_owned(),
            Reply::Restoring => "it answers 503 and brings the archive back; try again soon".to_owned(),
            Reply::Status(status) => format!("it answers {status}"),
            Reply::Silent(cause) => cause,
            other => format!("{other:?}"),
        })
    })?;
    match bytes.len() {
        length if length > LONGEST => {
            Err(told(format!("the archive is of {length} bytes, of which {LONGEST} are taken")))
        }
        _ => Ok(bytes),
    }
}

/// The bytes are what the source announces.
fn prove(upstream: &Upstream, bytes: &[u8]) -> Result<(), String> {
    let mut hasher = upstream.digest.algorithm().hasher();
    hasher.update(bytes);
    let found = hasher.finish();
    if found == upstream.digest {
        Ok(())
    } else {
        Err(format!("its bytes hash to {found}, and {} is announced", upstream.digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_within_a_cluster_means_a_service() {
        for host in [
            "s.flux-system",
            "s.flux-system.svc",
            "s.flux-system.svc.cluster.local",
            "s.flux-system.svc.cluster.local.",
        ] {
            assert_eq!(service(host), Some(("s", "flux-system")), "{host}");
        }
        for host in ["localhost", "git.example.com", ".x", "x."] {
            assert_eq!(service(host), None, "{host}");
        }
        assert_eq!(split("http://a:1/b/c.tar.gz"), Some(("http://a:1", "b/c.tar.gz")));
        assert_eq!(split("http://a:1"), None);
    }

    #[test]
    fn other_bytes_than_announced_are_refused_with_both_digests() {
        let digest = |bytes: &[u8]| {
            let mut hasher = jaas_sources::digest::Algorithm::Sha256.hasher();
            hasher.update(bytes);
            hasher.finish()
        };
        let upstream = Upstream { url: String::new(), digest: digest(b"right"), revision: String::new() };
        assert_eq!(prove(&upstream, b"right"), Ok(()));
        let error = prove(&upstream, b"wrong").unwrap_err();
        assert!(
            error.contains(&digest(b"wrong").to_string()) && error.contains(&digest(b"right").to_string()),
            "{error}"
        );
    }
}
