//! The operator and what it runs on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::flags::Flags;
use super::store::Owner;
use crate::finding::Subject;
use crate::known::Known;

/// The operator and what it runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Operator {
    /// Namespace that was looked in.
    pub namespace: String,
    /// Which program it is.
    pub implementation: Known<Implementation>,
    /// Its version, as the image or the label says.
    pub version: Known<String>,
    /// Every Deployment of the cluster that looks like this operator.
    pub installations: Known<Vec<Subject>>,
    /// Its Deployment; `None` where there is none.
    pub deployment: Known<Option<Deployment>>,
    /// Its Pods, evicted and finished ones included.
    pub pods: Known<Vec<Pod>>,
    /// What lies behind `--storage-path`; `None` where no volume does.
    pub volume: Known<Option<Volume>>,
    /// Its settings, defaults included.
    pub flags: Known<Flags>,
    /// Where its keys for the object store come from.
    pub credentials: Known<Credentials>,
    /// The definitions of its resources and of ExternalArtifact.
    pub definitions: Known<Vec<Definition>>,
    /// What its ServiceAccount may do.
    pub access: Known<Vec<Access>>,
    /// The mark that this installation writes into its store.
    pub identity: Known<Owner>,
}

/// Which program an operator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Implementation {
    /// This one.
    Ours,
    /// The Go implementation.
    Go,
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// Pods that are wanted.
    pub desired: u32,
    /// Pods that are ready.
    pub ready: u32,
    /// Whether a new template is being rolled out.
    pub rolling: bool,
}

/// A Pod of the operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Node that it runs on.
    pub node: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// `status.reason`, such as `Evicted`.
    pub reason: Option<String>,
    /// Whether it is ready.
    pub ready: bool,
    /// When its container last started.
    pub started: Option<Timestamp>,
    /// When it will be gone at the latest, where it was asked to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// When the Pod was created; an emptyDir is as old.
    pub created: Option<Timestamp>,
    /// Image of the operator's container.
    pub image: String,
    /// How often the container was started again.
    pub restarts: u32,
    /// Why the container waits, such as `ImagePullBackOff`; or why the Pod has no node, such as `Unschedulable`.
    pub waiting: Option<String>,
    /// How the container's last run ended.
    pub last_termination: Option<Termination>,
    /// Limit of the container's memory in bytes.
    pub memory_limit: Option<u64>,
    /// Its settings as typed, secrets masked.
    pub arguments: Known<Flags>,
    /// Whether the process itself says that it leads.
    pub leads: Known<bool>,
}

/// How a run of a container ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Termination {
    /// `OOMKilled`, `Error`, `Completed`.
    pub reason: String,
    /// Code that the process ended with.
    pub exit_code: Option<i32>,
    /// When.
    pub at: Option<Timestamp>,
}

/// What lies behind `--storage-path`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// What it is.
    pub kind: VolumeKind,
    /// Name of the claim.
    #[serde(default)]
    pub name: Option<String>,
    /// Phase of the claim; `Missing` where the claim does not exist.
    #[serde(default)]
    pub phase: Option<String>,
    /// Access modes of the claim.
    #[serde(default)]
    pub access_modes: Vec<String>,
    /// Since when it exists.
    #[serde(default)]
    pub created: Option<Timestamp>,
    /// Size of the claim or `sizeLimit` of the emptyDir, in bytes.
    #[serde(default)]
    pub size: Option<u64>,
}

/// What a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeKind {
    /// It lives and dies with the Pod.
    EmptyDir,
    /// A PersistentVolumeClaim.
    Claim,
    /// Anything else, such as `hostPath` or `nfs`.
    Other,
}

/// Where keys of an object store come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credentials {
    /// The way they reach the process.
    pub source: CredentialSource,
    /// When the Secret last changed.
    #[serde(default)]
    pub changed: Known<Timestamp>,
}

/// The way keys reach the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialSource {
    /// Flags, which everybody sees who may read the Deployment.
    Arguments,
    /// Environment variables, which are read once.
    Environment,
    /// A file that is read again when it changes.
    File,
    /// The identity of the Pod or of the node.
    Identity,
}

/// A CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Its name, such as `jsonnetsnippets.jaas.metio.wtf`.
    pub name: String,
    /// Whether the API server serves the version that the operator needs.
    pub served: bool,
}

/// One thing that the operator's ServiceAccount must be allowed to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Access {
    /// The verb.
    pub verb: String,
    /// `resource.group`, with the subresource where there is one.
    pub resource: String,
    /// The namespace; every one where `None`.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Whether it is allowed.
    pub allowed: bool,
}

/// The Lease of the leader.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Lease {
    /// Its name.
    pub name: String,
    /// Which Lease of that name.
    pub uid: String,
    /// Who holds it, as `<pod>_<id>`; nobody where empty.
    pub holder: String,
    /// For how many seconds others keep away.
    pub seconds: u32,
    /// When the holder last renewed.
    pub renewed: Option<Timestamp>,
    /// When the holder took over.
    pub acquired: Option<Timestamp>,
    /// How often the holder has changed.
    pub transitions: u32,
    /// What was seen while watching it.
    pub watched: Known<Watched>,
}

/// What was seen of a Lease while watching it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Watched {
    /// For how many seconds.
    pub seconds: u32,
    /// How often the holder changed meanwhile.
    pub changes: u32,
}

impl Lease {
    /// The Pod that the holder's name begins with.
    pub fn holder_pod(&self) -> &str {
        self.holder.split_once('_').map_or(self.holder.as_str(), |(pod, _)| pod)
    }
}

impl Pod {
    /// Whether it is on its way up or running, as opposed to a record of one that ended.
    pub fn is_live(&self) -> bool {
        !matches!(self.phase.as_str(), "Failed" | "Succeeded")
    }
}
