//! What a command found and did, as data: the document of a run. Pure.
//!
//! Fields are only ever added within `cli.jaas.metio.wtf/v1`. Times are RFC 3339 in UTC, durations seconds.

mod detail;
mod difference;
mod storage;
mod target;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::run::Run;
use crate::session::Destination;

pub(crate) use detail::*;
pub(crate) use difference::*;
pub(crate) use storage::*;
pub(crate) use target::{Target, TargetOutcome};

/// `apiVersion` of every document.
pub(crate) const API_VERSION: &str = "cli.jaas.metio.wtf/v1";

/// What kind of run a document tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(clippy::enum_variant_names, reason = "the words of the document")]
pub(crate) enum Kind {
    /// Of `status`.
    StatusReport,
    /// Of `doctor` and `storage doctor`.
    DoctorReport,
    /// Of `reconcile`.
    ReconcileReport,
    /// Of `history`.
    HistoryReport,
    /// Of `tree`.
    TreeReport,
    /// Of `events`.
    EventsReport,
    /// Of `logs`.
    LogsReport,
    /// Of `suspend`.
    SuspendReport,
    /// Of `resume`.
    ResumeReport,
    /// Of `wait`.
    WaitReport,
    /// Of `leader`.
    LeaderReport,
    /// Of `force-handover`.
    HandoverReport,
    /// Of `restart`.
    RestartReport,
    /// Of `auth`.
    AuthReport,
    /// Of `render`.
    RenderReport,
    /// Of `diff`.
    DiffReport,
    /// Of `completion`.
    CompletionReport,
    /// Of `version`.
    VersionReport,
    /// Of `explain`.
    ExplainReport,
    /// Of `storage info`.
    StorageInfoReport,
    /// Of `storage df`.
    SpaceReport,
    /// Of `storage du`.
    UsageReport,
    /// Of `storage ls`.
    ListReport,
    /// Of `storage verify`.
    VerifyReport,
    /// Of `storage fetch`.
    FetchReport,
    /// Of `storage prune`.
    PruneReport,
    /// Of `storage sweep`.
    SweepReport,
    /// Of `storage find-orphans`.
    OrphansReport,
    /// Of `storage repair`.
    RepairReport,
    /// Of `storage advise`.
    AdviceReport,
}

/// The document of a run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) api_version: &'static str,
    pub(crate) kind: Kind,
    pub(crate) metadata: Metadata,
    pub(crate) result: Summary,
    /// Versions found; only `version` has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<Component>,
    /// What the command found, under a key of its own.
    #[serde(flatten)]
    pub(crate) detail: Option<Detail>,
    /// Objects that the run was about, in the order of their names.
    pub(crate) targets: Vec<Target>,
    /// Measurements; the name carries the unit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) figures: BTreeMap<&'static str, f64>,
    /// What to type next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) next: Vec<Next>,
}

/// The JSON schema of [`Report`], as it is published. Within a version fields are only added.
pub(crate) fn schema() -> String {
    // As it is written: what is left out when it is empty is not required.
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    format!("{:#}\n", generator.into_root_schema_for::<Report>().to_value())
}

/// Who ran what, where and when.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) run: String,
    pub(crate) started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) tool: Tool,
    pub(crate) cluster: Cluster,
    pub(crate) scope: Scope,
    pub(crate) dry_run: &'static str,
    /// Why, in the words of whoever ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// This program.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Tool {
    pub(crate) version: &'static str,
}

/// The cluster that the run was about.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Cluster {
    /// UID of the namespace `kube-system`, or `unknown` when it was not read.
    pub(crate) uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
}

/// Which objects were meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scope {
    pub(crate) all_namespaces: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) namespaces: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) selector: Option<String>,
    /// How many snippets it matched.
    pub(crate) snippets: usize,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) exit_code: u8,
    pub(crate) outcome: Outcome,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    pub(crate) counts: BTreeMap<&'static str, usize>,
}

/// A command line to go on with.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Next {
    pub(crate) command: String,
    pub(crate) why: String,
}

/// A version that was found, or why none was.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    /// `unknown` when `detail` says why.
    pub(crate) version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
}

/// Something that happened while the run went on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) run: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) target: &'a Target,
}

impl<'a> Event<'a> {
    /// A target has its outcome now.
    pub(crate) fn now(run: &'a Run, target: &'a Target) -> Self {
        Self { api_version: API_VERSION, kind: "Event", run: &run.id, at: Timestamp::now(), target }
    }
}

/// A record of a log, as it comes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordEvent<'a> {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) run: &'a str,
    #[serde(flatten)]
    pub(crate) record: &'a Record,
}

impl<'a> RecordEvent<'a> {
    /// A record that has just come.
    pub(crate) fn now(run: &'a Run, record: &'a Record) -> Self {
        Self { api_version: API_VERSION, kind: "Record", run: &run.id, record }
    }
}

/// The proof of one artifact, as it comes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProofEvent<'a> {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) run: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) proof: &'a Proof,
}

impl<'a> ProofEvent<'a> {
    /// A proof that has just come.
    pub(crate) fn now(run: &'a Run, proof: &'a Proof) -> Self {
        Self { api_version: API_VERSION, kind: "Proof", run: &run.id, at: Timestamp::now(), proof }
    }
}

impl Report {
    /// A document about a run that has just begun.
    pub(crate) fn begin(kind: Kind, run: &Run) -> Self {
        let metadata = Metadata {
            run: run.id.clone(),
            started_at: run.started,
            finished_at: None,
            tool: Tool { version: env!("CARGO_PKG_VERSION") },
            cluster: Cluster { uid: "unknown".to_owned(), context: None, server: None },
            scope: Scope::default(),
            dry_run: "none",
            reason: None,
        };
        let result = Summary {
            exit_code: Exit::Done.code(),
            outcome: Outcome::Ok,
            message: String::new(),
            hint: None,
            counts: BTreeMap::new(),
        };
        Self {
            api_version: API_VERSION,
            kind,
            metadata,
            result,
            components: Vec::new(),
            detail: None,
            targets: Vec::new(),
            figures: BTreeMap::new(),
            next: Vec::new(),
        }
    }

    /// Notes where the run leads.
    pub(crate) fn at(&mut self, destination: &Destination) {
        let cluster = &mut self.metadata.cluster;
        cluster.context = Some(destination.context.clone()).filter(|context| !context.is_empty());
        cluster.server = Some(destination.server.clone());
    }

    /// Closes the document.
    pub(crate) fn finish(&mut self, exit: Exit, message: String, hint: Option<String>) {
        self.metadata.finished_at = Some(Timestamp::now());
        let mut counts = std::mem::take(&mut self.result.counts);
        for target in &self.targets {
            *counts.entry(target.outcome.word()).or_default() += 1;
        }
        self.result = Summary { exit_code: exit.code(), outcome: exit.outcome(), message, hint, counts };
    }
}

/// Clocks are not finer than that in practice, and twelve more digits help nobody.
pub(crate) fn to_milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
