//! Kinds whose objects use ExternalArtifacts, and where in them the reference stands.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::Value;

use crate::session::{Call, Error, Session};
use crate::snippet::Key;

/// A kind, and where in its objects the reference to a source stands.
pub(crate) struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    references: &'static [&'static str],
}

/// Kinds that apply what they fetch.
pub(crate) const APPLYING: [Kind; 2] = [
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

/// Kinds that evaluate what they fetch.
pub(crate) const EVALUATING: [Kind; 2] = [
    Kind {
        group: jaas_api::GROUP,
        version: jaas_api::VERSION,
        kind: "JsonnetSnippet",
        plural: "jsonnetsnippets",
        references: &["/spec/sourceRef"],
    },
    Kind {
        group: jaas_api::GROUP,
        version: jaas_api::VERSION,
        kind: "JsonnetLibrary",
        plural: "jsonnetlibraries",
        references: &["/spec/sourceRef"],
    },
];

/// An object that uses an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Consumer {
    /// Its kind.
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The artifact that it uses.
    pub(crate) artifact: Key,
    /// Whether somebody paused it.
    pub(crate) is_suspended: bool,
    /// Its Ready condition; nothing in it where there is none.
    pub(crate) ready: Condition,
    /// Revisions that it has applied or is at, where its kind tells them as the artifact does: a Kustomization does.
    pub(crate) revisions: Vec<String>,
}

/// A condition as it stands in any object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// `True`, `False` or `Unknown`.
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// When it last changed, as it is written.
    pub(crate) since: String,
}

/// Every object of a kind, in any namespace, that uses an artifact. A kind that the cluster does not know has none.
///
/// # Errors
/// The list failed.
pub(crate) async fn list(session: &Session, kind: &Kind) -> Result<Vec<Consumer>, Error> {
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
        Ok(listed) => Ok(listed.items.iter().flat_map(|object| consumers(object, kind)).collect()),
        Err(Error::NoKind { .. } | Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The object once for each artifact that it uses.
fn consumers(object: &DynamicObject, kind: &Kind) -> Vec<Consumer> {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let consumer = Consumer {
        kind: kind.kind.to_owned(),
        name: object.metadata.name.clone().unwrap_or_default(),
        is_suspended: object.data.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or(false),
        ready: ready(object),
        artifact: Key::default(),
        revisions: revisions(object),
        namespace,
    };
    let references = kind.references.iter().filter_map(|pointer| object.data.pointer(pointer));
    let artifacts = references.filter(|reference| text(reference, "kind") == "ExternalArtifact").map(|reference| {
        let place = Some(text(reference, "namespace")).filter(|place| !place.is_empty());
        Key { namespace: place.unwrap_or_else(|| consumer.namespace.clone()), name: text(reference, "name") }
    });
    artifacts.map(|artifact| Consumer { artifact, ..consumer.clone() }).collect()
}

fn revisions(object: &DynamicObject) -> Vec<String> {
    let told = ["/status/lastAppliedRevision", "/status/lastAttemptedRevision"].map(|at| object.data.pointer(at));
    let told = told.into_iter().flatten().filter_map(Value::as_str);
    let mut revisions: Vec<_> = told.filter(|it| it.starts_with("sha256:")).map(str::to_owned).collect();
    revisions.dedup();
    revisions
}

fn ready(object: &DynamicObject) -> Condition {
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    ready.map_or_else(Condition::default, |ready| Condition {
        status: text(ready, "status"),
        reason: text(ready, "reason"),
        message: text(ready, "message"),
        since: text(ready, "lastTransitionTime"),
    })
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn used(kind: &Kind, spec: Value) -> Vec<String> {
        let object =
            json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "apps", "namespace": "a"}, "spec": spec});
        consumers(&serde_json::from_value(object).unwrap(), kind).iter().map(|it| it.artifact.to_string()).collect()
    }

    #[test]
    fn a_reference_means_its_own_namespace_unless_it_names_one() {
        let kustomization = &APPLYING[0];
        let reference = |change: Value| {
            let mut reference = json!({"kind": "ExternalArtifact", "name": "web"});
            if let (Some(into), Some(from)) = (reference.as_object_mut(), change.as_object()) {
                into.extend(from.clone());
            }
            json!({ "sourceRef": reference })
        };
        assert_eq!(used(kustomization, reference(json!({}))), ["a/web"]);
        assert_eq!(used(kustomization, reference(json!({"namespace": ""}))), ["a/web"]);
        assert_eq!(used(kustomization, reference(json!({"namespace": "b"}))), ["b/web"]);
        assert_eq!(used(kustomization, reference(json!({"kind": "GitRepository"}))), Vec::<String>::new());
        assert_eq!(used(kustomization, json!({})), Vec::<String>::new());
    }

    #[test]
    fn helm_releases_name_charts_in_two_places() {
        let reference = json!({"kind": "ExternalArtifact", "name": "web"});
        assert_eq!(used(&APPLYING[1], json!({"chartRef": reference.clone()})), ["a/web"]);
        assert_eq!(used(&APPLYING[1], json!({"chart": {"spec": {"sourceRef": reference}}})), ["a/web"]);
    }

    #[test]
    fn a_consumer_says_how_it_is() {
        let object = json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "apps", "namespace": "a"},
            "spec": {"suspend": true, "sourceRef": {"kind": "ExternalArtifact", "name": "web"}},
            "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "404"}]}});
        let found = consumers(&serde_json::from_value(object).unwrap(), &APPLYING[0]);
        assert!(found[0].is_suspended && found[0].revisions.is_empty());
        assert_eq!((found[0].ready.status.as_str(), found[0].ready.message.as_str()), ("False", "404"));
    }

    #[test]
    fn a_consumer_tells_what_it_applied_as_the_artifact_does() {
        let object = json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "apps", "namespace": "a"},
            "spec": {"sourceRef": {"kind": "ExternalArtifact", "name": "web"}},
            "status": {"lastAppliedRevision": "sha256:1", "lastAttemptedRevision": "sha256:2"}});
        let found = consumers(&serde_json::from_value(object).unwrap(), &APPLYING[0]);
        assert_eq!(found[0].revisions, ["sha256:1", "sha256:2"]);
    }
}
