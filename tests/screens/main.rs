//! What every command shows: its screen at 80 columns, its JSON, its exit code, from runs beside a real operator.
//!
//! [`jaas_tests::cluster`] tells what of a cluster is played. What differs from run to run is replaced; see `normal`. Snapshots are in
//! `snapshots`; `JAAS_BLESS=1` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod commands;
mod examples;
mod normal;
mod program;
mod prompts;
mod snapshot;
mod stage;

/// In one test, since an installation sees every other one of its cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_is_as_it_was_blessed_every_example_works_and_every_question_can_be_declined() {
    let stage = stage::Stage::new().await;
    let mut wrong = commands::wrong(&stage);
    wrong.extend(examples::wrong(&stage).await);
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n\n"));
    prompts::ask(&stage);
}
