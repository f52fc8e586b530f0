//! `wait`: until something is the case, or will not be by itself.

mod findings;
mod recovered;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use self::recovered::Recovery;
use super::ending::Ending;
use super::select::{ArgumentError, Choice, States};
use super::settle::{self, Waiting};
use super::watch::Watch;
use super::{Error, Invocation, Verdict, find, leader};
use crate::cli::{Condition, Targets, WaitArgs};
use crate::exit::Exit;
use crate::lease::Leadership;
use crate::session::{Session, Writes};
use crate::view::{Detail, Report, Target, TargetOutcome, to_milliseconds};

/// Time between two looks at what has no watch here.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits, and notes how it was in the end.
pub(super) async fn run(args: &WaitArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let deadline = Instant::now() + args.timeout;
    let given = [(args.fail_on.is_some(), "--fail-on"), (args.depth.is_some(), "--depth")];
    if let Some((_, flag)) =
        given.into_iter().find(|(is_given, _)| *is_given && args.condition != Condition::NoFindings)
    {
        return Err(ArgumentError::OnlyNoFindings(flag).into());
    }
    match args.condition {
        Condition::NoFindings => findings::none_left(args, deadline, invocation, report).await,
        Condition::Leader => one_leads(args, deadline, invocation, report).await,
        Condition::Ready | Condition::Recovered => snippets(args, deadline, invocation, report).await,
    }
}

async fn snippets(
    args: &WaitArgs,
    deadline: Instant,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let is_unsaid = args.targets.names.is_empty() && args.targets.selector.is_none();
    let all = args.targets.all || (args.condition == Condition::Recovered && is_unsaid);
    let targets = Targets { all, ..args.targets.clone() };
    let namespace = invocation.connection.namespace.as_deref();
    let choice = Choice::new(&targets, States::default(), namespace, "wait ready")?;
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let selection = choice.within(&session.namespace);
    report.metadata.scope = selection.scope();
    let word = if args.condition == Condition::Ready { "ready" } else { "recovered" };
    invocation.listener.say(&format!("wait until {word}: {selection}; {}", session.destination));
    let mut watch = Watch::open(&session, &selection, &["list", "watch"]);
    let mut stop = invocation.stop.clone();
    let found = tokio::select! {
        listed = watch.list(&session) => selection.matching(listed?),
        () = tokio::time::sleep_until(deadline) => return Err(watch.too_slow(args.timeout).into()),
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    report.metadata.scope.snippets = found.len();
    selection.check(&found)?;
    let waiting = Waiting { session: &session, invocation, deadline };
    let (mut outcomes, ending) = waiting.until(&mut watch, found, settle::is_ready).await;
    let recovery = match ending {
        Ending::Complete if args.condition == Condition::Recovered => {
            recovered::until(&waiting, &selection, args, &mut outcomes).await?
        }
        ending => Recovery { ending, trouble: None },
    };
    report.figures.insert("seconds", to_milliseconds(invocation.run.elapsed().as_secs_f64()));
    let mut verdict = judge(&outcomes, &recovery.ending, word, &super::again());
    if let Some(error) = recovery.trouble {
        verdict.message.push_str(&format!("; the store was not seen: {error}"));
        verdict.hint = error.hint().or(verdict.hint);
    }
    report.targets = outcomes;
    Ok(verdict)
}

fn judge(targets: &[Target], ending: &Ending, word: &str, again: &str) -> Verdict {
    let count = |outcome| targets.iter().filter(|target| target.outcome == outcome).count();
    let never = [TargetOutcome::Suspended, TargetOutcome::Removed, TargetOutcome::Unknown, TargetOutcome::Unanswered];
    let n_never: usize = never.into_iter().map(count).sum();
    let exit = match ending {
        Ending::Stopped(signal) => signal.exit(),
        Ending::Deadline => Exit::TimedOut,
        Ending::Broken(error) => error.exit(),
        Ending::Complete if n_never > 0 => Exit::Partial,
        Ending::Complete => Exit::Done,
    };
    let mut message = format!("{} of {} snippets are {word}", count(TargetOutcome::Synced), targets.len());
    let others = [
        (TargetOutcome::Unanswered, "are not"),
        (TargetOutcome::Suspended, "are suspended, which does not pass by itself"),
        (TargetOutcome::Removed, "are deleted"),
        (TargetOutcome::Unknown, "are announced"),
    ];
    for (outcome, words) in others {
        if count(outcome) > 0 {
            message.push_str(&format!("; {} {words}", count(outcome)));
        }
    }
    let hint = match ending {
        Ending::Complete => None,
        Ending::Broken(error) => Some(error.hint()),
        Ending::Deadline | Ending::Stopped(_) => Some(format!("to go on: {again}")),
    };
    Verdict { exit, message, hint }
}

async fn one_leads(
    args: &WaitArgs,
    deadline: Instant,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let (operator, place) = find::lease_place(&session, &args.operator).await?;
    invocation.listener.say(&format!("wait until one leads: lease {place}; {}", session.destination));
    // Without the right to see Pods, it is only not known who could take over.
    let replicas = async || match &operator {
        Some(operator) => find::replicas(&session, operator).await.ok(),
        None => None,
    };
    let mut is_said = false;
    let mut stop = invocation.stop.clone();
    let mut first: Option<Leadership> = None;
    loop {
        let now = find::lease(&session, &place).await?.map(|lease| Leadership::of(&lease)).unwrap_or_default();
        let view = leader::view(&place, &now, None, Timestamp::now());
        let is_dead = !view.alive;
        report.detail = Some(Detail::Leader(view));
        if first.as_ref().is_some_and(|first| has_renewed(first, &now)) {
            let message = format!("{} leads, and renews its lease", now.pod());
            return Ok(Verdict { exit: Exit::Done, message, hint: None });
        }
        if is_dead && !is_said {
            is_said = true;
            let view = leader::view(&place, &now, replicas().await.as_deref(), Timestamp::now());
            if let Some(alone) = leader::alone(&view) {
                let back = if now.holder.is_empty() { "a Pod is ready" } else { "its holder comes back" };
                invocation.listener.say(&format!("{alone}; only if {back} will one lead"));
            }
        }
        let last = now.clone();
        if first.as_ref().is_none_or(|first| first.holder != now.holder) {
            first = Some(now);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            signal = stop.signalled() => return Err(Error::Stopped(signal)),
            () = tokio::time::sleep_until(deadline) => {
                let view = leader::view(&place, &last, replicas().await.as_deref(), Timestamp::now());
                let alone = leader::alone(&view).map(|alone| format!("; {alone}")).unwrap_or_default();
                report.detail = Some(Detail::Leader(view));
                let message = format!("nobody leads: lease {place} was not renewed within {:?}{alone}", args.timeout);
                let hint = Some("why, and what to type: kubectl jaas doctor leader pods".to_owned());
                return Ok(Verdict { exit: Exit::TimedOut, message, hint });
            }
        }
    }
}

/// Whether the same holder has renewed since. Only a renewal that was seen proves life; the dates in it may be of a wrong clock.
fn has_renewed(first: &Leadership, now: &Leadership) -> bool {
    !now.holder.is_empty() && first.holder == now.holder && first.renewed != now.renewed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snippet::Key;

    fn target(name: &str, outcome: TargetOutcome) -> Target {
        Target::snippet(&Key { namespace: "a".into(), name: name.into() }, outcome)
    }

    #[test]
    fn what_does_not_pass_by_itself_is_partial() {
        let ready = target("web", TargetOutcome::Synced);
        let judged = |targets: &[Target], ending| {
            let verdict = judge(targets, &ending, "ready", "again");
            (verdict.exit, verdict.message)
        };
        let message = "1 of 1 snippets are ready".to_owned();
        assert_eq!(judged(std::slice::from_ref(&ready), Ending::Complete), (Exit::Done, message));
        let paused = judged(&[ready.clone(), target("off", TargetOutcome::Suspended)], Ending::Complete);
        assert_eq!(paused.0, Exit::Partial);
        assert_eq!(paused.1, "1 of 2 snippets are ready; 1 are suspended, which does not pass by itself");
        let late = judged(&[ready, target("bad", TargetOutcome::Unanswered)], Ending::Deadline);
        assert_eq!(late, (Exit::TimedOut, "1 of 2 snippets are ready; 1 are not".to_owned()));
        let unseen = judged(&[target("web", TargetOutcome::Unknown)], Ending::Complete);
        assert_eq!(unseen, (Exit::Partial, "0 of 1 snippets are ready; 1 are announced".to_owned()));
    }

    #[test]
    fn only_a_renewal_that_was_seen_proves_life() {
        let says = |holder: &str, at: i64| Leadership {
            holder: holder.to_owned(),
            renewed: Timestamp::from_second(at).ok(),
            ..Leadership::default()
        };
        assert!(has_renewed(&says("a", 1), &says("a", 2)));
        assert!(!has_renewed(&says("a", 1), &says("a", 1)));
        assert!(!has_renewed(&says("a", 1), &says("b", 2)));
        assert!(!has_renewed(&says("", 1), &says("", 2)));
    }
}
