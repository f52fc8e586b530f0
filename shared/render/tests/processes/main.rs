//! Counts processes, for which this must be the only test in its process that has children.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../pool/fixture.rs"]
mod fixture;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use fixture::{LIMITS, TEAM, endless, pool, program, settled, until, works};
use jaas_render::worker::{Ending, EvaluateError, Limits};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(process) = entry.file_name().to_string_lossy().parse() else { continue };
        if stat(process).is_some_and(|(_, its_parent)| its_parent == parent) {
            found.push(process);
        }
    }
    found
}

/// The state and the parent of a process; `None` if there is none.
fn stat(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn kill(process: u32) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
}

fn is_running(process: u32) -> bool {
    stat(process).is_some_and(|(state, _)| state != 'Z')
}

#[tokio::test]
async fn no_worker_is_left_behind() {
    let own = std::process::id();
    assert_eq!(children(own), [0; 0]);

    let limits = Limits { timeout: Duration::from_secs(1), max_workers: 1, ..LIMITS };
    let pool = pool(limits);
    works(&pool).await;
    settled(&pool).await;
    let [killed_while_idle] = children(own)[..] else { panic!("{:?}", children(own)) };
    kill(killed_while_idle);
    until(|| !is_running(killed_while_idle)).await;
    works(&pool).await;

    let [late] = children(own)[..] else { panic!("{:?}", children(own)) };
    assert_ne!(late, killed_while_idle);
    assert!(pool.evaluate(TEAM, &endless(), 0).await.is_err());
    assert_eq!(children(own), [0; 0]);

    assert!(timeout(Duration::from_millis(100), pool.evaluate(TEAM, &endless(), 0)).await.is_err());
    works(&pool).await;
    settled(&pool).await;
    let [idle] = children(own)[..] else { panic!("{:?}", children(own)) };
    let request = endless();
    let (outcome, ()) = tokio::join!(pool.evaluate(TEAM, &request, 0), async {
        until(|| is_busy(idle)).await;
        kill(idle);
    });
    let Err(EvaluateError::Died { cause }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(cause.ending, Ending::Killed, "{cause}");
    works(&pool).await;

    let [idle] = children(own)[..] else { panic!("{:?}", children(own)) };
    drop(pool);
    until(|| !is_running(idle)).await;

    // A process that has a pool of its own, with an evaluation that does not end.
    let mut host = Command::new(program()).stdin(Stdio::null()).spawn().unwrap();
    until(|| children(host.id()).iter().any(|worker| is_busy(*worker))).await;
    let orphans = children(host.id());
    host.kill().unwrap();
    host.wait().unwrap();
    until(|| !orphans.iter().any(|orphan| is_running(*orphan))).await;
}

/// Whether a process has its evaluation thread.
fn is_busy(process: u32) -> bool {
    fs::read_dir(format!("/proc/{process}/task")).is_ok_and(|threads| threads.count() > 1)
}
