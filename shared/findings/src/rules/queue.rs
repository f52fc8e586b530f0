//! How much waits and runs. Pure.

use super::outcome::{Outcome, Seen, Stop};
use crate::code::Code;
use crate::facts::{Facts, Metrics};
use crate::finding::{Evidence, Finding};
use crate::known::{Known, Why};

/// Snippets that may wait.
const DEPTH: f64 = 50.0;
/// Seconds that all but one in a hundred reconciles may take.
const SLOW: f64 = 30.0;
/// Part of the places for evaluations that may be taken.
const LOAD: f64 = 0.9;

fn figure(facts: &Facts, of: impl Fn(&Metrics) -> &Known<f64>, what: &str) -> Result<f64, Why> {
    of(facts.signals.metrics.told("the metrics")?).told(what).copied()
}

fn above(code: Code, value: f64, limit: f64, summary: String) -> Seen {
    if value <= limit {
        return Seen::fine();
    }
    Finding::new(code, summary).with(Evidence::seen("seen", value).instead_of(format!("at most {limit}"))).into()
}

/// `Q801`.
pub(crate) fn long(facts: &Facts) -> Outcome {
    let depth = figure(facts, |metrics| &metrics.queue_depth, "how many snippets wait")?;
    Ok(above(Code::QueueLong, depth, DEPTH, format!("{depth} snippets wait for a reconcile")))
}

/// `Q802`.
pub(crate) fn slow(facts: &Facts) -> Outcome {
    let p99 = figure(facts, |metrics| &metrics.reconcile_p99_seconds, "how long reconciles take")?;
    Ok(above(Code::ReconcileSlow, p99, SLOW, format!("one in a hundred reconciles takes {p99} s or more")))
}

/// `Q803`.
pub(crate) fn evaluations_full(facts: &Facts) -> Outcome {
    let limit = figure(facts, |metrics| &metrics.evaluations_limit, "how many evaluations may run")?;
    if limit <= 0.0 {
        return Err(Stop::skip("any number of evaluations may run"));
    }
    let running = figure(facts, |metrics| &metrics.evaluations, "how many evaluations run")?;
    Ok(above(
        Code::EvaluationsFull,
        running,
        limit * LOAD,
        format!("{running} of {limit} places for evaluations are taken"),
    ))
}

/// `Q804`.
pub(crate) fn evaluations_abandoned(facts: &Facts) -> Outcome {
    let abandoned = figure(facts, |metrics| &metrics.evaluations_abandoned, "evaluations with nobody waiting")?;
    Ok(above(Code::EvaluationsAbandoned, abandoned, 0.0, format!("{abandoned} evaluations run with nobody waiting")))
}
