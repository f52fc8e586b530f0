//! Which snippets the operator looks after, by its flags. Pure.

use jaas_findings::facts::Flags;
use kube::core::{Selector, SelectorExt as _};

use super::super::Error;
use crate::snippet::Snippet;

/// What the operator watches.
#[derive(Debug)]
pub(super) struct Watched {
    /// All where empty.
    namespaces: Vec<String>,
    labels: Selector,
}

impl Watched {
    /// Reads the flags.
    ///
    /// # Errors
    /// The label selector cannot be read.
    pub(super) fn of(flags: &Flags) -> Result<Self, Error> {
        let text = flags.get("label-selector").unwrap_or_default();
        let labels = jaas_api::selector::parse(text).map_err(|error| Error::Refused {
            what: format!("the operator's --label-selector cannot be read: {error}"),
            how: "the operator does not start with it; see its arguments: kubectl jaas storage info".to_owned(),
        })?;
        Ok(Self { namespaces: flags.watched_namespaces().into_iter().map(str::to_owned).collect(), labels })
    }

    /// Whether it watches the namespace.
    pub(super) fn watches(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == namespace)
    }

    /// Whether it chooses snippets by their labels.
    pub(super) fn has_labels(&self) -> bool {
        !self.labels.selects_all()
    }

    /// Whether it chooses the snippet, were its namespace watched.
    pub(super) fn selects(&self, snippet: &Snippet) -> bool {
        self.labels.matches(&snippet.metadata.labels.clone().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snippet(labels: serde_json::Value) -> Snippet {
        serde_json::from_value(json!({"metadata": {"namespace": "a", "name": "web", "labels": labels}})).unwrap()
    }

    #[test]
    fn the_flags_tell_what_is_watched() {
        let watched = |flags: &[&str]| Watched::of(&Flags::of_arguments(flags.iter().copied()));
        let all = watched(&[]).unwrap();
        assert!(all.watches("x") && all.selects(&snippet(json!(null))) && !all.has_labels());
        let some = watched(&["--watch-namespaces=a, b", "--label-selector=team in (x),!old"]).unwrap();
        assert!(some.watches("b") && !some.watches("c") && some.has_labels());
        assert!(some.selects(&snippet(json!({"team": "x"}))));
        assert!(!some.selects(&snippet(json!({"team": "x", "old": ""}))) && !some.selects(&snippet(json!(null))));
        let told = watched(&["--label-selector=a in b"]).unwrap_err().to_string();
        assert!(told.contains("--label-selector"), "{told}");
    }
}
