//! Who names an ExternalArtifact as the source of what they apply.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::Value;

use crate::session::{Call, Error, Session};
use crate::snippet::Key;
use crate::view::Node;

/// A kind that can use artifacts, and where in its objects the reference stands.
struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    references: &'static [&'static str],
}

/// Kinds that can use artifacts.
const KINDS: [Kind; 4] = [
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

/// Every consumer in any namespace. Kinds that the cluster does not know have none.
pub(super) async fn find(session: &Session, key: &Key, unknown: &mut Vec<String>) -> Vec<Node> {
    let mut nodes = Vec::new();
    for kind in &KINDS {
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
            Ok(listed) => {
                let users = listed.items.iter().filter(|object| uses(object, kind, key));
                nodes.extend(users.map(|object| node(object, kind)));
            }
            Err(Error::NoKind { .. }) => {}
            Err(error) => unknown.push(error.to_string()),
        }
    }
    nodes
}

/// Whether one of the references leads to the artifact of that snippet.
fn uses(object: &DynamicObject, kind: &Kind, key: &Key) -> bool {
    let owner = object.metadata.namespace.as_deref().unwrap_or_default();
    kind.references.iter().filter_map(|pointer| object.data.pointer(pointer)).any(|reference| {
        let text = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default();
        let namespace = Some(text("namespace")).filter(|name| !name.is_empty()).unwrap_or(owner);
        text("kind") == "ExternalArtifact" && text("name") == key.name && namespace == key.namespace
    })
}

fn node(object: &DynamicObject, kind: &Kind) -> Node {
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let text = |name: &str| ready.and_then(|ready| ready[name].as_str()).unwrap_or_default();
    let is_suspended = object.data.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or(false);
    let (state, detail) = match (is_suspended, text("status")) {
        (true, _) => ("suspended", String::new()),
        (false, "True") => ("ready", String::new()),
        (false, "False") => ("failed", text("reason").to_owned()),
        (false, _) => ("pending", String::new()),
    };
    Node {
        kind: kind.kind.to_owned(),
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
        role: "used by".to_owned(),
        state: state.to_owned(),
        detail,
        ..Node::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(spec: Value) -> DynamicObject {
        let status = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "BuildFailed"}]});
        let value = json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "apps", "namespace": "a"},
            "spec": spec, "status": status});
        serde_json::from_value(value).unwrap()
    }

    fn is_used(kind: &Kind, spec: Value) -> bool {
        uses(&object(spec), kind, &Key { namespace: "a".into(), name: "web".into() })
    }

    #[test]
    fn a_reference_means_its_own_namespace_unless_it_names_one() {
        let kustomization = &KINDS[0];
        let reference = |change: Value| {
            let mut reference = json!({"kind": "ExternalArtifact", "name": "web"});
            if let (Some(into), Some(from)) = (reference.as_object_mut(), change.as_object()) {
                into.extend(from.clone());
            }
            json!({ "sourceRef": reference })
        };
        assert!(is_used(kustomization, reference(json!({}))));
        assert!(is_used(kustomization, reference(json!({"namespace": "a"}))));
        assert!(!is_used(kustomization, reference(json!({"namespace": "b"}))));
        assert!(!is_used(kustomization, reference(json!({"kind": "GitRepository"}))));
        assert!(!is_used(kustomization, reference(json!({"name": "api"}))));
        assert!(!is_used(kustomization, json!({})));
    }

    #[test]
    fn helm_releases_name_charts_in_two_places() {
        let reference = json!({"kind": "ExternalArtifact", "name": "web"});
        assert!(is_used(&KINDS[1], json!({"chartRef": reference.clone()})));
        assert!(is_used(&KINDS[1], json!({"chart": {"spec": {"sourceRef": reference}}})));
    }

    #[test]
    fn a_consumer_tells_how_it_is() {
        let failed = node(&object(json!({})), &KINDS[0]);
        assert_eq!((failed.state.as_str(), failed.detail.as_str()), ("failed", "BuildFailed"));
        assert_eq!(node(&object(json!({"suspend": true})), &KINDS[0]).state, "suspended");
    }
}
