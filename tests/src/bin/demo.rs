//! The main job from end to end, on a real API server with Flux's real consumer: `cargo demo`.
//!
//! It says what it does and how long that took, and leaves nothing running.

use std::fmt::Display;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::flux::KustomizeController;
use jaas_tests::manifests::custom;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::programs::Programs;
use jaas_tests::runner::{self, Executables};
use jaas_tests::supervisor::Launcher;
use jaas_tests::{http, wait};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};

/// Namespace of the examples.
const NAMESPACE: &str = "demo";
/// Longest that any step may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    runner::finish(prepare().map(|()| ExitCode::SUCCESS))
}

fn prepare() -> Result<()> {
    let begun = Instant::now();
    let mut story = Story::begin();
    story.step("Building etcd, kube-apiserver, kube-controller-manager, kubectl and kustomize-controller, unless they are in the cache");
    let programs = Programs::ensure()?;
    story.step("Building the operator");
    let executables = Executables::build(&[])?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
        tokio::select! {
            told = tell(&mut story, programs, executables) => told,
            _ = interrupt.recv() => anyhow::bail!("interrupted; everything that was started is ended"),
        }
    })?;
    story.end();
    println!("\nDone in {:.1} s. Nothing is left running.", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Tells what happens, and after each step how long it took.
struct Story {
    step: u32,
    begun: Instant,
}

impl Story {
    fn begin() -> Self {
        Self { step: 0, begun: Instant::now() }
    }

    fn step(&mut self, what: impl Display) {
        self.end();
        self.step += 1;
        self.begun = Instant::now();
        println!("\n{}. {what}.", self.step);
    }

    fn end(&self) {
        if self.step > 0 {
            println!("   [{:.1} s]", self.begun.elapsed().as_secs_f64());
        }
    }

    fn say(&self, what: impl Display) {
        for line in what.to_string().lines() {
            println!("   {line}");
        }
    }
}

async fn tell(story: &mut Story, programs: Programs, executables: Executables) -> Result<()> {
    let kubectl = programs.kubectl.clone();
    story.step(
        "Starting etcd, the API server with TLS and RBAC, five controllers, and applying Flux's and our definitions",
    );
    let plane = ControlPlane::start(Options {
        programs: Some(programs),
        supervisor: Some(Launcher::executable(executables.supervisor)),
        operator: Some(executables.operator),
        ..Options::default()
    })
    .await?;
    let kubectl = Kubectl { program: kubectl, kubeconfig: plane.kubeconfig(&Identity::Admin)? };

    story.step("Starting Flux's kustomize-controller, and the operator as a ServiceAccount with the chart's rights and no others");
    let _consumer = KustomizeController::start(&plane, &["--interval-jitter-percentage=0"]).await?;
    let operator = Operator::ready(&plane, OperatorOptions::default()).await?;

    story.step("Applying the examples: a tenant, a Grafana dashboard with its library, and Kubernetes manifests");
    apply(&plane, "charts/jaas/files/rbac/tenant.yaml").await?;
    for file in
        ["tenant/rbac", "dashboard/library", "dashboard/snippet", "manifests/snippet", "manifests/kustomization"]
    {
        apply(&plane, &format!("examples/{file}.yaml")).await?;
    }
    let client = plane.admin().await?;
    let snippets = custom(&client, NAMESPACE, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    for name in ["service-dashboard", "web"] {
        synced(&snippets, name, 1).await?;
    }
    story.say(kubectl.run(&["get", "jsonnetsnippets", "--namespace", NAMESPACE, "--output", "wide"])?);

    story.step("Fetching the dashboard's tarball as a consumer does, and verifying its digest");
    let artifacts = custom(&client, NAMESPACE, "source.toolkit.fluxcd.io", "v1", "ExternalArtifact");
    fetch(story, &artifacts, "service-dashboard").await?;

    story.step("Waiting until kustomize-controller has fetched, verified and applied the manifests");
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    wait::eventually("the applied objects", PATIENCE, async || {
        maps.get("web-production").await.map_err(|error| error.to_string())
    })
    .await?;
    story.say("No Pods follow: this control plane has no nodes and no Deployment controller.");
    let label = "app.kubernetes.io/name=web";
    story.say(kubectl.run(&[
        "get",
        "configmaps,services,deployments",
        "--namespace",
        NAMESPACE,
        "--selector",
        label,
    ])?);

    story.step("Changing the snippet, and waiting until the change has reached the cluster");
    let tlas = json!({"spec": {"tlas": [
        {"name": "greeting", "value": "Good evening"},
        {"name": "replicas", "value": "{ production: 5 }", "code": true},
    ]}});
    let begun = Instant::now();
    snippets.patch("web", &PatchParams::default(), &Patch::Merge(&tlas)).await.context("changing the snippet web")?;
    let page = wait::eventually("the new page", PATIENCE, async || {
        let map = maps.get("web-production").await.map_err(|error| error.to_string())?;
        let page = map.data.unwrap_or_default().remove("index.html").unwrap_or_default();
        if page.contains("Good evening") { Ok(page) } else { Err(page) }
    })
    .await?;
    story.say(format_args!("web-production says after {} ms: {}", begun.elapsed().as_millis(), page.trim_end()));
    wait::gone(&maps, "web-staging", PATIENCE).await.context("waiting for what was removed to be pruned")?;
    story.say("web-staging is no longer rendered, so kustomize-controller has pruned it.");

    story.step("Asking the operator to end");
    let (exit, took) = operator.terminate().await?;
    ensure!(exit.success(), "the operator ended with {exit}:\n{}", operator.log());
    story.say(format_args!("It drained and ended within {:.1} s.", took.as_secs_f64()));
    Ok(())
}

async fn apply(plane: &ControlPlane, path: &str) -> Result<()> {
    let text = std::fs::read_to_string(runner::root().join(path)).with_context(|| format!("reading {path}"))?;
    plane.apply(&text).await.map(drop).with_context(|| format!("applying {path}"))
}

async fn synced(snippets: &Api<DynamicObject>, name: &str, generation: i64) -> Result<DynamicObject> {
    wait::object(snippets, name, "is Ready", PATIENCE, |snippet| {
        let status = &snippet.data["status"];
        status["observedGeneration"] == generation && status["conditions"][0]["status"] == "True"
    })
    .await
}

async fn fetch(story: &Story, artifacts: &Api<DynamicObject>, name: &str) -> Result<()> {
    let artifact = artifacts.get(name).await.with_context(|| format!("reading ExternalArtifact {name}"))?;
    let published: &Value = &artifact.data["status"]["artifact"];
    let url = published["url"].as_str().context("the artifact has no url")?;
    let answer = http::get(url).await?;
    ensure!(answer.status.is_success(), "{url} answers {}", answer.status);
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&answer.body)));
    ensure!(published["digest"] == digest, "{url} has digest {digest}, but {} is announced", published["digest"]);
    story.say(format_args!("GET {url}"));
    story.say(format_args!("{} bytes, {digest}: as announced.", answer.body.len()));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&answer.body[..]));
    for entry in archive.entries().context("reading the tarball")? {
        let mut entry = entry.context("reading the tarball")?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).context("reading an entry of the tarball")?;
        story.say(format_args!("{}: {} lines of JSON", entry.path()?.display(), text.lines().count()));
        let dashboard: Value = serde_json::from_str(&text).context("reading the dashboard")?;
        let panels = dashboard["panels"].as_array().into_iter().flatten().filter(|panel| panel["type"] != "row");
        let titles: Vec<_> = panels.filter_map(|panel| panel["title"].as_str()).collect();
        story.say(format_args!("{} with the panels {}", dashboard["title"], titles.join(", ")));
    }
    Ok(())
}

/// The real kubectl, to show things as their users see them.
struct Kubectl {
    program: std::path::PathBuf,
    kubeconfig: std::path::PathBuf,
}

impl Kubectl {
    fn run(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .with_context(|| format!("running {}", Path::new(&self.program).display()))?;
        ensure!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(format!("$ kubectl {}\n{}", args.join(" "), String::from_utf8_lossy(&output.stdout)))
    }
}
