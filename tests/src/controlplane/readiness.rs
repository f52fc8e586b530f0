//! When each program of the control plane may be used.

use anyhow::{Context, Result};
use http::Request;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use serde::Deserialize;

use super::commands::Ports;
use crate::readiness::{healthy, of};
use crate::supervisor::Process;

pub(super) async fn etcd(process: &Process, ports: Ports) -> Result<()> {
    let url = format!("http://127.0.0.1:{}/health", ports.etcd);
    of(process, "its health", async || healthy(&url).await).await
}

pub(super) async fn api_server(process: &Process, client: &Client) -> Result<()> {
    of(process, "its readiness", async || {
        let request = Request::get("/readyz").body(Vec::new())?;
        client.request_text(request).await.context("asking /readyz")
    })
    .await
    .map(drop)
}

/// The first thing that the controllers make in a fresh control plane is this service account.
pub(super) async fn controllers(process: &Process, client: &Client) -> Result<()> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    of(process, "service account default/default", async || accounts.get("default").await).await.map(drop)
}

/// etcd's revision grows by one with every write.
pub(super) async fn etcd_revision(ports: Ports) -> Result<u64> {
    #[derive(Deserialize)]
    struct Status {
        header: Header,
    }
    #[derive(Deserialize)]
    struct Header {
        revision: String,
    }
    let url = format!("http://127.0.0.1:{}/v3/maintenance/status", ports.etcd);
    let answer = crate::http::post_json(&url, "{}").await?;
    let status: Status =
        serde_json::from_slice(&answer.body).with_context(|| format!("reading etcd's status: {}", answer.text()))?;
    status.header.revision.parse().with_context(|| format!("reading etcd's revision `{}`", status.header.revision))
}
