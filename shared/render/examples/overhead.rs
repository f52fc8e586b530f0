//! Measures what workers cost: time beside evaluation in this process, memory while idle, time until a slot is free again.
//!
//! `cargo run --profile fast -p jaas-render --example overhead`

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jaas_render::worker::{self, EvaluateError, Limits, Pool};
use jaas_render::{Output, Request, evaluate};

const ROUNDS: usize = 5_000;
const SELF: &str = "/proc/self/exe";
const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(10),
    memory_bytes: 256 << 20,
    output_bytes: 0,
    max_workers: 2,
    spare_workers: 0,
};

type Measured = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == worker::ARGUMENT) {
        return worker::run();
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn measure() -> Measured {
    let small = request(
        "[{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c%d' % n }, data: { md5: std.md5('%d' % n) } } for n in std.range(1, 10)]",
    );
    let large = request(
        "[{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c%d' % n }, data: { text: std.repeat('x', 900) } } for n in std.range(1, 1000)]",
    );
    beside(&small, "ten objects", ROUNDS).await?;
    beside(&large, "a thousand objects, 1 MB", ROUNDS / 50).await?;
    fresh(&small).await?;
    spare(&small).await?;
    libraries()?;
    idle(&small).await?;
    kill().await?;
    rate(small).await
}

/// In this process, and in a warm worker.
async fn beside(request: &Request, name: &str, rounds: usize) -> Measured {
    let pool = Pool::new(SELF.into(), LIMITS);
    pool.evaluate("team", request, 0).await?;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let started = Instant::now();
        evaluate(request)?;
        here.push(started.elapsed());
        let started = Instant::now();
        pool.evaluate("team", request, 0).await?;
        there.push(started.elapsed());
    }
    let here = report(&format!("{name}, this process"), here);
    let there = report(&format!("{name}, warm worker"), there);
    match there.checked_sub(here) {
        Some(more) => println!("{name}: at the median the warm worker takes {more:?} more"),
        None => println!("{name}: at the median the warm worker takes {:?} less", here.saturating_sub(there)),
    }
    Ok(())
}

/// The first request of a worker that has to be started for it.
async fn fresh(request: &Request) -> Measured {
    let mut times = Vec::new();
    for _ in 0..ROUNDS / 20 {
        let pool = Pool::new(SELF.into(), LIMITS);
        let started = Instant::now();
        pool.evaluate("team", request, 0).await?;
        times.push(started.elapsed());
    }
    report("fresh worker", times);
    Ok(())
}

/// The first request of an owner where a worker was started ahead.
async fn spare(request: &Request) -> Measured {
    let pool = Pool::new(SELF.into(), Limits { spare_workers: 1, ..LIMITS });
    pool.prepare().await?;
    let mut times = Vec::new();
    for round in 0..ROUNDS / 20 {
        while pool.spare() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let owner = format!("team{round}");
        let started = Instant::now();
        pool.evaluate(&owner, request, 0).await?;
        times.push(started.elapsed());
    }
    report("worker that was started ahead", times);
    Ok(())
}

/// What reading a library takes of an evaluation that uses one field of it, which is what keeping it could save.
fn libraries() -> Measured {
    let mut request = request("(import 'lib/main.libsonnet').f1");
    let fields: String =
        (0..2000).map(|n| format!("f{n}:: {{ local name = 'n%d' % {n}, metadata: {{ name: name, labels: {{ app: name }} }}, spec: [x + {n} for x in [1, 2, 3] if x > 1] }},\n")).collect();
    let library = format!("{{\n{fields}}}");
    let kilobytes = library.len() / 1000;
    request.libraries.insert("lib".to_owned(), [("main.libsonnet".to_owned(), library.into_bytes())].into());
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        evaluate(&request)?;
        times.push(started.elapsed());
    }
    report(&format!("one field of a library of {kilobytes} kB"), times);
    Ok(())
}

/// Memory of workers that wait.
async fn idle(request: &Request) -> Measured {
    const WORKERS: usize = 8;
    let pool = Pool::new(SELF.into(), Limits { spare_workers: WORKERS, max_workers: WORKERS, ..LIMITS });
    pool.prepare().await?;
    while pool.spare() < WORKERS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    memory("spare", WORKERS)?;
    drop(pool);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pool = Pool::new(SELF.into(), Limits { max_workers: WORKERS, ..LIMITS });
    for owner in 0..WORKERS {
        pool.evaluate(&owner.to_string(), request, 0).await?;
    }
    memory("rested", WORKERS)
}

/// Prints the mean of all children, in kilobytes.
fn memory(name: &str, expected: usize) -> Measured {
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if parent == Some(own) && !stat.contains(") Z") {
            found.push(fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?);
        }
    }
    let mean = |field: &str| {
        let values = found.iter().filter_map(|text| {
            let line = text.lines().find(|line| line.starts_with(field))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        values.sum::<u64>() / u64::try_from(found.len().max(1)).unwrap_or(1)
    };
    println!(
        "{name} workers, mean of {} (of {expected}): resident {} kB, proportional {} kB, private dirty {} kB",
        found.len(),
        mean("Rss:"),
        mean("Pss:"),
        mean("Private_Dirty:")
    );
    Ok(())
}

/// From the deadline until the slot of an endless evaluation is free.
async fn kill() -> Measured {
    let timeout = Duration::from_millis(50);
    let pool = Pool::new(SELF.into(), Limits { timeout, max_workers: 1, spare_workers: 1, ..LIMITS });
    let endless = request("std.foldl(function(sum, n) sum + n, std.range(1, 2000000000), 0)");
    pool.prepare().await?;
    let mut times = Vec::new();
    for _ in 0..50 {
        // The start of a worker is another matter.
        while pool.spare() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let started = Instant::now();
        let Err(EvaluateError::Timeout { .. }) = pool.evaluate("team", &endless, 0).await else {
            return Err("it ended".into());
        };
        times.push(started.elapsed().saturating_sub(timeout));
    }
    report("deadline to free slot", times);
    Ok(())
}

/// Evaluations in each second with two at once.
async fn rate(request: Request) -> Measured {
    let pool = Arc::new(Pool::new(SELF.into(), LIMITS));
    let request = Arc::new(request);
    let started = Instant::now();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (pool, request) = (Arc::clone(&pool), Arc::clone(&request));
            tokio::spawn(async move {
                for _ in 0..ROUNDS / 4 {
                    pool.evaluate("team", &request, 0).await?;
                }
                Ok::<_, EvaluateError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let count = u32::try_from(ROUNDS / 4 * 8)?;
    let rate = f64::from(count) / started.elapsed().as_secs_f64();
    println!("two workers: {rate:.0} evaluations/s");
    Ok(())
}

fn request(code: &str) -> Request {
    Request {
        label: "measure.jsonnet".to_owned(),
        entry: "measure.jsonnet".to_owned(),
        files: BTreeMap::from([("measure.jsonnet".to_owned(), code.into())]),
        libraries: BTreeMap::new(),
        external_variables: BTreeMap::new(),
        top_level_arguments: BTreeMap::new(),
        output: Output::Json,
        max_stack: 0,
    }
}

/// Prints, and answers the median.
fn report(name: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("{name}: p50 {median:?}, p99 {:?}", times[times.len() * 99 / 100]);
    median
}
