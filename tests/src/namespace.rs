//! A namespace for one test, with a tenant in it.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace as Object;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use rand::Rng;
use serde_json::json;

use crate::controlplane::{ControlPlane, Identity, generate};
use crate::{manifests, rbac};

/// Name of the tenant's ServiceAccount, Role and RoleBinding.
pub const TENANT: &str = "tenant";

/// A namespace of its own for one test. It stays until the control plane ends.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Its name: the prefix and something random.
    pub name: String,
}

impl Namespace {
    /// The tenant: a ServiceAccount that holds the documented Role and nothing else.
    #[must_use]
    pub fn tenant(&self) -> Identity {
        Identity::service_account(&self.name, TENANT)
    }
}

impl ControlPlane {
    /// Makes a namespace with a [`TENANT`], and returns when the tenant's rights are in force.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace> {
        let namespace = self.empty_namespace(prefix).await?;
        // The very role that the operator prints, the chart ships and the documentation shows.
        let role = manifests::parse(&generate(&self.operator_program()?, "tenant-rbac").await?)?.remove(0);
        let rules: Vec<PolicyRule> =
            serde_json::from_value(role.data["rules"].clone()).context("reading the tenant's rules")?;
        let metadata = json!({ "name": TENANT, "namespace": namespace.name });
        let objects = [
            serde_json::to_value(&role).context("writing the tenant's role")?,
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": role.metadata.name,
                },
                "subjects": [{ "kind": "ServiceAccount", "name": TENANT, "namespace": namespace.name }],
            }),
        ];
        self.apply_objects(&objects).await.with_context(|| format!("making the tenant of {}", namespace.name))?;
        let admin = self.admin().await?;
        let scope = Some(namespace.name.as_str());
        rbac::in_force(&admin, &namespace.tenant(), scope, &rules).await?;
        Ok(namespace)
    }

    /// Makes a namespace with nothing in it.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn empty_namespace(&self, prefix: &str) -> Result<Namespace> {
        let name = format!("{prefix}-{:08x}", rand::rng().random::<u32>());
        let mut object = Object::default();
        object.metadata.name = Some(name.clone());
        let namespaces: Api<Object> = Api::all(self.admin().await?);
        namespaces.create(&PostParams::default(), &object).await.with_context(|| format!("making namespace {name}"))?;
        Ok(Namespace { name })
    }

    /// Deletes a namespace; the controllers end it in their own time.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn delete_namespace(&self, namespace: &Namespace) -> Result<()> {
        let namespaces: Api<Object> = Api::all(self.admin().await?);
        namespaces
            .delete(&namespace.name, &DeleteParams::default())
            .await
            .map(drop)
            .with_context(|| format!("deleting namespace {}", namespace.name))
    }
}
