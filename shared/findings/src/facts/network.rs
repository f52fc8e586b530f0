//! Services, policies, and the roads to the storage server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::known::Known;

/// What lies between consumers and the storage server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Network {
    /// The Service of the storage server; `None` where there is none.
    pub storage_service: Known<Option<Service>>,
    /// Policies, of any dialect, in the operator's namespace and cluster-wide ones.
    pub policies: Known<Vec<Policy>>,
    /// Labels of the operator's Pods.
    pub storage_pod_labels: Known<BTreeMap<String, String>>,
    /// The Pods that fetch artifacts.
    pub clients: Known<Vec<Client>>,
    /// What was asked of the storage server, by each road that was meant to be used. One that nobody wanted is not listed.
    pub roads: Vec<Road>,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its port for artifacts.
    pub port: u16,
    /// Addresses in its EndpointSlices that are ready.
    pub ready_endpoints: Known<u32>,
    /// Addresses in its EndpointSlices that are not.
    pub unready_endpoints: Known<u32>,
}

/// A Pod that fetches artifacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Client {
    /// Its namespace.
    pub namespace: String,
    /// What it is, such as `kustomize-controller`.
    pub name: String,
    /// Labels of its namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// Its own labels.
    pub labels: BTreeMap<String, String>,
}

/// A policy of any dialect. Only those of Kubernetes itself are evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Policy {
    /// Its kind, such as `NetworkPolicy` or `CiliumNetworkPolicy`.
    pub kind: String,
    /// Its namespace; `None` for one of the cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Which Pods of its namespace it is about. For other dialects: empty where that is not known.
    pub pods: Selector,
    /// Whether it restricts what comes in.
    pub ingress: bool,
    /// What it lets in.
    pub rules: Vec<IngressRule>,
}

/// What a policy lets in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct IngressRule {
    /// Who; everybody where empty.
    pub from: Vec<Peer>,
    /// Ports; every one where empty.
    pub ports: Vec<PortRange>,
}

/// Who is let in. With both selectors, both must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Peer {
    /// Namespaces; the policy's own where `None`.
    pub namespaces: Option<Selector>,
    /// Pods; every one where `None`.
    pub pods: Option<Selector>,
    /// Addresses. Whether a Pod's is among them is not evaluated.
    pub block: Option<String>,
}

/// A selector of labels; an empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Selector {
    /// Labels that must have these values.
    pub labels: BTreeMap<String, String>,
    /// Further conditions.
    pub expressions: Vec<Expression>,
}

/// One condition of a selector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// The values of `In` and `NotIn`.
    pub values: Vec<String>,
}

/// Ports from `from` to `to`, both included. A port that has a name is given as the number that the operator's Pod gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortRange {
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
}

/// What was asked of the storage server by one road.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Road {
    /// Which road.
    pub kind: RoadKind,
    /// The Pod at its end, where the road leads to a chosen one.
    #[serde(default)]
    pub pod: Option<String>,
    /// Whether a server answered, with whatever status; with the error where none did.
    #[serde(default)]
    pub reachable: Known<Reach>,
    /// What it answered for single files.
    #[serde(default)]
    pub answers: Known<Vec<Answer>>,
}

/// Whether a server answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It did.
    Yes,
    /// It did not, and this was the error.
    No(String),
}

/// A road to the storage server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoadKind {
    /// The operator's own endpoint, which reads the store itself.
    Admin,
    /// Into the Pod, past policies.
    PortForward,
    /// From the control plane through the Service.
    ServiceProxy,
    /// The bucket, with a person's own keys.
    S3,
    /// The directory, mounted.
    Path,
}

impl RoadKind {
    /// The word on the wire and for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::PortForward => "port-forward",
            Self::ServiceProxy => "service-proxy",
            Self::S3 => "s3",
            Self::Path => "path",
        }
    }

    /// The road of this word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Admin, Self::PortForward, Self::ServiceProxy, Self::S3, Self::Path]
            .into_iter()
            .find(|kind| kind.word() == word)
    }

    /// Whether it leads to the server that consumers ask, as opposed to the store behind it.
    pub fn ends_at_the_server(self) -> bool {
        matches!(self, Self::PortForward | Self::ServiceProxy)
    }

    /// Whether it ends inside the Pod, so that no policy and no Service is in between.
    pub fn is_inside(self) -> bool {
        matches!(self, Self::Admin | Self::PortForward)
    }
}

/// What a road said of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// `<namespace>/<name>/sha256-<hex>.tar.gz`.
    pub path: String,
    /// What was found.
    pub reply: Reply,
}

/// What was found of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is there; with its length in bytes where that was told. Nobody read it.
    There(Option<u64>),
    /// It is there, and was read: its bytes are what is announced, and its content is what it is named after. With its length.
    Verified(u64),
    /// It is not there: 404.
    Missing,
    /// It is being brought back: 503 with `Retry-After`.
    Restoring,
    /// Its bytes do not hash to the digest that is announced.
    WrongDigest(String),
    /// Its content does not hash to its name.
    WrongContent(String),
    /// It is no gzipped tarball.
    NoTarball(String),
    /// Any other status.
    Status(u16),
    /// No answer, and this was the error.
    Silent(String),
}
