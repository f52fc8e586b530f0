//! The life of one Pod: its process is started, probed, started again when it ends, and ended when the Pod is.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{HTTPGetAction, Pod};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use tokio::sync::watch;

use super::sandbox::{Sandbox, Wish};
use super::status::{Doing, Known, status};
use super::{Addressing, Shared, arguments, made, volumes};
use crate::controlplane::program;
use crate::supervisor::{Exit, Process, Program};

/// Longest time that the API server may take to hear of a status.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time between two attempts to write one.
const AGAIN: Duration = Duration::from_millis(100);
/// Time between two readiness probes. A real kubelet takes 10 s by default.
const PROBE: Duration = Duration::from_millis(100);
/// Longest time for the answer to a probe.
const ANSWER: Duration = Duration::from_secs(1);
/// Probes in a row that must fail before a Pod is not ready any more.
const FAILURES: u32 = 3;
/// Longest pause before a container is started again. A real kubelet goes up to 5 min.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether a Pod has ended for good.
pub(super) fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Runs a Pod until it is to end.
pub(super) async fn live(shared: Arc<Shared>, sandbox: Arc<Sandbox>) {
    if let Err(error) = run(&shared, &sandbox).await {
        eprintln!("{}: Pod {}: {error:#}", shared.node, sandbox.name);
    }
    sandbox.set_ready(false);
    remove(&shared, &sandbox);
}

/// Leaves nothing of a Pod but its logs.
fn remove(shared: &Shared, sandbox: &Sandbox) {
    sandbox.runs().process = None;
    let _ = std::fs::remove_dir_all(shared.of_pod(&sandbox.uid).join("volumes"));
    shared.lock().remove(&sandbox.uid);
}

async fn run(shared: &Shared, sandbox: &Sandbox) -> Result<()> {
    let container = sandbox.container().context("it has no container")?;
    let now = Timestamp::now();
    let mut known = Known {
        container: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        ip: sandbox.ip,
        began: sandbox.began,
        doing: Doing::Waiting("ContainerCreating"),
        last: None,
        restarts: 0,
        ready: false,
        changed: now,
    };
    say(shared, sandbox, &known).await?;
    let mut wish = sandbox.wish.subscribe();
    let mut pause = Duration::ZERO;
    loop {
        let process = start(shared, sandbox, known.restarts).await?;
        let began = Timestamp::now();
        known.doing = Doing::Running(began);
        say(shared, sandbox, &known).await?;
        let exit = tokio::select! {
            exit = process.wait() => exit?,
            wished = stop(&mut wish) => return end(shared, sandbox, &process, wished, known, began).await,
            error = probe(shared, sandbox, &mut known) => return error,
        };
        sandbox.set_ready(false);
        if known.ready {
            (known.ready, known.changed) = (false, Timestamp::now());
        }
        known.last = Some(sandbox.ending(exit, began));
        known.restarts += 1;
        known.doing = Doing::Waiting("CrashLoopBackOff");
        sandbox.runs().process = None;
        say(shared, sandbox, &known).await?;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            wished = stop(&mut wish) => return end(shared, sandbox, &process, wished, known, began).await,
        }
        pause = (pause * 2).max(Duration::from_millis(250)).min(LONGEST_PAUSE);
    }
}

async fn start(shared: &Shared, sandbox: &Sandbox, number: u32) -> Result<Arc<Process>> {
    let directory = made(&shared.of_pod(&sandbox.uid))?;
    let mounts = volumes::mount(shared, &sandbox.spec, &sandbox.uid).await?;
    let args = sandbox.container().and_then(|container| container.args.clone()).unwrap_or_default();
    let host = match sandbox.addressing {
        Addressing::Loopback => Ipv4Addr::LOCALHOST.into(),
        Addressing::Network => sandbox.ip,
    };
    let args = arguments::arguments(&args, &mounts, host, &sandbox.ports);
    let mut wanted = named(&directory, shared, &sandbox.name, args);
    wanted.log = directory.join(format!("{number}.log"));
    wanted.env.extend(shared.image.env.clone());
    wanted.env.extend(volumes::environment(shared, &sandbox.spec).await?);
    let log = wanted.log.clone();
    let process = Arc::new(shared.supervisor.run(wanted).await?);
    let mut runs = sandbox.runs();
    runs.process = Some(Arc::clone(&process));
    runs.logs.push(log);
    Ok(process)
}

/// The program with the Pod's name as its host name, in the same process: signals reach it.
fn named(directory: &std::path::Path, shared: &Shared, pod: &str, args: Vec<String>) -> Program {
    let script = format!("echo {pod} > /proc/sys/kernel/hostname; exec \"$0\" \"$@\"");
    let executable = shared.image.executable.display().to_string();
    let before = ["--map-root-user", "--uts", "/bin/sh", "-c", &script, &executable].map(str::to_owned);
    let args = before.into_iter().chain(args).collect();
    program(directory, pod, std::path::Path::new("/usr/bin/unshare"), args)
}

/// Returns when the Pod is to end, with what is wished.
async fn stop(wish: &mut watch::Receiver<Wish>) -> Wish {
    match wish.wait_for(|wish| *wish != Wish::Run).await {
        Ok(wished) => *wished,
        Err(_) => Wish::Vanished,
    }
}

/// Ends the process within its time, and then the Pod.
async fn end(
    shared: &Shared,
    sandbox: &Sandbox,
    process: &Process,
    wished: Wish,
    mut known: Known,
    began: Timestamp,
) -> Result<()> {
    sandbox.set_ready(false);
    let grace = match wished {
        Wish::Stop(grace) => grace,
        Wish::Run | Wish::Vanished => Duration::ZERO,
    };
    if process.exit().is_none() && (grace.is_zero() || process.terminate(grace).await.is_err()) {
        process.kill().await?;
    }
    let exit = process.exit().unwrap_or(Exit::Signal(9));
    if wished != Wish::Vanished {
        known.doing = Doing::Ended(sandbox.ending(exit, began));
        (known.ready, known.changed) = (false, Timestamp::now());
        say(shared, sandbox, &known).await?;
        // As with a real kubelet, the object goes last: who sees it gone finds nothing left.
        remove(shared, sandbox);
        forget(shared, &sandbox.name, &sandbox.uid).await;
    }
    Ok(())
}

/// Removes the object of a Pod that has ended.
pub(super) async fn forget(shared: &Shared, pod: &str, uid: &str) {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let this = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let params = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }.preconditions(this);
    match pods.delete(pod, &params).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
        Err(error) => eprintln!("{}: removing Pod {pod}: {error}", shared.node),
    }
}

/// Writes the status; a Pod that is gone needs none.
async fn say(shared: &Shared, sandbox: &Sandbox, known: &Known) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let patch = Patch::Merge(json!({"metadata": {"uid": sandbox.uid}, "status": status(known)}));
    let deadline = Instant::now() + PATIENCE;
    loop {
        match pods.patch_status(&sandbox.name, &PatchParams::default(), &patch).await {
            Ok(_) => return Ok(()),
            // Gone, or another one of its name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error).context("writing the status"),
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Asks again and again, and tells when the answer has changed. Returns only when that fails.
async fn probe(shared: &Shared, sandbox: &Sandbox, known: &mut Known) -> Result<()> {
    let container = sandbox.container().context("it has no container")?;
    let action = container.readiness_probe.as_ref().and_then(|probe| probe.http_get.as_ref());
    let Some(url) = action.and_then(|action| url(sandbox, action)) else {
        sandbox.set_ready(true);
        (known.ready, known.changed) = (true, Timestamp::now());
        say(shared, sandbox, known).await?;
        return std::future::pending().await;
    };
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER).build().context("setting up probes")?;
    let mut failures = 0;
    loop {
        let answer = client.get(&url).send().await;
        failures = if answer.is_ok_and(|answer| answer.status().is_success()) { 0 } else { failures + 1 };
        let ready = failures == 0 || known.ready && failures < FAILURES;
        if ready != known.ready {
            (known.ready, known.changed) = (ready, Timestamp::now());
            say(shared, sandbox, known).await?;
            sandbox.set_ready(ready);
        }
        tokio::time::sleep(PROBE).await;
    }
}

fn url(sandbox: &Sandbox, action: &HTTPGetAction) -> Option<String> {
    let port = match &action.port {
        IntOrString::Int(port) => *port,
        IntOrString::String(name) => {
            let ports = sandbox.container()?.ports.as_ref()?;
            ports.iter().find(|port| port.name.as_deref() == Some(name))?.container_port
        }
    };
    let address: SocketAddr = sandbox.address(port.try_into().ok()?)?;
    Some(format!("http://{address}{}", action.path.as_deref().unwrap_or("/")))
}
