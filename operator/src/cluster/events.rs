//! Kubernetes Events about snippets.

use std::sync::Arc;

use jaas_api::truncate::truncate;
use jaas_api::{FIELD_MANAGER, JsonnetSnippet};
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
    pending: TaskTracker,
}

impl Events {
    /// A publisher that uses the operator's own account.
    pub fn new(client: Client, authority: Authority) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
        Self { recorder: Arc::new(Recorder::new(client, reporter)), authority, pending: TaskTracker::new() }
    }

    /// Announces `reason`, which is also the action. A failure is logged: an event is news, not state.
    pub fn announce(&self, snippet: &JsonnetSnippet, warning: bool, reason: &str, note: &str) {
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(truncate(note, NOTE_LIMIT)),
            action: reason.to_owned(),
            secondary: None,
        };
        let reference = snippet.object_ref(&());
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
