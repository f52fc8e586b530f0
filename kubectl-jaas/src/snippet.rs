//! What commands read of a JsonnetSnippet. Pure.
//!
//! Narrower than the operator's type on purpose: files are not kept in memory, and a field or a word that only
//! another version of the operator knows cannot make a list unreadable.

use std::borrow::Cow;
use std::fmt;

use jaas_api::status::SyncStatus;
use jaas_api::{JsonnetSnippet, RECONCILE_REQUEST};
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

/// Plural of the resource, as RBAC rules and messages name it.
pub(crate) const RESOURCE: &str = "jsonnetsnippets";

/// Namespace and name of a snippet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The part of the desired state that decides whether to ask.
    #[serde(default)]
    pub(crate) spec: Spec,
    /// Observed state.
    #[serde(default)]
    pub(crate) status: Option<SyncStatus>,
}

/// The part of the desired state that decides whether to ask.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Spec {
    /// Pauses the snippet.
    #[serde(default)]
    pub(crate) suspend: Option<bool>,
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

    /// Its resource version as the number that the API server lets clients compare.
    pub(crate) fn sequence(&self) -> Option<u64> {
        self.metadata.resource_version.as_deref()?.parse().ok()
    }
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
