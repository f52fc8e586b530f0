//! What commands read of a JsonnetSnippet. Pure.
//!
//! Narrower than the operator's type on purpose: files are not kept in memory, and a field or a word that only
//! another version of the operator knows cannot make a list unreadable.

mod state;

use std::borrow::Cow;
use std::fmt;

use jaas_api::status::SyncStatus;
use jaas_api::{JsonnetSnippet, RECONCILE_REQUEST};
use jiff::Timestamp;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

pub(crate) use state::State;

/// Plural of the resource, as RBAC rules and messages name it.
pub(crate) const RESOURCE: &str = "jsonnetsnippets";

/// Namespace and name of a snippet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A snippet without its files.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Snippet {
    /// Standard metadata.
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
    /// The part of the desired state that commands look at.
    #[serde(default)]
    pub(crate) spec: Spec,
    /// Observed state.
    #[serde(default)]
    pub(crate) status: Option<SyncStatus>,
}

/// The part of the desired state that commands look at.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    /// Pauses the snippet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suspend: Option<bool>,
    /// In whose name everything is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_account_name: Option<String>,
    /// How many revisions are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<i64>,
    /// The object that provides the files, where they are not inline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_ref: Option<Reference>,
    /// What the snippet imports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) libraries: Vec<Reference>,
}

/// Points at an object; its kind is whatever a version of the operator knows.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Reference {
    /// Its kind.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    /// Its namespace; that of the referring object when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    /// For a library: the alias under which it is imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) import_path: Option<String>,
}

impl Reference {
    /// The namespace that it means, seen from `owner`.
    pub(crate) fn namespace_or<'a>(&'a self, owner: &'a str) -> &'a str {
        self.namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or(owner)
    }
}

impl Snippet {
    /// Namespace and name.
    pub(crate) fn key(&self) -> Key {
        Key {
            namespace: self.metadata.namespace.clone().unwrap_or_default(),
            name: self.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// Whether it is paused.
    pub(crate) fn is_suspended(&self) -> bool {
        self.spec.suspend.unwrap_or(false)
    }

    /// Whether it is on its way out.
    pub(crate) fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// The reconcile request that it carries.
    pub(crate) fn request(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(RECONCILE_REQUEST).map(String::as_str)
    }

    /// Whether the last request has no answer yet.
    pub(crate) fn is_unanswered(&self) -> bool {
        let handled = self.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref());
        self.request().is_some_and(|request| handled != Some(request))
    }

    /// Whether it was changed and its status does not speak of the change yet.
    pub(crate) fn is_lagging(&self) -> bool {
        let observed = self.status.as_ref().and_then(|status| status.observed_generation).unwrap_or(0);
        observed < self.metadata.generation.unwrap_or(0)
    }

    /// When anybody but the operator's status last wrote it.
    pub(crate) fn changed_at(&self) -> Option<Timestamp> {
        let entries = self.metadata.managed_fields.iter().flatten();
        let others = entries.filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty());
        others.filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max()
    }

    /// Whose tool keeps the spec as it is, so that a change by hand does not last.
    pub(crate) fn keeper(&self) -> Option<String> {
        keeper(&self.metadata)
    }

    /// Its resource version as the number that the API server lets clients compare.
    pub(crate) fn sequence(&self) -> Option<u64> {
        self.metadata.resource_version.as_deref()?.parse().ok()
    }
}

/// Labels and annotations by which tools mark what they apply, with the tool's name.
const KEEPERS: [(&str, &str); 4] = [
    ("kustomize.toolkit.fluxcd.io/name", "Flux Kustomization"),
    ("helm.toolkit.fluxcd.io/name", "Flux HelmRelease"),
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
];

/// The tool that applies an object again and again, by its marks.
pub(crate) fn keeper(metadata: &ObjectMeta) -> Option<String> {
    let marks = || [&metadata.labels, &metadata.annotations].into_iter().flatten();
    let found = KEEPERS.iter().find_map(|(key, tool)| marks().find_map(|all| all.get(*key)).map(|name| (tool, name)));
    found.map(|(tool, name)| format!("{tool} `{name}`"))
}

impl kube::Resource for Snippet {
    type DynamicType = ();
    type Scope = k8s_openapi::NamespaceResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        JsonnetSnippet::kind(&())
    }
    fn group(_: &()) -> Cow<'_, str> {
        JsonnetSnippet::group(&())
    }
    fn version(_: &()) -> Cow<'_, str> {
        <JsonnetSnippet as kube::Resource>::version(&())
    }
    fn plural(_: &()) -> Cow<'_, str> {
        JsonnetSnippet::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_of_an_unknown_version_is_readable() {
        let text = r#"{"metadata": {"name": "web", "namespace": "a", "resourceVersion": "7"},
            "spec": {"output": "hologram", "suspend": true}, "status": {"novel": 1}}"#;
        let snippet: Snippet = serde_json::from_str(text).unwrap();
        assert_eq!((snippet.key().to_string(), snippet.sequence()), ("a/web".to_owned(), Some(7)));
        assert!(snippet.is_suspended());
    }

    #[test]
    fn a_snippet_without_spec_is_readable() {
        let snippet: Snippet = serde_json::from_str(r#"{"metadata": {"name": "web"}}"#).unwrap();
        assert!(!snippet.is_suspended());
    }
}
