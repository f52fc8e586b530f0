//! What snippets are made of: which libraries and sources they name, and which sources their libraries name. Pure.
//!
//! Whoever asks who is affected by a change pays for those who are, and for nobody else.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jaas_api::library::LibrarySpec;
use jaas_api::snippet::SnippetSpec;
use jaas_api::source::{SourceKind, SourceRef};

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Name {
    /// An object.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Something that snippets are made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A library.
    Library(Name),
    /// A source of Flux.
    Source(SourceKind, Name),
}

impl Input {
    fn source(reference: &SourceRef, owner: &str) -> Self {
        Self::Source(reference.kind, Name::new(reference.namespace_or(owner), &reference.name))
    }

    fn library(&self) -> Option<&Name> {
        match self {
            Self::Library(name) => Some(name),
            Self::Source(..) => None,
        }
    }

    /// The snippet that may publish it: one of the same name.
    fn producer(&self) -> Option<&Name> {
        match self {
            Self::Source(SourceKind::ExternalArtifact, name) => Some(name),
            Self::Source(..) | Self::Library(_) => None,
        }
    }
}

/// The edges, as the watches have told them so far.
#[derive(Debug, Default)]
pub struct Graph(Mutex<Edges>);

#[derive(Debug, Default)]
struct Edges {
    /// What a snippet names.
    inputs: Relation<Name, Input>,
    /// The source that a library names.
    sources: Relation<Name, Input>,
    /// Last known states of inputs, as fingerprints.
    states: HashMap<Input, u64>,
    /// Libraries that changed, or whose source or users did.
    touched: HashSet<Name>,
    /// The mounted libraries that a snippet is made of, by alias.
    mounted: Relation<Name, String>,
    /// The aliases that a snippet gives to its own libraries, which may be none of mounted ones.
    aliases: Relation<Name, String>,
}

/// A relation that can be read from both sides.
#[derive(Debug)]
struct Relation<A, B> {
    there: HashMap<A, HashSet<B>>,
    back: HashMap<B, HashSet<A>>,
}

impl<A, B> Default for Relation<A, B> {
    fn default() -> Self {
        Self { there: HashMap::new(), back: HashMap::new() }
    }
}

impl<A: Clone + Eq + Hash, B: Clone + Eq + Hash> Relation<A, B> {
    fn set(&mut self, from: &A, to: HashSet<B>) {
        for gone in self.there.remove(from).unwrap_or_default().difference(&to) {
            if let Some(others) = self.back.get_mut(gone) {
                others.remove(from);
                if others.is_empty() {
                    self.back.remove(gone);
                }
            }
        }
        for one in &to {
            self.back.entry(one.clone()).or_default().insert(from.clone());
        }
        if !to.is_empty() {
            self.there.insert(from.clone(), to);
        }
    }

    fn of<'a>(&'a self, from: &A) -> impl Iterator<Item = &'a B> {
        self.there.get(from).into_iter().flatten()
    }

    fn from<'a>(&'a self, to: &B) -> impl Iterator<Item = &'a A> {
        self.back.get(to).into_iter().flatten()
    }
}

impl Graph {
    fn edges(&self) -> MutexGuard<'_, Edges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a snippet names now; `None` for one that is gone.
    pub fn note_snippet(&self, snippet: &Name, spec: Option<&SnippetSpec>) {
        let named = spec.map(|spec| named(snippet, spec)).unwrap_or_default();
        let mut edges = self.edges();
        let before: HashSet<_> = edges.inputs.of(snippet).cloned().collect();
        let touched = before.symmetric_difference(&named).filter_map(Input::library).cloned();
        edges.touched.extend(touched);
        edges.inputs.set(snippet, named);
        let aliases = spec.iter().flat_map(|spec| &spec.libraries).map(|library| library.alias().to_owned());
        edges.aliases.set(snippet, aliases.collect());
        if spec.is_none() {
            edges.mounted.set(snippet, HashSet::new());
        }
    }

    /// Takes in which mounted libraries a snippet is made of, as its imports tell.
    pub fn note_mounted(&self, snippet: &Name, names: &[String]) {
        self.edges().mounted.set(snippet, names.iter().cloned().collect());
    }

    /// The same as an earlier process wrote it down; what this one found counts more.
    pub fn recall_mounted(&self, snippet: &Name, names: &[String]) {
        let mut edges = self.edges();
        if edges.mounted.of(snippet).next().is_none() {
            edges.mounted.set(snippet, names.iter().cloned().collect());
        }
    }

    /// The snippets that a change of a mounted library reaches: who imports from it, who may from any, and who gives its alias to a
    /// library of their own.
    pub fn users_of_mounted(&self, alias: &str) -> Vec<Name> {
        let edges = self.edges();
        let (alias, all) = (alias.to_owned(), crate::mounted::ALL.to_owned());
        let users = edges.mounted.from(&alias).chain(edges.mounted.from(&all)).chain(edges.aliases.from(&alias));
        users.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Takes in what a library names now; `None` for one that is gone.
    pub fn note_library(&self, library: &Name, spec: Option<&LibrarySpec>) {
        let source = spec.and_then(|spec| spec.source_ref.as_ref());
        let source = source.map(|reference| Input::source(reference, &library.namespace));
        let mut edges = self.edges();
        edges.touched.insert(library.clone());
        edges.sources.set(library, source.into_iter().collect());
    }

    /// Whether an input is in another state than when it was last told of. The first state is news.
    pub fn is_news(&self, input: &Input, state: u64) -> bool {
        let mut edges = self.edges();
        let is_news = edges.states.insert(input.clone(), state) != Some(state);
        if is_news {
            edges.touch_users(input);
        }
        is_news
    }

    /// The input is gone.
    pub fn forget(&self, input: &Input) {
        let mut edges = self.edges();
        edges.states.remove(input);
        edges.touch_users(input);
    }

    /// A source was fetched, or could not be.
    pub fn fetched(&self, kind: SourceKind, source: &Name) {
        self.edges().touch_users(&Input::Source(kind, source.clone()));
    }

    /// Libraries that changed since this was asked last, or whose source or users did.
    pub fn take_touched(&self) -> HashSet<Name> {
        std::mem::take(&mut self.edges().touched)
    }

    /// The snippets that an input reaches, by themselves or by their libraries.
    pub fn users(&self, input: &Input) -> Vec<Name> {
        let edges = self.edges();
        let by_library = edges.sources.from(input).map(|library| Input::Library(library.clone()));
        let by_library: Vec<_> = by_library.collect();
        let inputs = std::iter::once(input).chain(&by_library);
        let users: BTreeSet<_> = inputs.flat_map(|input| edges.inputs.from(input)).cloned().collect();
        users.into_iter().collect()
    }

    /// The snippets that any source of this kind reaches, by themselves or by their libraries.
    pub fn users_of_kind(&self, kind: SourceKind) -> Vec<Name> {
        let edges = self.edges();
        let sources = edges.inputs.back.keys().chain(edges.sources.back.keys());
        let sources: HashSet<_> =
            sources.filter(|input| matches!(input, Input::Source(of, _) if *of == kind)).cloned().collect();
        drop(edges);
        let users: BTreeSet<_> = sources.iter().flat_map(|source| self.users(source)).collect();
        users.into_iter().collect()
    }

    /// A way from the snippet back to itself by artifacts of snippets, where there is one: the shortest, with the snippet at both
    /// ends.
    pub fn cycle(&self, start: &Name) -> Option<Vec<Name>> {
        self.edges().way_back(start, &Assumed::Nothing)
    }

    /// The same, were the snippet's spec this one.
    pub fn cycle_if(&self, snippet: &Name, spec: &SnippetSpec) -> Option<Vec<Name>> {
        self.edges().way_back(snippet, &Assumed::Snippet(snippet, named(snippet, spec)))
    }

    /// A way that would lead through the library back to where it began, were the library's spec this one.
    pub fn cycle_through(&self, library: &Name, spec: &LibrarySpec) -> Option<Vec<Name>> {
        let source = Input::source(spec.source_ref.as_ref()?, &library.namespace);
        let start = source.producer()?;
        let edges = self.edges();
        // What goes round without the library is not the library's matter.
        if edges.way_back(start, &Assumed::Library(library, None)).is_some() {
            return None;
        }
        edges.way_back(start, &Assumed::Library(library, Some(&source)))
    }
}

/// What a snippet names.
fn named(snippet: &Name, spec: &SnippetSpec) -> HashSet<Input> {
    let libraries =
        spec.libraries.iter().map(|it| Input::Library(Name::new(it.namespace_or(&snippet.namespace), &it.name)));
    let source = spec.source_ref.as_ref().map(|reference| Input::source(reference, &snippet.namespace));
    libraries.chain(source).collect()
}

/// What is taken for an edge instead of what the watches have told.
enum Assumed<'a> {
    Nothing,
    /// What a snippet names.
    Snippet(&'a Name, HashSet<Input>),
    /// The source that a library names.
    Library(&'a Name, Option<&'a Input>),
}

impl Edges {
    /// The libraries that are made of a source have something new to tell.
    fn touch_users(&mut self, source: &Input) {
        let libraries: Vec<_> = self.sources.from(source).cloned().collect();
        self.touched.extend(libraries);
    }

    fn way_back(&self, start: &Name, assumed: &Assumed<'_>) -> Option<Vec<Name>> {
        let mut before: HashMap<Name, Name> = HashMap::new();
        let mut queue = VecDeque::from([start.clone()]);
        while let Some(snippet) = queue.pop_front() {
            for next in self.producers(&snippet, assumed) {
                if next == start {
                    let mut way = vec![start.clone()];
                    let mut at = &snippet;
                    while at != start {
                        way.push(at.clone());
                        at = before.get(at)?;
                    }
                    way.push(start.clone());
                    way.reverse();
                    return Some(way);
                }
                if !before.contains_key(next) {
                    before.insert(next.clone(), snippet.clone());
                    queue.push_back(next.clone());
                }
            }
        }
        None
    }

    /// The snippets whose artifacts a snippet is made of.
    fn producers<'a>(&'a self, snippet: &Name, assumed: &'a Assumed<'_>) -> Vec<&'a Name> {
        let inputs: Vec<&Input> = match assumed {
            Assumed::Snippet(name, inputs) if *name == snippet => inputs.iter().collect(),
            _ => self.inputs.of(snippet).collect(),
        };
        let mut producers = Vec::new();
        for input in inputs {
            producers.extend(input.producer());
            match (input, assumed) {
                (Input::Library(library), Assumed::Library(name, source)) if *name == library => {
                    producers.extend(source.and_then(Input::producer));
                }
                (Input::Library(library), _) => producers.extend(self.sources.of(library).filter_map(Input::producer)),
                (Input::Source(..), _) => {}
            }
        }
        producers.sort();
        producers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jaas_api::source::LibraryRef;

    fn name(text: &str) -> Name {
        let (namespace, name) = text.split_once('/').unwrap_or(("a", text));
        Name::new(namespace, name)
    }

    fn reference(kind: SourceKind, text: &str) -> SourceRef {
        let namespace = text.split_once('/').map(|(namespace, _)| namespace.to_owned());
        SourceRef { api_version: None, kind, name: name(text).name, namespace, path: None }
    }

    fn spec(source: Option<(SourceKind, &str)>, libraries: &[&str]) -> SnippetSpec {
        let library = |text: &&str| LibraryRef {
            name: name(text).name,
            namespace: text.split_once('/').map(|(namespace, _)| namespace.to_owned()),
            ..LibraryRef::default()
        };
        SnippetSpec {
            source_ref: source.map(|(kind, text)| reference(kind, text)),
            libraries: libraries.iter().map(library).collect(),
            ..SnippetSpec::default()
        }
    }

    fn users(graph: &Graph, input: &Input) -> String {
        graph.users(input).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_change_reaches_exactly_those_that_are_made_of_it() {
        let graph = Graph::default();
        let git = |text: &str| Input::Source(SourceKind::GitRepository, name(text));
        let library = |text: &str| Input::Library(name(text));
        graph.note_snippet(&name("one"), Some(&spec(Some((SourceKind::GitRepository, "repo")), &["lib"])));
        graph.note_snippet(&name("two"), Some(&spec(None, &["lib", "b/far"])));
        graph.note_snippet(&name("b/three"), Some(&spec(Some((SourceKind::Bucket, "repo")), &["far"])));
        let source = reference(SourceKind::GitRepository, "repo");
        graph.note_library(&name("b/far"), Some(&LibrarySpec { files: None, source_ref: Some(source) }));
        assert_eq!(users(&graph, &library("lib")), "a/one a/two");
        assert_eq!(users(&graph, &library("b/far")), "a/two b/three");
        assert_eq!(users(&graph, &git("repo")), "a/one");
        assert_eq!(users(&graph, &git("b/repo")), "a/two b/three");
        assert_eq!(users(&graph, &Input::Source(SourceKind::Bucket, name("b/repo"))), "b/three");
        assert_eq!(graph.users_of_kind(SourceKind::GitRepository), ["one", "two", "b/three"].map(name));
        assert_eq!(graph.users_of_kind(SourceKind::Bucket), [name("b/three")]);
        assert_eq!(graph.users_of_kind(SourceKind::OCIRepository), []);

        graph.note_snippet(&name("two"), Some(&spec(None, &[])));
        graph.note_library(&name("b/far"), None);
        assert_eq!(users(&graph, &library("lib")), "a/one");
        assert_eq!(users(&graph, &git("b/repo")), "");
        graph.note_snippet(&name("one"), None);
        assert_eq!(users(&graph, &git("repo")), "");
        let edges = graph.edges();
        assert_eq!((edges.inputs.there.len(), edges.inputs.back.len()), (1, 2), "what is gone is not kept");
    }

    #[test]
    fn a_mounted_library_reaches_who_imports_from_it_or_uses_its_alias() {
        let graph = Graph::default();
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let users =
            |alias: &str| graph.users_of_mounted(alias).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        graph.note_snippet(&name("one"), Some(&spec(None, &["lib"])));
        graph.note_snippet(&name("two"), Some(&spec(None, &[])));
        graph.note_snippet(&name("any"), Some(&spec(None, &[])));
        graph.recall_mounted(&name("two"), &names(&["grafonnet"]));
        graph.note_mounted(&name("any"), &names(&["*"]));
        assert_eq!((users("grafonnet"), users("lib")), ("a/any a/two".to_owned(), "a/any a/one".to_owned()));
        graph.note_mounted(&name("two"), &names(&["xtd"]));
        graph.recall_mounted(&name("two"), &names(&["grafonnet"]));
        assert_eq!((users("grafonnet"), users("xtd")), ("a/any".to_owned(), "a/any a/two".to_owned()));
        graph.note_snippet(&name("any"), None);
        assert_eq!(users("grafonnet"), "");
    }

    #[test]
    fn a_heartbeat_is_no_news() {
        let graph = Graph::default();
        let input = Input::Library(name("lib"));
        let told: Vec<_> = [1, 1, 2, 2, 1].map(|state| graph.is_news(&input, state)).into();
        assert_eq!(told, [true, false, true, false, true]);
        graph.forget(&input);
        assert!(graph.is_news(&input, 1));
    }

    #[test]
    fn a_way_back_is_found_through_snippets_and_libraries() {
        let graph = Graph::default();
        let chained = |text| spec(Some((SourceKind::ExternalArtifact, text)), &[]);
        let way = |start: &str| {
            graph.cycle(&name(start)).map(|way| way.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → "))
        };
        graph.note_snippet(&name("self"), Some(&chained("self")));
        assert_eq!(way("self").as_deref(), Some("a/self → a/self"));
        graph.note_snippet(&name("x"), Some(&chained("y")));
        graph.note_snippet(&name("y"), Some(&spec(None, &["b/lib"])));
        assert_eq!(way("x"), None);
        let source = SourceRef { namespace: Some("a".to_owned()), ..reference(SourceKind::ExternalArtifact, "x") };
        graph.note_library(&name("b/lib"), Some(&LibrarySpec { files: None, source_ref: Some(source) }));
        assert_eq!(way("x").as_deref(), Some("a/x → a/y → a/x"));
        assert_eq!(way("y").as_deref(), Some("a/y → a/x → a/y"));
        graph.note_snippet(&name("z"), Some(&chained("x")));
        assert_eq!(way("z"), None, "a cycle further down is not that of who leads into it");
        let git = SourceRef { kind: SourceKind::GitRepository, ..reference(SourceKind::ExternalArtifact, "x") };
        graph.note_library(&name("b/lib"), Some(&LibrarySpec { files: None, source_ref: Some(git) }));
        assert_eq!(way("x"), None, "only artifacts of snippets lead to snippets");
    }

    #[test]
    fn what_would_close_a_cycle_is_known_before_it_is_there() {
        let graph = Graph::default();
        let chained = |text| spec(Some((SourceKind::ExternalArtifact, text)), &[]);
        let shown = |way: Option<Vec<Name>>| {
            way.map(|way| way.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")).unwrap_or_default()
        };
        graph.note_snippet(&name("x"), Some(&chained("y")));
        assert_eq!(shown(graph.cycle_if(&name("y"), &chained("x"))), "a/y → a/x → a/y");
        assert_eq!(shown(graph.cycle_if(&name("y"), &chained("z"))), "");
        graph.note_snippet(&name("y"), Some(&chained("x")));
        assert_eq!(shown(graph.cycle_if(&name("y"), &chained("z"))), "", "what is there now does not count");
        graph.note_snippet(&name("y"), Some(&spec(None, &["lib"])));
        let library =
            |text: &str| LibrarySpec { files: None, source_ref: Some(reference(SourceKind::ExternalArtifact, text)) };
        assert_eq!(shown(graph.cycle_through(&name("lib"), &library("x"))), "a/x → a/y → a/x");
        assert_eq!(shown(graph.cycle_through(&name("lib"), &library("z"))), "");
        assert_eq!(shown(graph.cycle_through(&name("other"), &library("x"))), "");
        graph.note_library(&name("lib"), Some(&library("x")));
        assert_eq!(shown(graph.cycle_through(&name("lib"), &library("z"))), "");
        assert_eq!(shown(graph.cycle_through(&name("lib"), &LibrarySpec::default())), "");
    }
}
