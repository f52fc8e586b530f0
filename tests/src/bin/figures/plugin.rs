//! What `kubectl jaas` takes with many snippets: `cargo figures --plugin`.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jaas_tests::cluster::{Installation, Settings, Store};
use jaas_tests::controlplane::{ControlPlane, Identity};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{Bed, create};

/// Each command is run so often, and the middle one counts.
const RUNS: usize = 3;

/// Installs an operator with a volume and the admin endpoint, fills it, and times the commands on it.
pub(super) async fn measure(plane: &ControlPlane, plugin: &Path, count: usize) -> Result<()> {
    let bed = Bed::new(plane, "figures").await?;
    let settings = Settings { admin: true, store: Store::Claim, ..Settings::default() };
    let _installation = Installation::start(plane, &bed.namespace.name, settings).await?;
    create(&bed, count).await?;
    println!("{count} snippets, operator and plugin of the same profile, each command {RUNS} times:");
    for words in [
        &["status"][..],
        &["doctor"],
        &["doctor", "--depth", "quick"],
        &["storage", "doctor", "--depth", "full"],
        &["storage", "df"],
        &["storage", "du", "--all"],
        &["storage", "ls"],
        &["storage", "find-orphans"],
        &["storage", "prune", "--expired", "--all", "-A", "--dry-run"],
        &["storage", "verify", "--all"],
        &["reconcile", "--all"],
    ] {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(run(plane, plugin, &bed.namespace.name, words).await?);
        }
        runs.sort_by_key(|run| run.whole);
        let middle = &runs[RUNS / 2];
        println!(
            "  {:<52} {:>6.2} s, first line after {:>5.2} s, {} lines, exit {}",
            words.join(" "),
            middle.whole.as_secs_f64(),
            middle.first.as_secs_f64(),
            middle.lines,
            middle.code
        );
    }
    Ok(())
}

struct Run {
    whole: Duration,
    /// Until the first line of the result.
    first: Duration,
    lines: usize,
    code: i32,
}

async fn run(plane: &ControlPlane, plugin: &Path, namespace: &str, words: &[&str]) -> Result<Run> {
    let mut command = Command::new(plugin);
    command.args(words).args(["--operator-namespace", namespace]);
    command.env("KUBECONFIG", plane.kubeconfig(&Identity::Admin)?).env("NO_COLOR", "1");
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("running {}", plugin.display()))?;
    let stdout = child.stdout.take().context("reading what the plugin says")?;
    let (mut first, mut lines) = (None, 0);
    let mut reader = BufReader::new(stdout).lines();
    while reader.next_line().await.context("reading what the plugin says")?.is_some() {
        first.get_or_insert_with(|| begun.elapsed());
        lines += 1;
    }
    let status = child.wait().await.context("waiting for the plugin")?;
    let whole = begun.elapsed();
    // A finding is an answer; the rest is none.
    let code = status.code().unwrap_or(-1);
    ensure!([0, 3, 4].contains(&code), "`kubectl jaas {}` ended with {status}", words.join(" "));
    Ok(Run { whole, first: first.unwrap_or(whole), lines, code })
}
