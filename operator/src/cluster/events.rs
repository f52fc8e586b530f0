//! Kubernetes Events about snippets.

use std::sync::Arc;

use jaas_api::truncate::truncate;
use jaas_api::{FIELD_MANAGER, JsonnetSnippet};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio_util::task::TaskTracker;

use super::REQUEST_TIMEOUT;
use crate::leadership::Authority;

/// Longest note of an event that an API server accepts, in bytes.
const NOTE_LIMIT: usize = 1024;

/// Publishes events without making a reconcile wait for them.
#[derive(Clone)]
pub struct Events {
    recorder: Arc<Recorder>,
    authority: Authority,
    /// What events in the operator's own namespace are about.
    home: Arc<ObjectReference>,
    pending: TaskTracker,
}

impl Events {
    /// A publisher that uses the operator's own account. `lease` is the Lease of the installation, whether or not it is there.
    pub fn new(client: Client, authority: Authority, lease: (&str, &str)) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
        let home = ObjectReference {
            api_version: Some("coordination.k8s.io/v1".to_owned()),
            kind: Some("Lease".to_owned()),
            namespace: Some(lease.0.to_owned()),
            name: Some(lease.1.to_owned()),
            ..ObjectReference::default()
        };
        let recorder = Arc::new(Recorder::new(client, reporter));
        Self { recorder, authority, home: Arc::new(home), pending: TaskTracker::new() }
    }

    /// Announces `reason`, which is also the action. A failure is logged: an event is news, not state.
    pub fn announce(&self, snippet: &JsonnetSnippet, warning: bool, reason: &str, note: &str) {
        self.publish(event(warning, reason, note), snippet.object_ref(&()));
    }

    /// Announces it in the operator's namespace, for whoever looks after the snippet's is gone: about the Lease, with the snippet as
    /// the related object.
    pub fn repeat_at_home(&self, snippet: &JsonnetSnippet, warning: bool, reason: &str, note: &str) {
        let about = snippet.object_ref(&());
        let (namespace, name) =
            (about.namespace.as_deref().unwrap_or_default(), about.name.as_deref().unwrap_or_default());
        let event = event(warning, reason, &format!("JsonnetSnippet {namespace}/{name}: {note}"));
        self.publish(Event { secondary: Some(about), ..event }, ObjectReference::clone(&self.home));
    }

    fn publish(&self, event: Event, reference: ObjectReference) {
        let (recorder, authority) = (Arc::clone(&self.recorder), self.authority.clone());
        self.pending.spawn(async move {
            // News of what this process did is told by nobody else, so the right that it was done with is enough.
            let Ok(_permit) = authority.permit() else { return };
            match tokio::time::timeout(REQUEST_TIMEOUT, recorder.publish(&event, &reference)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(reason = event.reason, %error, "Event could not be published"),
                Err(_) => tracing::warn!(reason = event.reason, "Event could not be published in time"),
            }
        });
    }

    /// Waits for the events that are on their way.
    pub async fn drain(&self) {
        self.pending.close();
        self.pending.wait().await;
    }
}

fn event(warning: bool, reason: &str, note: &str) -> Event {
    Event {
        type_: if warning { EventType::Warning } else { EventType::Normal },
        reason: reason.to_owned(),
        note: Some(truncate(note, NOTE_LIMIT)),
        action: reason.to_owned(),
        secondary: None,
    }
}
