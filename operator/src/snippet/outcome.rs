//! How a reconcile ends.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use jaas_api::Reason;
use jaas_storage::store::{ErrorKind, StoreError};
use jaas_storage::{Digest, Revision};

use super::observe::Seen;
use crate::cluster::RequestError;
use crate::cluster::classify::{Meaning, denial_message, meaning};
use crate::leadership::NotLeader;

/// A step that may have to be tried again.
pub type Attempt<T> = Result<T, Deferred>;

/// What is the case with a snippet.
#[derive(Debug)]
pub enum Judgement {
    /// Rendered, stored and announced.
    Published(Box<Published>),
    /// All of that still holds.
    Unchanged,
    /// Paused by its owner.
    Suspended,
    /// Rendered often enough for now; looked at again after this time. Nothing is told of it.
    Deferred(Duration),
    /// Not as it should be, and trying again at once would not help.
    Refused(Refusal),
}

impl Judgement {
    /// Whether the store itself refuses, or the artifact is somebody else's: then nothing can be said of what was published.
    pub fn is_about_store_or_owner(&self) -> bool {
        match self {
            Self::Published(_) | Self::Unchanged | Self::Suspended | Self::Deferred(_) => false,
            Self::Refused(refusal) => refusal.reason.is_about_storage() || refusal.reason == Reason::ArtifactConflict,
        }
    }

    /// The word for the log.
    pub fn word(&self, status_written: bool) -> &'static str {
        match self {
            Self::Published(_) => Reason::Synced.as_str(),
            Self::Unchanged if status_written => Reason::Synced.as_str(),
            Self::Unchanged => "unchanged",
            Self::Suspended => Reason::Suspended.as_str(),
            Self::Deferred(_) => "deferred",
            Self::Refused(refusal) => refusal.reason.as_str(),
        }
    }
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Identity of the content.
    pub revision: Revision,
    /// Address of the artifact.
    pub url: String,
    /// Size of what was rendered, in bytes.
    pub rendered_bytes: usize,
    /// Number of the snippet's own files.
    pub files: usize,
    /// Fingerprint of everything that decided the bytes.
    pub inputs_digest: String,
    /// Mounted libraries that decided them, by alias.
    pub mounted: Vec<String>,
    /// What the snippet's source calls the state that was rendered.
    pub source_revision: Option<String>,
}

/// Why a snippet is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The word on the wire.
    pub reason: Reason,
    /// The sentence for people, without the link to a page.
    pub message: String,
    /// Fingerprint of the inputs that lead to this and only to this, where that is so: looking again is then worth less each time.
    pub inputs_digest: Option<String>,
    /// When to look again, where that is known better than by the reason.
    pub retry: Option<Duration>,
}

impl Refusal {
    /// A refusal that something outside the inputs may lift.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), inputs_digest: None, retry: None }
    }

    /// The published file is gone for good.
    pub fn lost(seen: &Seen, verdict: &Judgement, why: &str) -> Self {
        let revision = seen.current.as_ref().map(|current| current.revision.to_string()).unwrap_or_default();
        let found = seen.damage().unwrap_or("missing");
        let state = match verdict {
            Judgement::Suspended => "the snippet is suspended, and ",
            Judgement::Published(_) | Judgement::Unchanged | Judgement::Deferred(_) | Judgement::Refused(_) => "",
        };
        Self::new(
            Reason::ArtifactLost,
            format!(
                "the published artifact {revision} is {found} in the store and cannot be rendered again: {state}{why}"
            ),
        )
    }
}

/// Trouble that may pass. The snippet is tried again with growing delays.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}")]
pub struct Deferred {
    /// What was being done.
    pub operation: String,
    /// Whether the world has moved on, so that the next try is worth making at once.
    pub soon: bool,
    /// The reason to tell where the trouble lasts.
    pub reason: Reason,
    /// What went wrong.
    #[source]
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Deferred {
    /// A request that failed in a way that may pass.
    pub fn request(operation: &str, error: impl Into<Arc<RequestError>>) -> Self {
        let error = error.into();
        let soon = matches!(meaning(&error), Meaning::Conflict | Meaning::AlreadyExists | Meaning::NotFound);
        Self { operation: operation.to_owned(), soon, reason: Reason::ApiUnavailable, source: Some(error) }
    }

    /// The spec changed while the snippet was worked on; the change starts a reconcile of its own.
    pub fn moved() -> Self {
        Self {
            operation: "Publish deferred: spec moved since reconcile started".to_owned(),
            soon: true,
            reason: Reason::ApiUnavailable,
            source: None,
        }
    }

    /// The same without what concerns another namespace, which goes to the log alone.
    pub fn redacted(self, message: String) -> Self {
        tracing::warn!(error = chain(&self), "{message}");
        Self { operation: message, source: None, ..self }
    }

    /// Leadership ended while the snippet was worked on; whoever leads now works on it.
    pub fn not_leader(error: NotLeader) -> Self {
        Self {
            operation: "writing".to_owned(),
            soon: false,
            reason: Reason::ApiUnavailable,
            source: Some(Arc::new(error)),
        }
    }

    /// Something inside the process failed.
    pub fn internal(operation: &str, reason: Reason, error: impl Error + Send + Sync + 'static) -> Self {
        Self { operation: operation.to_owned(), soon: false, reason, source: Some(Arc::new(error)) }
    }
}

/// A request on a tenant's behalf: what is permanent becomes a refusal, the rest is tried again.
///
/// # Errors
/// [`Deferred`] for what may pass.
pub fn tenant_request(context: &str, error: impl Into<Arc<RequestError>>) -> Attempt<Refusal> {
    let error = error.into();
    match meaning(&error) {
        Meaning::Forbidden | Meaning::KindMissing | Meaning::Rejected | Meaning::DeniedByPolicy => {
            Ok(Refusal::new(Reason::RBACDenied, denial_message(context, &error)))
        }
        Meaning::AccountMissing => Ok(Refusal::new(Reason::ServiceAccountMissing, denial_message(context, &error))),
        Meaning::Unauthorized => {
            let what = "a token that was issued a moment ago is refused; its ServiceAccount or namespace may be on its way out";
            Err(Deferred::request(&format!("{context}: {what}"), error))
        }
        Meaning::NotFound | Meaning::AlreadyExists | Meaning::Conflict | Meaning::Transient => {
            Err(Deferred::request(context, error))
        }
    }
}

/// A store that refuses, as a judgement.
pub fn storage_refusal(error: &StoreError) -> Refusal {
    Refusal::new(storage_reason(error.kind), chain(error))
}

/// The reason that a store's trouble is told by.
pub fn storage_reason(kind: ErrorKind) -> Reason {
    match kind {
        ErrorKind::Full | ErrorKind::QuotaReached => Reason::StorageFull,
        ErrorKind::ReadOnly => Reason::StorageReadOnly,
        ErrorKind::Denied | ErrorKind::CredentialsRejected => Reason::StorageDenied,
        ErrorKind::BucketMissing => Reason::BucketMissing,
        ErrorKind::ClockSkew => Reason::ClockSkew,
        ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::Throttled
        | ErrorKind::WrongRegion
        | ErrorKind::Corrupt
        | ErrorKind::Unavailable => Reason::StorageUnavailable,
    }
}

/// An error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat the cause in their own message.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// What the API announces of a stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Identity of the content.
    pub revision: Revision,
    /// Digest of the bytes, where one is announced.
    pub digest: Option<Digest>,
}
