//! Talking to a control plane, as anybody.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::certificates::Pair;
use super::kubeconfig::Proof;
use super::{ControlPlane, Identity, kubeconfig};
use crate::manifests;

/// In seconds.
const A_DAY: i64 = 86_400;

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
            self.write_kubeconfig(&path, &self.api_url(), &user, &Proof::Certificate(pair))?;
        }
        Ok(path)
    }

    /// The path of a kubeconfig for an identity whose certificate has expired.
    ///
    /// # Errors
    /// As [`ControlPlane::kubeconfig`].
    pub fn expired_kubeconfig(&self, identity: &Identity) -> Result<PathBuf> {
        let user = identity.user();
        let path = self.work().join(format!("{}-expired.kubeconfig", user.replace(['/', ':'], "_")));
        let pair = self.authority.expired_client(&user, &identity.groups())?;
        self.write_kubeconfig(&path, &self.api_url(), &user, &Proof::Certificate(pair))?;
        Ok(path)
    }

    /// The path of a kubeconfig for a service account that reaches the API server at another address, such as a proxy's.
    ///
    /// It holds a token that is good for a day, since a certificate would have to be shown by the proxy.
    ///
    /// # Errors
    /// When there is no such service account, or the file cannot be written.
    pub async fn kubeconfig_at(&self, url: &str, namespace: &str, name: &str) -> Result<PathBuf> {
        let user = Identity::service_account(namespace, name).user();
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin().await?, namespace);
        let asked = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(A_DAY), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let minted = accounts
            .create_token_request(name, &PostParams::default(), &asked)
            .await
            .with_context(|| format!("asking for a token of {user}"))?;
        let token = minted.status.and_then(|status| status.token).with_context(|| format!("{user} got no token"))?;
        let address = url.rsplit('/').next().unwrap_or(url);
        let path = self.work().join(format!("{user}-{address}.kubeconfig").replace(':', "_"));
        self.write_kubeconfig(&path, url, &user, &Proof::Token(token))?;
        Ok(path)
    }

    fn write_kubeconfig(&self, path: &Path, url: &str, user: &str, proof: &Proof) -> Result<()> {
        let text = kubeconfig::kubeconfig(url, self.certificate_authority(), user, proof);
        let mut file = tempfile::NamedTempFile::new_in(self.work()).context("making a kubeconfig")?;
        serde_json::to_writer_pretty(&mut file, &text).context("writing a kubeconfig")?;
        file.persist(path).map(drop).with_context(|| format!("making {}", path.display()))
    }

    /// A certificate for a kubelet on loopback, by the same authority.
    pub(crate) fn kubelet_certificate(&self, node: &str) -> Result<Pair> {
        self.authority.kubelet(node)
    }

    /// The certificate of the authority that signed the API server's, in PEM.
    #[must_use]
    pub fn certificate_authority(&self) -> &str {
        self.authority.certificate()
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
