//! Which mounted libraries a snippet is made of. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jaas_api::snippet::SnippetSpec;
use jaas_render::reach::{Files, Program};

use super::{ALL, Library, State};
use crate::snippet::inputs::Tree;

/// Names that are kept of one snippet; one that asks for more depends on all.
const LIMIT: usize = 32;

/// What a snippet needs of the mounted libraries.
#[derive(Debug, Default)]
pub struct Uses {
    /// Those that decide what it imports, in order, whether they are there or not; or [`ALL`].
    pub names: Vec<String>,
    /// Those that it can import from, by alias.
    pub libraries: BTreeMap<String, Arc<Library>>,
    /// One that it imports from and that cannot be used, and why.
    pub refused: Option<(String, String)>,
}

impl Files for Tree<'_> {
    fn file(&self, path: &str) -> Option<&[u8]> {
        match self {
            Self::Inline(files) => files.file(path),
            Self::Fetched(fetched) => fetched.files.file(path),
            Self::Mounted(library) => library.files.file(path),
        }
    }
}

/// Follows the imports of a snippet. Its own libraries come before mounted ones of their names.
pub fn of(state: &State, spec: &SnippetSpec, own: &Tree<'_>, libraries: &BTreeMap<String, Tree<'static>>) -> Uses {
    let code = spec.tlas.iter().chain(&spec.external_variables).filter(|variable| variable.code.unwrap_or_default());
    let mounted = state.libraries.iter().map(|(alias, library)| (alias.as_str(), &library.files as &dyn Files));
    let theirs = libraries.iter().map(|(alias, files)| (alias.as_str(), files as &dyn Files));
    let program = Program {
        entry: &spec.entry_file,
        fragments: code.filter_map(|variable| variable.value.as_deref()).collect(),
        own,
        libraries: mounted.chain(theirs).collect(),
    };
    let reach = program.reach();
    let is_mounted = |alias: &&String| !libraries.contains_key(*alias);
    let is_alias =
        |alias: &&String| jaas_sources::archive::is_safe_name(alias) && !alias.contains('/') && alias.len() <= 253;
    let mut names: Vec<_> = reach.named.iter().filter(is_mounted).filter(is_alias).cloned().collect();
    let refused = names.iter().find_map(|alias| Some((alias.clone(), state.refused.get(alias)?.clone())));
    let asked = reach.named.union(&reach.taken).filter(is_mounted);
    let all = state.libraries.keys().filter(|_| reach.is_cut_short).filter(is_mounted);
    let needed = asked.chain(all).filter_map(|alias| Some((alias.clone(), Arc::clone(state.libraries.get(alias)?))));
    let needed = needed.collect();
    if reach.searches || reach.is_cut_short || names.len() > LIMIT {
        names = vec![ALL.to_owned()];
    }
    Uses { names, libraries: needed, refused }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn mounted(list: &[(&str, &str)]) -> Arc<Library> {
        Arc::new(Library::new(list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()))
    }

    fn told(code: &str) -> (String, String, bool) {
        let state = State {
            libraries: BTreeMap::from([
                ("a".to_owned(), mounted(&[("main.libsonnet", "import 'b/x'")])),
                ("b".to_owned(), mounted(&[("x", "1")])),
                ("c".to_owned(), mounted(&[("x", "1")])),
                ("ours".to_owned(), mounted(&[("main.libsonnet", "import 'c/x'")])),
            ]),
            refused: BTreeMap::from([("bad".to_owned(), "why".to_owned())]),
            troubles: Vec::new(),
        };
        let own = Tree::Inline(Cow::Owned(files(&[("main.jsonnet", code)])));
        let ours = Tree::Inline(Cow::Owned(files(&[("main.libsonnet", "1")])));
        let spec = SnippetSpec { entry_file: "main.jsonnet".to_owned(), ..SnippetSpec::default() };
        let uses = of(&state, &spec, &own, &BTreeMap::from([("ours".to_owned(), ours)]));
        let libraries: Vec<_> = uses.libraries.keys().cloned().collect();
        (uses.names.join(" "), libraries.join(" "), uses.refused.is_some())
    }

    #[test]
    fn a_snippet_depends_on_what_it_imports_from() {
        let is = |names: &str, libraries: &str, refused| (names.to_owned(), libraries.to_owned(), refused);
        assert_eq!(told("{}"), is("", "", false));
        assert_eq!(told("import 'a'"), is("a b", "a b", false));
        assert_eq!(told("import 'ours'"), is("", "", false), "its own library, not the mounted one of that name");
        assert_eq!(told("import 'bad'"), is("*", "", true));
        assert_eq!(told("import 'c/gone'"), is("c", "c", false));
        assert_eq!(told("import 'later/x'"), is("*", "", false));
    }
}
