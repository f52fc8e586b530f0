//! The admission webhook. Pure.

use jaas_api::Reason;

use super::answers::count;
use super::ask;
use super::outcome::{Outcome, Seen, Stop};
use super::reconcile::about;
use crate::code::{Code, Severity};
use crate::facts::{Facts, Snippet};
use crate::finding::{Evidence, Finding, Subject};

/// Seconds before its end at which a certificate is worth telling: two weeks.
const SOON: i64 = 14 * 24 * 60 * 60;

/// Reasons under which rules of the webhook are told, among others that it does not judge: the operator knows which is which and counts
/// them, a condition tells the reason only.
const RULES: [Reason; 3] = [Reason::InvalidSpec, Reason::ExternalVariableConflict, Reason::DependencyCycle];

/// `W901`.
pub(crate) fn certificate(facts: &Facts) -> Outcome {
    let found = facts.signals.webhook.told("the admission webhook")?;
    let Some(webhook) = found else { return Err(Stop::skip("there is no admission webhook")) };
    let expires = webhook.expires.told("when the certificate expires");
    let trusted = webhook.trusted.told("whether the certificate is trusted");
    let left = expires.as_ref().ok().map(|expires| expires.as_second() - facts.at.as_second());
    let is_distrusted = trusted.as_ref().is_ok_and(|trusted| !**trusted);
    let blind: Vec<_> = expires.as_ref().err().into_iter().chain(trusted.as_ref().err()).cloned().collect();
    if !is_distrusted && left.is_none_or(|left| left > SOON) {
        return Ok(Seen::fine().blind_to(blind));
    }
    let mut finding = Finding::new(Code::WebhookCertificate, "changes of snippets are refused, or soon will be")
        .about([Subject::new("ValidatingWebhookConfiguration", "", &webhook.name)]);
    if let Ok(expires) = expires {
        finding = finding.with(Evidence::seen("certificate expires", expires).instead_of("later than in two weeks"));
    }
    if is_distrusted {
        finding = finding.with(Evidence::seen("certificate", "not trusted").instead_of("trusted"));
    } else if left.is_some_and(|left| left > 0) {
        finding = finding.as_bad_as(Severity::Warning);
    }
    Ok(Seen::from(finding).blind_to(blind))
}

/// `W902`.
pub(crate) fn unanswered(facts: &Facts) -> Outcome {
    let found = facts.signals.webhook.told("the admission webhook")?;
    let Some(webhook) = found else { return Err(Stop::skip("there is no admission webhook")) };
    let ready = webhook.ready_endpoints.told("the addresses behind the webhook's Service")?;
    if *ready > 0 {
        return Ok(Seen::fine());
    }
    let refuses = webhook.refuses.told("what becomes of a change that nobody could be asked about");
    let is_refused = refuses.as_ref().map_or(true, |refuses| **refuses);
    let what = if is_refused { "changes of snippets and libraries are refused" } else { "changes pass unchecked" };
    let mut finding = Finding::new(Code::WebhookUnanswered, what)
        .about([Subject::new("ValidatingWebhookConfiguration", "", &webhook.name)])
        .with(Evidence::seen("ready addresses behind its Service", ready).instead_of("one at least"));
    if !is_refused {
        finding = finding.as_bad_as(Severity::Warning);
    }
    Ok(Seen::from(finding).blind_to(refuses.err()))
}

/// `W903`.
pub(crate) fn would_refuse(facts: &Facts) -> Outcome {
    let found = facts.signals.webhook.told("the admission webhook")?;
    if found.is_none() {
        return Err(Stop::skip("there is no admission webhook"));
    }
    let snippets = ask::snippets(facts)?;
    let breaks = |snippet: &&Snippet| {
        let reason = snippet.failure().and_then(|ready| ready.reason.parse().ok());
        reason.is_some_and(|reason| RULES.contains(&reason))
    };
    let breaking: Vec<_> = snippets.items.iter().filter(breaks).collect();
    let conditions: Vec<_> = breaking
        .iter()
        .filter_map(|it| {
            it.failure().map(|ready| format!("{}: {}: {}", it.subject().path(), ready.reason, ready.message))
        })
        .collect();
    Ok(about(snippets, breaking, |number| {
        let what = format!("{} that the webhook may refuse", count(number, "snippet"));
        Finding::new(Code::WebhookWouldRefuse, what).with(Evidence::several("conditions", conditions))
    }))
}
