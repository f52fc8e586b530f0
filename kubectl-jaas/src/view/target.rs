//! One object of a run, and what became of it. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::to_milliseconds;
use crate::snippet::Key;

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Target {
    pub(crate) object: Object,
    pub(crate) outcome: TargetOutcome,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    /// From asking to the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// How its artifact was verified: `head`, `hash`, or `failed`; absent where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<&'static str>,
}

/// Identity of an object.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What became of an object, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TargetOutcome {
    /// Rendered and published, or confirmed as it is.
    Synced,
    /// Answered with a failure, or could not be asked.
    Failed,
    /// Asked, and not answered in time.
    Unanswered,
    /// Paused by its owner.
    Suspended,
    /// Changed as it was asked for.
    Changed,
    /// It is so already.
    Unchanged,
    /// Left out.
    Skipped,
    /// Deleted in the meantime.
    Removed,
    /// Asked; nobody waited for the answer.
    Asked,
    /// A dry run would ask for it.
    WouldChange,
    /// Nobody could say whether it is as it should be.
    Unknown,
}

impl TargetOutcome {
    /// Every outcome, in the order of the counts.
    pub(crate) const ALL: [Self; 11] = [
        Self::Synced,
        Self::Failed,
        Self::Unanswered,
        Self::Suspended,
        Self::Changed,
        Self::Unchanged,
        Self::Skipped,
        Self::Removed,
        Self::Asked,
        Self::WouldChange,
        Self::Unknown,
    ];

    /// The word in documents and tables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
            Self::Suspended => "suspended",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Removed => "removed",
            Self::Asked => "asked",
            Self::WouldChange => "would-change",
            Self::Unknown => "unknown",
        }
    }
}

impl Target {
    /// A snippet with its outcome.
    pub(crate) fn snippet(key: &Key, outcome: TargetOutcome) -> Self {
        let object = Object {
            api_version: jaas_api::API_VERSION,
            kind: "JsonnetSnippet",
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        };
        Self { object, outcome, reason: String::new(), message: String::new(), seconds: None, verified: None }
    }

    /// The same with a reason and its message.
    pub(crate) fn because(mut self, reason: &str, message: impl Into<String>) -> Self {
        self.reason = reason.to_owned();
        self.message = message.into();
        self
    }

    /// The same with the time that the answer took.
    pub(crate) fn after(mut self, seconds: f64) -> Self {
        self.seconds = Some(to_milliseconds(seconds));
        self
    }

    /// `namespace/name`.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.object.namespace, self.object.name)
    }
}
