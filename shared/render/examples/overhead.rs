//! Measures what a worker costs: the same small program in this process and in a warm worker.
//!
//! `cargo run --release -p jaas-render --example overhead`

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jaas_render::worker::{self, Limits, Pool};
use jaas_render::{Output, Request, evaluate};

const ROUNDS: usize = 5_000;

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
async fn measure() -> Result<(), Box<dyn Error>> {
    let code = "[{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c%d' % n }, data: { md5: std.md5('%d' % n) } } for n in std.range(1, 10)]";
    let request = Request {
        label: "measure.jsonnet".to_owned(),
        entry: "measure.jsonnet".to_owned(),
        files: BTreeMap::from([("measure.jsonnet".to_owned(), code.into())]),
        libraries: BTreeMap::new(),
        external_variables: BTreeMap::new(),
        top_level_arguments: BTreeMap::new(),
        output: Output::Json,
        max_stack: 0,
    };
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        evaluate(&request)?;
        times.push(started.elapsed());
    }
    report("this process", &mut times);

    let limits = Limits { timeout: Duration::from_secs(10), memory_bytes: 256 << 20, max_workers: 2 };
    let pool = Pool::new("/proc/self/exe".into(), limits);
    pool.evaluate(&request).await?;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        pool.evaluate(&request).await?;
        times.push(started.elapsed());
    }
    report("warm worker", &mut times);

    for _ in 0..ROUNDS / 20 {
        let pool = Pool::new("/proc/self/exe".into(), limits);
        let started = Instant::now();
        pool.evaluate(&request).await?;
        times.push(started.elapsed());
    }
    report("first request of a worker", &mut times);
    Ok(())
}

fn report(name: &str, times: &mut Vec<Duration>) {
    times.sort_unstable();
    println!("{name}: p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
    times.clear();
}
