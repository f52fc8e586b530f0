//! `version`: this program's and the operator's.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::ListParams;

use super::{Error, Invocation, Verdict};
use crate::cli::{Format, VersionArgs};
use crate::exit::Exit;
use crate::session::{self, Call, Session, Writes};
use crate::view::{Component, Report};

/// Label by which an operator's Deployment is found, whatever its namespace and name.
const OPERATOR_LABEL: &str = "app.kubernetes.io/name=jaas";
/// Version of an operator that could not be learned.
const UNKNOWN: &str = "unknown";

/// Notes the versions in the report.
pub(super) async fn run(
    args: &VersionArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    if invocation.format == Format::Name {
        return Err(Error::NoNames);
    }
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    report.components.push(Component {
        name: "client",
        version: env!("CARGO_PKG_VERSION").to_owned(),
        detail: platform,
    });
    if !args.client {
        let mut stop = invocation.stop.clone();
        let found = tokio::select! {
            found = operators(args, invocation, report) => found,
            signal = stop.signalled() => return Err(Error::Stopped(signal)),
        };
        match found {
            Ok(operators) => report.components.extend(operators),
            Err(error) => {
                report.components.push(unknown(error.to_string()));
                return Err(error);
            }
        }
    }
    Ok(Verdict { exit: Exit::Done, message: String::new(), hint: None })
}

async fn operators(
    args: &VersionArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Vec<Component>, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let namespace = args.operator_namespace.as_deref();
    report.metadata.scope.all_namespaces = namespace.is_none();
    report.metadata.scope.namespaces.extend(namespace.map(str::to_owned));
    let deployments: Api<Deployment> = match namespace {
        Some(namespace) => Api::namespaced(session.client.clone(), namespace),
        None => Api::all(session.client.clone()),
    };
    let call = Call::new("list", "apps", "deployments", &["list"]).within(namespace);
    let listed = session.call(&call, deployments.list(&ListParams::default().labels(OPERATOR_LABEL))).await;
    if invocation.format.is_document()
        && listed.is_ok()
        && let Some(uid) = session.cluster_uid().await
    {
        report.metadata.cluster.uid = uid;
    }
    match listed {
        Ok(list) if list.items.is_empty() => Ok(vec![unknown(format!(
            "no Deployment with the label {OPERATOR_LABEL} in {}",
            namespace.map_or("any namespace".to_owned(), |name| format!("namespace `{name}`"))
        ))]),
        Ok(list) => Ok(list.items.iter().map(component).collect()),
        // A person without that right still wants the client's version, and is not in error.
        Err(session::Error::Forbidden { call, .. }) => {
            Ok(vec![unknown(format!("no right to {call}; name the operator's namespace with --operator-namespace"))])
        }
        Err(error) => Err(error.into()),
    }
}

fn unknown(why: String) -> Component {
    Component { name: "operator", version: UNKNOWN.to_owned(), detail: why }
}

fn component(deployment: &Deployment) -> Component {
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
    let containers = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()).map(|pod| &pod.containers);
    let image = containers.and_then(|containers| containers.first()).and_then(|container| container.image.as_deref());
    let status = deployment.status.as_ref();
    let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let detail = format!("{namespace}/{name}, {ready}/{wanted} ready");
    match image.and_then(tag) {
        Some(tag) => Component { name: "operator", version: tag.to_owned(), detail },
        None => unknown(format!("{detail}; its image `{}` has no tag", image.unwrap_or_default())),
    }
}

/// The tag of an image; a port of the registry is none, and a digest says nothing to a person.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let last = name.rsplit('/').next()?;
    last.split_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_an_image_is_its_version() {
        assert_eq!(tag("ghcr.io/metio/jaas:2026.8.18"), Some("2026.8.18"));
        assert_eq!(tag("localhost:5000/jaas:1@sha256:00"), Some("1"));
        assert_eq!(tag("localhost:5000/jaas"), None);
        assert_eq!(tag("jaas@sha256:00"), None);
    }

    #[test]
    fn a_deployment_tells_version_place_and_health() {
        let text = r#"{"metadata": {"name": "jaas", "namespace": "jaas-system"}, "status": {"readyReplicas": 1},
            "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers":
            [{"name": "operator", "image": "ghcr.io/metio/jaas:2026.8.18"}]}}}}"#;
        let found = component(&serde_json::from_str(text).unwrap());
        assert_eq!((found.version.as_str(), found.detail.as_str()), ("2026.8.18", "jaas-system/jaas, 1/2 ready"));
    }
}
