//! From what became of each snippet to exit code, sentence and hint. Pure.

use std::time::Duration;

use super::super::Verdict;
use super::super::ending::Ending;
use super::ask::Asked;
use super::verify::Verified;
use crate::cli::ReconcileArgs;
use crate::exit::Exit;
use crate::hint;
use crate::progress::rate;
use crate::snippet::Key;
use crate::view::{Target, TargetOutcome};

/// What a run came to.
pub(super) struct Facts<'a> {
    /// Every snippet with its outcome.
    pub(super) targets: &'a [Target],
    /// Those that were named but are suspended.
    pub(super) refused: &'a [Key],
    /// How asking and waiting ended.
    pub(super) asked: &'a Asked,
    /// What the proof afterwards came to.
    pub(super) verified: &'a Verified,
    /// What was wanted.
    pub(super) args: &'a ReconcileArgs,
    /// Time from the first request to the end.
    pub(super) elapsed: Duration,
}

impl Facts<'_> {
    /// Exit code, sentence and hint. `again` is the command line that repeats the run.
    pub(super) fn verdict(&self, again: &str) -> Verdict {
        let exit = self.exit();
        Verdict { exit, message: self.message(exit), hint: self.hint(exit, again) }
    }

    /// Answers per second.
    pub(super) fn rate(&self) -> f64 {
        rate(self.answered(), self.elapsed)
    }

    fn exit(&self) -> Exit {
        match &self.asked.ending {
            Ending::Stopped(signal) => return signal.exit(),
            Ending::Deadline => return Exit::TimedOut,
            Ending::Broken(error) => return error.exit(),
            Ending::Complete => {}
        }
        let is_wanted = |target: &Target| match target.outcome {
            TargetOutcome::Synced | TargetOutcome::Asked | TargetOutcome::WouldChange => true,
            TargetOutcome::Skipped | TargetOutcome::Removed => true,
            TargetOutcome::Changed | TargetOutcome::Unchanged => true,
            TargetOutcome::Suspended => self.args.include_suspended,
            TargetOutcome::Failed | TargetOutcome::Unanswered | TargetOutcome::Unknown => false,
        };
        let is_all_refused = self.refused.len() == self.targets.len() && !self.refused.is_empty();
        let was_nobody_asked = self.targets.iter().all(|target| target.seconds.is_none() && !was_asked(target));
        match &self.asked.refusal {
            _ if is_all_refused => Exit::Refused,
            Some(error) if was_nobody_asked && self.refused.is_empty() && self.count(TargetOutcome::Failed) > 0 => {
                error.exit()
            }
            _ if matches!(self.verified, Verified::Not { was_asked_for: true, .. }) => Exit::Partial,
            _ if self.targets.iter().all(is_wanted) => Exit::Done,
            _ => Exit::Partial,
        }
    }

    fn message(&self, exit: Exit) -> String {
        let seconds = format!("{:.1} s", self.elapsed.as_secs_f64());
        let others = self.others();
        match (&self.asked.ending, exit) {
            (Ending::Broken(error), _) => format!("{error}; until then {}{others}", self.done()),
            (Ending::Stopped(_), _) => format!("interrupted after {seconds}: {}{others}", self.done()),
            (Ending::Deadline, _) => format!("timed out after {seconds}: {}{others}", self.done()),
            (Ending::Complete, Exit::Refused) => match self.refused {
                [key] => format!("snippet `{key}` is suspended; nothing was asked"),
                keys => format!("all {} named snippets are suspended; nothing was asked", keys.len()),
            },
            (Ending::Complete, _) if self.args.dry_run.is_some() => {
                let n = self.count(TargetOutcome::WouldChange);
                format!("would ask for {}; nothing was changed{others}", snippets(n))
            }
            (Ending::Complete, _) if self.args.no_wait => {
                let n = self.count(TargetOutcome::Asked);
                format!("asked for {} in {seconds}, not waiting for answers{others}", snippets(n))
            }
            // The rate of a moment says nothing.
            (Ending::Complete, _) if self.elapsed < Duration::from_secs(1) => {
                format!("{} in {seconds}{others}{}", self.done(), self.proof())
            }
            (Ending::Complete, _) => {
                format!("{} in {seconds} ({:.0}/s){others}{}", self.done(), self.rate(), self.proof())
            }
        }
    }

    fn hint(&self, exit: Exit, again: &str) -> Option<String> {
        match &self.asked.ending {
            Ending::Broken(error) => return Some(format!("{}\nthen go on with: {again}", error.hint())),
            Ending::Stopped(_) => return Some(format!("to go on: {again}")),
            Ending::Deadline => return Some(format!("{}\nto go on: {again}", hint::unanswered(self.answered()))),
            Ending::Complete => {}
        }
        if exit == Exit::Done {
            return None;
        }
        if let Some(error) = &self.asked.refusal {
            return Some(error.hint());
        }
        if let Verified::Not { how: Some(how), was_asked_for: true, .. } = self.verified {
            return Some(how.clone());
        }
        if !self.refused.is_empty() {
            return Some(hint::resume(self.refused));
        }
        let first = self.targets.iter().find(|target| target.outcome == TargetOutcome::Failed)?;
        let (name, namespace) = (&first.object.name, &first.object.namespace);
        let more = match self.count(TargetOutcome::Failed) {
            1 => "",
            _ => "\nall of them: kubectl jaas status",
        };
        Some(format!("why, and what to do: kubectl jaas explain {name} -n {namespace}{more}"))
    }

    fn count(&self, outcome: TargetOutcome) -> usize {
        self.targets.iter().filter(|target| target.outcome == outcome).count()
    }

    /// How many answers came.
    fn answered(&self) -> usize {
        self.targets.iter().filter(|target| target.seconds.is_some()).count()
    }

    fn done(&self) -> String {
        format!("{} of {} synced", self.count(TargetOutcome::Synced), snippets(self.targets.len()))
    }

    fn proof(&self) -> String {
        match self.verified {
            Verified::No => String::new(),
            Verified::Yes(number) => format!("; {} verified", hint::count(number, "artifact")),
            Verified::Not { why, .. } => format!("; artifacts not verified: {why}"),
        }
    }

    /// The outcomes that the sentence has not named yet.
    fn others(&self) -> String {
        let named = [TargetOutcome::Synced, TargetOutcome::Asked, TargetOutcome::WouldChange];
        let rest = TargetOutcome::ALL.into_iter().filter(|outcome| !named.contains(outcome));
        let parts: Vec<_> = rest
            .map(|outcome| (self.count(outcome), outcome.word()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
    }
}

/// Whether the request of a target reached the API server.
fn was_asked(target: &Target) -> bool {
    match target.outcome {
        TargetOutcome::Asked | TargetOutcome::Unanswered | TargetOutcome::Removed => true,
        TargetOutcome::WouldChange | TargetOutcome::Synced | TargetOutcome::Unknown => true,
        TargetOutcome::Changed | TargetOutcome::Unchanged => true,
        TargetOutcome::Failed | TargetOutcome::Suspended | TargetOutcome::Skipped => false,
    }
}

fn snippets(count: usize) -> String {
    match count {
        1 => "1 snippet".to_owned(),
        count => format!("{count} snippets"),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
