//! Which snippets are changed, how dangerous that is, and how the run is judged. Pure.

use super::super::Verdict;
use super::super::consent::Danger;
use super::super::ending::Ending;
use super::super::select::Selection;
use crate::exit::Exit;
use crate::hint;
use crate::snippet::Snippet;
use crate::view::{Target, TargetOutcome};

/// What is going to be done.
pub(super) struct Plan<'a> {
    /// Those that are changed.
    pub(super) changes: Vec<&'a Snippet>,
    /// Those that are not, with the reason.
    pub(super) settled: Vec<Target>,
    pause: bool,
}

impl<'a> Plan<'a> {
    /// Sorts out who is changed.
    pub(super) fn new(snippets: &'a [Snippet], pause: bool) -> Self {
        let (mut changes, mut settled) = (Vec::new(), Vec::new());
        for snippet in snippets {
            let target = |outcome| Target::snippet(&snippet.key(), outcome);
            if snippet.is_terminating() {
                settled.push(target(TargetOutcome::Skipped).because("Terminating", "it is being deleted"));
            } else if snippet.is_suspended() == pause {
                let why = if pause { "it was suspended already" } else { "it was not suspended" };
                settled.push(target(TargetOutcome::Unchanged).because("Unchanged", why));
            } else {
                changes.push(snippet);
            }
        }
        Self { changes, settled, pause }
    }

    /// A pause of many, or one that a tool will take back, is no nudge. What goes on again may always do so.
    pub(super) fn danger(&self, by_name: bool) -> Danger {
        match self.pause && !self.changes.is_empty() && (!by_name || self.kept().next().is_some()) {
            true => Danger::Bounded,
            false => Danger::Nudge,
        }
    }

    /// What somebody is asked.
    pub(super) fn question(&self, selection: &Selection) -> String {
        let names: Vec<_> = self.changes.iter().map(|snippet| snippet.key().to_string()).collect();
        let mut text = format!("suspend {} of {selection}: {}\n", self.changes.len(), hint::few(&names));
        for (name, keeper) in self.kept().take(3) {
            text.push_str(&format!("{name} is kept as it is by {keeper}, which may take the pause back\n"));
        }
        text.push_str("What they published stays; they are not rendered until resumed. Go on?");
        text
    }

    fn kept(&self) -> impl Iterator<Item = (String, String)> {
        self.changes.iter().filter_map(|snippet| Some((snippet.key().to_string(), snippet.keeper()?)))
    }
}

/// Exit code, sentence and hint.
pub(super) fn verdict(targets: &[Target], ending: &Ending, is_dry: bool, pause: bool, again: &str) -> Verdict {
    let count = |outcome| targets.iter().filter(|target| target.outcome == outcome).count();
    let failed: Vec<_> = targets.iter().filter(|target| target.outcome == TargetOutcome::Failed).collect();
    let n_changed = count(TargetOutcome::Changed) + count(TargetOutcome::Synced);
    let exit = match ending {
        Ending::Stopped(signal) => signal.exit(),
        Ending::Deadline => Exit::TimedOut,
        Ending::Broken(error) => error.exit(),
        Ending::Complete if failed.is_empty() => Exit::Done,
        Ending::Complete => match failed.first() {
            Some(first) if n_changed == 0 && failed.iter().all(|it| it.reason == first.reason) => {
                exit_of(&first.reason)
            }
            _ => Exit::Partial,
        },
    };
    let word = match (is_dry, pause) {
        (true, true) => "would suspend",
        (true, false) => "would resume",
        (false, true) => "suspended",
        (false, false) => "resumed",
    };
    let n = if is_dry { count(TargetOutcome::WouldChange) } else { n_changed };
    let mut message = format!("{word} {n} of {}", snippets(targets.len()));
    let others = [
        (TargetOutcome::Unchanged, "as asked for already"),
        (TargetOutcome::Failed, "failed"),
        (TargetOutcome::Unanswered, "not rendered yet"),
        (TargetOutcome::Skipped, "skipped"),
        (TargetOutcome::Removed, "deleted meanwhile"),
    ];
    for (outcome, words) in others {
        if count(outcome) > 0 {
            message.push_str(&format!("; {} {words}", count(outcome)));
        }
    }
    let hint = match (ending, exit) {
        (Ending::Broken(error), _) => Some(error.hint()),
        (Ending::Stopped(_) | Ending::Deadline, _) => Some(format!("to go on: {again}")),
        (Ending::Complete, Exit::Done) => None,
        (Ending::Complete, _) => failed.first().map(|first| format!("{}: {}", first.path(), first.message)),
    };
    Verdict { exit, message, hint }
}

/// The exit code of one failure that all have in common.
fn exit_of(reason: &str) -> Exit {
    match reason {
        "Conflict" => Exit::Changed,
        "Forbidden" => Exit::Forbidden,
        "NotFound" => Exit::NotFound,
        "Unreachable" => Exit::Unreachable,
        "RequestTimeout" => Exit::TimedOut,
        _ => Exit::Partial,
    }
}

fn snippets(count: usize) -> String {
    if count == 1 { "1 snippet".to_owned() } else { format!("{count} snippets") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::snippet::Key;

    fn snippet(name: &str, suspend: bool, label: Option<&str>) -> Snippet {
        let labels = label.map(|name| json!({"kustomize.toolkit.fluxcd.io/name": name}));
        let value =
            json!({"metadata": {"name": name, "namespace": "a", "labels": labels}, "spec": {"suspend": suspend}});
        serde_json::from_value(value).unwrap()
    }

    fn target(name: &str, outcome: TargetOutcome, reason: &str) -> Target {
        Target::snippet(&Key { namespace: "a".into(), name: name.into() }, outcome).because(reason, "why")
    }

    fn judged(targets: &[Target], ending: &Ending) -> (Exit, String) {
        let verdict = verdict(targets, ending, false, true, "again");
        (verdict.exit, verdict.message)
    }

    #[test]
    fn only_those_that_are_not_so_yet_are_changed() {
        let snippets = [snippet("on", false, None), snippet("off", true, None)];
        let plan = Plan::new(&snippets, true);
        assert_eq!(plan.changes.iter().map(|it| it.key().name).collect::<Vec<_>>(), ["on"]);
        assert_eq!(plan.settled[0].outcome, TargetOutcome::Unchanged);
        assert_eq!(Plan::new(&snippets, false).changes[0].key().name, "off");
    }

    #[test]
    fn many_and_kept_ones_are_asked_for() {
        let plain = [snippet("web", false, None)];
        assert_eq!(Plan::new(&plain, true).danger(true), Danger::Nudge);
        assert_eq!(Plan::new(&plain, true).danger(false), Danger::Bounded);
        let kept = [snippet("web", false, Some("apps"))];
        assert_eq!(Plan::new(&kept, true).danger(true), Danger::Bounded);
        assert_eq!(Plan::new(&[snippet("web", true, Some("apps"))], false).danger(false), Danger::Nudge);
        let kept_by: Vec<_> = Plan::new(&kept, true).kept().collect();
        assert_eq!(kept_by, [("a/web".to_owned(), "Flux Kustomization `apps`".to_owned())]);
    }

    #[test]
    fn failures_are_told_by_what_they_have_in_common() {
        let failed = |reason| target("web", TargetOutcome::Failed, reason);
        assert_eq!(judged(&[failed("Conflict")], &Ending::Complete).0, Exit::Changed);
        assert_eq!(judged(&[failed("Forbidden")], &Ending::Complete).0, Exit::Forbidden);
        let changed = target("api", TargetOutcome::Changed, "");
        let mixed = judged(&[failed("Forbidden"), changed.clone()], &Ending::Complete);
        assert_eq!(mixed, (Exit::Partial, "suspended 1 of 2 snippets; 1 failed".to_owned()));
        assert_eq!(judged(&[changed], &Ending::Complete), (Exit::Done, "suspended 1 of 1 snippet".to_owned()));
        assert_eq!(judged(&[], &Ending::Deadline).0, Exit::TimedOut);
    }
}
