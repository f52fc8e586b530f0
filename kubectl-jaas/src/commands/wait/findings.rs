//! Waits until a look as that of `doctor` finds nothing.

use std::time::Duration;

use jaas_findings::Area;
use tokio::time::Instant;

use super::super::doctor::{Eye, judge::lacks_only_rights};
use super::super::select::ArgumentError;
use super::super::{Error, Invocation, Verdict};
use crate::cli::{LookArgs, WaitArgs};
use crate::exit::Exit;
use crate::view::{Detail, Report};

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks again and again; what the last look found stands in the report.
pub(super) async fn none_left(
    args: &WaitArgs,
    deadline: Instant,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let areas = areas(&args.targets.names)?;
    let look = LookArgs {
        depth: args.depth.unwrap_or_default(),
        road: args.road.clone(),
        only: Vec::new(),
        skip: Vec::new(),
        suppress: Vec::new(),
        fail_on: args.fail_on.unwrap_or_default(),
        selector: args.targets.selector.clone(),
        all_namespaces: args.targets.all_namespaces,
        operator: args.operator.clone(),
    };
    let eye = Eye::open(&look, &areas, "wait no-findings", invocation, report).await?;
    let mut stop = invocation.stop.clone();
    let mut last: Option<Verdict> = None;
    loop {
        let seen = tokio::select! {
            seen = eye.look(invocation) => seen,
            () = tokio::time::sleep_until(deadline) => return Ok(late(last, args.timeout)),
            signal = stop.signalled() => return Err(Error::Stopped(signal)),
        };
        match seen {
            Ok(seen) => {
                let verdict = eye.note(seen, invocation, report);
                if verdict.exit == Exit::Done || (verdict.exit == Exit::Partial && is_out_of_reach(report)) {
                    return Ok(verdict);
                }
                if last.as_ref().is_none_or(|last| last.message != verdict.message) {
                    invocation.listener.say(&format!("still: {}", verdict.message));
                }
                last = Some(verdict);
            }
            // Of a server that was there before, it may be away for a moment.
            Err(Error::Session(error)) if last.is_some() && may_pass(error.exit()) => {
                invocation.listener.say(&format!("the look failed and is repeated: {error}"));
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = tokio::time::sleep_until(deadline) => return Ok(late(last, args.timeout)),
            signal = stop.signalled() => return Err(Error::Stopped(signal)),
        }
    }
}

fn may_pass(exit: Exit) -> bool {
    matches!(exit, Exit::Unreachable | Exit::TimedOut)
}

/// Whether a check needs a right that is missing.
fn is_out_of_reach(report: &Report) -> bool {
    match &report.detail {
        Some(Detail::Diagnosis(diagnosis)) => lacks_only_rights(&diagnosis.document),
        _ => false,
    }
}

fn late(last: Option<Verdict>, after: Duration) -> Verdict {
    let left = last.map_or("no look was finished".to_owned(), |last| format!("left: {}", last.message));
    let hint = format!("to go on: {}", super::super::again());
    Verdict { exit: Exit::TimedOut, message: format!("timed out after {after:?}; {left}"), hint: Some(hint) }
}

fn areas(words: &[String]) -> Result<Vec<Area>, ArgumentError> {
    let area = |word: &String| {
        Area::ALL.into_iter().find(|area| area.word() == word).ok_or_else(|| ArgumentError::Area(word.clone()))
    };
    words.iter().map(area).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_those_of_doctor() {
        let words = |all: &[&str]| areas(&all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["storage", "leader"]), Ok(vec![Area::Storage, Area::Leader]));
        assert_eq!(words(&["web"]), Err(ArgumentError::Area("web".to_owned())));
    }

    #[test]
    fn the_end_of_the_time_tells_what_is_left() {
        let last = Verdict { exit: Exit::Findings, message: "1 error; 3 fine".to_owned(), hint: None };
        let told = late(Some(last), Duration::from_secs(5));
        assert_eq!((told.exit, told.message.as_str()), (Exit::TimedOut, "timed out after 5s; left: 1 error; 3 fine"));
        assert_eq!(late(None, Duration::from_secs(5)).message, "timed out after 5s; no look was finished");
    }
}
