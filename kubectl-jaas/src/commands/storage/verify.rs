//! `storage verify`: proves stored bytes, and tells each as it is read.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::super::ending::Ending;
use super::super::select::{Choice, States};
use super::super::{Error, Invocation, Verdict};
use super::ground;
use super::meant::{self, Ask, Meant};
use super::prove;
use crate::cli::VerifyArgs;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::road::{Failure, Need};
use crate::session::Writes;
use crate::view::{Found, Next, Proof, Report};

/// Proves, and notes what was found.
pub(super) async fn run(args: &VerifyArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let deadline = Instant::now() + args.timeout;
    let choice =
        Choice::new(&args.targets, States::default(), invocation.connection.namespace.as_deref(), "storage verify")?;
    let ask = Ask {
        command: "storage verify",
        choice,
        labels: args.targets.selector.as_deref(),
        allow_empty: args.allow_empty,
        operator: &args.operator,
        road: &args.road,
        writes: Writes::Refused,
    };
    let Meant { ground, snippets, artifacts, .. } = match meant::look(ask, invocation, report).await? {
        Ok(meant) => meant,
        Err(nothing) => return Ok(nothing),
    };
    let mut subjects = prove::subjects(&snippets, &artifacts, args.current);
    subjects.retain(|subject| prove::is_in(&subject.path, args.sample));
    let site = ground.site(invocation, &args.operator, &args.road);
    let opened = ground::look(invocation, ground::open(&site, Need::Verify, invocation)).await?;

    let (total, begun) = (subjects.len(), invocation.run.elapsed());
    let mut proofs: Vec<Proof> = Vec::with_capacity(total);
    let (ending, failure) = prove::all(&opened.road, &subjects, deadline, &invocation.stop, |proof| {
        invocation.listener.proof(&proof);
        proofs.push(proof);
        let failed = proofs.iter().filter(|proof| proof.code.is_some()).count();
        let elapsed = invocation.run.elapsed().saturating_sub(begun);
        let answered = proofs.len();
        invocation.listener.advance(&Progress { total, asked: answered, answered, failed, elapsed });
    })
    .await;
    proofs.sort_by(|a, b| a.path.cmp(&b.path));
    report.result.counts = counts(&proofs);
    report.next = next(&proofs);
    let bytes: u64 = proofs.iter().filter_map(|proof| proof.bytes).sum();
    report.figures.insert("bytes", bytes as f64);
    let seconds = invocation.run.elapsed().saturating_sub(begun).as_secs_f64();
    report.figures.insert("seconds", crate::view::to_milliseconds(seconds));
    let verdict = verdict(&proofs, total, &ending, failure, &super::super::again());
    report.detail = Some(ground.view(Some(&opened), Found::Proofs(proofs)));
    Ok(verdict)
}

fn counts(proofs: &[Proof]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from([("ok", 0), ("missing", 0), ("damaged", 0), ("unread", 0)]);
    for proof in proofs {
        *counts.entry(proof.state).or_default() += 1;
    }
    counts
}

/// What heals what was found.
fn next(proofs: &[Proof]) -> Vec<Next> {
    let line = |proof: &Proof| match (proof.role, proof.code) {
        ("current", Some("A501")) => Some(("reconcile", "renders it again")),
        (_, Some("A503" | "A504" | "A506")) => Some(("storage repair", "sets it aside and has it rendered again")),
        _ => None,
    };
    let lines: std::collections::BTreeSet<_> = proofs
        .iter()
        .filter_map(|proof| {
            let (command, why) = line(proof)?;
            Some((format!("kubectl jaas {command} {} -n {}", proof.name, proof.namespace), why.to_owned()))
        })
        .collect();
    lines.into_iter().map(|(command, why)| Next { command, why }).collect()
}

fn verdict(proofs: &[Proof], total: usize, ending: &Ending, failure: Option<Failure>, again: &str) -> Verdict {
    let count = |state: &str| proofs.iter().filter(|proof| proof.state == state).count();
    let found = proofs.iter().filter(|proof| proof.code.is_some()).count();
    let unread = total - count("ok") - found;
    let mut message = format!("{} of {total} artifacts are right", count("ok"));
    for (state, words) in [("missing", "missing"), ("damaged", "damaged"), ("restoring", "being brought back")] {
        if count(state) > 0 {
            message.push_str(&format!("; {} {words}", count(state)));
        }
    }
    if unread > count("restoring") {
        message.push_str(&format!("; {} not read", unread - count("restoring")));
    }
    let exit = match ending {
        Ending::Stopped(signal) => signal.exit(),
        Ending::Deadline => Exit::TimedOut,
        Ending::Broken(error) => error.exit(),
        Ending::Complete if found > 0 => Exit::Findings,
        Ending::Complete if failure.as_ref().is_some_and(Failure::is_missing_right) && proofs.is_empty() => {
            Exit::Forbidden
        }
        Ending::Complete if unread > 0 || failure.is_some() => Exit::Partial,
        Ending::Complete => Exit::Done,
    };
    let unread = proofs.iter().find(|proof| proof.state == "unread");
    let hint = match (ending, failure, unread) {
        (Ending::Stopped(_) | Ending::Deadline, _, _) => Some(format!("nothing was changed; to begin anew: {again}")),
        (_, Some(failure), _) if failure.how.is_empty() => Some(failure.to_string()),
        (_, Some(failure), _) => Some(format!("{failure}; {}", failure.how)),
        (_, None, Some(proof)) => Some(format!("{}: {}", proof.path, proof.why)),
        (_, None, None) => None,
    };
    Verdict { exit, message, hint }
}

#[cfg(test)]
mod tests {
    use jaas_findings::facts::Reply;

    use super::super::prove::{Subject, judge};
    use super::*;
    use crate::snippet::Key;

    fn proof(reply: Reply) -> Proof {
        let key = Key { namespace: "team-a".to_owned(), name: "web".to_owned() };
        let subject =
            Subject { key, revision: "sha256:0".to_owned(), path: "p".to_owned(), digest: None, role: "current" };
        judge(&subject, reply)
    }

    #[test]
    fn findings_beat_what_was_not_read_and_that_beats_silence() {
        let exit = |proofs: &[Proof], total| verdict(proofs, total, &Ending::Complete, None, "").exit;
        let (fine, missing) = (proof(Reply::Verified(1)), proof(Reply::Missing));
        let unread = proof(Reply::Silent("late".to_owned()));
        assert_eq!(exit(std::slice::from_ref(&fine), 1), Exit::Done);
        assert_eq!(exit(&[fine.clone(), unread.clone()], 2), Exit::Partial);
        assert_eq!(exit(std::slice::from_ref(&fine), 2), Exit::Partial, "what nobody told of was not read");
        assert_eq!(exit(&[missing.clone(), unread.clone()], 2), Exit::Findings);
        let told = verdict(&[fine, missing.clone(), unread], 4, &Ending::Complete, None, "");
        assert_eq!(told.message, "1 of 4 artifacts are right; 1 missing; 2 not read");
        assert_eq!(verdict(&[missing], 1, &Ending::Deadline, None, "").exit, Exit::TimedOut);
    }

    #[test]
    fn what_heals_is_proposed() {
        let lines = |reply| next(&[proof(reply)]).into_iter().map(|next| next.command).collect::<Vec<_>>();
        assert_eq!(lines(Reply::Missing), ["kubectl jaas reconcile web -n team-a"]);
        assert_eq!(lines(Reply::NoTarball(String::new())), ["kubectl jaas storage repair web -n team-a"]);
        assert!(lines(Reply::Verified(1)).is_empty());
    }
}
