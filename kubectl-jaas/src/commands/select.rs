//! Which snippets a command line means. Pure.

use std::collections::BTreeSet;
use std::fmt;

use jaas_findings::Area;
use jiff::Timestamp;

use crate::cli::Targets;
use crate::hint;
use crate::snippet::{Snippet, State};
use crate::view::Scope;

/// A command line that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// Neither names nor a selector nor everything.
    #[error("nothing says which snippets are meant")]
    Nothing,
    /// More than one of them.
    #[error("{} exclude each other", .0.join(" and "))]
    TooMuch(Vec<&'static str>),
    /// A name that no object can have, often meant as `namespace/name`.
    #[error("`{name}` is no name of a snippet: a name has no slash")]
    Slash {
        /// What was typed.
        name: String,
        /// The command that it was typed for.
        command: &'static str,
    },
    /// A name stands for one object of one namespace.
    #[error("names stand in one namespace, but --all-namespaces is set")]
    NamesEverywhere,
    /// Two flags that say where.
    #[error("--namespace and --all-namespaces exclude each other")]
    TwoPlaces,
    /// A word that is no area of `doctor`.
    #[error("`{0}` is no area")]
    Area(String),
    /// A flag that this condition of `wait` does not have.
    #[error("{0} is for no-findings only")]
    OnlyNoFindings(&'static str),
}

impl ArgumentError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Nothing | Self::TooMuch(_) => {
                "choose exactly one of NAME…, --selector and --all; reconcile also knows --failed, --missing and --stale"
                    .to_owned()
            }
            Self::Slash { name, command } => match name.split_once('/') {
                Some((place, name)) if !place.is_empty() && !name.is_empty() && !name.contains('/') => {
                    format!("if `{place}` is the namespace: kubectl jaas {command} {name} -n {place}")
                }
                _ => "give the name alone, and the namespace with -n".to_owned(),
            },
            Self::NamesEverywhere => "give the namespace with -n, or choose by label with -l".to_owned(),
            Self::TwoPlaces => "leave one of them out".to_owned(),
            Self::Area(_) => format!("one of {}", Area::ALL.map(Area::word).join(", ")),
            Self::OnlyNoFindings(flag) => format!("leave {flag} out, or wait for no-findings"),
        }
    }
}

/// A selection that matches nothing, or less than was named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectionError {
    /// Nothing at all.
    #[error("found no snippet, looking for {0}")]
    Empty(String),
    /// Every announced artifact is in the store, of so many.
    #[error("nothing is missing: {0} announced artifacts are in the store")]
    NothingMissing(usize),
    /// Some names are not there.
    #[error("namespace `{namespace}` has no snippet {}; nothing was done", hint::few(.names))]
    Missing { names: Vec<String>, namespace: String },
}

impl SelectionError {
    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Empty(_) => {
                "see what is there: kubectl get jsonnetsnippets -A; --allow-empty makes this no failure".to_owned()
            }
            Self::NothingMissing(_) => {
                "whether they are right: kubectl jaas storage verify --all; --allow-empty makes this no failure"
                    .to_owned()
            }
            Self::Missing { namespace, .. } => format!("see what is there: kubectl get jsonnetsnippets -n {namespace}"),
        }
    }
}

/// The property by which snippets are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// These.
    Names(BTreeSet<String>),
    /// Those with these labels.
    Labels(String),
    /// Every one.
    All,
    /// Every one that is in one of these states.
    In(&'static [State]),
    /// Every one whose announced artifact is not in the store, which only a look there can tell.
    Missing,
}

/// States that `--failed` means.
const FAILED: &[State] = &[State::Failed, State::Unanswered];
/// States that `--stale` means.
const STALE: &[State] = &[State::Stale, State::Pending];

/// Where they are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The namespace of the context.
    Context,
    Namespace(String),
    Everywhere,
}

/// States by which snippets are chosen, where a command has such flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct States {
    /// `--failed`.
    pub(crate) failed: bool,
    /// `--stale`.
    pub(crate) stale: bool,
    /// `--missing`.
    pub(crate) missing: bool,
}

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    which: Which,
    place: Place,
}

impl Choice {
    /// Reads the arguments of `command`; needs no cluster.
    ///
    /// # Errors
    /// The first contradiction.
    pub(crate) fn new(
        targets: &Targets,
        states: States,
        namespace: Option<&str>,
        command: &'static str,
    ) -> Result<Self, ArgumentError> {
        let said = [
            (!targets.names.is_empty(), "names"),
            (targets.selector.is_some(), "--selector"),
            (targets.all, "--all"),
            (states.failed, "--failed"),
            (states.missing, "--missing"),
            (states.stale, "--stale"),
        ];
        let said: Vec<_> = said.into_iter().filter_map(|(is_said, word)| is_said.then_some(word)).collect();
        if let Some(name) = targets.names.iter().find(|name| name.contains('/')) {
            return Err(ArgumentError::Slash { name: name.clone(), command });
        }
        let which = match (said.as_slice(), &targets.selector) {
            ([], _) => return Err(ArgumentError::Nothing),
            ([_, _, ..], _) => return Err(ArgumentError::TooMuch(said)),
            ([_], Some(selector)) => Which::Labels(selector.clone()),
            ([_], None) if targets.all => Which::All,
            ([_], None) if states.failed => Which::In(FAILED),
            ([_], None) if states.stale => Which::In(STALE),
            ([_], None) if states.missing => Which::Missing,
            ([_], None) => Which::Names(targets.names.iter().cloned().collect()),
        };
        let place = match (namespace, targets.all_namespaces, &which) {
            (Some(_), true, _) => return Err(ArgumentError::TwoPlaces),
            (_, true, Which::Names(_)) => return Err(ArgumentError::NamesEverywhere),
            (Some(namespace), false, _) => Place::Namespace(namespace.to_owned()),
            (None, true, _) | (None, false, Which::All | Which::In(_) | Which::Missing) => Place::Everywhere,
            (None, false, Which::Names(_) | Which::Labels(_)) => Place::Context,
        };
        Ok(Self { which, place })
    }

    /// The selection, once the namespace of the context is known.
    pub(crate) fn within(self, namespace: &str) -> Selection {
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
pub(crate) struct Selection {
    /// The property by which they are chosen.
    pub(crate) which: Which,
    /// Their namespace; `None` for all.
    pub(crate) namespace: Option<String>,
}

impl Selection {
    /// The scope as it stands in documents.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            all_namespaces: self.namespace.is_none(),
            namespaces: self.namespace.iter().cloned().collect(),
            selector: match &self.which {
                Which::Labels(selector) => Some(selector.clone()),
                Which::Names(_) | Which::All | Which::In(_) | Which::Missing => None,
            },
            snippets: 0,
        }
    }

    /// Those of a list that are meant.
    pub(crate) fn matching(&self, snippets: Vec<Snippet>) -> Vec<Snippet> {
        match &self.which {
            Which::Names(names) => {
                let is_named = |snippet: &Snippet| snippet.metadata.name.as_ref().is_some_and(|it| names.contains(it));
                snippets.into_iter().filter(is_named).collect()
            }
            Which::Labels(_) | Which::All | Which::Missing => snippets,
            Which::In(states) => {
                let now = Timestamp::now();
                snippets.into_iter().filter(|snippet| states.contains(&State::of(snippet, now))).collect()
            }
        }
    }

    /// Whether the matches are what was asked for.
    ///
    /// # Errors
    /// Nothing matches, or a name is missing.
    pub(crate) fn check(&self, matches: &[Snippet]) -> Result<(), SelectionError> {
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
            Which::In(states) => {
                let words = states.iter().map(|state| state.word()).collect::<Vec<_>>().join(" or ");
                write!(f, "every snippet that is {words}")?;
            }
            Which::Missing => f.write_str("every snippet whose artifact is not in the store")?,
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
