//! Binding the roles that the operator prints to its ServiceAccount.

use std::path::Path;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::SERVICE_ACCOUNT;
use crate::controlplane::{ControlPlane, Identity, generate};
use crate::{manifests, rbac};

/// API groups of which the operator touches only cluster-scoped kinds. A role that names no other group, or namespaces alone, is
/// bound in the whole cluster even when the operator watches some namespaces only.
const CLUSTER_SCOPED: [&str; 4] =
    ["apiextensions.k8s.io", "admissionregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io"];

/// A role as printed, and where it is to hold.
struct Grant {
    kind: String,
    name: String,
    rules: Vec<PolicyRule>,
    /// Namespaces; the whole cluster when empty.
    namespaces: Vec<String>,
}

/// Applies the roles of `jaas-operator generate rbac` and binds each to the operator's ServiceAccount: a Role in the
/// operator's own namespace, a ClusterRole everywhere or in the watched namespaces. Returns when all are in force.
pub(crate) async fn grant(plane: &ControlPlane, executable: &Path, namespace: &str, watched: &[String]) -> Result<()> {
    let printed = generate(executable, "rbac").await?;
    let mut objects = vec![json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": SERVICE_ACCOUNT, "namespace": namespace },
    })];
    let mut grants = Vec::new();
    for mut role in manifests::parse(&printed)? {
        let grant = read(&role, namespace, watched)?;
        if grant.kind == "Role" {
            role.metadata.namespace = Some(namespace.to_owned());
        }
        objects.push(serde_json::to_value(&role).context("writing a role")?);
        objects.extend(bindings(&grant, namespace));
        grants.push(grant);
    }
    plane.apply_objects(&objects).await.with_context(|| format!("granting the operator in {namespace} its rights"))?;
    let admin = plane.admin().await?;
    let identity = Identity::service_account(namespace, SERVICE_ACCOUNT);
    for grant in &grants {
        for scope in scopes(grant) {
            rbac::in_force(&admin, &identity, scope, &grant.rules).await?;
        }
    }
    Ok(())
}

fn read(role: &DynamicObject, namespace: &str, watched: &[String]) -> Result<Grant> {
    let kind = role.types.as_ref().map_or("", |types| types.kind.as_str()).to_owned();
    let name = role.name_any();
    let rules: Vec<PolicyRule> = serde_json::from_value(role.data["rules"].clone())
        .with_context(|| format!("reading the rules of {kind} {name}"))?;
    let namespaces = match kind.as_str() {
        "Role" => vec![namespace.to_owned()],
        "ClusterRole" if rules.iter().all(is_cluster_scoped) => Vec::new(),
        "ClusterRole" => watched.to_vec(),
        _ => bail!("`generate rbac` printed a {kind} named {name}, but only roles are expected"),
    };
    Ok(Grant { kind, name, rules, namespaces })
}

fn is_cluster_scoped(rule: &PolicyRule) -> bool {
    let kinds = rule.resources.iter().flatten();
    rule.api_groups.iter().flatten().all(|group| CLUSTER_SCOPED.contains(&group.as_str()))
        || kinds.clone().next().is_some() && kinds.clone().all(|kind| kind == "namespaces")
}

fn scopes(grant: &Grant) -> Vec<Option<&str>> {
    match grant.namespaces.as_slice() {
        [] => vec![None],
        namespaces => namespaces.iter().map(|name| Some(name.as_str())).collect(),
    }
}

fn bindings(grant: &Grant, namespace: &str) -> Vec<Value> {
    let subjects = json!([{
        "kind": "ServiceAccount",
        "name": SERVICE_ACCOUNT,
        "namespace": namespace,
    }]);
    let role = json!({
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": grant.kind,
        "name": grant.name,
    });
    let name = format!("{namespace}-{}", grant.name);
    scopes(grant)
        .into_iter()
        .map(|scope| {
            let (kind, metadata) = match scope {
                None => ("ClusterRoleBinding", json!({ "name": name })),
                Some(scope) => ("RoleBinding", json!({ "name": name, "namespace": scope })),
            };
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": kind,
                "metadata": metadata,
                "roleRef": role,
                "subjects": subjects,
            })
        })
        .collect()
}
