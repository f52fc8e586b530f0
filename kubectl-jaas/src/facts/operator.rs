//! The operator's Deployment, settings, Lease, and the definitions of its resources.

use std::collections::BTreeMap;

use jaas_findings::facts::operator::{Definition, Deployment};
use jaas_findings::facts::{self, Flags};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Subject, Why};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

use super::{IntoKnown as _, Stopped, defaults, tell};
use crate::deployments;
use crate::lease::{Leadership, Place};
use crate::operator::Operator;
use crate::session::{Call, Error, Session};

/// Notes what is installed, and hands back the one operator that is meant.
pub(super) async fn choose(
    session: &Session,
    everywhere: Result<Vec<Operator>, Error>,
    namespace: Option<&str>,
    facts: &mut facts::Operator,
) -> Result<Option<Operator>, Stopped> {
    facts.namespace = namespace.unwrap_or_default().to_owned();
    let subject = |operator: &Operator| Subject::new("Deployment", operator.namespace(), operator.name());
    let candidates = match (&everywhere, namespace) {
        (Ok(all), _) => {
            facts.installations = all.iter().map(subject).collect::<Vec<_>>().into();
            Ok(all.clone())
        }
        (Err(error), Some(namespace)) => {
            facts.installations = Known::No(tell::why(error));
            deployments::list(session, Some(namespace)).await
        }
        (Err(error), None) => {
            facts.installations = Known::No(tell::why(error));
            let near = if tell::is_refused(error) { deployments::nearby(session).await } else { Vec::new() };
            if near.is_empty() {
                facts.deployment = Known::No(tell::why(error));
                return Ok(None);
            }
            Ok(near)
        }
    };
    let candidates = match candidates {
        Ok(candidates) => candidates,
        Err(error) => {
            facts.deployment = Known::No(tell::why(&error));
            return Ok(None);
        }
    };
    let is_meant = |operator: &Operator| namespace.is_none_or(|namespace| operator.namespace() == namespace);
    let mut meant: Vec<_> = candidates.into_iter().filter(is_meant).collect();
    if meant.len() > 1 {
        return Err(Stopped::Several(meant.iter().map(Operator::path).collect()));
    }
    let found = meant.pop();
    facts.deployment = found.as_ref().map(deployment).into();
    facts.version = match found.as_ref().and_then(Operator::version) {
        Some(version) => version.to_owned().into(),
        None => Known::No(Why::new(Obstacle::NotOffered, "a version, by the image")),
    };
    Ok(found)
}

fn deployment(operator: &Operator) -> Deployment {
    let (ready, wanted) = operator.ready();
    Deployment {
        name: operator.name().to_owned(),
        desired: u32::try_from(wanted).unwrap_or_default(),
        ready: u32::try_from(ready).unwrap_or_default(),
        rolling: operator.rollout().is_running(),
    }
}

/// Its settings, defaults included, secrets masked.
pub(super) fn flags(operator: &Operator) -> Flags {
    let args = operator.container().and_then(|container| container.args.as_deref()).unwrap_or_default();
    Flags::of_arguments(args.iter().map(String::as_str)).or(&defaults::flags())
}

/// Labels of its Pods.
pub(super) fn labels(operator: &Operator) -> BTreeMap<String, String> {
    let template = operator.0.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
    template.and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
}

/// The Lease; `None` where there is none.
pub(super) async fn lease(session: &Session, place: &Place) -> Result<Option<facts::Lease>, Error> {
    let leases: Api<Lease> = Api::namespaced(session.client.clone(), &place.namespace);
    let call = Call::new("get", "coordination.k8s.io", "leases", &["get"]);
    let call = call.within(Some(&place.namespace)).named(&place.name);
    let found = session.call(&call, leases.get_opt(&place.name)).await?;
    Ok(found.map(|lease| {
        let told = Leadership::of(&lease);
        facts::Lease {
            name: place.name.clone(),
            uid: told.uid,
            holder: told.holder,
            seconds: u32::try_from(told.duration.as_secs()).unwrap_or(u32::MAX),
            renewed: told.renewed,
            acquired: told.acquired,
            transitions: u32::try_from(told.transitions).unwrap_or_default(),
            watched: Known::No(Why::not_asked("how steady the Lease is")),
        }
    }))
}

/// Whether the API server serves what the operator needs.
pub(super) async fn definitions(session: &Session) -> Known<Vec<Definition>> {
    let source = jaas_api::artifact::FLUX_SOURCE_GROUP;
    let source_version = format!("{source}/{}", jaas_api::artifact::FLUX_SOURCE_VERSION);
    let (ours, sources) =
        tokio::join!(served(session, jaas_api::GROUP, jaas_api::API_VERSION), served(session, source, &source_version));
    let both = ours.and_then(|ours| sources.map(|sources| (ours, sources)));
    both.map(|(ours, sources)| {
        let one = |group: &str, served: &[String], plural: &str| Definition {
            name: format!("{plural}.{group}"),
            served: served.iter().any(|name| name == plural),
        };
        vec![
            one(jaas_api::GROUP, &ours, "jsonnetsnippets"),
            one(jaas_api::GROUP, &ours, "jsonnetlibraries"),
            one(source, &sources, "externalartifacts"),
        ]
    })
    .into_known()
}

/// Plurals that a group serves in a version; none where it serves nothing.
async fn served(session: &Session, group: &'static str, version: &str) -> Result<Vec<String>, Error> {
    let call = Call::new("get", group, "resources", &["get"]);
    match session.call(&call, session.client.list_api_group_resources(version)).await {
        Ok(list) => Ok(list.resources.into_iter().map(|resource| resource.name).collect()),
        Err(Error::NotFound { .. } | Error::NoKind { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
