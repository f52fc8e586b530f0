//! A seeded sample of the fault matrix.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use indicatif::ProgressBar;
use jaas_faults::{Plan, Scale, Tally, files, operator, power, replicas, s3, syscalls};

fn plan() -> Plan {
    let seed = std::env::var("JAAS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let driver = env!("CARGO_BIN_EXE_faults").into();
    Plan { seed, scale: Scale::Sample, progress: ProgressBar::hidden(), driver }
}

#[track_caller]
fn assert_whole(tally: &Tally, at_least: u64) {
    assert!(tally.violations.is_empty(), "{:#?}", tally.violations);
    assert!(tally.cases >= at_least, "only {} cases of {}", tally.cases, tally.class);
}

#[tokio::test]
async fn system_calls() {
    assert_whole(&syscalls::run(&plan()).await.unwrap(), 40);
}

#[tokio::test]
async fn planted_files() {
    assert_whole(&files::run(&plan()).await.unwrap(), 20);
}

#[tokio::test]
async fn power_cuts() {
    assert_whole(&power::run(&plan()).await.unwrap(), 10);
}

#[tokio::test]
async fn s3_faults() {
    assert_whole(&s3::run(&plan()).await.unwrap(), 200);
}

#[tokio::test]
async fn operator_kills() {
    assert_whole(&operator::run(&plan()).await.unwrap(), 5);
}

#[tokio::test]
async fn replicas_that_fail() {
    let tally = replicas::run(&plan()).await.unwrap();
    println!("{}", tally.notes.join("\n"));
    assert_whole(&tally, 6);
}
