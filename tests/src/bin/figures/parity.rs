//! From files to a tarball, beside go-jsonnet: `cargo figures --parity`.
//!
//! Both sides read the same folder, render it, and write a compressed tarball, in turns and in one run. Ours renders in a warm worker
//! process, as the operator does; go-jsonnet renders in its own process with a new virtual machine each time, as the Go implementation
//! does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jaas_tests::jsonnet::{Engine, Measure};
use jaas_tests::{programs, runner};

/// How often the two take turns.
const TURNS: usize = 5;

/// Longest that one turn may take.
const PATIENCE: Duration = Duration::from_secs(300);

const SMALL: &str = "{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'small', labels: { app: 'a' } }, data: { greeting: 'hello ' + 'world' } }";

const THOUSAND: &str = "[
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app-%d' % n, labels: { app: 'app-%d' % n } },
    spec: {
      replicas: n % 5,
      selector: { matchLabels: { app: 'app-%d' % n } },
      template: { spec: { containers: [{ name: 'main', image: 'registry.example/app:%d' % n, args: ['--port=%d' % (8000 + n)] }] } },
    },
  }
  for n in std.range(1, 1000)
]";

/// The alerts and rules of three libraries, for twelve clusters each, as objects and as YAML.
const MIXINS: &str = "local clusters = ['c%d' % n for n in std.range(1, 12)];
local alertmanager = (import 'alertmanager/config.libsonnet') + (import 'alertmanager/alerts.libsonnet');
local node = (import 'node/config.libsonnet') + (import 'node/alerts/alerts.libsonnet') + (import 'node/rules/rules.libsonnet');
local prometheus = (import 'prometheus/config.libsonnet') + (import 'prometheus/alerts.libsonnet');
{
  [cluster]: {
    local named = { _config+:: { clusterLabel: cluster, nodeExporterSelector: 'job=\"node\",cluster=\"%s\"' % cluster } },
    alerts: [(mixin + named).prometheusAlerts for mixin in [alertmanager, node, prometheus]],
    rules: (node + named).prometheusRules,
    yaml: std.manifestYamlDoc(self.alerts),
  }
  for cluster in clusters
}";

/// Measures and prints one row for each program.
pub(super) fn measure(profile: &str) -> Result<()> {
    let status = runner::cargo()
        .args(["build", "--package", "jaas-tests", "--bin", "jsonnet", "--profile", profile])
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "building the renderer failed");
    let ours = std::env::current_exe().context("finding this program")?.with_file_name("jsonnet");
    let (mut ours, mut theirs) = (Engine::new(&ours, PATIENCE), Engine::new(&programs::go_jsonnet()?, PATIENCE));
    let work = tempfile::tempdir().context("making a work directory")?;
    let mut ratios = Vec::new();
    for (name, program, rounds) in
        [("small snippet", SMALL, 200), ("thousand objects", THOUSAND, 10), ("mixins for twelve clusters", MIXINS, 3)]
    {
        let folder = work.path().join(name.replace(' ', "-"));
        fs::create_dir(&folder).context("making a folder")?;
        fs::write(folder.join("main.jsonnet"), program).context("writing a program")?;
        if program == MIXINS {
            vendor(&folder)?;
        }
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for turn in 0..=TURNS {
            for (engine, times, file) in [(&mut ours, &mut mine, "ours"), (&mut theirs, &mut others, "go")] {
                let tarball = work.path().join(file);
                let measure = Measure { folder: folder.clone(), tarball, rounds };
                let taken = engine.measure("main.jsonnet", measure).with_context(|| format!("{name} by {file}"))?;
                // The first turn warms up.
                if turn > 0 {
                    times.extend(taken);
                }
            }
        }
        let (mine, others) = (median(&mut mine), median(&mut others));
        let ratio = others.as_secs_f64() / mine.as_secs_f64();
        println!("{name}: {mine:.2?}, go-jsonnet {others:.2?}: {ratio:.1} times as fast");
        ratios.push(ratio);
    }
    #[allow(clippy::cast_precision_loss, reason = "a handful")]
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    println!("geometric mean: {mean:.1} times as fast");
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Copies the libraries beside the program: both sides read one folder.
fn vendor(folder: &Path) -> Result<()> {
    for (module, source, name) in [
        ("github.com/prometheus/alertmanager", "doc/alertmanager-mixin", "alertmanager"),
        ("github.com/prometheus/node_exporter", "docs/node-mixin", "node"),
        ("github.com/prometheus/prometheus", "documentation/prometheus-mixin", "prometheus"),
    ] {
        copy(&programs::mixin(module)?.join(source), &folder.join(name))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("making {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if target.extension().is_some_and(|extension| extension == "libsonnet") {
            // Files of the module cache are read-only and a copy would be, too.
            fs::write(&target, fs::read(entry.path())?).with_context(|| format!("writing {}", target.display()))?;
        }
    }
    Ok(())
}
