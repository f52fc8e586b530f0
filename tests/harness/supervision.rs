//! The supervisor ends what it started, whatever that did meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jaas_tests::supervisor::{AtEnd, Exit, Launcher, Program, Signal, Supervisor};
use jaas_tests::wait::eventually;

use crate::gone;

fn shell(supervisor: &Supervisor, script: &str) -> Program {
    Program {
        name: "shell".to_owned(),
        executable: PathBuf::from("/bin/sh"),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        directory: supervisor.work().to_owned(),
        log: supervisor.work().join("shell.log"),
        at_end: AtEnd::Kill,
    }
}

fn supervisor() -> Supervisor {
    Supervisor::start(&Launcher::from_env().unwrap()).unwrap()
}

async fn line(supervisor: &Supervisor, file: &str) -> String {
    let path = supervisor.work().join(file);
    eventually(file, Duration::from_secs(10), async || {
        let text = fs::read_to_string(&path)?;
        match text.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => anyhow::bail!("`{text}`"),
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn exits_are_told_apart() {
    let supervisor = supervisor();
    let run = async |script: &str| {
        let process = supervisor.run(shell(&supervisor, script)).await.unwrap();
        process.wait().await.unwrap()
    };
    assert_eq!(run("exit 0").await, Exit::Code(0));
    assert_eq!(run("exit 3").await, Exit::Code(3));
    assert_eq!(run("kill -KILL $$").await, Exit::Signal(9));
}

#[tokio::test]
async fn a_program_inherits_nothing() {
    let supervisor = supervisor();
    let process = supervisor.run(shell(&supervisor, "/usr/bin/env")).await;
    let process = process.unwrap();
    process.wait().await.unwrap();
    let log = process.log();
    let names: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(!names.contains(&"JAAS_SUPERVISOR"), "{log}");
    assert!(names.contains(&"PATH"), "{log}");
}

#[tokio::test]
async fn grandchildren_end_with_the_program() {
    let supervisor = supervisor();
    let script = "sleep 600 & echo $! >grandchild; wait";
    let process = supervisor.run(shell(&supervisor, script)).await.unwrap();
    let grandchild = line(&supervisor, "grandchild").await.parse().unwrap();
    process.kill().await.unwrap();
    gone(grandchild).await;
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_in_the_end() {
    let supervisor = supervisor();
    let script = "trap '' TERM; echo ready >ready; while :; do sleep 0.1; done";
    let mut program = shell(&supervisor, script);
    program.at_end = AtEnd::Terminate;
    let process = supervisor.run(program).await.unwrap();
    line(&supervisor, "ready").await;
    assert!(process.terminate(Duration::from_millis(300)).await.is_err());
    let (pid, work) = (process.pid(), supervisor.work().to_owned());
    let waiting = tokio::task::spawn_blocking(move || drop((process, supervisor)));
    waiting.await.unwrap();
    gone(pid).await;
    assert!(!work.exists());
}

#[tokio::test]
async fn a_frozen_program_goes_on_when_told() {
    let supervisor = supervisor();
    let script = "trap 'echo heard >heard; exit 7' TERM; echo ready >ready; while :; do sleep 0.05; done";
    let process = supervisor.run(shell(&supervisor, script)).await.unwrap();
    line(&supervisor, "ready").await;
    process.signal(Signal::Stop).unwrap();
    assert!(process.terminate(Duration::from_millis(200)).await.is_err());
    process.signal(Signal::Continue).unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(7));
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_named() {
    let supervisor = supervisor();
    let mut program = shell(&supervisor, "");
    program.executable = PathBuf::from("/no/such/program");
    let error = format!("{:#}", supervisor.run(program).await.err().unwrap());
    assert!(error.contains("/no/such/program"), "{error}");
}
