//! Files that are generated from the code, so that nobody has to keep them in step by hand. Pure.

use std::fmt::Write as _;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::core::ObjectMeta;
use serde::Serialize;

use crate::config::Generate;

/// Why a file could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A definition could not be built.
    #[error("building the CustomResourceDefinitions")]
    Definition(#[from] serde_json::Error),
    /// YAML could not be written.
    #[error("writing YAML: {0}")]
    Yaml(String),
}

/// The file as text.
///
/// # Errors
/// [`GenerateError`], which a test excludes.
pub fn generate(what: Generate) -> Result<String, GenerateError> {
    match what {
        Generate::Crds => documents(&jaas_api::crd::definitions()?),
        Generate::Rbac => {
            let everywhere = documents(&[operator_role(), cluster_role(), admin_role(), webhook_role()])?;
            Ok(everywhere + &documents(&[lease_role(), certificate_role()])?)
        }
        Generate::TenantRbac => documents(&[tenant_role()]),
    }
}

/// Several objects as one YAML stream.
fn documents<T: Serialize>(objects: &[T]) -> Result<String, GenerateError> {
    let mut text = String::new();
    for object in objects {
        // Through JSON, so that absent fields stay absent.
        let value = serde_json::to_value(object)?;
        let yaml = serde_saphyr::to_string(&value).map_err(|error| GenerateError::Yaml(error.to_string()))?;
        // Writing to a string cannot fail.
        let _ = write!(text, "---\n{}\n", yaml.trim_end());
    }
    Ok(text)
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn role(name: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    ClusterRole {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        rules: Some(rules),
        ..ClusterRole::default()
    }
}

/// What the operator does as itself: watching, its own status and finalizer, tokens, events.
fn operator_role() -> ClusterRole {
    role(
        "jaas-operator",
        vec![
            rule("", &["serviceaccounts/token"], &["create"]),
            rule("events.k8s.io", &["events"], &["create", "patch"]),
            rule(jaas_api::GROUP, &["jsonnetlibraries"], &["get", "list", "watch"]),
            rule(jaas_api::GROUP, &["jsonnetsnippets"], &["get", "list", "patch", "watch"]),
            rule(jaas_api::GROUP, &["jsonnetlibraries/status", "jsonnetsnippets/status"], &["patch"]),
            rule(
                jaas_api::artifact::FLUX_SOURCE_GROUP,
                &["buckets", "externalartifacts", "gitrepositories", "ocirepositories"],
                &["get", "list", "watch"],
            ),
        ],
    )
}

/// Which cluster this is: the uid of this namespace stands for it in the owner mark of a store. Bound in the whole cluster whatever
/// is watched.
fn cluster_role() -> ClusterRole {
    let identity = rule("", &["namespaces"], &["get"]);
    let identity = PolicyRule { resource_names: Some(vec!["kube-system".to_owned()]), ..identity };
    role("jaas-operator-cluster", vec![identity])
}

/// What the admin endpoint needs to know who calls, what that caller may, and whether a namespace is being deleted. Bound in the
/// whole cluster, and only where the endpoint is on.
fn admin_role() -> ClusterRole {
    role(
        "jaas-operator-admin",
        vec![
            rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
            rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
            rule("", &["namespaces"], &["get"]),
        ],
    )
}

/// Having API servers trust a certificate that the operator made. The chart limits it to the release's own configuration, and binds it
/// only where the operator makes the certificate.
fn webhook_role() -> ClusterRole {
    let configurations = rule("admissionregistration.k8s.io", &["validatingwebhookconfigurations"], &["get", "update"]);
    role("jaas-operator-webhook", vec![configurations])
}

/// Sharing that certificate with other replicas. The chart limits it to the one Secret, which it makes: whoever may make Secrets can
/// have tokens put into them.
fn certificate_role() -> Role {
    Role {
        metadata: ObjectMeta { name: Some("jaas-operator-webhook".to_owned()), ..ObjectMeta::default() },
        rules: Some(vec![rule("", &["secrets"], &["get", "update"])]),
    }
}

/// What an election needs, in the namespace of the Lease, and events there that must outlive a tenant's namespace. A create cannot
/// be bound to a name, and the name is a flag.
fn lease_role() -> Role {
    Role {
        metadata: ObjectMeta { name: Some("jaas-operator-leader".to_owned()), ..ObjectMeta::default() },
        rules: Some(vec![
            rule("coordination.k8s.io", &["leases"], &["create", "get", "list", "update", "watch"]),
            rule("events.k8s.io", &["events"], &["create", "patch"]),
        ]),
    }
}

/// What is done with the rights of a snippet's account.
fn tenant_role() -> ClusterRole {
    let flux = jaas_api::artifact::FLUX_SOURCE_GROUP;
    role(
        "jaas-tenant",
        vec![
            rule(flux, &["externalartifacts"], &["get", "create", "update", "patch", "delete"]),
            rule(flux, &["externalartifacts/status"], &["get", "patch", "update"]),
            rule(flux, &["gitrepositories", "ocirepositories", "buckets"], &["get"]),
            rule(jaas_api::GROUP, &["jsonnetlibraries"], &["get"]),
        ],
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_file_can_be_generated() {
        assert_eq!(generate(Generate::Crds).unwrap().matches("kind: CustomResourceDefinition").count(), 2);
        assert!(generate(Generate::Rbac).unwrap().contains("name: jaas-operator"));
        assert!(generate(Generate::TenantRbac).unwrap().contains("externalartifacts/status"));
    }
}
