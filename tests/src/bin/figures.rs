//! Figures of the operator against what the same API server allows in the same run: `cargo figures`.
//!
//! Every rate stands beside the rate that the harness itself reaches with the same writes and the same watches open, because an
//! absolute number says more of the machine than of the operator.

#[path = "figures/hostile.rs"]
mod hostile;
#[path = "figures/outage.rs"]
mod outage;
#[path = "figures/parity.rs"]
mod parity;
#[path = "figures/plugin.rs"]
mod plugin;
#[path = "figures/renderer.rs"]
mod renderer;
#[path = "figures/sources.rs"]
mod sources;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use futures::{StreamExt, TryStreamExt, stream};
use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::flux::{self, KustomizeController};
use jaas_tests::manifests::custom;
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::programs::Programs;
use jaas_tests::runner::{self, Executables};
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};
use jaas_tests::supervisor::Launcher;
use jaas_tests::{http, wait};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Requests that the harness keeps in flight; more than eight only add latency on two processors.
const IN_FLIGHT: usize = 16;
/// Longest that all snippets of a scenario may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures the operator on a control plane of its own.
#[derive(Parser)]
struct Arguments {
    /// Snippets.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How often the comparison of rates is repeated.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of idleness.
    #[arg(long, default_value_t = 60)]
    idle: u64,
    /// Measures only the commands of the plugin.
    #[arg(long)]
    plugin: bool,
    /// Measures only sources, a library of many snippets, and tenants beside each other.
    #[arg(long)]
    sources: bool,
    /// Measures only what hostile programs of one tenant cost the others and the operator.
    #[arg(long)]
    hostile: bool,
    /// Measures only the renderer beside go-jsonnet.
    #[arg(long)]
    parity: bool,
    /// Measures only requests to the HTTP renderer.
    #[arg(long)]
    renderer: bool,
    /// Measures only how an emptied store recovers.
    #[arg(long)]
    recovery: bool,
    /// Measures only an API server that is away, definitions that are removed, and rights that are taken away.
    #[arg(long)]
    outage: bool,
    /// Seconds for which the API server is away.
    #[arg(long, default_value_t = 120)]
    away: u64,
    /// Cargo's profile for the programs.
    #[arg(long, default_value = "fast")]
    profile: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.parity {
        return runner::finish(parity::measure(&arguments.profile).map(|()| ExitCode::SUCCESS));
    }
    if arguments.renderer {
        return runner::finish(renderer::measure(&arguments.profile).map(|()| ExitCode::SUCCESS));
    }
    runner::finish(prepare(&arguments).map(|()| ExitCode::SUCCESS))
}

fn prepare(arguments: &Arguments) -> Result<()> {
    let programs = Programs::ensure()?;
    let executables = Executables::build(&["--profile", &arguments.profile])?;
    let plugin = executables.plugin.clone();
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(async {
        let launcher = Launcher::executable(executables.supervisor);
        let mut plane = ControlPlane::start(Options {
            fsync: true,
            programs: Some(programs),
            supervisor: Some(launcher.clone()),
            operator: Some(executables.operator),
            workloads: arguments.plugin,
            ..Options::default()
        })
        .await?;
        if arguments.outage {
            return outage::measure(&mut plane, arguments.count, Duration::from_secs(arguments.away)).await;
        }
        measure(&plane, &plugin, &launcher, arguments).await
    })
}

async fn measure(plane: &ControlPlane, plugin: &Path, launcher: &Launcher, arguments: &Arguments) -> Result<()> {
    if arguments.plugin {
        return plugin::measure(plane, plugin, arguments.count).await;
    }
    if arguments.sources {
        return sources::measure(plane, arguments.count).await;
    }
    if arguments.hostile {
        return hostile::measure(plane, arguments.count).await;
    }
    let mut operator = Operator::ready(plane, OperatorOptions::default()).await?;
    if arguments.recovery {
        let bed = Bed::new(plane, "figures").await?;
        create(&bed, arguments.count).await?;
        return recoveries(plane, launcher, &operator, &bed, arguments.count).await;
    }
    latency(plane).await?;
    let mut ratios = Vec::new();
    let mut last = None;
    for round in 1..=arguments.rounds {
        operator.terminate().await?;
        let baseline = baseline(plane, arguments.count).await?;
        operator.restart().await?;
        operator.wait_ready().await?;
        let bed = Bed::new(plane, "figures").await?;
        let (ours, writes) = create(&bed, arguments.count).await?;
        println!(
            "create {} (round {round}): operator {ours:.0}/s with {writes:.2} writes each, harness {baseline:.0}/s with 6: ratio {:.2}",
            arguments.count,
            ours / baseline
        );
        ratios.push(ours / baseline);
        last = Some(bed);
    }
    ratios.sort_by(f64::total_cmp);
    println!("create: median ratio {:.2}, smallest {:.2}", ratios[ratios.len() / 2], ratios[0]);
    let bed = last.context("--rounds must be at least 1")?;
    quiet(&mut operator, &bed, arguments).await?;
    reconcile_all(plane, plugin, &bed, arguments.count * arguments.rounds + LATENCY_SAMPLES).await?;
    recoveries(plane, launcher, &operator, &bed, arguments.count).await
}

/// Empties a directory, and then a bucket.
async fn recoveries(
    plane: &ControlPlane,
    launcher: &Launcher,
    operator: &Operator,
    bed: &Bed<'_>,
    count: usize,
) -> Result<()> {
    recovery(plane, "directory", &operator.storage_path().join(&bed.namespace.name), bed, count).await?;
    operator.terminate().await?;
    bucket(plane, launcher, count).await
}

/// A namespace to work in.
struct Bed<'a> {
    plane: &'a ControlPlane,
    namespace: Namespace,
    snippets: Api<DynamicObject>,
    artifacts: Api<DynamicObject>,
}

impl<'a> Bed<'a> {
    async fn new(plane: &'a ControlPlane, prefix: &str) -> Result<Self> {
        let namespace = plane.namespace(prefix).await?;
        let client = plane.admin().await?;
        Ok(Self {
            snippets: custom(&client, &namespace.name, "jaas.metio.wtf", "v1", "JsonnetSnippet"),
            artifacts: custom(&client, &namespace.name, "source.toolkit.fluxcd.io", "v1", "ExternalArtifact"),
            plane,
            namespace,
        })
    }

    fn snippet(&self, name: &str) -> Result<DynamicObject> {
        // About 2 KB of Jsonnet that gives about 7 KB of JSON.
        let filler = "// a line of comment, as people write them between their panels\n".repeat(20);
        let code = format!(
            "{filler}local panel(n) = {{ id: n, title: 'Panel %d of {name}' % n, type: 'timeseries', targets: [{{ expr: 'sum(rate(requests_total{{job=\"%s\"}}[5m])) by (code)' % ['{name}-' + n], refId: 'A' }}], options: {{ legend: {{ show: true }} }} }};\n{{ title: '{name}', panels: [panel(n) for n in std.range(1, 16)] }}\n"
        );
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace.name},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": code}},
        });
        serde_json::from_value(object).context("writing a snippet")
    }

    async fn revision(&self) -> Result<f64> {
        #[expect(clippy::cast_precision_loss, reason = "revisions here are small numbers")]
        Ok(self.plane.etcd_revision().await? as f64)
    }

    /// Writes in a span of time less those that the API server makes by itself, which `alone` tells for each second.
    async fn writes(&self, alone: f64, work: impl AsyncFnOnce() -> Result<()>) -> Result<f64> {
        let (before, begun) = (self.revision().await?, Instant::now());
        work().await?;
        Ok(self.revision().await? - before - alone * begun.elapsed().as_secs_f64())
    }
}

/// Calls `seen` for each snippet that is Ready, until it says that it has seen enough.
async fn ready(snippets: Api<DynamicObject>, mut seen: impl FnMut(&DynamicObject) -> bool) -> Result<()> {
    let mut events = watcher(snippets, watcher::Config::default()).boxed();
    while let Some(event) = events.try_next().await.context("watching snippets")? {
        if let Event::Apply(snippet) | Event::InitApply(snippet) = event
            && snippet.data["status"]["conditions"][0]["status"] == "True"
            && seen(&snippet)
        {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended")
}

const LATENCY_SAMPLES: usize = 50;

/// Time from the create to Ready on an idle system.
async fn latency(plane: &ControlPlane) -> Result<()> {
    let bed = Bed::new(plane, "latency").await?;
    let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let snippets = bed.snippets.clone();
    let watching = tokio::spawn(async move {
        ready(snippets, |snippet| {
            // A closed channel means that nobody measures any more.
            told.send((snippet.name_any(), Instant::now())).is_err()
        })
        .await
    });
    let mut times = Vec::new();
    for n in 0..LATENCY_SAMPLES {
        let name = format!("s{n}");
        let snippet = bed.snippet(&name)?;
        let begun = Instant::now();
        bed.snippets.create(&PostParams::default(), &snippet).await.context("creating a snippet")?;
        loop {
            let (seen, at) = hear.recv().await.context("the watch ended")?;
            if seen == name {
                times.push((at - begun).as_secs_f64() * 1000.0);
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    watching.abort();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "create to Ready, idle, {LATENCY_SAMPLES} samples: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms",
        at(0.5),
        at(0.9),
        at(0.99)
    );
    Ok(())
}

/// Objects per second that the harness reaches with the writes that a new snippet costs, and with the operator's watches open.
async fn baseline(plane: &ControlPlane, count: usize) -> Result<f64> {
    let bed = Bed::new(plane, "baseline").await?;
    let client = plane.admin().await?;
    let libraries = custom(&client, "", "jaas.metio.wtf", "v1", "JsonnetLibrary");
    let mut watches = JoinSet::new();
    for api in [bed.snippets.clone(), bed.artifacts.clone(), libraries, bed.snippets.clone()] {
        watches.spawn(watcher(api, watcher::Config::default()).for_each(|_| async {}));
    }
    let events = custom(&client, &bed.namespace.name, "events.k8s.io", "v1", "Event");
    let begun = Instant::now();
    stream::iter(0..count)
        .map(Ok::<_, anyhow::Error>)
        .try_for_each_concurrent(IN_FLIGHT, |n| sequence(&bed, &events, format!("s{n}")))
        .await?;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    drop(watches);
    clear(&bed, count).await?;
    Ok(rate)
}

/// Removes what the harness made: the operator would take it for its own work, and publish it in the middle of a measurement.
async fn clear(bed: &Bed<'_>, count: usize) -> Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    stream::iter(0..count)
        .map(Ok::<_, anyhow::Error>)
        .try_for_each_concurrent(IN_FLIGHT, async |n| {
            let name = format!("s{n}");
            bed.snippets.patch(&name, &PatchParams::default(), &patch).await.context("clearing up")?;
            bed.snippets.delete(&name, &DeleteParams::default()).await.map(drop).context("clearing up")
        })
        .await?;
    wait::eventually("the artifacts to go with their owners", PATIENCE, async || {
        let left = bed.artifacts.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items.len();
        if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
    })
    .await
}

/// Create, finalizer, artifact, its status, status, event: six writes.
async fn sequence(bed: &Bed<'_>, events: &Api<DynamicObject>, name: String) -> Result<()> {
    let params = PatchParams::default();
    let created = bed.snippets.create(&PostParams::default(), &bed.snippet(&name)?).await?;
    let finalizer =
        json!({"metadata": {"resourceVersion": created.resource_version(), "finalizers": ["example.com/none"]}});
    let snippet = bed.snippets.patch(&name, &params, &Patch::Merge(&finalizer)).await?;
    let artifact = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"name": name, "namespace": bed.namespace.name, "ownerReferences": [
            {"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": name, "uid": snippet.uid(), "controller": true, "blockOwnerDeletion": false}]},
        "spec": {"sourceRef": {"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": name}},
    });
    let artifact = bed.artifacts.create(&PostParams::default(), &serde_json::from_value(artifact)?).await?;
    let now = "2026-01-01T00:00:00Z";
    let hash = format!("sha256:{}", "0".repeat(64));
    let condition = |reason: &str| json!({"type": "Ready", "status": "True", "reason": reason, "message": "Rendered 6900 bytes from 1 files", "observedGeneration": 1, "lastTransitionTime": now});
    let published = json!({"metadata": {"resourceVersion": artifact.resource_version()}, "status": {
        "artifact": {"path": format!("{}/{name}/{hash}.tar.gz", bed.namespace.name), "url": format!("http://127.0.0.1/{name}/{hash}.tar.gz"), "revision": hash, "digest": hash, "size": 1300, "lastUpdateTime": now},
        "conditions": [condition("Succeeded")]}});
    bed.artifacts.patch_status(&name, &params, &Patch::Merge(&published)).await?;
    let status = json!({"metadata": {"resourceVersion": snippet.resource_version()}, "status": {
        "observedGeneration": 1, "revision": hash, "inputsDigest": hash, "artifactURL": format!("http://127.0.0.1/{name}/{hash}.tar.gz"), "lastSyncTime": now,
        "history": [{"revision": hash, "time": now}], "conditions": [condition("Synced")]}});
    bed.snippets.patch_status(&name, &params, &Patch::Merge(&status)).await?;
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": format!("{name}.1"), "namespace": bed.namespace.name},
        "action": "Synced", "reason": "Synced", "type": "Normal", "note": "Rendered 6900 bytes from 1 files",
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "harness", "reportingInstance": "harness",
        "regarding": {"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": name, "namespace": bed.namespace.name, "uid": snippet.uid()},
    });
    events.create(&PostParams::default(), &serde_json::from_value(event)?).await?;
    Ok(())
}

/// Snippets per second from the first create to the last Ready, and writes for each, the create included.
async fn create(bed: &Bed<'_>, count: usize) -> Result<(f64, f64)> {
    let before = bed.revision().await?;
    let snippets = bed.snippets.clone();
    let watching = tokio::spawn(tokio::time::timeout(PATIENCE, async move {
        let mut seen = HashMap::new();
        ready(snippets, |snippet| {
            seen.insert(snippet.name_any(), ());
            seen.len() == count
        })
        .await
    }));
    let begun = Instant::now();
    stream::iter(0..count)
        .map(Ok::<_, anyhow::Error>)
        .try_for_each_concurrent(IN_FLIGHT, async |n| {
            let snippet = bed.snippet(&format!("s{n}"))?;
            bed.snippets.create(&PostParams::default(), &snippet).await.map(drop).context("creating a snippet")
        })
        .await?;
    watching.await.context("watching snippets")?.context("waiting for all snippets to be Ready")??;
    let took = begun.elapsed();
    // Events are written behind the status.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let writes = (bed.revision().await? - before) / count as f64;
    Ok((count as f64 / took.as_secs_f64(), writes))
}

/// Writes of idleness and of a restart.
async fn quiet(operator: &mut Operator, bed: &Bed<'_>, arguments: &Arguments) -> Result<()> {
    let span = Duration::from_secs(arguments.idle);
    operator.terminate().await?;
    let begun = Instant::now();
    let grown = bed
        .writes(0.0, async || {
            tokio::time::sleep(span).await;
            Ok(())
        })
        .await?;
    let alone = grown / begun.elapsed().as_secs_f64();
    println!("API server alone: {alone:.2} writes/s");
    let restart = bed
        .writes(alone, async || {
            operator.restart().await?;
            operator.wait_ready().await?;
            tokio::time::sleep(Duration::from_secs(20)).await;
            Ok(())
        })
        .await?;
    println!("restart: {restart:.0} writes beyond the API server's own");
    let idle = bed
        .writes(alone, async || {
            tokio::time::sleep(span).await;
            Ok(())
        })
        .await?;
    println!("idle for {} s: {idle:.0} writes beyond the API server's own", arguments.idle);
    let patch = Patch::Merge(json!({"spec": {"interval": "30s"}}));
    let some = 200.min(arguments.count);
    for n in 0..some {
        bed.snippets.patch(&format!("s{n}"), &PatchParams::default(), &patch).await.context("setting an interval")?;
    }
    let all = ListParams::default();
    wait::eventually("the intervals to be observed", PATIENCE, async || {
        let list = bed.snippets.list(&all).await.map_err(|error| error.to_string())?;
        let observed = |it: &DynamicObject| it.data["status"]["observedGeneration"].as_i64() == it.metadata.generation;
        let waiting = list.items.iter().filter(|it| !observed(it)).count();
        if waiting == 0 { Ok(()) } else { Err(format!("{waiting} are not")) }
    })
    .await?;
    let interval = bed
        .writes(alone, async || {
            tokio::time::sleep(Duration::from_secs(65)).await;
            Ok(())
        })
        .await?;
    println!("two intervals of {some} snippets: {interval:.0} writes beyond the API server's own");
    Ok(())
}

/// Writes and time of `kubectl jaas reconcile --all`.
async fn reconcile_all(plane: &ControlPlane, plugin: &Path, bed: &Bed<'_>, total: usize) -> Result<()> {
    let kubeconfig = plane.kubeconfig(&Identity::Admin)?;
    let before = bed.revision().await?;
    let begun = Instant::now();
    let plugin = plugin.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(plugin).args(["reconcile", "--all", "-o", "json"]).env("KUBECONFIG", kubeconfig).output()
    })
    .await
    .context("running the plugin")?
    .context("running the plugin")?;
    let took = begun.elapsed();
    let report: Value = serde_json::from_slice(&output.stdout).context("reading the plugin's report")?;
    ensure!(output.status.success(), "{}\n{}", report["result"], String::from_utf8_lossy(&output.stderr));
    let writes = (bed.revision().await? - before) / total as f64;
    println!(
        "reconcile --all of {total}: {:.1} s, {:.0}/s, {writes:.2} writes each",
        took.as_secs_f64(),
        total as f64 / took.as_secs_f64()
    );
    Ok(())
}

/// Clients that poll while the store is whole again.
const CLIENTS: usize = 20;
/// Time between two requests of one client.
const POLL: Duration = Duration::from_millis(20);

/// Time until an emptied store is whole again, under polling clients and Flux's own consumer.
async fn recovery(plane: &ControlPlane, what: &str, store: &Path, bed: &Bed<'_>, count: usize) -> Result<()> {
    let namespace = &bed.namespace.name;
    let _consumer = KustomizeController::start(plane, &["--interval-jitter-percentage=0"]).await?;
    let manifests = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "applied", "namespace": namespace},
        "spec": {"serviceAccountName": "tenant", "output": "manifests", "files": {
            "main.jsonnet": "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'applied'}, data: {text: 'kept'}}",
        }},
    });
    bed.snippets.create(&PostParams::default(), &serde_json::from_value(manifests)?).await?;
    flux::consume(plane, namespace, "applied").await?;
    let client = plane.admin().await?;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let applied = wait::object(&maps, "applied", "is applied", PATIENCE, |_| true).await?;
    let list = bed.artifacts.list(&ListParams::default()).await?;
    let digests: HashMap<String, String> = list
        .items
        .iter()
        .filter_map(|it| {
            let artifact = &it.data["status"]["artifact"];
            Some((artifact["url"].as_str()?.to_owned(), artifact["digest"].as_str()?.to_owned()))
        })
        .collect();
    ensure!(digests.len() == count + 1, "{} of {} artifacts", digests.len(), count + 1);
    ensure!(tarballs(store) == count + 1, "{} files in {}", tarballs(store), store.display());

    let before = bed.revision().await?;
    let begun = Instant::now();
    std::fs::remove_dir_all(store).context("emptying the store")?;
    let ask = Patch::Merge(json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "after the loss"}}}));
    flux::kustomizations(&client, namespace).patch("applied", &PatchParams::default(), &ask).await?;
    let (over, urls) = (CancellationToken::new(), digests.keys().cloned().collect::<Vec<_>>());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(poll(urls.clone(), number, over.clone()));
    }
    while tarballs(store) < count + 1 {
        ensure!(begun.elapsed() < PATIENCE, "{} of {} files came back", tarballs(store), count + 1);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begun.elapsed();
    over.cancel();
    let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
    while let Some(told) = clients.join_next().await {
        for (status, times) in told?? {
            *answers.entry(status).or_default() += times;
        }
    }
    let writes = bed.revision().await? - before;
    let http = http::client()?;
    for (url, digest) in &digests {
        let answer = http::read(http.get(url)).await?;
        let right = format!("sha256:{}", hex::encode(sha2::Sha256::digest(&answer.body)));
        ensure!(answer.status == 200 && right == *digest, "{url}: {}", answer.status);
    }
    wait::object(&flux::kustomizations(&client, namespace), "applied", "has answered", PATIENCE, |it| {
        it.data["status"]["lastHandledReconcileAt"] == "after the loss"
            && it.data["status"]["conditions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
    })
    .await?;
    ensure!(maps.get("applied").await?.uid() == applied.uid(), "what was applied was pruned and applied anew");
    println!(
        "{what} of {} emptied under {CLIENTS} polling clients and kustomize-controller: whole after {:.2} s, answers {answers:?}, {:.0} writes (the consumer's own included)",
        count + 1,
        took.as_secs_f64(),
        writes
    );
    Ok(())
}

/// Asks for one artifact after the other, beginning somewhere else than the next client, and counts the answers.
async fn poll(urls: Vec<String>, number: usize, over: CancellationToken) -> Result<BTreeMap<u16, usize>> {
    let client = http::client()?;
    let mut answers = BTreeMap::new();
    for url in urls.iter().cycle().skip(number * urls.len() / CLIENTS) {
        if over.is_cancelled() {
            break;
        }
        let answer = http::read(client.get(url)).await?;
        *answers.entry(answer.status.as_u16()).or_default() += 1;
        tokio::time::sleep(POLL).await;
    }
    Ok(answers)
}

/// Artifacts below a directory.
fn tarballs(directory: &Path) -> usize {
    let Ok(names) = std::fs::read_dir(directory) else { return 0 };
    let files = |name: &std::fs::DirEntry| std::fs::read_dir(name.path()).into_iter().flatten().flatten();
    let is_artifact = |file: &std::fs::DirEntry| file.file_name().to_string_lossy().ends_with(".tar.gz");
    names.flatten().map(|name| files(&name).filter(is_artifact).count()).sum()
}

/// The same with an object store.
async fn bucket(plane: &ControlPlane, launcher: &Launcher, count: usize) -> Result<()> {
    let server = Server::start_with(Software::Versitygw, launcher).await?;
    let bed = Bed::new(plane, "bucket").await?;
    let mut options = OperatorOptions::watching([bed.namespace.name.as_str()]);
    options.args = [
        "--storage-backend=s3".to_owned(),
        format!("--s3-endpoint={}", server.endpoint()),
        format!("--s3-bucket={BUCKET}"),
        format!("--s3-region={REGION}"),
        format!("--s3-access-key={ACCESS_KEY}"),
        format!("--s3-secret-key={SECRET_KEY}"),
        "--s3-use-ssl=false".to_owned(),
    ]
    .into();
    let _operator = Operator::ready(plane, options).await?;
    create(&bed, count).await?;
    recovery(plane, "bucket", &server.bucket_directory().join(&bed.namespace.name), &bed, count).await
}
