//! Events, log records, metrics, consumers: what an installation says of itself and what others say of it.

pub use jaas_api::admin::Attempt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::HealthState;
use crate::known::Known;

/// What an installation says of itself and what others say of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Signals {
    /// Events about snippets and the operator.
    pub events: Known<Vec<Event>>,
    /// Records of the operator's log that tell of trouble.
    pub logs: Known<Vec<LogRecord>>,
    /// Figures of the leader.
    pub metrics: Known<Metrics>,
    /// Objects of Flux that use our artifacts.
    pub consumers: Known<Vec<Consumer>>,
    /// What the leader has tried and not achieved.
    pub attempts: Known<Vec<Attempt>>,
    /// The admission webhook; `None` where there is none.
    pub webhook: Known<Option<Webhook>>,
}

/// An event, also of an object that is gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Event {
    /// The word, such as `WithdrawForced`.
    pub reason: String,
    /// Kind of the object.
    pub kind: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// The sentence.
    pub message: String,
    /// When it was last seen.
    pub at: Option<Timestamp>,
}

/// Records of the log that say the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogRecord {
    /// What went wrong.
    pub topic: Topic,
    /// What the store did, where the record tells.
    #[serde(default)]
    pub store: Option<HealthState>,
    /// `namespace/name` of the snippet, where the record tells.
    #[serde(default)]
    pub snippet: Option<String>,
    /// The error.
    #[serde(default)]
    pub text: String,
    /// How many such records.
    pub count: u64,
    /// The last of them.
    #[serde(default)]
    pub last: Option<Timestamp>,
}

/// What a log record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Publishing failed.
    Publish,
    /// Serving failed.
    Serve,
    /// Removing left-overs failed.
    Sweep,
    /// A watch failed.
    Watch,
}

/// Figures of the leader.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Metrics {
    /// Snippets that wait for a reconcile.
    pub queue_depth: Known<f64>,
    /// Seconds that all but one in a hundred reconciles take at most.
    pub reconcile_p99_seconds: Known<f64>,
    /// Evaluations that run.
    pub evaluations: Known<f64>,
    /// Evaluations that may run at once; 0 means any number.
    pub evaluations_limit: Known<f64>,
    /// Evaluations that run although their caller left.
    pub evaluations_abandoned: Known<f64>,
    /// Sweeps that failed since the process began.
    pub sweep_failures: Known<f64>,
}

/// An object of Flux that uses one of our artifacts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Consumer {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `namespace/name` of the artifact.
    pub artifact: String,
    /// Whether it is ready.
    pub ready: bool,
    /// The message of its `Ready` condition.
    pub message: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// The admission webhook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Webhook {
    /// Name of its configuration.
    pub name: String,
    /// When the served certificate expires.
    pub expires: Known<Timestamp>,
    /// Whether the API server's bundle verifies the served certificate.
    pub trusted: Known<bool>,
    /// Whether a change is refused that the webhook could not be asked about.
    pub refuses: Known<bool>,
    /// Ready addresses behind its Service.
    pub ready_endpoints: Known<u32>,
}
