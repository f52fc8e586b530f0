//! What the answers of a driver say, and whether they may say so. Pure.

use anyhow::{Context, Result};

use super::fault::{Case, Fault};
use super::process::Run;
use super::trace::Call;
use super::workload::{Action, Outcome, Plant, Step};
use crate::invariants::{Broken, Fate, Ledger};

/// What a driver's answers promise.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// What the store acknowledged.
    pub(super) ledger: Ledger,
    /// What it should not have answered.
    pub(super) broken: Vec<Broken>,
}

/// Judges answers; the step after the last answer may have been under way. `case` is what was done to the driver, if anything was.
///
/// # Errors
/// When an artifact cannot be packed.
pub(super) fn judge(steps: &[Step], outcomes: &[Outcome], case: Option<(&Case, &Call)>) -> Result<Judged> {
    let mut judged = Judged::default();
    for (index, step) in steps.iter().enumerate().take(outcomes.len() + 1) {
        if let Some((path, bytes)) = step.plant.as_ref().map(Plant::damage).transpose()?.flatten() {
            if let Some(artifact) = jaas_storage::store::ArtifactPath::parse(&path) {
                judged.ledger.note(&artifact.key, &artifact.revision, Fate::Unsure);
            }
            judged.ledger.plant(path, bytes);
        }
        let outcome = outcomes.get(index);
        let broken = outcome.and_then(|outcome| complaint(&judged.ledger, step, index, outcome, case));
        judged.broken.extend(broken.map(|(invariant, seen)| Broken::new(invariant, format!("{}: {seen}", step.name))));
        note(&mut judged.ledger, step, outcome, case.is_some_and(|(case, _)| case.loses(index)))?;
    }
    Ok(judged)
}

impl Case {
    /// Whether the system lied about what the step wrote, so that its acknowledgement is worth nothing.
    fn loses(&self, step: usize) -> bool {
        self.step == step && matches!(self.fault, Fault::Lost(_))
    }

    /// Whether the step may fail, and if it must be of one class, which.
    fn may_fail(&self, step: usize) -> Option<Option<&'static str>> {
        match self.fault {
            Fault::Fail(errno) if step == self.step => Some(Some(errno.label())),
            Fault::FailOn(errno) if step >= self.step => Some(Some(errno.label())),
            Fault::Lost(_) if step == self.step => Some(None),
            _ => None,
        }
    }
}

/// Whether a step was acknowledged although what it wrote was not flushed. After one failed flush a step may still succeed, by
/// flushing another file; after the first of failures without end, no step may that has anything to flush.
pub(super) fn unflushed(steps: &[Step], calls: &[Call], case: &Case, run: &Run) -> Option<Broken> {
    let flushes = |call: &&Call| call.name == "fsync" || call.name == "fdatasync";
    let hit = calls.get(case.call).filter(flushes)?;
    let acknowledged = |step: &usize| {
        let outcome = run.outcomes.get(*step);
        // Where there was nothing to set aside, there was nothing to flush.
        outcome.is_some_and(|outcome| !matches!(outcome, Outcome::Failed { .. } | Outcome::SetAside(false)))
    };
    let known = calls.iter().filter(|call| call.name == hit.name).count();
    let made = run.log.lines().filter(|line| line.starts_with(&format!("{}(", hit.name))).count();
    let mut suspects = match case.fault {
        Fault::Fail(_) if made <= known => case.step..case.step + 1,
        Fault::FailOn(_) => case.step..steps.len(),
        _ => return None,
    };
    let flushing = |step: &usize| calls.iter().filter(flushes).any(|call| call.step == *step);
    let step = suspects.find(|step| flushing(step) && acknowledged(step))?;
    let name = steps.get(step).map_or("", |step| step.name);
    Some(Broken::new("I6", format!("{name}: acknowledged, but not flushed")))
}

/// What is wrong with an answer.
fn complaint(
    ledger: &Ledger,
    step: &Step,
    index: usize,
    outcome: &Outcome,
    case: Option<(&Case, &Call)>,
) -> Option<(&'static str, String)> {
    // A block that the device cannot read makes a file damaged, not the store troubled.
    let unreadable = case.is_some_and(|(case, call)| {
        case.fault == Fault::Fail(super::fault::Errno::Io) && call.name.contains("read") && case.step == index
    });
    match (&step.action, outcome) {
        (_, Outcome::Failed { kind, message }) => match case.and_then(|(case, _)| case.may_fail(index)) {
            None => Some(("I7", format!("failed without a cause: {message}"))),
            Some(Some(label)) if label != kind => Some(("I5", format!("told as {kind} and not {label}: {message}"))),
            Some(_) => None,
        },
        (Action::Read(..), Outcome::Read(Some((told, real)))) if told != real => {
            Some(("I1", format!("served {real}, announced {told}")))
        }
        (Action::Read(key, content), Outcome::Read(read)) => match (ledger.fate(key, content.revision()), read) {
            (Fate::Kept(digest), Some((told, _))) if digest.to_string() == *told => None,
            (Fate::Kept(_), None) if unreadable => None,
            (Fate::Kept(digest), read) => Some(("I2", format!("acknowledged {digest}, served {read:?}"))),
            (Fate::Gone, Some(_)) => Some(("I3", "served what was removed".to_owned())),
            (Fate::Gone | Fate::Unsure, _) => None,
        },
        (Action::SetAside(key, content), Outcome::SetAside(false))
            if matches!(ledger.fate(key, content.revision()), Fate::Kept(_)) =>
        {
            Some(("I5", "called missing what is there".to_owned()))
        }
        (Action::List, Outcome::Listed(paths)) => {
            let missing = ledger.kept_paths().find(|path| !paths.contains(path))?;
            Some(("I5", format!("lists {paths:?} without {missing}")))
        }
        _ => None,
    }
}

/// Notes what an answer promises; without one anything may have happened.
fn note(ledger: &mut Ledger, step: &Step, outcome: Option<&Outcome>, lost: bool) -> Result<()> {
    let done = matches!(outcome, Some(Outcome::Done | Outcome::SetAside(_)));
    let taken = if done { Fate::Gone } else { Fate::Unsure };
    match &step.action {
        Action::Put(key, content) => match outcome {
            Some(Outcome::Stored(digest)) if !lost => {
                let digest = digest.parse().context("reading a digest")?;
                ledger.note(key, content.revision(), Fate::Kept(digest));
            }
            // What was kept before is still kept.
            _ if matches!(ledger.fate(key, content.revision()), Fate::Kept(_)) && !lost => {}
            _ => ledger.note(key, content.revision(), Fate::Unsure),
        },
        Action::Remove(key, content) | Action::SetAside(key, content) => {
            ledger.note(key, content.revision(), taken);
        }
        Action::Delete(key) => ledger.note_all(key, &taken),
        Action::Open | Action::Claim | Action::Read(..) | Action::Sweep | Action::List => {}
    }
    Ok(())
}
