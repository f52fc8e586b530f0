//! Sources, libraries and tenants: `cargo figures --sources`.
//!
//! source-controller's part is played by hand: see [`jaas_tests::upstream`].

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::manifests;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::upstream::{Archives, Reply, Source, archive};
use jaas_tests::wait;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Bed, IN_FLIGHT, PATIENCE};

/// Changes of the quiet tenant that are timed, without the noise and with it.
const CHANGES: usize = 200;
/// Snippets of the noisy tenant.
const NOISE: usize = 500;
/// Heartbeats of a source.
const HEARTBEATS: usize = 20;

/// Measures both.
pub(super) async fn measure(plane: &ControlPlane, count: usize) -> Result<()> {
    follow(plane).await?;
    library(plane, count).await?;
    noise(plane).await
}

/// Has a source announce an archive of one file.
pub(super) async fn announce(archives: &Archives, source: &Source, name: &str, text: &str) -> Result<()> {
    let bytes = archive(&BTreeMap::from([(name, text)]))?;
    let digest = sha256(&bytes);
    let path = format!("/{text}");
    archives.set(&path, Reply::Bytes(bytes));
    source.announces(&archives.url(&path), &digest, text).await
}

pub(super) fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "jaas.metio.wtf/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

pub(super) async fn apply_all(client: &Client, objects: Vec<Value>) -> Result<()> {
    stream::iter(objects)
        .map(Ok::<_, anyhow::Error>)
        .try_for_each_concurrent(IN_FLIGHT, |object| async {
            manifests::apply_objects(client, vec![object]).await.map(drop)
        })
        .await
}

/// Waits until this many snippets are ready with this revision; begins to watch at once.
pub(super) async fn all_have(snippets: Api<DynamicObject>, revision: String, count: usize) -> Result<()> {
    let mut seen = HashSet::new();
    let mut changes = watcher(snippets, watcher::Config::default()).boxed();
    let watching = async {
        while let Some(change) = changes.next().await {
            let (watcher::Event::Apply(snippet) | watcher::Event::InitApply(snippet)) =
                change.context("watching snippets")?
            else {
                continue;
            };
            if snippet.data["status"]["revision"] == revision.as_str() {
                seen.insert(snippet.name_any());
            }
            if seen.len() == count {
                return Ok(());
            }
        }
        anyhow::bail!("the watch ended")
    };
    tokio::time::timeout(PATIENCE, watching).await.context("waiting for snippets")?
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// What a snippet publishes that renders to this.
pub(super) fn revision(text: &str) -> String {
    sha256(format!("{text}\n").as_bytes())
}

fn renders(operator: &Operator) -> usize {
    operator.log().matches("\"Reconciled\"").count()
}

/// Time from a source's new revision to the artifact that announces what it renders to, on an idle system.
async fn follow(plane: &ControlPlane) -> Result<()> {
    let archives = Archives::start().await?;
    let bed = Bed::new(plane, "follow").await?;
    let namespace = bed.namespace.name.clone();
    let options = OperatorOptions {
        args: vec![archives.flag(), "--rerender-rate=0/min".to_owned()],
        ..OperatorOptions::watching([namespace.as_str()])
    };
    let operator = Operator::ready(plane, options).await?;
    let client = plane.admin().await?;
    let source = Source::create(&client, "GitRepository", &namespace, "repo").await?;
    announce(&archives, &source, "main.jsonnet", "0").await?;
    let first = tokio::spawn(all_have(bed.snippets.clone(), revision("0"), 1));
    let spec = json!({"serviceAccountName": "tenant", "sourceRef": {"kind": "GitRepository", "name": "repo"}});
    plane.apply_objects(&[object("JsonnetSnippet", &namespace, "web", &spec)]).await?;
    first.await.context("watching")??;
    let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let mut changes = watcher(bed.artifacts.clone(), watcher::Config::default()).boxed();
    let watching = tokio::spawn(async move {
        while let Some(change) = changes.next().await {
            if let Ok(watcher::Event::Apply(artifact) | watcher::Event::InitApply(artifact)) = change {
                let revision = artifact.data["status"]["artifact"]["revision"].as_str().unwrap_or_default().to_owned();
                if told.send((revision, Instant::now())).is_err() {
                    return;
                }
            }
        }
    });
    let mut times = Vec::new();
    for n in 1..=CHANGES {
        let begun = Instant::now();
        announce(&archives, &source, "main.jsonnet", &n.to_string()).await?;
        let wanted = revision(&n.to_string());
        let followed = async {
            loop {
                let (seen, at) = hear.recv().await.context("the watch ended")?;
                if seen == wanted {
                    return anyhow::Ok(at);
                }
            }
        };
        let at = tokio::time::timeout(PATIENCE, followed).await.context("waiting for an artifact")??;
        times.push(at.duration_since(begun).as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    watching.abort();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "a new revision of a source, {CHANGES} samples: announced by the artifact after {:.1} ms at the median, {:.1} ms at the 99th percentile, {:.1} ms at most",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    operator.terminate().await?;
    Ok(())
}

/// Many snippets on one library from a source.
async fn library(plane: &ControlPlane, count: usize) -> Result<()> {
    let archives = Archives::start().await?;
    let bed = Bed::new(plane, "library").await?;
    let namespace = bed.namespace.name.clone();
    let options = OperatorOptions { args: vec![archives.flag()], ..OperatorOptions::watching([namespace.as_str()]) };
    let operator = Operator::ready(plane, options).await?;
    let client = plane.admin().await?;
    let source = Source::create(&client, "GitRepository", &namespace, "repo").await?;
    announce(&archives, &source, "main.libsonnet", "1").await?;
    let library = json!({"sourceRef": {"kind": "GitRepository", "name": "repo"}});
    plane.apply_objects(&[object("JsonnetLibrary", &namespace, "lib", &library)]).await?;

    let first = tokio::spawn(all_have(bed.snippets.clone(), revision("1"), count));
    let begun = Instant::now();
    let spec = json!({"serviceAccountName": "tenant", "files": {"main.jsonnet": "import 'lib'"},
        "libraries": [{"kind": "JsonnetLibrary", "name": "lib"}]});
    apply_all(&client, (0..count).map(|n| object("JsonnetSnippet", &namespace, &format!("s{n}"), &spec)).collect())
        .await?;
    first.await.context("watching")??;
    println!(
        "{count} snippets on one library from a source: all Ready after {:.1} s, {} download(s)",
        begun.elapsed().as_secs_f64(),
        archives.asked("/1")
    );

    let second = tokio::spawn(all_have(bed.snippets.clone(), revision("2"), count));
    let begun = Instant::now();
    announce(&archives, &source, "main.libsonnet", "2").await?;
    second.await.context("watching")??;
    println!(
        "a change of the library: all {count} follow after {:.1} s, {} download(s)",
        begun.elapsed().as_secs_f64(),
        archives.asked("/2")
    );
    ensure!((archives.asked("/1"), archives.asked("/2")) == (1, 1), "more than one download for a change");

    // The end of what the change began: nothing is looked at any more.
    let mut before = renders(&operator);
    wait::eventually("the end of the work", PATIENCE, async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = renders(&operator);
        let same = now == before;
        before = now;
        same.then_some(())
    })
    .await?;
    let revision = plane.etcd_revision().await?;
    for n in 0..HEARTBEATS {
        let time = format!("2026-01-01T00:00:{n:02}Z");
        source.status(json!({"observedGeneration": 1, "artifact": {"lastUpdateTime": time}})).await?;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!(
        "{HEARTBEATS} heartbeats of the source: {} snippets are looked at, {} writes besides the heartbeats",
        renders(&operator) - before,
        plane.etcd_revision().await?.saturating_sub(revision + HEARTBEATS as u64)
    );
    operator.terminate().await?;
    Ok(())
}

/// A quiet tenant beside a noisy one.
async fn noise(plane: &ControlPlane) -> Result<()> {
    let archives = Archives::start().await?;
    let (quiet, noisy) = (Bed::new(plane, "quiet").await?, plane.namespace("noisy").await?.name);
    let namespace = quiet.namespace.name.clone();
    let mut options = OperatorOptions::watching([namespace.as_str(), noisy.as_str()]);
    options.args = vec![archives.flag(), "--rerender-rate=0/min".to_owned()];
    let operator = Operator::ready(plane, options).await?;
    let client = plane.admin().await?;
    let alone = changes(plane, &quiet, "alone").await?;

    let mut objects = Vec::new();
    for n in 0..NOISE {
        let name = format!("n{n}");
        let spec = match n % 3 {
            0 => {
                let source = Source::create(&client, "GitRepository", &noisy, &name).await?;
                let path = format!("/{name}");
                archives.set(&path, Reply::Stalled(b"never".to_vec()));
                source.announces(&archives.url(&path), &format!("sha256:{}", "0".repeat(64)), "1").await?;
                json!({"serviceAccountName": "tenant", "sourceRef": {"kind": "GitRepository", "name": name}})
            }
            1 => json!({"serviceAccountName": "tenant", "files": {"main.jsonnet": "local f(n) = f(n + 1); f(0)"}}),
            _ => json!({"serviceAccountName": "tenant", "files": {"main.jsonnet": "error 'no'"}}),
        };
        objects.push(object("JsonnetSnippet", &noisy, &name, &spec));
    }
    apply_all(&client, objects).await?;
    let stalled = async || {
        let asked = (0..NOISE).step_by(3).filter(|n| archives.asked(&format!("/n{n}")) > 0).count();
        if asked >= 6 { Ok(()) } else { Err(format!("{asked} downloads hang")) }
    };
    wait::eventually("downloads that hang", PATIENCE, stalled).await?;
    let beside = changes(plane, &quiet, "beside").await?;
    println!(
        "a quiet tenant, {CHANGES} changes: p50 {:.1} ms and p99 {:.1} ms alone, p50 {:.1} ms and p99 {:.1} ms beside {NOISE} snippets that fail, end at their time, or hang: ratio of p99 {:.2}",
        alone.0,
        alone.1,
        beside.0,
        beside.1,
        beside.1 / alone.1
    );
    operator.terminate().await?;
    Ok(())
}

/// Median and 99th percentile of the time from a change to the status that names its artifact, in milliseconds. Each measurement has a
/// snippet of its own: revisions that wait for their grace make the status longer with every change.
pub(super) async fn changes(plane: &ControlPlane, bed: &Bed<'_>, name: &'static str) -> Result<(f64, f64)> {
    let snippets = &bed.snippets;
    let calm = json!({"serviceAccountName": "tenant", "files": {"main.jsonnet": "0"}});
    let first = tokio::spawn(all_have(snippets.clone(), revision("0"), 1));
    plane.apply_objects(&[object("JsonnetSnippet", &bed.namespace.name, name, &calm)]).await?;
    first.await.context("watching")??;
    let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let watched = snippets.clone();
    let watching = tokio::spawn(async move {
        let mut changes = watcher(watched, watcher::Config::default().fields(&format!("metadata.name={name}"))).boxed();
        while let Some(change) = changes.next().await {
            if let Ok(watcher::Event::Apply(snippet) | watcher::Event::InitApply(snippet)) = change {
                let revision = snippet.data["status"]["revision"].as_str().unwrap_or_default().to_owned();
                if told.send((revision, Instant::now())).is_err() {
                    return;
                }
            }
        }
    });
    let mut times = Vec::new();
    for n in 1..=CHANGES {
        let text = n.to_string();
        let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": text}}}));
        let begun = Instant::now();
        snippets.patch(name, &PatchParams::default(), &patch).await.context("changing a snippet")?;
        let wanted = revision(&text);
        let followed = async {
            loop {
                let (seen, at) = hear.recv().await.context("the watch ended")?;
                if seen == wanted {
                    return anyhow::Ok(at);
                }
            }
        };
        let at = tokio::time::timeout(PATIENCE, followed).await.context("waiting for a change")??;
        times.push(at.duration_since(begun).as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    watching.abort();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok((at(0.5), at(0.99)))
}
