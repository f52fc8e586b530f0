//! `version`: this program's and the operator's.

use super::{Error, Invocation, Verdict};
use crate::cli::VersionArgs;
use crate::deployments::{self, NAME_IT};
use crate::exit::Exit;
use crate::operator::{LABEL, Operator};
use crate::session::{self, Session, Writes};
use crate::view::{Component, Report};

/// Version of an operator that could not be learned.
const UNKNOWN: &str = "unknown";

/// Notes the versions in the report.
pub(super) async fn run(
    args: &VersionArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
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
    let namespace = args.operator.operator_namespace.as_deref();
    report.metadata.scope.all_namespaces = namespace.is_none();
    report.metadata.scope.namespaces.extend(namespace.map(str::to_owned));
    let listed = deployments::in_sight(&session, namespace).await;
    if invocation.format.is_document()
        && listed.is_ok()
        && let Some(uid) = session.cluster_uid().await
    {
        report.metadata.cluster.uid = uid;
    }
    match listed {
        Ok(found) if found.is_empty() => Ok(vec![unknown(format!(
            "no Deployment with the label {LABEL} in {}",
            namespace.map_or("any namespace".to_owned(), |name| format!("namespace `{name}`"))
        ))]),
        Ok(found) => Ok(found.iter().map(component).collect()),
        // A person without that right still wants the client's version, and is not in error.
        Err(session::Error::Forbidden { call, .. }) if namespace.is_none() => {
            Ok(vec![unknown(format!("no right to {call}; {NAME_IT}"))])
        }
        Err(session::Error::Forbidden { call, .. }) => Ok(vec![unknown(format!("no right to {call}"))]),
        Err(error) => Err(error.into()),
    }
}

fn unknown(why: String) -> Component {
    Component { name: "operator", version: UNKNOWN.to_owned(), detail: why }
}

fn component(operator: &Operator) -> Component {
    let (ready, wanted) = operator.ready();
    let detail = format!("{}, {ready}/{wanted} ready", operator.path());
    match operator.version() {
        Some(version) => Component { name: "operator", version: version.to_owned(), detail },
        None => unknown(format!("{detail}; its image `{}` has no tag", operator.image().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_tells_version_place_and_health() {
        let text = r#"{"metadata": {"name": "jaas", "namespace": "jaas-system"}, "status": {"readyReplicas": 1},
            "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers":
            [{"name": "operator", "image": "ghcr.io/metio/jaas:2026.8.18"}]}}}}"#;
        let found = component(&Operator(serde_json::from_str(text).unwrap()));
        assert_eq!((found.version.as_str(), found.detail.as_str()), ("2026.8.18", "jaas-system/jaas, 1/2 ready"));
    }
}
