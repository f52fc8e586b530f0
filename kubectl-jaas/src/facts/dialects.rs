//! Policies of other dialects: that they are there is told, what they say is not read.

use jaas_findings::facts::Policy;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};

use crate::session::{Call, Error, Session};

/// A kind of policy that may keep consumers out.
struct Dialect {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
}

const DIALECTS: [Dialect; 4] = [
    Dialect { group: "cilium.io", version: "v2", kind: "CiliumNetworkPolicy", plural: "ciliumnetworkpolicies" },
    Dialect { group: "crd.projectcalico.org", version: "v1", kind: "CalicoNetworkPolicy", plural: "networkpolicies" },
    Dialect { group: "security.istio.io", version: "v1", kind: "AuthorizationPolicy", plural: "authorizationpolicies" },
    Dialect {
        group: "policy.linkerd.io",
        version: "v1alpha1",
        kind: "AuthorizationPolicy",
        plural: "authorizationpolicies",
    },
];

/// Those of the namespace.
///
/// # Errors
/// The first list that failed, of a dialect that the API server serves.
pub(super) async fn list(session: &Session, namespace: &str) -> Result<Vec<Policy>, Error> {
    let call = Call::new("get", "", "apis", &["get"]);
    let served = match session.call(&call, session.client.list_api_groups()).await {
        Ok(groups) => groups.groups,
        Err(Error::NotFound { .. } | Error::NoKind { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut policies = Vec::new();
    for dialect in DIALECTS.iter().filter(|dialect| served.iter().any(|group| group.name == dialect.group)) {
        let resource = ApiResource {
            group: dialect.group.to_owned(),
            version: dialect.version.to_owned(),
            api_version: format!("{}/{}", dialect.group, dialect.version),
            kind: dialect.kind.to_owned(),
            plural: dialect.plural.to_owned(),
        };
        let objects: Api<DynamicObject> = Api::namespaced_with(session.client.clone(), namespace, &resource);
        let call = Call::new("list", dialect.group, dialect.plural, &["list"]).within(Some(namespace));
        match session.call(&call, objects.list_metadata(&ListParams::default())).await {
            Ok(found) => policies.extend(found.items.into_iter().map(|object| Policy {
                kind: dialect.kind.to_owned(),
                namespace: object.metadata.namespace,
                name: object.metadata.name.unwrap_or_default(),
                ingress: true,
                ..Policy::default()
            })),
            Err(Error::NoKind { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(policies)
}
