//! Leaves a trace of a change on the object: an Event with the run and the reason.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::Invocation;
use crate::cli::ChangeArgs;
use crate::session::{Call, FIELD_MANAGER, Session};

/// Announces a change. A failure is said and stops nothing: the change is made already. Dry runs announce nothing.
pub(super) async fn mark(
    session: &Session,
    invocation: &Invocation<'_>,
    change: &ChangeArgs,
    object: &ObjectReference,
    reason: &'static str,
    what: &str,
) {
    if change.dry_run.is_some() {
        return;
    }
    let event = Event {
        type_: EventType::Normal,
        reason: reason.to_owned(),
        note: Some(note(what, &invocation.run.id, change.reason.as_deref())),
        action: reason.to_owned(),
        secondary: None,
    };
    let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: Some(invocation.run.id.clone()) };
    let recorder = Recorder::new(session.client.clone(), reporter);
    let namespace = object.namespace.as_deref();
    let call = Call::new("create", "events.k8s.io", "events", &["create"]).within(namespace);
    if let Err(error) = session.call(&call, recorder.publish(&event, object)).await {
        invocation.listener.say(&format!("the change is made, but no Event tells of it: {error}"));
    }
}

/// Longest text of an Event that an API server accepts, in bytes.
const NOTE_LIMIT: usize = 1024;

fn note(what: &str, run: &str, reason: Option<&str>) -> String {
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    jaas_api::truncate::truncate(&format!("{what} by kubectl jaas, run {run}{why}"), NOTE_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_what_by_which_run_and_why() {
        assert_eq!(note("suspended", "01J8", Some("INC-4711")), "suspended by kubectl jaas, run 01J8: INC-4711");
        assert_eq!(note("suspended", "01J8", None), "suspended by kubectl jaas, run 01J8");
        assert!(note("x", "y", Some(&"z".repeat(5000))).len() <= NOTE_LIMIT);
    }
}
