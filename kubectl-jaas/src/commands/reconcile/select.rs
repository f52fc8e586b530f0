//! Which snippets a command line means. Pure.

use std::collections::BTreeSet;
use std::fmt;

use crate::cli::ReconcileArgs;
use crate::hint;
use crate::snippet::Snippet;
use crate::view::Scope;

/// A command line that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// Neither names nor a selector nor everything.
    #[error("nothing says which snippets to reconcile")]
    Nothing,
    /// More than one of them.
    #[error("{} exclude each other", .0.join(" and "))]
    TooMuch(Vec<&'static str>),
    /// A name that no object can have, often meant as `namespace/name`.
    #[error("`{0}` is no name of a snippet: a name has no slash")]
    Slash(String),
    /// A name stands for one object of one namespace.
    #[error("names stand in one namespace, but --all-namespaces is set")]
    NamesEverywhere,
    /// Two flags that say where.
    #[error("--namespace and --all-namespaces exclude each other")]
    TwoPlaces,
}

impl ArgumentError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Nothing | Self::TooMuch(_) => "choose exactly one of NAME…, --selector and --all".to_owned(),
            Self::Slash(name) => match name.split_once('/') {
                Some((place, name)) if !place.is_empty() && !name.is_empty() && !name.contains('/') => {
                    format!("if `{place}` is the namespace: kubectl jaas reconcile {name} -n {place}")
                }
                _ => "give the name alone, and the namespace with -n".to_owned(),
            },
            Self::NamesEverywhere => "give the namespace with -n, or choose by label with -l".to_owned(),
            Self::TwoPlaces => "leave one of them out".to_owned(),
        }
    }
}

/// A selection that matches nothing, or less than was named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectionError {
    /// Nothing at all.
    #[error("found no snippet, looking for {0}")]
    Empty(String),
    /// Some names are not there.
    #[error("namespace `{namespace}` has no snippet {}; nothing was asked", hint::few(.names))]
    Missing { names: Vec<String>, namespace: String },
}

impl SelectionError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Empty(_) => {
                "see what is there: kubectl get jsonnetsnippets -A; --allow-empty makes this no failure".to_owned()
            }
            Self::Missing { namespace, .. } => format!("see what is there: kubectl get jsonnetsnippets -n {namespace}"),
        }
    }
}

/// The property by which snippets are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// These.
    Names(BTreeSet<String>),
    /// Those with these labels.
    Labels(String),
    /// Every one.
    All,
}

/// Where they are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The namespace of the context.
    Context,
    Namespace(String),
    Everywhere,
}

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    which: Which,
    place: Place,
}

impl Choice {
    /// Reads the arguments; needs no cluster.
    ///
    /// # Errors
    /// The first contradiction.
    pub(super) fn from_args(args: &ReconcileArgs, namespace: Option<&str>) -> Result<Self, ArgumentError> {
        let said = [(!args.names.is_empty(), "names"), (args.selector.is_some(), "--selector"), (args.all, "--all")];
        let said: Vec<_> = said.into_iter().filter_map(|(is_said, word)| is_said.then_some(word)).collect();
        if let Some(name) = args.names.iter().find(|name| name.contains('/')) {
            return Err(ArgumentError::Slash(name.clone()));
        }
        let which = match (said.as_slice(), &args.selector) {
            ([], _) => return Err(ArgumentError::Nothing),
            ([_, _, ..], _) => return Err(ArgumentError::TooMuch(said)),
            ([_], Some(selector)) => Which::Labels(selector.clone()),
            ([_], None) if args.all => Which::All,
            ([_], None) => Which::Names(args.names.iter().cloned().collect()),
        };
        let place = match (namespace, args.all_namespaces, &which) {
            (Some(_), true, _) => return Err(ArgumentError::TwoPlaces),
            (_, true, Which::Names(_)) => return Err(ArgumentError::NamesEverywhere),
            (Some(namespace), false, _) => Place::Namespace(namespace.to_owned()),
            (None, true, _) | (None, false, Which::All) => Place::Everywhere,
            (None, false, Which::Names(_) | Which::Labels(_)) => Place::Context,
        };
        Ok(Self { which, place })
    }

    /// The selection, once the namespace of the context is known.
    pub(super) fn within(self, namespace: &str) -> Selection {
        let namespace = match self.place {
            Place::Context => Some(namespace.to_owned()),
            Place::Namespace(namespace) => Some(namespace),
            Place::Everywhere => None,
        };
        Selection { which: self.which, namespace }
    }
}

/// Which snippets are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// The property by which they are chosen.
    pub(super) which: Which,
    /// Their namespace; `None` for all.
    pub(super) namespace: Option<String>,
}

impl Selection {
    /// The scope as it stands in documents.
    pub(super) fn scope(&self) -> Scope {
        Scope {
            all_namespaces: self.namespace.is_none(),
            namespaces: self.namespace.iter().cloned().collect(),
            selector: match &self.which {
                Which::Labels(selector) => Some(selector.clone()),
                Which::Names(_) | Which::All => None,
            },
            snippets: 0,
        }
    }

    /// Those of a list that are meant.
    pub(super) fn matching(&self, snippets: Vec<Snippet>) -> Vec<Snippet> {
        match &self.which {
            Which::Names(names) => {
                let is_named = |snippet: &Snippet| snippet.metadata.name.as_ref().is_some_and(|it| names.contains(it));
                snippets.into_iter().filter(is_named).collect()
            }
            Which::Labels(_) | Which::All => snippets,
        }
    }

    /// Whether the matches are what was asked for.
    ///
    /// # Errors
    /// Nothing matches, or a name is missing.
    pub(super) fn check(&self, matches: &[Snippet]) -> Result<(), SelectionError> {
        if let Which::Names(names) = &self.which {
            let found: BTreeSet<_> = matches.iter().map(|snippet| snippet.key().name).collect();
            let missing: Vec<_> = names.difference(&found).cloned().collect();
            if !missing.is_empty() {
                let namespace = self.namespace.clone().unwrap_or_default();
                return Err(SelectionError::Missing { names: missing, namespace });
            }
        }
        if matches.is_empty() { Err(SelectionError::Empty(self.to_string())) } else { Ok(()) }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::Names(names) => f.write_str(&hint::few(&names.iter().cloned().collect::<Vec<_>>()))?,
            Which::Labels(selector) => write!(f, "every snippet with labels `{selector}`")?,
            Which::All => f.write_str("every snippet")?,
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace `{namespace}`"),
            None => f.write_str(" in all namespaces"),
        }
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
