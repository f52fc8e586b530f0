//! What single commands found, each under a key of its own in the document. Pure.

use std::collections::BTreeMap;

use jaas_findings::Document;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::snippet::State;

/// What a command found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Detail {
    /// Of `status`.
    Status(Box<Status>),
    /// Of `doctor`.
    Diagnosis(Box<Diagnosis>),
    /// Of `leader`.
    Leader(LeaderView),
    /// Of `history`.
    History(History),
    /// Of `tree`.
    Tree(Node),
    /// Of `events`.
    Events(Vec<EventView>),
    /// Of `auth`.
    Rights(Vec<Right>),
    /// Of commands that act in steps.
    Steps(Vec<Step>),
    /// Of `logs`.
    Records(Vec<Record>),
    /// Of `explain`: the text.
    Explanation(String),
    /// Of `render`.
    Rendered(Rendered),
    /// Of `diff`.
    Difference(Box<super::Difference>),
    /// Of the commands on the store.
    Store(Box<super::StoreView>),
}

/// What a look at an installation found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diagnosis {
    /// The operator that was looked at, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<String>,
    /// Where it keeps artifacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<String>,
    /// How deep the look went.
    pub(crate) depth: &'static str,
    /// How the storage server was reached; `none` where it was not.
    pub(crate) route: &'static str,
    /// The finding document, which has a version of its own.
    #[serde(flatten)]
    pub(crate) document: Document,
}

/// One screen of an installation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<OperatorView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) leader: Option<LeaderView>,
    /// How many snippets are in each state.
    pub(crate) counts: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifacts: Option<Artifacts>,
    /// Those that were named, else those that need a look.
    pub(crate) snippets: Vec<SnippetView>,
    /// What could not be seen, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unknown: Vec<String>,
}

/// The operator's Deployment and Pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperatorView {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    pub(crate) ready: i32,
    pub(crate) wanted: i32,
    /// Restarts of all containers; `None` where Pods cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restarts: Option<i32>,
    pub(crate) store: String,
    /// Why Pods do not run, or last ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) troubles: Vec<String>,
}

/// Who leads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeaderView {
    /// Namespace and name of the Lease.
    pub(crate) lease: String,
    pub(crate) holder: String,
    pub(crate) pod: String,
    /// Whether that Pod is there and works; `None` where Pods cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pod_ready: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) renewed_at: Option<Timestamp>,
    /// For how many seconds others keep away after a renewal.
    pub(crate) lease_seconds: u64,
    pub(crate) transitions: i32,
    /// Whether it has renewed lately.
    pub(crate) alive: bool,
    /// Other Pods that work; `None` where Pods cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) standbys: Option<usize>,
    /// A request to step down that has no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step_down: Option<String>,
}

/// What is announced to consumers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artifacts {
    /// ExternalArtifacts of snippets that announce a revision.
    pub(crate) announced: usize,
    /// Snippets that are ready without such an artifact, or with one of another revision.
    pub(crate) wrong: Vec<String>,
}

/// One snippet.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnippetView {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
}

/// The revisions of a snippet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct History {
    /// How many are kept at most.
    pub(crate) limit: i64,
    /// Newest first.
    pub(crate) revisions: Vec<Revision>,
}

/// One revision.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revision {
    pub(crate) revision: String,
    /// `current`, `kept` or `retired`.
    pub(crate) state: &'static str,
    /// When it was published or, of a retired one, when it stopped being kept.
    pub(crate) time: Timestamp,
    /// Whether the artifact announces it.
    pub(crate) announced: bool,
    /// Bytes of the tarball, where the artifact tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<i64>,
}

/// An object and what hangs on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// What it is to the object that it hangs on, such as `library`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) role: String,
    /// How it is: `ready`, `missing`, and so on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Node>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    /// The last time that it happened.
    pub(crate) time: Timestamp,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub(crate) severity: String,
    pub(crate) reason: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// How often it happened.
    pub(crate) count: i32,
    /// Whether the object is gone, or another one has its name; `None` where that cannot be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<bool>,
    pub(crate) message: String,
}

/// A right that a command needs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Right {
    pub(crate) command: String,
    pub(crate) verb: String,
    /// Resource and group, as kubectl takes them.
    pub(crate) resource: String,
    /// Where; empty for all namespaces.
    pub(crate) namespace: String,
    /// The one object that is meant; any where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// Whether the command works without it, in part.
    pub(crate) optional: bool,
    /// Whether it is there; `None` where nobody could say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed: Option<bool>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepState {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Warning,
    /// In the way.
    Failed,
    /// Could not be looked at.
    Unknown,
    /// Would be done.
    Planned,
}

/// One step of a command: a check before it, an act, or a proof after it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) state: StepState,
    pub(crate) what: String,
    /// Seconds since the act began; checks have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
}

impl Step {
    /// A step without a time.
    pub(crate) fn new(name: &'static str, state: StepState, what: impl Into<String>) -> Self {
        Self { name, state, what: what.into(), seconds: None }
    }
}

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) pod: String,
    /// The record, where it is JSON; the line as text otherwise.
    pub(crate) record: serde_json::Value,
}

/// What an evaluation gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rendered {
    /// What it gave; empty where only figures were asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    pub(crate) bytes: usize,
    /// How many Kubernetes objects; only of `output: manifests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) objects: Option<u32>,
    /// The largest entries of the value, in bytes of their JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) largest: Vec<Entry>,
    /// Seconds of each run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) seconds: Vec<f64>,
}

/// One entry of a value.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) bytes: usize,
}
