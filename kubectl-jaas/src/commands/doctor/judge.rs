//! From a finding document to counts, sentence and exit code. Pure.

use std::collections::BTreeMap;

use jaas_findings::finding::State;
use jaas_findings::{Check, Document};

use super::super::Verdict;
use crate::cli::Level;
use crate::exit::Exit;
use crate::facts::{hinders, is_missing_right};
use crate::hint::count;

/// How many findings and checks of each kind.
pub(super) fn counts(document: &Document) -> BTreeMap<&'static str, usize> {
    let counts = document.counts;
    BTreeMap::from([
        ("critical", counts.critical),
        ("error", counts.error),
        ("warning", counts.warning),
        ("info", counts.info),
        ("ok", counts.ok),
        ("unknown", counts.unknown),
        ("skipped", counts.skipped),
    ])
}

/// Exit code and sentence.
pub(super) fn verdict(document: &Document, fail_on: Level) -> Verdict {
    let fails = document.findings.iter().any(|finding| fail_on.is_reached_by(finding.severity));
    let hindered: Vec<_> = document.checks.iter().filter(|check| is_hindered(check)).collect();
    let exit = match (fails, hindered.is_empty()) {
        (true, _) => Exit::Findings,
        (false, false) => Exit::Partial,
        (false, true) => Exit::Done,
    };
    let counts = document.counts;
    let severities = [
        (counts.critical, "critical"),
        (counts.error, "error"),
        (counts.warning, "warning"),
        (counts.info, "worth knowing"),
    ];
    // Two of these words stand for a thing, and the others say how it is.
    let plural = |n: usize, word: &str| if n > 1 && matches!(word, "error" | "warning") { "s" } else { "" };
    let found: Vec<_> =
        severities.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}{}", plural(*n, word))).collect();
    let mut parts = vec![if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") }];
    parts.push(format!("{} fine", counts.ok));
    if !hindered.is_empty() {
        parts.push(format!("{} could not be made", count(hindered.len(), "check")));
    }
    let out_of_sight = counts.unknown.saturating_sub(hindered.iter().filter(|it| it.state == State::Unknown).count());
    if out_of_sight > 0 {
        parts.push(format!("{out_of_sight} left out at this depth or by this road"));
    }
    let hint = hindered.iter().any(|check| check.why.iter().any(|why| is_missing_right(why)));
    let hint = hint.then(|| "the rights that are missing: kubectl jaas auth doctor --yaml".to_owned());
    Verdict { exit, message: parts.join("; "), hint }
}

/// Whether a screen leaves something out: what is only worth knowing, or checks that were not made, of which it names a few.
pub(super) fn hides(document: &Document) -> bool {
    document.counts.info > 0 || document.counts.unknown > 0
}

/// Whether all that stood in the way of checks are rights that are missing, which nobody grants by waiting.
pub(in crate::commands) fn lacks_only_rights(document: &Document) -> bool {
    let mut hindered = document.checks.iter().filter(|check| is_hindered(check)).peekable();
    let lacks = |check: &Check| check.why.iter().filter(|why| hinders(why)).all(|why| is_missing_right(why));
    hindered.peek().is_some() && hindered.all(lacks)
}

/// Whether something stood in the way of a check, as opposed to a look that was not wanted, or that no road of this version leads to.
fn is_hindered(check: &Check) -> bool {
    let is_partial = matches!(check.state, State::Unknown | State::Finding);
    is_partial && check.why.iter().any(|why| hinders(why))
}

#[cfg(test)]
mod tests {
    use jaas_findings::{Code, Diagnosis, Finding};
    use jiff::Timestamp;

    use super::*;

    fn document(findings: Vec<Finding>, whys: &[&str]) -> Document {
        let check = |why: &&str| {
            let (code, state) = (Code::NoLeader, State::Unknown);
            Check { code, area: code.area(), state, why: vec![(*why).to_owned()] }
        };
        Document::new(Timestamp::UNIX_EPOCH, Diagnosis { findings, checks: whys.iter().map(check).collect() })
    }

    #[test]
    fn findings_beat_obstacles_and_obstacles_beat_silence() {
        let full = || vec![Finding::new(Code::VolumeFull, "")];
        let exit = |document: &Document, level| verdict(document, level).exit;
        assert_eq!(exit(&document(full(), &["no right: x"]), Level::Error), Exit::Findings);
        assert_eq!(exit(&document(full(), &["no right: x"]), Level::None), Exit::Partial);
        assert_eq!(exit(&document(full(), &["not offered: x", "not asked"]), Level::None), Exit::Done);
        assert_eq!(exit(&document(Vec::new(), &["failed: x"]), Level::Error), Exit::Partial);
        assert_eq!(exit(&document(vec![Finding::new(Code::EmptyDir, "")], &[]), Level::Error), Exit::Done);
    }

    #[test]
    fn rights_that_are_missing_are_told_from_what_may_pass() {
        assert!(lacks_only_rights(&document(Vec::new(), &["no right: x", "not asked"])));
        assert!(!lacks_only_rights(&document(Vec::new(), &["no right: x", "failed: y"])));
        assert!(!lacks_only_rights(&document(Vec::new(), &["not asked"])));
    }

    #[test]
    fn the_sentence_tells_what_was_found_and_what_was_not_seen() {
        let told =
            verdict(&document(vec![Finding::new(Code::VolumeFull, "")], &["no right: x", "not asked"]), Level::Error);
        assert_eq!(
            told.message,
            "1 critical; 0 fine; 1 check could not be made; 1 left out at this depth or by this road"
        );
        assert!(told.hint.is_some_and(|hint| hint.ends_with("auth doctor --yaml")));
        assert_eq!(verdict(&document(Vec::new(), &[]), Level::Error).message, "nothing found; 0 fine");
        let info = vec![Finding::new(Code::Suspended, "")];
        let hides = |findings, whys: &[&str]| super::hides(&document(findings, whys));
        assert!(hides(info, &[]) && hides(Vec::new(), &["not asked"]));
        assert!(hides(Vec::new(), &["no right: x"]) && !hides(vec![Finding::new(Code::VolumeFull, "")], &[]));
    }
}
