//! Values for the judgement over a run.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};
use crate::interrupt::Signal;
use crate::session::{Call, Error};

fn args(line: &str) -> ReconcileArgs {
    let words = ["kubectl-jaas", "reconcile"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(words).unwrap().command {
        Command::Reconcile(args) => args,
        other => panic!("{other:?}"),
    }
}

fn key(name: &str) -> Key {
    Key { namespace: "a".into(), name: name.into() }
}

fn target(name: &str, outcome: TargetOutcome) -> Target {
    let target = Target::snippet(&key(name), outcome);
    let was_answered = matches!(outcome, TargetOutcome::Synced | TargetOutcome::Unknown);
    if was_answered { target.after(0.5) } else { target }
}

fn failed(name: &str) -> Target {
    target(name, TargetOutcome::Failed).because("EvaluationFailed", "no").after(0.5)
}

fn forbidden() -> Error {
    let call = Call::new("patch", "jaas.metio.wtf", "jsonnetsnippets", &["patch"]).within(Some("a"));
    Error::Forbidden { rule: call.missing_rule(), call: Box::new(call), message: "no".into() }
}

fn judge(line: &str, targets: &[Target], refused: &[Key], asked: Asked) -> Verdict {
    proven(line, targets, refused, asked, &Verified::No)
}

fn proven(line: &str, targets: &[Target], refused: &[Key], asked: Asked, verified: &Verified) -> Verdict {
    let args = args(line);
    let elapsed = Duration::from_secs(2);
    Facts { targets, refused, asked: &asked, verified, args: &args, elapsed }.verdict("kubectl jaas again")
}

fn complete() -> Asked {
    Asked { ending: Ending::Complete, refusal: None }
}

fn ended(ending: Ending) -> Asked {
    Asked { ending, refusal: None }
}

#[test]
fn all_synced_is_done() {
    let targets = [target("x", TargetOutcome::Synced), target("y", TargetOutcome::Skipped)];
    let verdict = judge("--all", &targets, &[], complete());
    assert_eq!(
        (verdict.exit, verdict.message.as_str(), verdict.hint),
        (Exit::Done, "1 of 2 snippets synced in 2.0 s (0/s); 1 skipped", None)
    );
}

#[test]
fn one_failure_is_partial() {
    let targets = [target("x", TargetOutcome::Synced), failed("y")];
    let verdict = judge("--all", &targets, &[], complete());
    assert_eq!(
        (verdict.exit, verdict.message.as_str()),
        (Exit::Partial, "1 of 2 snippets synced in 2.0 s (1/s); 1 failed")
    );
    assert!(verdict.hint.unwrap().contains("kubectl jaas explain y -n a"));
}

#[test]
fn failures_of_all_are_partial_too() {
    assert_eq!(judge("x", &[failed("x")], &[], complete()).exit, Exit::Partial);
}

#[test]
fn a_named_suspended_snippet_is_refused() {
    let alone = judge("x", &[target("x", TargetOutcome::Suspended)], &[key("x")], complete());
    assert_eq!((alone.exit, alone.message.as_str()), (Exit::Refused, "snippet `a/x` is suspended; nothing was asked"));
    assert!(alone.hint.unwrap().contains("kubectl jaas resume x -n a"));
    let targets = [target("x", TargetOutcome::Suspended), target("y", TargetOutcome::Synced)];
    assert_eq!(judge("x y", &targets, &[key("x")], complete()).exit, Exit::Partial);
}

#[test]
fn suspended_snippets_are_as_wanted_when_included() {
    let targets = [target("x", TargetOutcome::Suspended).after(0.1)];
    assert_eq!(judge("x --include-suspended", &targets, &[], complete()).exit, Exit::Done);
}

#[test]
fn a_right_that_nobody_had_is_forbidden_and_one_that_some_lacked_is_partial() {
    let lacking = target("x", TargetOutcome::Failed).because("Forbidden", "no");
    let asked = || Asked { ending: Ending::Complete, refusal: Some(forbidden()) };
    let verdict = judge("--all", std::slice::from_ref(&lacking), &[], asked());
    assert_eq!(verdict.exit, Exit::Forbidden);
    assert!(verdict.hint.unwrap().contains("verbs: [\"patch\"]"));
    let targets = [lacking, target("y", TargetOutcome::Synced)];
    assert_eq!(judge("--all", &targets, &[], asked()).exit, Exit::Partial);
}

#[test]
fn a_run_that_was_cut_short_says_how_to_go_on() {
    let targets = [target("x", TargetOutcome::Unanswered), target("y", TargetOutcome::Synced)];
    let late = judge("--all", &targets, &[], ended(Ending::Deadline));
    assert_eq!(late.exit, Exit::TimedOut);
    assert_eq!(late.message, "timed out after 2.0 s: 1 of 2 snippets synced; 1 unanswered");
    assert!(late.hint.unwrap().ends_with("to go on: kubectl jaas again"));
    let interrupted = judge("--all", &targets, &[], ended(Ending::Stopped(Signal::Interrupt)));
    assert_eq!(
        (interrupted.exit, interrupted.hint.as_deref()),
        (Exit::Interrupted, Some("to go on: kubectl jaas again"))
    );
    let terminated = judge("--all", &targets, &[], ended(Ending::Stopped(Signal::Terminate)));
    assert_eq!(terminated.exit, Exit::Terminated);
}

#[test]
fn nobody_answering_points_at_the_operator() {
    let verdict = judge("x", &[target("x", TargetOutcome::Unanswered)], &[], ended(Ending::Deadline));
    assert!(verdict.hint.unwrap().starts_with("likely the operator does not run"));
}

#[test]
fn a_dry_run_and_one_that_does_not_wait_are_done() {
    let dry = judge("--all --dry-run", &[target("x", TargetOutcome::WouldChange)], &[], complete());
    assert_eq!((dry.exit, dry.message.as_str()), (Exit::Done, "would ask for 1 snippet; nothing was changed"));
    let hasty = judge("--all --no-wait", &[target("x", TargetOutcome::Asked)], &[], complete());
    assert_eq!(
        (hasty.exit, hasty.message.as_str()),
        (Exit::Done, "asked for 1 snippet in 2.0 s, not waiting for answers")
    );
}

#[test]
fn a_proof_that_could_not_be_done_is_told_and_fails_only_who_asked_for_it() {
    let targets = [target("x", TargetOutcome::Synced)];
    let not =
        |was_asked_for| Verified::Not { why: "no road".to_owned(), how: Some("take one".to_owned()), was_asked_for };
    let told = proven("x", &targets, &[], complete(), &not(false));
    assert_eq!((told.exit, told.hint), (Exit::Done, None));
    assert!(told.message.ends_with("; artifacts not verified: no road"), "{}", told.message);
    let failed = proven("x", &targets, &[], complete(), &not(true));
    assert_eq!((failed.exit, failed.hint.as_deref()), (Exit::Partial, Some("take one")));
    assert!(proven("x", &targets, &[], complete(), &Verified::Yes(1)).message.ends_with("; 1 artifact verified"));
}
