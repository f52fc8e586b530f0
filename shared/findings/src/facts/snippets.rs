//! Snippets and what they published.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Subject;
use crate::known::Known;

/// The snippets that could be listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Snippets {
    /// Each of them.
    pub items: Vec<Snippet>,
    /// Namespaces whose snippets could not be listed.
    pub unlisted: Vec<String>,
    /// Whether the whole cluster was asked for, as opposed to a part that somebody chose.
    pub everywhere: bool,
}

/// A snippet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Snippet {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Generation of the spec.
    pub generation: i64,
    /// Generation that the status judges.
    pub observed_generation: Option<i64>,
    /// When the spec last changed.
    pub spec_changed: Known<Timestamp>,
    /// The `Ready` condition, if one was written.
    pub ready: Option<Ready>,
    /// `status.revision`.
    pub revision: Option<String>,
    /// `status.artifactURL`.
    pub url: Option<String>,
    /// `status.history`.
    pub history: Vec<RevisionAt>,
    /// `status.retired`; the Go implementation has none.
    pub retired: Vec<RevisionAt>,
    /// Requests to reconcile.
    pub requests: Vec<Request>,
    /// `spec.suspend`.
    pub suspended: bool,
    /// When it was asked to go.
    pub deleted: Option<Timestamp>,
    /// What still holds it.
    pub finalizers: Vec<String>,
}

/// A `Ready` condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ready {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The word.
    pub reason: String,
    /// The sentence.
    #[serde(default)]
    pub message: String,
    /// When the status last changed.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// A revision and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevisionAt {
    /// `sha256:<hex>`.
    pub revision: String,
    /// When it was published, or left the history.
    #[serde(default)]
    pub time: Option<Timestamp>,
}

/// A request to reconcile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The annotation.
    pub annotation: String,
    /// Its value.
    pub token: String,
    /// The value that was last answered.
    #[serde(default)]
    pub handled: Option<String>,
}

/// An ExternalArtifact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Artifact {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `Kind/name` of its producer, where it names one.
    pub producer: Option<String>,
    /// Whether the producer is the snippet of the same namespace and name.
    pub ours: bool,
    /// Address that consumers fetch.
    pub url: String,
    /// `<namespace>/<name>/sha256-<hex>.tar.gz`.
    pub path: String,
    /// `sha256:<hex>` of the content.
    pub revision: String,
    /// `sha256:<hex>` of the tarball.
    pub digest: Option<String>,
    /// Length of the tarball in bytes.
    pub size: Option<u64>,
    /// When it last changed.
    pub updated: Option<Timestamp>,
}

impl Snippet {
    /// As it is named in findings.
    pub fn subject(&self) -> Subject {
        Subject::new("JsonnetSnippet", &self.namespace, &self.name)
    }

    /// The reason of a snippet that is not ready and is not meant to be otherwise.
    pub fn failure(&self) -> Option<&Ready> {
        self.ready.as_ref().filter(|ready| ready.status != "True" && ready.reason != "Suspended")
    }

    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready.as_ref().is_some_and(|ready| ready.status == "True")
    }
}

impl Artifact {
    /// As it is named in findings.
    pub fn subject(&self) -> Subject {
        Subject::new("ExternalArtifact", &self.namespace, &self.name)
    }

    /// The snippet of the same name, as it is named in findings.
    pub fn snippet(&self) -> Subject {
        Subject::new("JsonnetSnippet", &self.namespace, &self.name)
    }
}

impl Request {
    /// Whether the operator still owes an answer.
    pub fn is_open(&self) -> bool {
        !self.token.is_empty() && self.handled.as_deref() != Some(&self.token)
    }

    /// When it was made, where the token says so: a time, which a `#` may follow.
    pub fn made(&self) -> Option<Timestamp> {
        self.token.split('#').next()?.trim().parse().ok()
    }
}

/// Path of a revision in the store; `None` for a word that is no revision.
pub fn path_of(namespace: &str, name: &str, revision: &str) -> Option<String> {
    revision.strip_prefix("sha256:").map(|hex| format!("{namespace}/{name}/sha256-{hex}.tar.gz"))
}
