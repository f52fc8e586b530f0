//! Snippets that nobody looks at, answers, publishes or lets go. Pure.

use jaas_api::Reason;

use super::answers::count;
use super::ask;
use super::outcome::{Outcome, Seen, Stop};
use super::storage::is_recent;
use crate::code::{Code, Severity};
use crate::facts::signals::Topic;
use crate::facts::{Facts, Implementation, Request, Snippet, Snippets};
use crate::finding::{Evidence, Finding};
use crate::known::{Obstacle, Why};

/// Seconds within which a request should be answered.
const ANSWER: u64 = 2 * 60;
/// Seconds within which a change, a new snippet, or a deletion should have been looked at.
const NOTICE: u64 = 5 * 60;
/// Failures in a row after which this operator writes a status, so that one that is still Ready is worth telling.
const TOLD_AFTER: u32 = 4;

/// The finding about these snippets, and what was not looked at.
pub(crate) fn about(snippets: &Snippets, these: Vec<&Snippet>, finding: impl FnOnce(usize) -> Finding) -> Seen {
    let seen = Seen::of(these, |these| {
        finding(these.len())
            .about(these.iter().map(|snippet| snippet.subject()))
            .with(Evidence::several("snippets", ask::names(these.iter().copied())))
    });
    seen.blind_to(ask::unlisted(snippets))
}

/// `R701`.
pub(crate) fn unanswered(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let (mut late, mut unread, mut blind) = (Vec::new(), Vec::new(), Vec::new());
    for snippet in snippets.items.iter().filter(|snippet| !snippet.suspended && snippet.deleted.is_none()) {
        for request in snippet.requests.iter().filter(|request| request.is_open()) {
            match request.made() {
                Some(made) if facts.seconds_since(made) <= ANSWER => {}
                Some(_) if is_flux(request) => late.push(snippet),
                Some(_) => match ask::implementation(facts) {
                    Ok(Implementation::Ours) => late.push(snippet),
                    Ok(Implementation::Go) => unread.push(snippet),
                    Err(why) => blind.push(why),
                },
                None => {
                    let what = format!("since when {} waits for an answer", snippet.subject().path());
                    blind.push(Why::new(Obstacle::NotOffered, what));
                }
            }
        }
    }
    let only_unread = late.is_empty();
    let all: Vec<_> = late.into_iter().chain(unread.iter().copied()).collect();
    let seen = about(snippets, all, |number| {
        let finding = Finding::new(
            Code::Unanswered,
            format!("{} for a reconcile waits for its answer", count(number, "request")),
        );
        let finding = match unread.is_empty() {
            true => finding,
            false => finding.with(Evidence::several(
                "with an annotation that the Go implementation does not read",
                ask::names(unread.iter().copied()),
            )),
        };
        // Nobody will ever answer those; the snippet is no worse for it.
        if only_unread { finding.as_bad_as(Severity::Info) } else { finding }
    });
    Ok(seen.blind_to(blind))
}

fn is_flux(request: &Request) -> bool {
    request.annotation == jaas_api::RECONCILE_REQUEST
}

/// `R703`.
pub(crate) fn suspended(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let asleep = snippets.items.iter().filter(|snippet| snippet.suspended).collect();
    Ok(about(snippets, asleep, |number| {
        Finding::new(Code::Suspended, format!("{} not rendered until somebody resumes it", count(number, "snippet")))
    }))
}

/// `R705`.
pub(crate) fn generation_lag(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let (mut late, mut blind) = (Vec::new(), Vec::new());
    let live = snippets.items.iter().filter(|snippet| !snippet.suspended && snippet.deleted.is_none());
    for snippet in live.filter(|snippet| snippet.observed_generation.is_some_and(|seen| seen < snippet.generation)) {
        match snippet.spec_changed.told(&format!("since when the spec of {} waits", snippet.subject().path())) {
            Ok(changed) if facts.seconds_since(*changed) > NOTICE => late.push(snippet),
            Ok(_) => {}
            Err(why) => blind.push(why),
        }
    }
    let seen = about(snippets, late, |number| {
        Finding::new(Code::GenerationLag, format!("{} with a change that was not looked at", count(number, "snippet")))
    });
    Ok(seen.blind_to(blind))
}

/// `R706`.
pub(crate) fn silent_failure(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let logs = facts.signals.logs.told("the log");
    let attempts = facts.signals.attempts.told("what the leader has tried");
    if let (Err(log), Err(attempt)) = (&logs, &attempts) {
        return Err(Stop::Unknown(vec![log.clone(), attempt.clone()]));
    }
    let fails = |snippet: &&Snippet| {
        let path = snippet.subject().path();
        let since = snippet.ready.as_ref().and_then(|ready| ready.since);
        // One failure may be a stumble; a publish since then would have moved the condition.
        let is_logged = logs.as_ref().is_ok_and(|logs| {
            logs.iter().any(|record| {
                let is_later = record.last.zip(since).is_none_or(|(last, since)| last > since);
                let is_it = record.topic == Topic::Publish && record.snippet.as_deref() == Some(&path);
                is_it && record.count > 1 && is_later && is_recent(facts, record)
            })
        });
        let is_counted = attempts.as_ref().is_ok_and(|attempts| {
            attempts.iter().any(|attempt| attempt.snippet == path && attempt.failures >= TOLD_AFTER)
        });
        snippet.is_ready() && (is_logged || is_counted)
    };
    let silent: Vec<_> = snippets.items.iter().filter(fails).collect();
    let records = logs.as_ref().ok().into_iter().copied().flatten();
    let texts: Vec<_> = records
        .filter(|record| record.topic == Topic::Publish && is_recent(facts, record))
        .map(|record| format!("{} times: {}", record.count, record.text))
        .collect();
    // This operator itself knows what it failed to publish; of the Go implementation only the log tells.
    let suffices = attempts.is_ok() && ask::implementation(facts) == Ok(Implementation::Ours);
    let seen = about(snippets, silent, |number| {
        let summary = format!("{} Ready although publishing fails", count(number, "snippet"));
        let finding = Finding::new(Code::SilentFailure, summary);
        if texts.is_empty() { finding } else { finding.with(Evidence::several("log records", texts)) }
    });
    Ok(seen.blind_to(logs.err().filter(|_| !suffices)))
}

/// `R707`.
pub(crate) fn never_judged(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let (mut late, mut blind) = (Vec::new(), Vec::new());
    let is_pending = |snippet: &&Snippet| {
        snippet.ready.as_ref().is_none_or(|ready| ready.status != "True" && ready.reason == Reason::Pending.as_str())
    };
    for snippet in snippets.items.iter().filter(is_pending).filter(|snippet| snippet.deleted.is_none()) {
        match snippet.created {
            Some(created) if facts.seconds_since(created) > NOTICE => late.push(snippet),
            Some(_) => {}
            None => blind.push(Why::not_asked(format!("since when {} exists", snippet.subject().path()))),
        }
    }
    let seen = about(snippets, late, |number| {
        Finding::new(Code::NeverJudged, format!("{} that nobody has looked at", count(number, "snippet")))
    });
    Ok(seen.blind_to(blind))
}

/// `R708`.
pub(crate) fn terminating(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let is_late = |snippet: &&Snippet| snippet.deleted.is_some_and(|at| facts.seconds_since(at) > NOTICE);
    let late: Vec<_> = snippets.items.iter().filter(is_late).collect();
    let wait = ask::seconds(facts, "max-withdraw-wait").ok();
    let texts: Vec<_> = late
        .iter()
        .map(|snippet| {
            let age = snippet.deleted.map(|at| facts.seconds_since(at)).unwrap_or_default();
            let left = wait.map_or(String::new(), |wait| format!(", given up in {} s", wait.saturating_sub(age)));
            format!("{}: for {age} s by {}{left}", snippet.subject().path(), snippet.finalizers.join(", "))
        })
        .collect();
    Ok(about(snippets, late, |number| {
        Finding::new(Code::Terminating, format!("{} deleted and still there", count(number, "snippet")))
            .with(Evidence::several("held", texts))
    }))
}
