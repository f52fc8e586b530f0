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

/// Has etcd forget what was before a revision.
pub(super) async fn compact_etcd(ports: Ports, revision: u64) -> Result<()> {
    let url = format!("http://127.0.0.1:{}/v3/kv/compaction", ports.etcd);
    let asked = format!("{{\"revision\": \"{revision}\", \"physical\": true}}");
    let answer = crate::http::post_json(&url, asked).await?;
    anyhow::ensure!(answer.status.is_success(), "compacting etcd: {} {}", answer.status, answer.text());
    Ok(())
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
