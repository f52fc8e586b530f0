//! Snippets that are not ready, by the reason that they give. Pure.

use jaas_api::Reason;

use super::answers::count;
use super::ask;
use super::outcome::{Outcome, Seen};
use super::reconcile::about;
use super::storage::lacks_room;
use crate::code::{Code, Severity};
use crate::facts::{Facts, HealthState, Snippet, Usage};
use crate::finding::{Evidence, Finding, Subject};
use crate::known::Why;

/// `R711` to `R728`, and the other codes that a reason alone leads to.
pub(crate) fn by_reason(facts: &Facts, code: Code) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let reasons = code.entry().reasons;
    let is_of = |snippet: &&Snippet| {
        let reason = snippet.failure().and_then(|ready| ready.reason.parse().ok());
        reason.is_some_and(|reason| reasons.contains(&reason))
    };
    let failing: Vec<_> = snippets.items.iter().filter(is_of).collect();
    let messages: Vec<_> = failing
        .iter()
        .filter_map(|snippet| snippet.failure().map(|ready| format!("{}: {}", snippet.subject().path(), ready.message)))
        .collect();
    Ok(about(snippets, failing, |number| {
        Finding::new(code, format!("{}: {}", count(number, "snippet"), code.entry().title))
            .with(Evidence::several("conditions", messages))
    }))
}

/// `R704`: failing snippets whose reason no other finding explains.
pub(crate) fn not_ready(facts: &Facts, found: &[Finding]) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let explains = |finding: &Finding, snippet: &Snippet, reason: Option<Reason>| {
        let knows = reason.is_some_and(|reason| finding.code.entry().reasons.contains(&reason));
        (knows || finding.code == Code::Backoff) && finding.subjects.contains(&snippet.subject())
    };
    let is_unexplained = |snippet: &&Snippet| {
        let Some(ready) = snippet.failure() else { return false };
        let reason = ready.reason.parse().ok();
        reason != Some(Reason::Pending) && !found.iter().any(|finding| explains(finding, snippet, reason))
    };
    let unexplained: Vec<_> = snippets.items.iter().filter(is_unexplained).collect();
    let texts: Vec<_> = unexplained
        .iter()
        .filter_map(|snippet| {
            snippet.failure().map(|ready| format!("{}: {} {}", snippet.subject().path(), ready.reason, ready.message))
        })
        .collect();
    Ok(about(snippets, unexplained, |number| {
        Finding::new(
            Code::NotReady,
            format!("{} not ready for a reason that was not understood", count(number, "snippet")),
        )
        .with(Evidence::several("conditions", texts))
    }))
}

/// `R702`.
pub(crate) fn backoff(facts: &Facts) -> Outcome {
    let attempts = facts.signals.attempts.told("what the leader has tried");
    let waiting = attempts.as_ref().ok().map(|all| all.iter().filter(|attempt| attempt.failures > 1));
    let waiting: Vec<_> = waiting.into_iter().flatten().collect();
    let (left, blind) = match left_behind(facts) {
        Ok(left) => (left, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    if waiting.is_empty() && left.is_empty() {
        attempts?;
        return Ok(Seen::fine().blind_to(blind));
    }
    let texts = waiting.iter().map(|attempt| {
        let next = attempt.next.map_or(String::new(), |next| format!(", next try {next}"));
        format!("{}: {} failures in a row{next}: {}", attempt.snippet, attempt.failures, attempt.error)
    });
    let subjects = waiting.iter().filter_map(|attempt| attempt.snippet.split_once('/'));
    let subjects = subjects.map(|(namespace, name)| Subject::new("JsonnetSnippet", namespace, name));
    let mut finding =
        Finding::new(Code::Backoff, "").about(subjects).about(left.iter().map(|snippet| snippet.subject()));
    finding.summary = format!("{} waiting for the next try", count(finding.subjects.len(), "snippet"));
    if !waiting.is_empty() {
        finding = finding.with(Evidence::several("attempts", texts));
    }
    if !left.is_empty() {
        let names = ask::names(left.iter().copied());
        finding = finding
            .with(Evidence::several("failed for want of a store that answers now", names))
            .as_bad_as(Severity::Warning);
    }
    Ok(Seen::from(finding).blind_to(attempts.err()).blind_to(blind))
}

/// Snippets that blame the store for what the store itself does not show any more.
fn left_behind(facts: &Facts) -> Result<Vec<&Snippet>, Why> {
    let reason = |snippet: &Snippet| snippet.failure().and_then(|ready| ready.reason.parse::<Reason>().ok());
    let blames_the_store = |snippet: &&Snippet| reason(snippet).is_some_and(Reason::is_about_storage);
    let snippets = ask::snippets(facts)?;
    let victims: Vec<_> = snippets.items.iter().filter(blames_the_store).collect();
    if victims.is_empty() {
        return Ok(victims);
    }
    let state = facts.store.health.told("whether the store answers")?.state;
    let room_is_out = facts.store.usage.ok().is_some_and(Usage::is_used_up);
    let is_over = |reason: Reason| match reason {
        Reason::StorageFull => !room_is_out && !matches!(state, HealthState::Full | HealthState::NoInodes),
        Reason::StorageReadOnly => state != HealthState::ReadOnly,
        Reason::StorageDenied => state != HealthState::Denied,
        Reason::BucketMissing => state != HealthState::BucketMissing,
        Reason::ClockSkew => state != HealthState::ClockSkew,
        Reason::StorageUnavailable => !matches!(state, HealthState::Unavailable | HealthState::Throttled),
        _ => false,
    };
    let waits_for_room = |snippet: &Snippet| {
        reason(snippet) == Some(Reason::StorageFull) && snippet.failure().is_some_and(|it| lacks_room(facts, it))
    };
    let is_left = |snippet: &&Snippet| reason(snippet).is_some_and(is_over) && !waits_for_room(snippet);
    Ok(victims.into_iter().filter(is_left).collect())
}
