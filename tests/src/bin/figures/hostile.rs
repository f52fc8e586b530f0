//! One tenant's hostile programs and everybody else: `cargo figures --hostile`.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::hostile;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait;
use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::sources::{apply_all, changes, object};
use super::{Bed, IN_FLIGHT, PATIENCE, create};

/// Snippets without end.
const ENDLESS: usize = 20;
/// How often a quiet tenant is measured, alone and beside them.
const ROUNDS: usize = 3;
/// Programs by chance.
const PROGRAMS: u64 = 1_000;
/// What picks them.
const SEED: u64 = 1;

/// Measures a quiet tenant, the operator's memory, and programs by chance.
pub(super) async fn measure(plane: &ControlPlane, count: usize) -> Result<()> {
    for round in 1..=ROUNDS {
        endless(plane, round).await?;
    }
    memory(plane, count).await?;
    programs(plane).await
}

/// A quiet tenant's changes, alone and beside snippets of another tenant that never end.
async fn endless(plane: &ControlPlane, round: usize) -> Result<()> {
    let (quiet, noisy) = (Bed::new(plane, "quiet").await?, plane.namespace("noisy").await?.name);
    let namespace = quiet.namespace.name.clone();
    let mut options = OperatorOptions::watching([namespace.as_str(), noisy.as_str()]);
    // None comes to its time, so that they run as long as anything is measured.
    options.args = vec!["--rerender-rate=0/min".to_owned(), "--evaluation-timeout=10m".to_owned()];
    let operator = Operator::ready(plane, options).await?;
    let client = plane.admin().await?;
    let alone = changes(plane, &quiet, "alone").await?;
    let endless = of("local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)");
    let culprits = (0..ENDLESS).map(|n| object("JsonnetSnippet", &noisy, &format!("n{n}"), &endless));
    apply_all(&client, culprits.collect()).await?;
    let runs = async || {
        let metrics = operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains("jaas_eval_in_flight 0") { Err("nothing is evaluated".to_owned()) } else { Ok(()) }
    };
    wait::eventually("an endless evaluation", PATIENCE, runs).await?;
    let begun = Instant::now();
    let beside = changes(plane, &quiet, "beside").await?;
    let took = begun.elapsed().as_secs_f64();
    let metrics = operator.metrics().await?;
    println!(
        "round {round}, a quiet tenant beside {ENDLESS} endless snippets, of which {} run: p50 {:.1} ms and p99 {:.1} ms alone, p50 {:.1} ms and p99 {:.1} ms beside them, over {took:.0} s: ratio of p99 {:.2}",
        value(&metrics, "jaas_eval_in_flight "),
        alone.0,
        alone.1,
        beside.0,
        beside.1,
        beside.1 / alone.1
    );
    operator.terminate().await?;
    Ok(())
}

/// What the operator itself takes with many snippets and idle workers, which `capacity` goes by.
async fn memory(plane: &ControlPlane, count: usize) -> Result<()> {
    let bed = Bed::new(plane, "memory").await?;
    let operator = Operator::ready(plane, OperatorOptions::watching([bed.namespace.name.as_str()])).await?;
    let process = operator.process().pid();
    let empty = resident(process, "VmRSS:")?;
    create(&bed, count).await?;
    let workers = children(process);
    let held: u64 = workers.iter().filter_map(|worker| private(*worker)).sum();
    println!(
        "the operator with {count} snippets: {} MiB resident, {} MiB at its peak, {} MiB before the first; {} idle workers hold {} MiB more",
        resident(process, "VmRSS:")? >> 20,
        resident(process, "VmHWM:")? >> 20,
        empty >> 20,
        workers.len(),
        held >> 20
    );
    operator.terminate().await?;
    Ok(())
}

/// Programs by chance: what each is told, and what that costs the operator.
async fn programs(plane: &ControlPlane) -> Result<()> {
    let bed = Bed::new(plane, "chance").await?;
    let namespace = bed.namespace.name.clone();
    let operator = Operator::ready(plane, OperatorOptions::watching([namespace.as_str()])).await?;
    let process = operator.process().pid();
    let begun = Instant::now();
    stream::iter(0..PROGRAMS)
        .map(Ok::<_, anyhow::Error>)
        .try_for_each_concurrent(IN_FLIGHT, async |n| {
            let snippet = object("JsonnetSnippet", &namespace, &format!("p{n}"), &of(&hostile::by_chance(SEED, n)));
            plane.apply_objects(&[snippet]).await.map(drop)
        })
        .await?;
    let tally = verdicts(&bed, None).await?;
    let took = begun.elapsed().as_secs_f64();
    // Once more: the caches are full by now, so that nothing but evaluation is left to take memory.
    let before = resident(process, "VmRSS:")?;
    fs::write(format!("/proc/{process}/clear_refs"), "5").context("forgetting the peak")?;
    let ask = Patch::Merge(json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "again"}}}));
    for n in 0..PROGRAMS {
        bed.snippets.patch(&format!("p{n}"), &PatchParams::default(), &ask).await.context("asking again")?;
    }
    verdicts(&bed, Some("again")).await?;
    ensure!(operator.process().exit().is_none() && operator.process().pid() == process, "the operator ended");
    println!(
        "{PROGRAMS} programs by chance (seed {SEED}): {tally:?} after {took:.0} s, no restart; evaluated once more, the operator's peak rises from {} MiB to {} MiB",
        before >> 20,
        resident(process, "VmHWM:")? >> 20
    );
    operator.terminate().await?;
    Ok(())
}

/// How many snippets were told what, once each was, in answer to a request if any.
async fn verdicts(bed: &Bed<'_>, request: Option<&str>) -> Result<BTreeMap<String, usize>> {
    // A second for each that does not end by itself, of which no more than a part is evaluated at once.
    let patience = PATIENCE.max(Duration::from_secs(5 * PROGRAMS));
    wait::eventually("a verdict over each", patience, async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let list = bed.snippets.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let mut tally = BTreeMap::new();
        for snippet in list.items.iter().filter(|snippet| is_judged(snippet, request)) {
            let reason = snippet.data["status"]["conditions"][0]["reason"].as_str().unwrap_or_default();
            if !hostile::REASONS.contains(&reason) {
                return Err(format!("{}: {}", snippet.name_any(), snippet.data["status"]["conditions"]));
            }
            *tally.entry(reason.to_owned()).or_default() += 1;
        }
        let judged: usize = tally.values().sum();
        if u64::try_from(judged) == Ok(PROGRAMS) {
            Ok(tally)
        } else {
            Err(format!("{judged} of {PROGRAMS}: {tally:?}"))
        }
    })
    .await
}

fn is_judged(snippet: &DynamicObject, request: Option<&str>) -> bool {
    let status = &snippet.data["status"];
    let reason = status["conditions"][0]["reason"].as_str().unwrap_or("Pending");
    let is_answered = request.is_none() || status["lastHandledReconcileAt"].as_str() == request;
    status["observedGeneration"].as_i64() == snippet.metadata.generation && reason != "Pending" && is_answered
}

fn of(code: &str) -> Value {
    json!({"serviceAccountName": "tenant", "files": {"main.jsonnet": code}})
}

/// The value of a metric without labels.
fn value<'a>(metrics: &'a str, name: &str) -> &'a str {
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?")
}

/// A line of the system's account of a process, in bytes.
fn resident(process: i32, line: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("reading a process's memory")?;
    let found = status.lines().find_map(|it| it.strip_prefix(line)?.trim().strip_suffix(" kB")?.trim().parse().ok());
    Ok(found.map_or(0, |kilobytes: u64| kilobytes << 10))
}

/// The processes that a process has started.
fn children(process: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<_>>()).collect()
}

/// What a process does not share with another, in bytes.
fn private(process: i32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
    Some(lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>() << 10)
}
