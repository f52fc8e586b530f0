//! Objects of Flux that use our artifacts.

use std::collections::BTreeSet;

use jaas_findings::Known;
use jaas_findings::facts::{Consumer, Facts};
use jiff::Timestamp;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::Value;

use super::tell;
use crate::session::{Call, Error, Session};

/// A kind, and where in its objects the reference to a source stands.
struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    references: &'static [&'static str],
}

/// Kinds that apply what they fetch.
const KINDS: [Kind; 2] = [
    Kind {
        group: "kustomize.toolkit.fluxcd.io",
        version: "v1",
        kind: "Kustomization",
        plural: "kustomizations",
        references: &["/spec/sourceRef"],
    },
    Kind {
        group: "helm.toolkit.fluxcd.io",
        version: "v2",
        kind: "HelmRelease",
        plural: "helmreleases",
        references: &["/spec/chartRef", "/spec/chart/spec/sourceRef"],
    },
];

/// Each of them, in any namespace. A kind that the cluster does not know has none.
pub(super) async fn find(session: &Session) -> Known<Vec<Consumer>> {
    let (one, other) = tokio::join!(list(session, &KINDS[0]), list(session, &KINDS[1]));
    let both = one.and_then(|mut all| other.map(|other| all.extend(other)).map(|()| all));
    match both {
        Ok(all) => Known::Yes(all),
        Err(error) => Known::No(tell::why(&error)),
    }
}

/// Those that use an artifact of ours, by what is known of artifacts and snippets.
pub(super) fn of_ours(consumers: Known<Vec<Consumer>>, facts: &Facts) -> Known<Vec<Consumer>> {
    let consumers = match consumers {
        Known::Yes(consumers) => consumers,
        unknown => return unknown,
    };
    let artifacts = facts.artifacts.ok().into_iter().flatten().filter(|artifact| artifact.ours);
    let artifacts = artifacts.map(|artifact| artifact.subject().path());
    let snippets = facts.snippets.ok().into_iter().flat_map(|snippets| &snippets.items);
    let ours: BTreeSet<_> = artifacts.chain(snippets.map(|snippet| snippet.subject().path())).collect();
    match (&facts.artifacts, &facts.snippets) {
        (Known::No(why), Known::No(_)) if !consumers.is_empty() => Known::No(why.clone()),
        _ => Known::Yes(consumers.into_iter().filter(|consumer| ours.contains(&consumer.artifact)).collect()),
    }
}

async fn list(session: &Session, kind: &Kind) -> Result<Vec<Consumer>, Error> {
    let resource = ApiResource {
        group: kind.group.to_owned(),
        version: kind.version.to_owned(),
        api_version: format!("{}/{}", kind.group, kind.version),
        kind: kind.kind.to_owned(),
        plural: kind.plural.to_owned(),
    };
    let objects: Api<DynamicObject> = Api::all_with(session.client.clone(), &resource);
    let call = Call::new("list", kind.group, kind.plural, &["list"]);
    match session.call(&call, objects.list(&ListParams::default())).await {
        Ok(listed) => Ok(listed.items.iter().filter_map(|object| consumer(object, kind)).collect()),
        Err(Error::NoKind { .. } | Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn consumer(object: &DynamicObject, kind: &Kind) -> Option<Consumer> {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut references = kind.references.iter().filter_map(|pointer| object.data.pointer(pointer));
    let reference = references.find(|reference| text(reference, "kind") == "ExternalArtifact")?;
    let place = Some(text(reference, "namespace")).filter(|place| !place.is_empty());
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready").cloned();
    let ready = ready.unwrap_or_default();
    Some(Consumer {
        kind: kind.kind.to_owned(),
        artifact: format!("{}/{}", place.as_ref().unwrap_or(&namespace), text(reference, "name")),
        name: object.metadata.name.clone().unwrap_or_default(),
        namespace,
        ready: text(&ready, "status") == "True",
        message: text(&ready, "message"),
        since: text(&ready, "lastTransitionTime").parse::<Timestamp>().ok(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_users_of_our_artifacts_count() {
        let uses = |artifact: &str| Consumer { artifact: artifact.to_owned(), ..Consumer::default() };
        let mut facts = Facts::empty(Timestamp::UNIX_EPOCH);
        let unknown = of_ours(Known::Yes(vec![uses("a/web")]), &facts);
        assert!(unknown.why().is_some());
        let of = |name: &str, ours| {
            let (namespace, name) = ("a".to_owned(), name.to_owned());
            jaas_findings::facts::Artifact { namespace, name, ours, ..Default::default() }
        };
        facts.artifacts = Known::Yes(vec![of("web", true), of("foreign", false)]);
        let kept = of_ours(Known::Yes(vec![uses("a/web"), uses("a/foreign"), uses("b/web")]), &facts);
        assert_eq!(kept, Known::Yes(vec![uses("a/web")]));
    }

    #[test]
    fn a_consumer_names_its_artifact_and_says_how_it_is() {
        let object = |reference: Value| {
            let conditions = json!([{"type": "Ready", "status": "False", "message": "404"}]);
            let object = json!({"apiVersion": "v1", "kind": "Kustomization", "metadata": {"namespace": "a", "name": "apps"},
                "spec": {"sourceRef": reference}, "status": {"conditions": conditions}});
            consumer(&serde_json::from_value(object).unwrap(), &KINDS[0])
        };
        let found = object(json!({"kind": "ExternalArtifact", "name": "web"})).unwrap();
        assert_eq!((found.artifact.as_str(), found.ready, found.message.as_str()), ("a/web", false, "404"));
        let elsewhere = object(json!({"kind": "ExternalArtifact", "name": "web", "namespace": "b"})).unwrap();
        assert_eq!(elsewhere.artifact, "b/web");
        assert_eq!(object(json!({"kind": "GitRepository", "name": "web"})), None);
    }
}
