//! What every case of one store stands on: the operator behind its proxies, the store, and a snippet that stays.

use std::time::Duration;

use anyhow::{Context, Result};
use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_tests::apiproxy::{Arrivals, Moment, Proxy};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::namespace::TENANT;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::s3::faults::FaultServer;
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY};
use jaas_tests::{http, wait};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::effects::{Backend, Effect, Operation, Server, numbered, what};
use super::judge::Wanted;
use super::shelf::Shelf;

/// Longest that anything ordinary may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Name of the snippet in every namespace.
pub(super) const NAME: &str = "web";

/// Little patience and short grace, so that what is to be collected is collected while a case lasts. The age of an orphan is never to
/// be below the sum of the other two.
const ARGS: [&str; 6] = [
    "--artifact-gc-grace=1s",
    "--max-withdraw-wait=1s",
    "--storage-orphan-age=2s",
    "--storage-orphan-interval=1s",
    "--storage-sweep-interval=1s",
    "--storage-sweep-max-tmp-age=1s",
];

/// The operator, and all that it talks to.
pub(super) struct Bed<'a> {
    plane: &'a ControlPlane,
    client: Client,
    api: Proxy,
    bucket: Option<Bucket>,
    pub(super) shelf: Shelf,
    pub(super) operator: Operator,
    pub(super) consumer: reqwest::Client,
    /// Where nothing is collected unless there is some snippet, there is always this one.
    anchor: Option<Scene>,
}

/// An S3 service, and the way to it.
struct Bucket {
    proxy: Proxy,
    _server: FaultServer,
}

/// A namespace with one snippet.
pub(super) struct Scene {
    pub(super) namespace: String,
    pub(super) snippets: Api<JsonnetSnippet>,
    pub(super) artifacts: Api<ExternalArtifact>,
}

impl<'a> Bed<'a> {
    /// Starts an operator with an empty store.
    pub(super) async fn new(plane: &'a ControlPlane, backend: Backend) -> Result<Self> {
        let api = Proxy::to_api_server(plane).await?;
        let mut args: Vec<String> = ARGS.map(ToOwned::to_owned).into();
        let (mut bucket, mut endpoint) = (None, None);
        if backend == Backend::S3 {
            let server = FaultServer::start().await?;
            let proxy = Proxy::to_http(&server.endpoint()).await?;
            args.extend([
                "--storage-backend=s3".to_owned(),
                format!("--s3-endpoint={}", proxy.endpoint()),
                format!("--s3-bucket={BUCKET}"),
                format!("--s3-region={REGION}"),
                "--s3-use-ssl=false".to_owned(),
                format!("--s3-access-key={ACCESS_KEY}"),
                format!("--s3-secret-key={SECRET_KEY}"),
            ]);
            endpoint = Some(server.endpoint());
            bucket = Some(Bucket { proxy, _server: server });
        }
        let options = OperatorOptions { api_url: Some(api.url()), args, ..OperatorOptions::default() };
        let operator = Operator::ready(plane, options).await?;
        let shelf = endpoint.map_or_else(|| Shelf::Folder(operator.storage_path().to_owned()), Shelf::Bucket);
        let client = plane.admin().await?;
        let consumer = http::client()?;
        let mut bed = Self { plane, client, api, bucket, shelf, operator, consumer, anchor: None };
        let anchor = bed.scene("anchor").await?;
        anchor.create("anchor").await?;
        bed.until(&anchor, &Wanted::Text("anchor".to_owned())).await?;
        bed.anchor = Some(anchor);
        Ok(bed)
    }

    /// Takes back what is left, and ends the operator.
    pub(super) async fn end(mut self) -> Result<()> {
        if let Some(anchor) = self.anchor.take() {
            self.clear(&anchor).await?;
        }
        self.operator.kill().await
    }

    /// A fresh namespace.
    pub(super) async fn scene(&self, prefix: &str) -> Result<Scene> {
        let namespace = self.plane.namespace(prefix).await?.name;
        Ok(Scene {
            snippets: Api::namespaced(self.client.clone(), &namespace),
            artifacts: Api::namespaced(self.client.clone(), &namespace),
            namespace,
        })
    }

    /// Deletes the snippet if it is still there, so that no case meets the work of another.
    pub(super) async fn clear(&self, scene: &Scene) -> Result<()> {
        if scene.snippets.get_opt(NAME).await.context("looking for the snippet")?.is_some() {
            scene.act(Operation::Withdraw, "").await?;
        }
        self.until(scene, &Wanted::Nothing).await
    }

    /// Waits until the snippet and its artifact say what is wanted.
    ///
    /// # Errors
    /// When they do not in time, with the end of the operator's log.
    pub(super) async fn until(&self, scene: &Scene, wanted: &Wanted) -> Result<()> {
        let waited = wait::eventually(wanted, PATIENCE, async || scene.says(wanted).await).await;
        waited.with_context(|| self.operator.process().log_tail())
    }

    /// Stops the operator at an effect.
    pub(super) fn stop(&self, scene: &Scene, effect: &Effect, moment: Moment) -> Option<Arrivals> {
        let proxy = self.way(effect.server)?;
        let (server, wanted, namespace) = (effect.server, effect.what.clone(), scene.namespace.clone());
        Some(proxy.stop_nth(effect.nth, moment, move |call| {
            what(server, call, &namespace).is_some_and(|what| what == wanted)
        }))
    }

    /// Lets everything pass again.
    pub(super) fn pass(&self) {
        self.api.no_rule();
        if let Some(bucket) = &self.bucket {
            bucket.proxy.no_rule();
        }
    }

    /// What the operator did in a namespace since [`Bed::forget`].
    pub(super) fn effects(&self, scene: &Scene) -> Vec<Effect> {
        let of = |server| {
            let calls = self.way(server).map(Proxy::calls).unwrap_or_default();
            numbered(server, &calls, &scene.namespace)
        };
        [of(Server::Api), of(Server::Store)].concat()
    }

    pub(super) fn forget(&self) {
        for server in [Server::Api, Server::Store] {
            if let Some(proxy) = self.way(server) {
                proxy.forget_calls();
            }
        }
    }

    fn way(&self, server: Server) -> Option<&Proxy> {
        match server {
            Server::Api => Some(&self.api),
            Server::Store => self.bucket.as_ref().map(|bucket| &bucket.proxy),
        }
    }
}

impl Scene {
    /// Does what makes the operator do an operation.
    pub(super) async fn act(&self, operation: Operation, text: &str) -> Result<()> {
        match operation {
            Operation::Publish => self.create(text).await,
            Operation::Update => {
                let patch = Patch::Merge(json!({"spec": {"files": files(text)}}));
                let patched = self.snippets.patch(NAME, &PatchParams::default(), &patch).await;
                patched.map(drop).context("changing the snippet")
            }
            Operation::Withdraw => {
                let deleted = self.snippets.delete(NAME, &DeleteParams::default()).await;
                deleted.map(drop).context("deleting the snippet")
            }
        }
    }

    async fn create(&self, text: &str) -> Result<()> {
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {"serviceAccountName": TENANT, "files": files(text), "history": 1},
        });
        let snippet = serde_json::from_value(object).context("writing a snippet")?;
        self.snippets.create(&PostParams::default(), &snippet).await.map(drop).context("creating the snippet")
    }

    /// Whether snippet and artifact say what is wanted; else what they say.
    pub(super) async fn says(&self, wanted: &Wanted) -> Result<(), String> {
        let failed = |error: kube::Error| error.to_string();
        let snippet = self.snippets.get_opt(NAME).await.map_err(failed)?;
        let artifact = self.artifacts.get_opt(NAME).await.map_err(failed)?;
        let as_wanted = match (wanted, &snippet, &artifact) {
            (Wanted::Nothing, None, None) => true,
            (Wanted::Text(_), Some(snippet), Some(artifact)) => {
                let status = snippet.status.clone().unwrap_or_default();
                status.observed_generation == snippet.metadata.generation
                    && status.ready().is_some_and(|ready| ready.status == "True")
                    && artifact.published().map(|published| &published.revision) == status.revision.as_ref()
            }
            _ => false,
        };
        if as_wanted { Ok(()) } else { Err(json!({"snippet": snippet, "artifact": artifact}).to_string()) }
    }
}

/// Files of a snippet that renders to the text and something of a usual size.
fn files(text: &str) -> Value {
    json!({"main.jsonnet": format!("{{ text: {}, more: std.range(1, 500) }}", json!(text))})
}
