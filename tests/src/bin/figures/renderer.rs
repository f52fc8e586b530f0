//! Requests each second to the HTTP renderer, and how long they take: `cargo figures --renderer`.
//!
//! Beside them stands what the same clients reach on a path that is answered without an evaluation, which is what harness, network and server
//! cost alone.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jaas_tests::http;
use jaas_tests::renderer::Renderer;
use jaas_tests::runner::Executables;
use jaas_tests::supervisor::Launcher;
use tokio::task::JoinSet;

/// How long each row is measured, after a tenth of it to warm up.
const SPAN: Duration = Duration::from_secs(10);
/// Clients that ask at the same time.
const CLIENTS: [usize; 2] = [1, 4];

const SMALL: &str = "function(name='world') { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'small', labels: { app: name } }, data: { greeting: 'hello ' + name } }";

/// Measures and prints a row for each program and number of clients.
pub(super) fn measure(profile: &str) -> Result<()> {
    let executables = Executables::build(&["--profile", profile])?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(async {
        let launcher = Launcher::executable(executables.supervisor);
        let args =
            ["--snippet-directory=snippets", "--max-concurrent-evals=4", "--shutdown-delay=0s", "--log-level=warn"];
        let renderer = Renderer::start(&launcher, &executables.operator, &args, &[], prepare).await?;
        renderer.wait_ready().await?;
        for clients in CLIENTS {
            for (name, path, status) in [
                ("no evaluation (404)", "/other", 404),
                ("`{}`", "/jsonnet/empty", 200),
                ("small snippet with an argument", "/jsonnet/small?name=x", 200),
            ] {
                row(&renderer.url(path), name, clients, status).await?;
            }
        }
        renderer.terminate().await.map(drop)
    })
}

fn prepare(folder: &Path) -> std::io::Result<()> {
    for (name, program) in [("empty", "{}"), ("small", SMALL)] {
        let folder = folder.join("snippets").join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("main.jsonnet"), program)?;
    }
    Ok(())
}

async fn row(url: &str, name: &str, clients: usize, status: u16) -> Result<()> {
    ask(url, clients, status, SPAN / 10).await?;
    let begun = Instant::now();
    let mut times = ask(url, clients, status, SPAN).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{clients} clients, {name}: {rate:.0}/s, p50 {:.2?}, p99 {:.2?}", at(50), at(99));
    Ok(())
}

/// Each client asks again as soon as it has its answer.
async fn ask(url: &str, clients: usize, status: u16, span: Duration) -> Result<Vec<Duration>> {
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let (client, url) = (http::client()?, url.to_owned());
        running.spawn(async move {
            let (begun, mut times) = (Instant::now(), Vec::new());
            while begun.elapsed() < span {
                let asked = Instant::now();
                let answer = http::read(client.get(&url)).await?;
                ensure!(answer.status == status, "{url}: {} {}", answer.status, answer.text());
                times.push(asked.elapsed());
            }
            Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(told) = running.join_next().await {
        times.extend(told??);
    }
    Ok(times)
}
