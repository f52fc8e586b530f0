//! An installation that is broken on purpose, to practise on: `cargo ward full`.
//!
//! What is real and what is played is told in [`jaas_tests::cluster`]. It stays broken until somebody repairs it with `kubectl jaas`, and
//! everything ends with Ctrl-C.

use std::fs::File;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use jaas_tests::cluster::{Addressing, Installation, Settings, Store};
use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::manifests::custom;
use jaas_tests::programs::Programs;
use jaas_tests::runner::{self, Executables};
use jaas_tests::supervisor::Launcher;
use jaas_tests::{network, wait};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// Longest that each step of the way to the breakage may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Age of what nobody names any more.
const OLD: Duration = Duration::from_secs(2 * 86_400);

/// Starts an installation, breaks it, and says how to reach it.
#[derive(Parser)]
struct Arguments {
    /// How it is broken.
    #[arg(value_enum)]
    case: Case,
}

#[derive(Clone, Copy, ValueEnum)]
enum Case {
    /// The store is used up, and snippets cannot publish.
    Full,
    /// The only operator hangs and holds the Lease.
    Stuck,
    /// Files are left of a snippet that was deleted past the operator.
    Orphans,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    runner::finish(prepare(arguments.case).map(|()| ExitCode::SUCCESS))
}

fn prepare(case: Case) -> Result<()> {
    let programs = Programs::ensure()?;
    let executables = Executables::build(&[])?;
    // Before anything opens a socket: an API server leads to no address on loopback, so there must be another one.
    network::join()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let plane = ControlPlane::start(Options {
            programs: Some(programs),
            supervisor: Some(Launcher::executable(executables.supervisor)),
            operator: Some(executables.operator),
            workloads: true,
            ..Options::default()
        })
        .await?;
        let _installation = broken(&plane, case).await?;
        println!("broken. In another shell:\n");
        println!("  nsenter --net --target {} bash", plane.supervisor().pid());
        println!("  export KUBECONFIG={}", plane.kubeconfig(&Identity::Admin)?.display());
        let folder =
            |path: &std::path::Path| path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        println!("  export PATH={}:{}:$PATH", folder(&executables.plugin), folder(&plane.programs().kubectl));
        println!("  kubectl jaas --help\n\nCtrl-C here ends it all.");
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.context("listening for Ctrl-C"),
            _ = terminate.recv() => Ok(()),
        }
    })
}

async fn broken(plane: &ControlPlane, case: Case) -> Result<Installation> {
    let namespace = plane.namespace("team-a").await?.name;
    let args: &[&str] = match case {
        Case::Full => &["--storage-quota=360Ki"],
        Case::Stuck => &[],
        Case::Orphans => &["--max-withdraw-wait=1s", "--artifact-gc-grace=1s"],
    };
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    let settings =
        Settings { admin: true, store: Store::Claim, addressing: Addressing::Network, args, ..Settings::default() };
    let mut installation = Installation::start(plane, &namespace, settings).await?;
    let ward = Ward { client: plane.admin().await?, plane, namespace };
    match case {
        Case::Full => ward.fill().await?,
        Case::Stuck => {
            ward.write("web", "{ ok: true }", 1).await?;
            ward.judged("web", "Synced").await?;
            installation.leader().await?.freeze()?;
            ward.write("api", "{ ok: true }", 1).await?;
        }
        Case::Orphans => ward.strip(&mut installation).await?,
    }
    Ok(installation)
}

struct Ward<'a> {
    plane: &'a ControlPlane,
    client: Client,
    namespace: String,
}

impl Ward<'_> {
    async fn write(&self, name: &str, program: &str, history: u32) -> Result<()> {
        let spec = json!({"serviceAccountName": "tenant", "history": history, "files": {"main.jsonnet": program}});
        let object = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec});
        self.plane.apply_objects(&[object]).await.map(drop)
    }

    fn snippets(&self) -> Api<DynamicObject> {
        custom(&self.client, &self.namespace, "jaas.metio.wtf", "v1", "JsonnetSnippet")
    }

    async fn judged(&self, name: &str, reason: &str) -> Result<DynamicObject> {
        wait::object(&self.snippets(), name, format!("is judged {reason}"), PATIENCE, |snippet: &DynamicObject| {
            let status = &snippet.data["status"];
            status["observedGeneration"].as_i64() == snippet.metadata.generation
                && status["conditions"][0]["reason"] == reason
        })
        .await
    }

    /// A snippet with a long history takes nearly all there is; the next ones find no room.
    async fn fill(&self) -> Result<()> {
        for revision in 0..4 {
            self.write("dashboards", &noise(revision, 4000), 10).await?;
            self.judged("dashboards", "Synced").await?;
        }
        for (seed, name) in [(10, "web"), (11, "api")] {
            self.write(name, &noise(seed, 4000), 1).await?;
            self.judged(name, "StorageFull").await?;
        }
        Ok(())
    }

    /// Ends the operator, takes a snippet away past it, and starts it again.
    async fn strip(&self, installation: &mut Installation) -> Result<()> {
        for name in ["web", "old"] {
            self.write(name, &format!("'{name}'"), 1).await?;
            self.judged(name, "Synced").await?;
        }
        installation.upgrade(|settings| settings.replicas = 0).await?;
        let free: Value = json!({"metadata": {"finalizers": null}});
        self.snippets().patch("old", &PatchParams::default(), &Patch::Merge(free)).await.context("freeing `old`")?;
        self.snippets().delete("old", &DeleteParams::default()).await.context("deleting `old`")?;
        wait::gone(&self.snippets(), "old", PATIENCE).await?;
        let folder = installation.volume().join(&self.namespace).join("old");
        for file in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let file = File::options().write(true).open(file?.path()).context("opening what is left")?;
            file.set_modified(SystemTime::now() - OLD).context("making it old")?;
        }
        installation.upgrade(|settings| settings.replicas = 1).await
    }
}

/// Jsonnet whose output hardly compresses.
fn noise(seed: u32, steps: u32) -> String {
    format!("[std.md5(std.toString([n, {seed}])) for n in std.range(1, {steps})]")
}
