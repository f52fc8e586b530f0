//! Has the leader do something to files, part by part, and notes what became of each.

use std::time::Duration;

use jaas_api::admin::{Action, ActionDone, ActionItem, ActionLine, ActionOutcome, ActionRequest};
use jaas_findings::facts::File;
use tokio::time::Instant;

use super::super::Invocation;
use super::super::ending::Ending;
use super::ground;
use crate::cli::ChangeArgs;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::road::{Admin, Failure, Site};
use crate::view::{Deed, Sum};

/// Files of one request: few, so that whoever interrupts loses sight of few.
const PART: usize = 100;
/// How long a part that is under way may still take once the run has been stopped.
const GRACE: Duration = Duration::from_secs(5);

/// What is to be done.
pub(super) struct Work<'a> {
    pub(super) site: Site<'a>,
    pub(super) invocation: &'a Invocation<'a>,
    pub(super) change: &'a ChangeArgs,
    pub(super) deadline: Instant,
    pub(super) action: Action,
    /// Judges everything and changes nothing.
    pub(super) dry_run: bool,
    /// For a sweep.
    pub(super) older_than: Option<u64>,
}

/// What was done.
#[derive(Debug)]
pub(super) struct Acted {
    pub(super) deeds: Vec<Deed>,
    pub(super) removed: Sum,
    pub(super) ending: Ending,
    /// Why not all was tried.
    pub(super) stopped: Option<String>,
    /// What stood in the way of the road.
    pub(super) failure: Option<Failure>,
    /// Files that were asked for, and of which no answer came; 1 for a sweep, which names no files.
    pub(super) unknown: usize,
}

impl Acted {
    /// Nothing yet.
    pub(super) fn nothing() -> Self {
        Self {
            deeds: Vec::new(),
            removed: Sum::default(),
            ending: Ending::Complete,
            stopped: None,
            failure: None,
            unknown: 0,
        }
    }

    /// Both together; of two reasons to stop the first.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.deeds.extend(other.deeds);
        self.removed = self.removed.and(other.removed);
        if matches!(self.ending, Ending::Complete) {
            self.ending = other.ending;
        }
        self.stopped = self.stopped.or(other.stopped);
        self.failure = self.failure.or(other.failure);
        self.unknown += other.unknown;
        self
    }

    /// Whether it makes sense to go on.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.ending, Ending::Complete) && self.stopped.is_none() && self.failure.is_none()
    }

    /// How many ended so.
    pub(super) fn count(&self, outcome: &str) -> usize {
        self.deeds.iter().filter(|deed| deed.outcome == outcome).count()
    }

    /// The exit code: what could not be done weighs more than what changed meanwhile.
    pub(super) fn exit(&self) -> Exit {
        let is_missing_right = self.failure.as_ref().is_some_and(Failure::is_missing_right);
        match &self.ending {
            Ending::Stopped(signal) => signal.exit(),
            Ending::Deadline => Exit::TimedOut,
            Ending::Broken(error) => error.exit(),
            Ending::Complete if is_missing_right && self.removed.files == 0 => Exit::Forbidden,
            Ending::Complete if self.failure.is_some() || self.stopped.is_some() => Exit::Partial,
            Ending::Complete if self.count("failed") + self.count("refused") > 0 => Exit::Partial,
            Ending::Complete if self.count("changed") + self.count("kept") > 0 => Exit::Changed,
            Ending::Complete => Exit::Done,
        }
    }

    /// What else became of files, for a sentence.
    pub(super) fn rest(&self) -> String {
        let words = [
            ("kept", "kept because something needs them now"),
            ("changed", "changed since the plan"),
            ("missing", "gone already"),
            ("refused", "refused"),
            ("failed", "failed"),
        ];
        let parts = words.iter().filter_map(|(outcome, words)| match self.count(outcome) {
            0 => None,
            count => Some(format!("; {count} {words}")),
        });
        let unknown = match self.unknown {
            0 => String::new(),
            count => format!("; {count} asked for without an answer, so they may be gone"),
        };
        parts.chain([unknown]).collect()
    }

    /// Why the run did not come to its end, or what to do about the rest.
    pub(super) fn hint(&self, again: &str) -> Option<String> {
        let first = self.deeds.iter().find(|deed| matches!(deed.outcome, "failed" | "refused" | "kept" | "changed"));
        match (&self.ending, &self.failure, &self.stopped) {
            (Ending::Stopped(_) | Ending::Deadline, _, _) => {
                Some(format!("what is done stays done; to go on: {again}"))
            }
            (Ending::Broken(error), _, _) => Some(error.hint()),
            (_, Some(failure), _) if failure.how.is_empty() => Some(format!("{failure}; to go on: {again}")),
            (_, Some(failure), _) => Some(format!("{failure}; {}", failure.how)),
            (_, _, Some(stopped)) => Some(format!("{stopped}; to go on: {again}")),
            _ => first.map(|deed| format!("{}: {}", deed.path, deed.why)),
        }
    }
}

/// Files as they were seen.
pub(super) fn items<'a>(files: impl IntoIterator<Item = &'a File>) -> Vec<ActionItem> {
    files.into_iter().map(|file| ActionItem { path: file.path.clone(), version: file.version.clone() }).collect()
}

/// Does it. Parts that were not tried are no part of the answer.
pub(super) async fn act(work: &Work<'_>, admin: &mut Admin, items: &[ActionItem]) -> Acted {
    let mut acted = Acted::nothing();
    let begun = work.invocation.run.elapsed();
    // A sweep has no items, and is one request all the same.
    let parts: Vec<_> = if items.is_empty() { vec![items] } else { items.chunks(PART).collect() };
    for part in parts {
        if !work.part(admin, part, &mut acted, items.len(), begun).await {
            break;
        }
    }
    acted
}

impl Work<'_> {
    /// Whether to go on.
    async fn part(
        &self,
        admin: &mut Admin,
        items: &[ActionItem],
        acted: &mut Acted,
        total: usize,
        begun: Duration,
    ) -> bool {
        let request = ActionRequest {
            action: self.action,
            items: items.to_vec(),
            older_than: self.older_than,
            dry_run: self.dry_run,
            reason: self.change.reason.clone().unwrap_or_default(),
        };
        if let Some(signal) = ground::stopped(self.invocation) {
            acted.ending = Ending::Stopped(signal);
            return false;
        }
        let mut clock = Clock { until: self.deadline, is_closing: false };
        let known = acted.deeds.len();
        let Some(asked) = self.under_way(&mut clock, acted, admin.act(&self.site, &request)).await else {
            acted.unknown += items.len().max(1);
            return false;
        };
        let mut lines = match asked {
            Ok(lines) => lines,
            Err(failure) => {
                acted.failure = Some(failure);
                return false;
            }
        };
        loop {
            let line = self.under_way(&mut clock, acted, lines.next()).await;
            let told = acted.deeds.len() - known;
            let Some(line) = line else {
                acted.unknown += items.len().max(1).saturating_sub(told);
                return false;
            };
            match line {
                Ok(Some(ActionLine::Item(done))) => {
                    let deed = deed(done);
                    if matches!(deed.outcome, "removed" | "would-remove" | "set-aside" | "would-set-aside") {
                        acted.removed.add(deed.bytes);
                    }
                    acted.deeds.push(deed);
                    let elapsed = self.invocation.run.elapsed().saturating_sub(begun);
                    let failed = acted.count("failed");
                    let (asked, answered) = (acted.deeds.len(), acted.deeds.len());
                    self.invocation.listener.advance(&Progress { total, asked, answered, failed, elapsed });
                }
                Ok(Some(ActionLine::End(end))) => {
                    if total == 0 {
                        acted.removed = Sum { files: end.removed, bytes: end.bytes };
                    }
                    acted.stopped.clone_from(&end.stopped);
                    return end.stopped.is_none() && !clock.is_closing;
                }
                Ok(None) => {
                    let cause = "the answer broke off; what it tells of is done all the same";
                    acted.failure = Some(Failure::new("admin", jaas_findings::known::Obstacle::Failed, cause));
                    acted.unknown += items.len().max(1).saturating_sub(told);
                    return false;
                }
                Err(failure) => {
                    acted.failure = Some(failure);
                    acted.unknown += items.len().max(1).saturating_sub(told);
                    return false;
                }
            }
        }
    }

    /// Waits for what is under way. After a signal it may take a little longer, so that the report knows of it; `None` where it takes longer
    /// than that.
    async fn under_way<T>(&self, clock: &mut Clock, acted: &mut Acted, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        let mut stop = self.invocation.stop.clone();
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                signal = stop.signalled(), if !clock.is_closing => {
                    clock.is_closing = true;
                    clock.until = clock.until.min(Instant::now() + GRACE);
                    acted.ending = Ending::Stopped(signal);
                    let wait = GRACE.as_secs();
                    self.invocation.listener.say(&format!(
                        "stopping: waiting up to {wait} s for what is under way; once more leaves at once"
                    ));
                }
                () = tokio::time::sleep_until(clock.until) => {
                    if !clock.is_closing {
                        acted.ending = Ending::Deadline;
                    }
                    return None;
                }
            }
        }
    }
}

/// Until when a part may take.
struct Clock {
    until: Instant,
    /// Whether the run was stopped.
    is_closing: bool,
}

fn deed(done: ActionDone) -> Deed {
    let outcome = match done.outcome {
        ActionOutcome::Removed => "removed",
        ActionOutcome::WouldRemove => "would-remove",
        ActionOutcome::SetAside => "set-aside",
        ActionOutcome::WouldSetAside => "would-set-aside",
        ActionOutcome::Missing => "missing",
        ActionOutcome::Kept => "kept",
        ActionOutcome::Changed => "changed",
        ActionOutcome::Refused => "refused",
        ActionOutcome::Failed => "failed",
    };
    Deed { path: done.path, outcome, bytes: done.bytes, why: done.why }
}

#[cfg(test)]
mod tests {
    use jaas_findings::known::Obstacle;

    use super::*;
    use crate::interrupt::Signal;

    fn acted(outcomes: &[ActionOutcome]) -> Acted {
        let done = |outcome: &ActionOutcome| ActionDone {
            path: "a/b/c".to_owned(),
            outcome: *outcome,
            bytes: 1,
            why: "why".to_owned(),
        };
        Acted { deeds: outcomes.iter().map(done).map(deed).collect(), ..Acted::nothing() }
    }

    #[test]
    fn what_failed_weighs_more_than_what_changed() {
        use ActionOutcome::{Changed, Failed, Kept, Missing, Removed};
        assert_eq!(acted(&[Removed, Missing]).exit(), Exit::Done);
        assert_eq!(acted(&[Removed, Changed]).exit(), Exit::Changed);
        assert_eq!(acted(&[Removed, Kept]).exit(), Exit::Changed);
        assert_eq!(acted(&[Removed, Changed, Failed]).exit(), Exit::Partial);
        assert_eq!(acted(&[Removed, Failed]).rest(), "; 1 failed");
        assert_eq!(acted(&[Changed]).hint("again").as_deref(), Some("a/b/c: why"));
    }

    #[test]
    fn an_end_before_the_end_is_told_with_the_way_on() {
        let stopped = Acted { ending: Ending::Stopped(Signal::Interrupt), ..acted(&[]) };
        assert_eq!(stopped.exit(), Exit::Interrupted);
        assert!(stopped.hint("kubectl jaas x").is_some_and(|hint| hint.ends_with("to go on: kubectl jaas x")));
        let term = Acted { stopped: Some("the term ended".to_owned()), ..acted(&[]) };
        assert_eq!(term.exit(), Exit::Partial);
        let refused = Acted { failure: Some(Failure::new("admin", Obstacle::NoRight, "no")), ..acted(&[]) };
        assert_eq!(refused.exit(), Exit::Forbidden);
    }
}
