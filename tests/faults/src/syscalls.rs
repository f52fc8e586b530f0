//! A process killed, or refused, at every system call of the store.
//!
//! The work is traced once. Then each of its system calls is the end of one process, fails in others with each error that a volume
//! may give, and, where it writes, writes less than it was asked. After each case a new store is opened on what is left.

pub mod driver;
mod fault;
mod judge;
mod process;
mod trace;
mod workload;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jaas_storage::LocalStore;
use tokio::task::JoinSet;

use self::fault::{Case, Fault};
use self::process::{Run, Traced};
use self::trace::Call;
use self::workload::{Outcome, Step, Worker};
use crate::invariants::{self, Broken, Ledger, Tree};
use crate::scratch;
use crate::tally::{Plan, Tally, Violation};

/// Cases that run at a time.
const PARALLEL: usize = 2;
/// Calls that take a path or a descriptor, as strace sorts them.
const CALLS: &str = "%file,%desc";

/// Runs the class.
///
/// # Errors
/// When a case cannot be set up; what the store does wrong is a violation.
pub async fn run(plan: &Plan) -> Result<Tally> {
    let mut tally = Tally::new("system calls");
    let known = Arc::new(Known::record(&plan.driver).await?);
    tally.violations.extend(known.judge_record()?);
    let mut cases = fault::planned(plan, fault::all(&known.calls)).into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < PARALLEL
            && let Some(case) = cases.next()
        {
            let known = Arc::clone(&known);
            running.spawn(async move {
                let shown = case.shown(&known.steps);
                known.hit(&case).await.context(shown)
            });
        }
        let Some(done) = running.join_next().await else { break };
        tally.case(plan, done??);
    }
    Ok(tally)
}

/// The work as it is when nothing goes wrong.
#[derive(Debug)]
struct Known {
    driver: PathBuf,
    steps: Vec<Step>,
    calls: Vec<Call>,
    outcomes: Vec<Outcome>,
    left: Tree,
}

impl Known {
    /// Traces the work, twice: if its calls were not the same each time, a case would hit another call than the one it names.
    async fn record(driver: &Path) -> Result<Self> {
        let steps = workload::steps()?;
        let mut runs = Vec::new();
        for _ in 0..2 {
            let directory = scratch::directory()?;
            let root = directory.path().join("store");
            let mut traced = Traced::start(driver, &root, CALLS, &[]).await?;
            traced.go().await?;
            let run = traced.finish().await?;
            let calls = trace::read(&run.log, &steps)?;
            runs.push((calls, run.outcomes, invariants::tree(&root)?));
        }
        let names = |calls: &[Call]| calls.iter().map(|call| (call.name.clone(), call.step)).collect::<Vec<_>>();
        let (calls, outcomes, left) = runs.pop().context("no trace was recorded")?;
        let same = runs.iter().all(|(other, ..)| names(other) == names(&calls));
        ensure!(same, "the work makes other system calls each time");
        ensure!(outcomes.len() == steps.len(), "the work ended early: {outcomes:?}");
        Ok(Self { driver: driver.to_owned(), steps, calls, outcomes, left })
    }

    fn judge_record(&self) -> Result<Vec<Violation>> {
        let judged = judge::judge(&self.steps, &self.outcomes, None)?;
        Ok(judged.broken.into_iter().map(|broken| broken.at("no fault")).collect())
    }

    /// Lets one case happen.
    async fn hit(&self, case: &Case) -> Result<Vec<Violation>> {
        let directory = scratch::directory()?;
        let root = directory.path().join("store");
        let run = if case.fault == Fault::Short {
            self.write_short(case, &root).await?
        } else {
            let mut traced = Traced::start(&self.driver, &root, &case.name, &[case.expression()]).await?;
            traced.go().await?;
            traced.finish().await?
        };
        let call = self.calls.get(case.call).context("a case without a call")?;
        ensure!(has_hit(case, &run), "the fault did not happen: {}", run.log);
        let judged = judge::judge(&self.steps, &run.outcomes, Some((case, call)))?;
        let mut broken = judged.broken;
        broken.extend(judge::unflushed(&self.steps, &self.calls, case, &run));
        broken.extend(self.aftermath(&root, &judged.ledger).await?);
        let shown = case.shown(&self.steps);
        Ok(broken.into_iter().map(|broken| broken.at(&shown)).collect())
    }

    /// The driver stops before the write, may then make files of half the length only, and stops again after the write.
    async fn write_short(&self, case: &Case, root: &Path) -> Result<Run> {
        let call = self.calls.get(case.call).context("a case without a call")?;
        let before = case.call.checked_sub(1).and_then(|before| self.calls.get(before)).context("nothing before")?;
        ensure!(before.name != call.name, "two writes in a row");
        let stop_before = format!("{}:signal=SIGSTOP:when={}", before.name, before.nth);
        let calls = format!("{},{}", before.name, call.name);
        let mut traced = Traced::start(&self.driver, root, &calls, &[stop_before, case.expression()]).await?;
        traced.go().await?;
        let driver = traced.stopped().await?;
        driver.limit_files(call.returned().map(|bytes| bytes / 2))?;
        driver.go_on()?;
        let driver = traced.stopped().await?;
        driver.limit_files(None)?;
        driver.go_on()?;
        traced.finish().await
    }

    /// What a new process finds, sweeps, serves, and makes of the same work.
    async fn aftermath(&self, root: &Path, ledger: &Ledger) -> Result<Vec<Broken>> {
        let store = match LocalStore::open(root) {
            Ok(store) => store,
            Err(error) => return Ok(vec![Broken::new("I7", format!("{error} ({})", error.source))]),
        };
        let mut broken = invariants::served(&store, ledger).await;
        broken.extend(invariants::named(root, ledger)?);
        broken.extend(invariants::swept(root, &store, ledger).await?);
        broken.extend(invariants::served(&store, ledger).await);
        let mut worker = Worker::new(root);
        for (step, expected) in self.steps.iter().zip(&self.outcomes) {
            let outcome = worker.perform(step).await?;
            if outcome != *expected {
                broken.push(Broken::new("I7", format!("{} again: {outcome:?} and not {expected:?}", step.name)));
            }
        }
        let left = invariants::tree(root)?;
        if left != self.left {
            broken.push(Broken::new("I7", format!("the work again leaves {}", shown(&left))));
        }
        Ok(broken)
    }
}

fn shown(tree: &Tree) -> String {
    let files: Vec<_> = tree.files.iter().map(|(path, bytes)| format!("{path} ({} bytes)", bytes.len())).collect();
    format!("files {files:?}, empty folders {:?}, others {:?}", tree.empty, tree.others)
}

/// Whether the call that the case names was hit, and no other.
fn has_hit(case: &Case, run: &Run) -> bool {
    let mut calls = run.log.lines().filter(|line| line.starts_with(&format!("{}(", case.name)));
    match case.fault {
        Fault::Kill => run.killed && calls.count() == case.nth,
        Fault::Short => calls.nth(case.nth - 1).is_some_and(is_short),
        Fault::Fail(_) | Fault::FailOn(_) | Fault::Lost(_) => {
            calls.position(|line| line.ends_with("(INJECTED)")) == Some(case.nth - 1)
        }
    }
}

/// Whether a write shows that it wrote less than it was asked.
fn is_short(line: &str) -> bool {
    let numbers = line.rsplit_once(", ").and_then(|(_, rest)| rest.split_once(") = "));
    let numbers = numbers.map(|(asked, written)| (asked.trim().parse::<u64>(), written.trim().parse::<u64>()));
    matches!(numbers, Some((Ok(asked), Ok(written))) if written > 0 && written < asked)
}
