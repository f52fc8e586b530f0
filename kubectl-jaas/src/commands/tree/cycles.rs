//! `tree --cycles`: whether a snippet is made of itself, or leads to others that are.
//!
//! A snippet is made of its libraries and of its source; so is a library. A source of the kind ExternalArtifact is what the snippet of its
//! name renders.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use jaas_api::source::{SourceKind, SourceRef};
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use kube::Api;

use crate::session::{self, Call, Session};
use crate::snippet::{Key, RESOURCE};

/// Objects that are looked at; nobody builds a chain that long on purpose.
const LIMIT: usize = 1000;

/// Something that a snippet is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// A snippet.
    Snippet(Key),
    /// A library.
    Library(Key),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snippet(key) => write!(f, "JsonnetSnippet {}/{}", key.namespace, key.name),
            Self::Library(key) => write!(f, "JsonnetLibrary {}/{}", key.namespace, key.name),
        }
    }
}

/// What each part is made of.
pub(super) type Edges = BTreeMap<Part, Vec<Part>>;

/// What was found.
pub(super) struct Walked {
    pub(super) edges: Edges,
    /// Why a part could not be seen.
    pub(super) unknown: Vec<String>,
}

/// Follows everything that the snippet is made of.
pub(super) async fn walk(session: &Session, start: &Key) -> Walked {
    let mut walked = Walked { edges: Edges::new(), unknown: Vec::new() };
    let mut queue = VecDeque::from([Part::Snippet(start.clone())]);
    while let Some(part) = queue.pop_front() {
        if walked.edges.contains_key(&part) {
            continue;
        }
        if walked.edges.len() >= LIMIT {
            walked.unknown.push(format!("more than {LIMIT} objects"));
            break;
        }
        let parts = match parts(session, &part).await {
            Ok(parts) => parts,
            Err(error) => {
                walked.unknown.push(error.to_string());
                Vec::new()
            }
        };
        queue.extend(parts.iter().cloned());
        walked.edges.insert(part, parts);
    }
    walked
}

/// What a part names. One that is not there names nothing.
async fn parts(session: &Session, part: &Part) -> Result<Vec<Part>, session::Error> {
    match part {
        Part::Snippet(key) => {
            let snippets: Api<JsonnetSnippet> = Api::namespaced(session.client.clone(), &key.namespace);
            let call = Call::new("get", jaas_api::GROUP, RESOURCE, &["get"]).within(Some(&key.namespace));
            let found = session.call(&call.named(&key.name), snippets.get_opt(&key.name)).await?;
            let Some(snippet) = found else { return Ok(Vec::new()) };
            let libraries = snippet.spec.libraries.iter().map(|library| {
                let namespace = library.namespace_or(&key.namespace).to_owned();
                Part::Library(Key { namespace, name: library.name.clone() })
            });
            Ok(libraries.chain(producer(snippet.spec.source_ref.as_ref(), &key.namespace)).collect())
        }
        Part::Library(key) => {
            let libraries: Api<JsonnetLibrary> = Api::namespaced(session.client.clone(), &key.namespace);
            let call = Call::new("get", jaas_api::GROUP, "jsonnetlibraries", &["get"]).within(Some(&key.namespace));
            let found = session.call(&call.named(&key.name), libraries.get_opt(&key.name)).await?;
            let source = found.and_then(|library| library.spec.source_ref);
            Ok(producer(source.as_ref(), &key.namespace).into_iter().collect())
        }
    }
}

/// The snippet that a source may be rendered by.
fn producer(source: Option<&SourceRef>, owner: &str) -> Option<Part> {
    let source = source.filter(|source| source.kind == SourceKind::ExternalArtifact)?;
    let namespace = source.namespace_or(owner).to_owned();
    Some(Part::Snippet(Key { namespace, name: source.name.clone() }))
}

/// The circles, each once: the shortest through its first part, with that part at both ends.
pub(super) fn cycles(edges: &Edges) -> Vec<Vec<Part>> {
    let mut seen = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in edges.keys() {
        let Some(way) = back(edges, start) else { continue };
        let parts: BTreeSet<_> = way.iter().cloned().collect();
        if seen.insert(parts) {
            cycles.push(way);
        }
    }
    cycles
}

/// The shortest way from a part back to itself.
fn back(edges: &Edges, start: &Part) -> Option<Vec<Part>> {
    let mut before: BTreeMap<&Part, &Part> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(part) = queue.pop_front() {
        for next in edges.get(part).into_iter().flatten() {
            if next == start {
                let mut way = vec![start.clone()];
                let mut at = part;
                while at != start {
                    way.push(at.clone());
                    at = before.get(at)?;
                }
                way.push(start.clone());
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(next, part);
                queue.push_back(next);
            }
        }
    }
    None
}

/// A circle as one line.
pub(super) fn words(way: &[Part]) -> String {
    way.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        let key = |name: &str| Key { namespace: "a".to_owned(), name: name.to_owned() };
        text.strip_prefix("lib:").map_or_else(|| Part::Snippet(key(text)), |name| Part::Library(key(name)))
    }

    fn found(edges: &[(&str, &[&str])]) -> Vec<String> {
        let edges = edges.iter().map(|(from, to)| (part(from), to.iter().map(|to| part(to)).collect())).collect();
        cycles(&edges).iter().map(|way| words(way)).collect()
    }

    #[test]
    fn circles_are_found_once_with_the_way() {
        assert!(found(&[("x", &["y", "lib:l"]), ("y", &[]), ("lib:l", &["y"])]).is_empty());
        assert_eq!(found(&[("x", &["x"])]), ["JsonnetSnippet a/x → JsonnetSnippet a/x"]);
        assert_eq!(
            found(&[("x", &["y"]), ("y", &["lib:l"]), ("lib:l", &["x"])]),
            ["JsonnetSnippet a/x → JsonnetSnippet a/y → JsonnetLibrary a/l → JsonnetSnippet a/x"]
        );
        // One that leads into a circle further down, and two circles.
        assert_eq!(
            found(&[("start", &["x", "p"]), ("x", &["y"]), ("y", &["x"]), ("p", &["q"]), ("q", &["p"])]),
            [
                "JsonnetSnippet a/p → JsonnetSnippet a/q → JsonnetSnippet a/p",
                "JsonnetSnippet a/x → JsonnetSnippet a/y → JsonnetSnippet a/x"
            ]
        );
    }
}
