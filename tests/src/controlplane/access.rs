//! Talking to a control plane, as anybody.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kube::api::DynamicObject;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ControlPlane, Identity, kubeconfig};
use crate::manifests;

impl ControlPlane {
    /// A client that may do everything.
    ///
    /// It belongs to the current runtime: a test must not keep it for another one.
    ///
    /// # Errors
    /// When the kubeconfig cannot be written.
    pub async fn admin(&self) -> Result<Client> {
        self.client(&Identity::Admin).await
    }

    /// A client for an identity, bound to the current runtime like [`ControlPlane::admin`].
    ///
    /// # Errors
    /// When the kubeconfig cannot be written.
    pub async fn client(&self, identity: &Identity) -> Result<Client> {
        let path = self.kubeconfig(identity)?;
        let kubeconfig = Kubeconfig::read_from(&path).with_context(|| format!("reading {}", path.display()))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .with_context(|| format!("using {}", path.display()))?;
        Client::try_from(config).context("setting up a Kubernetes client")
    }

    /// The path of a kubeconfig for an identity; always the same for the same identity.
    ///
    /// # Errors
    /// When it cannot be written, or the identity has more groups than a certificate holds.
    pub fn kubeconfig(&self, identity: &Identity) -> Result<PathBuf> {
        let user = identity.user();
        let groups = identity.groups();
        // The groups are in the certificate, so they tell two files of one user apart.
        let groups_digest = hex::encode(Sha256::digest(groups.join("\n")));
        let name = format!("{}-{}.kubeconfig", user.replace(['/', ':'], "_"), &groups_digest[..8]);
        let path = self.work().join(name);
        if !path.exists() {
            let pair = self.authority.client(&user, &groups)?;
            let authority = self.authority.certificate();
            let text = kubeconfig::kubeconfig(&self.api_url(), authority, &user, &pair);
            let mut file = tempfile::NamedTempFile::new_in(self.work()).context("making a kubeconfig")?;
            serde_json::to_writer_pretty(&mut file, &text).context("writing a kubeconfig")?;
            file.persist(&path).with_context(|| format!("making {}", path.display()))?;
        }
        Ok(path)
    }

    /// Applies manifests as admin; see [`manifests::apply`].
    ///
    /// # Errors
    /// As [`manifests::apply`].
    pub async fn apply(&self, yaml: &str) -> Result<Vec<DynamicObject>> {
        manifests::apply(&self.admin().await?, yaml).await
    }

    /// Applies objects as admin; see [`manifests::apply`].
    ///
    /// # Errors
    /// As [`manifests::apply`].
    pub async fn apply_objects(&self, objects: &[Value]) -> Result<Vec<DynamicObject>> {
        manifests::apply_objects(&self.admin().await?, objects.to_vec()).await
    }
}
