//! What the operator does when the API server is away, a right is taken from it, or a definition is removed: `cargo figures --outage`.
//!
//! Nobody restarts the operator meanwhile, and clients fetch artifacts all the time. source-controller's part is played by hand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::upstream::{Archives, Source};
use jaas_tests::{http, manifests, wait};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::sources::{all_have, announce, apply_all, object, revision};
use super::{CLIENTS, PATIENCE, poll};

/// The role that the operator prints for what it watches and writes.
const ROLE: &str = "jaas-operator";
/// Kinds of sources with the names of their resources, and what their snippets publish first.
const SOURCES: [(&str, &str, u32); 3] = [
    ("buckets", "Bucket", 10_000),
    ("gitrepositories", "GitRepository", 20_000),
    ("ocirepositories", "OCIRepository", 30_000),
];
/// Definitions that are removed and made again. That of the snippets comes last: they go with it.
const DEFINITIONS: [(&str, &str); 3] = [
    ("externalartifacts.source.toolkit.fluxcd.io", "ExternalArtifact"),
    ("jsonnetlibraries.jaas.metio.wtf", "JsonnetLibrary"),
    ("jsonnetsnippets.jaas.metio.wtf", "JsonnetSnippet"),
];

/// Measures an API server that is away for so long, and then everything else.
pub(super) async fn measure(plane: &mut ControlPlane, count: usize, away: Duration) -> Result<()> {
    let scene = Scene::new(plane, count).await?;
    let process = scene.operator.process().pid();
    api_server(plane, &scene, away).await?;
    for (plural, kind, first) in SOURCES {
        forbidden(plane, &scene, plural, kind, first).await?;
    }
    for (definition, kind) in DEFINITIONS {
        removed(plane, &scene, definition, kind).await?;
    }
    scene.operator.process().ensure_running()?;
    ensure!(scene.operator.process().pid() == process, "the operator was started anew");
    println!("restarts of the operator: 0");
    Ok(())
}

/// Snippets that are published, and an operator that nobody starts again.
struct Scene {
    namespace: String,
    operator: Operator,
    archives: Archives,
    count: usize,
    /// Addresses of artifacts that nothing changes.
    urls: Vec<String>,
}

impl Scene {
    async fn new(plane: &ControlPlane, count: usize) -> Result<Self> {
        let archives = Archives::start().await?;
        let namespace = plane.namespace("outage").await?.name;
        let options =
            OperatorOptions { args: vec![archives.flag()], ..OperatorOptions::watching([namespace.as_str()]) };
        let operator = Operator::ready(plane, options).await?;
        let mut scene = Self { namespace, operator, archives, count, urls: Vec::new() };
        let all = tokio::spawn(all_have(scene.snippets(plane).await?, revision("0"), count));
        let still = (0..count).map(|n| scene.inline(&format!("s{n}"), 0));
        apply_all(&plane.admin().await?, still.collect()).await?;
        all.await.context("watching")??;
        let artifacts = scene.artifacts(plane).await?.list(&ListParams::default()).await?;
        let urls = artifacts.items.iter().filter_map(|it| it.data["status"]["artifact"]["url"].as_str());
        scene.urls = urls.map(str::to_owned).collect();
        ensure!(scene.urls.len() == count, "{} of {count} artifacts", scene.urls.len());

        let client = plane.admin().await?;
        plane.apply_objects(&[scene.inline("changed", 1)]).await?;
        for (plural, kind, first) in SOURCES {
            Source::create(&client, kind, &scene.namespace, plural).await?;
            let spec = json!({"serviceAccountName": "tenant", "sourceRef": {"kind": kind, "name": plural}});
            plane.apply_objects(&[object("JsonnetSnippet", &scene.namespace, plural, &spec)]).await?;
            scene.announced(plane, plural, kind, first).await?;
        }
        Ok(scene)
    }

    fn inline(&self, name: &str, text: u32) -> Value {
        let spec = json!({"serviceAccountName": "tenant", "files": {"main.jsonnet": text.to_string()}});
        object("JsonnetSnippet", &self.namespace, name, &spec)
    }

    // A client of its own each time: an old one may hold connections to an API server that is no more.
    async fn snippets(&self, plane: &ControlPlane) -> Result<Api<DynamicObject>> {
        Ok(manifests::custom(&plane.admin().await?, &self.namespace, "jaas.metio.wtf", "v1", "JsonnetSnippet"))
    }

    async fn artifacts(&self, plane: &ControlPlane) -> Result<Api<DynamicObject>> {
        let client = plane.admin().await?;
        Ok(manifests::custom(&client, &self.namespace, "source.toolkit.fluxcd.io", "v1", "ExternalArtifact"))
    }

    /// Time from a change to the status that names what it renders to, which no other snippet does.
    async fn followed(
        &self,
        plane: &ControlPlane,
        text: u32,
        change: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<Duration> {
        let followed = tokio::spawn(all_have(self.snippets(plane).await?, revision(&text.to_string()), 1));
        let begun = Instant::now();
        change().await?;
        followed.await.context("watching")??;
        Ok(begun.elapsed())
    }

    /// The same for a change of the inline snippet.
    async fn changed(&self, plane: &ControlPlane, text: u32) -> Result<Duration> {
        let snippets = self.snippets(plane).await?;
        let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": text.to_string()}}}));
        self.followed(plane, text, async || {
            snippets.patch("changed", &PatchParams::default(), &patch).await.map(drop).context("changing a snippet")
        })
        .await
    }

    /// The same for a new archive of a source.
    async fn announced(&self, plane: &ControlPlane, name: &str, kind: &'static str, text: u32) -> Result<Duration> {
        let source = Source::of(&plane.admin().await?, kind, &self.namespace, name);
        self.followed(plane, text, async || announce(&self.archives, &source, "main.jsonnet", &text.to_string()).await)
            .await
    }

    /// Time until the operator says at its probe what is wrong with a kind, or that nothing is.
    async fn told(&self, kind: &str, cause: Option<&str>) -> Result<Duration> {
        let begun = Instant::now();
        let url = self.operator.management_url("/ready/reconcile");
        wait::eventually(format!("{kind} to be {cause:?}"), PATIENCE, async || {
            let said = http::get(&url).await.map_err(|error| format!("{error:#}"))?.text();
            let said: Value = serde_json::from_str(&said).map_err(|error| error.to_string())?;
            let is = said["watches"][kind]["cause"].as_str();
            if is == cause { Ok(()) } else { Err(said.to_string()) }
        })
        .await?;
        Ok(begun.elapsed())
    }

    /// Time until a snippet's condition has this reason.
    async fn says(&self, plane: &ControlPlane, name: &str, reason: &str) -> Result<Duration> {
        let begun = Instant::now();
        wait::object(&self.snippets(plane).await?, name, format!("says {reason}"), PATIENCE, |it| {
            it.data["status"]["conditions"][0]["reason"] == reason
        })
        .await?;
        Ok(begun.elapsed())
    }

    /// How often watches could not be taken up where they had ended.
    async fn expired(&self) -> Result<u64> {
        let metrics = self.operator.metrics().await?;
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("jaas_watch_failures_total{") && line.contains("cause=\"expired\""));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    /// Fetches artifacts while something happens, and answers what came of it.
    async fn while_fetching(&self, work: impl AsyncFnOnce() -> Result<()>) -> Result<String> {
        let over = CancellationToken::new();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(poll(self.urls.clone(), number, over.clone()));
        }
        let begun = Instant::now();
        let done = work().await;
        let took = begun.elapsed().as_secs_f64();
        over.cancel();
        let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
        while let Some(told) = clients.join_next().await {
            for (status, times) in told?? {
                *answers.entry(status).or_default() += times;
            }
        }
        done?;
        let all: usize = answers.values().sum();
        Ok(format!("{all} GETs in {took:.0} s ({:.0}/s): {answers:?}", all as f64 / took))
    }
}

/// The API server is ended with SIGKILL, etcd forgets the past, and it is started again.
async fn api_server(plane: &mut ControlPlane, scene: &Scene, away: Duration) -> Result<()> {
    let expired = scene.expired().await?;
    let answers = scene
        .while_fetching(async || {
            plane.stop_api_server().await?;
            tokio::time::sleep(away / 2).await;
            plane.compact_etcd().await?;
            tokio::time::sleep(away / 2).await;
            Ok(())
        })
        .await?;
    println!("API server away for {} s: {answers}", away.as_secs());
    plane.start_api_server().await?;
    let ready = Instant::now();
    let changed = scene.changed(plane, 2).await?;
    let published = ready.elapsed();
    for kind in ["JsonnetSnippet", "JsonnetLibrary", "ExternalArtifact", "Bucket", "GitRepository", "OCIRepository"] {
        scene.told(kind, None).await?;
    }
    println!(
        "API server back, etcd compacted: a change made then is published {:.1} s after /readyz ({:.1} s after the change), everything is watched after {:.1} s, {} watches were too old",
        published.as_secs_f64(),
        changed.as_secs_f64(),
        ready.elapsed().as_secs_f64(),
        scene.expired().await? - expired
    );
    Ok(())
}

/// The operator may not watch a kind of sources, and then may again.
async fn forbidden(plane: &ControlPlane, scene: &Scene, plural: &str, kind: &'static str, first: u32) -> Result<()> {
    let roles: Api<ClusterRole> = Api::all(plane.admin().await?);
    let mut role = roles.get(ROLE).await?;
    let rules = role.rules.clone().unwrap_or_default();
    for resources in role.rules.iter_mut().flatten().filter_map(|rule: &mut PolicyRule| rule.resources.as_mut()) {
        resources.retain(|resource| resource != plural);
    }
    let answers = scene
        .while_fetching(async || {
            roles.replace(ROLE, &PostParams::default(), &role).await?;
            let told = scene.told(kind, Some("forbidden")).await?;
            let said = scene.says(plane, plural, "RBACDenied").await?;
            let inline = scene.changed(plane, first + 1).await?;
            let looked = scene.announced(plane, plural, kind, first + 2).await?;
            println!(
                "{kind} forbidden: told after {:.1} s, its snippet says so {:.1} s later; meanwhile an inline change is published after {:.3} s, a change of the source after {:.0} s",
                told.as_secs_f64(),
                said.as_secs_f64(),
                inline.as_secs_f64(),
                looked.as_secs_f64()
            );
            let mut again = roles.get(ROLE).await?;
            again.rules = Some(rules);
            roles.replace(ROLE, &PostParams::default(), &again).await?;
            let watched = scene.told(kind, None).await?;
            let said = scene.says(plane, plural, "Synced").await?;
            let followed = scene.announced(plane, plural, kind, first + 3).await?;
            println!(
                "{kind} allowed again: watched after {:.1} s, its snippet is Ready {:.1} s later; a change of the source is published after {:.3} s",
                watched.as_secs_f64(),
                said.as_secs_f64(),
                followed.as_secs_f64()
            );
            Ok(())
        })
        .await?;
    println!("{kind}, all the while: {answers}");
    Ok(())
}

/// A definition is deleted, its objects with it, and made again.
async fn removed(plane: &ControlPlane, scene: &Scene, definition: &str, kind: &'static str) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(plane.admin().await?);
    let mut whole = definitions.get(definition).await?;
    whole.metadata = ObjectMeta { name: Some(definition.to_owned()), ..ObjectMeta::default() };
    whole.status = None;
    let answers = scene
        .while_fetching(async || {
            definitions.delete(definition, &DeleteParams::default()).await?;
            wait::gone(&definitions, definition, PATIENCE).await?;
            let told = scene.told(kind, Some("missing")).await?;
            definitions.create(&PostParams::default(), &whole).await?;
            let begun = Instant::now();
            scene.told(kind, None).await?;
            let watched = begun.elapsed();
            println!(
                "the definition of {kind} removed: told after {:.1} s; made again: watched after {:.1} s",
                told.as_secs_f64(),
                watched.as_secs_f64()
            );
            if kind == "ExternalArtifact" {
                announced_anew(plane, scene, begun).await?;
            }
            Ok(())
        })
        .await?;
    match kind {
        "JsonnetSnippet" => {
            // Everything was withdrawn with the snippets.
            let took = scene
                .followed(plane, 40_000, async || plane.apply_objects(&[scene.inline("new", 40_000)]).await.map(drop))
                .await?;
            println!("a snippet made then is published after {:.3} s", took.as_secs_f64());
        }
        _ => println!("all the while: {answers}"),
    }
    Ok(())
}

async fn announced_anew(plane: &ControlPlane, scene: &Scene, begun: Instant) -> Result<()> {
    let (artifacts, wanted) = (scene.artifacts(plane).await?, scene.count + SOURCES.len() + 1);
    wait::eventually("all artifacts to be announced again", PATIENCE, async || {
        let list = artifacts.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let announced = list.items.iter().filter(|it| it.data["status"]["artifact"]["url"].is_string()).count();
        if announced == wanted { Ok(()) } else { Err(format!("{announced} of {wanted}")) }
    })
    .await?;
    println!("all {wanted} artifacts are announced again after {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}
