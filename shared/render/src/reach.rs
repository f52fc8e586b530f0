//! Which libraries a program can reach by the imports that are written in it, without running it. Pure.
//!
//! Paths of imports are literals, so this is known beforehand: whatever the program does, it asks for nothing else.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::import::{Trees, find, imports};
use crate::location::Root;

/// Files by their path.
pub trait Files {
    /// The bytes of a file.
    fn file(&self, path: &str) -> Option<&[u8]>;
}

impl Files for BTreeMap<String, String> {
    fn file(&self, path: &str) -> Option<&[u8]> {
        self.get(path).map(String::as_bytes)
    }
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn file(&self, path: &str) -> Option<&[u8]> {
        self.get(path).map(Vec::as_slice)
    }
}

/// A program and all that it may import.
pub struct Program<'a> {
    /// The path of the entry file.
    pub entry: &'a str,
    /// Code that is no file; it imports as the entry file does.
    pub fragments: Vec<&'a str>,
    /// Its own files.
    pub own: &'a dyn Files,
    /// The files of each library by alias.
    pub libraries: BTreeMap<&'a str, &'a dyn Files>,
}

/// What a program asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Aliases that imports name, whether there is such a library or not.
    pub named: BTreeSet<String>,
    /// Libraries that files are taken from.
    pub taken: BTreeSet<String>,
    /// Whether an import that names no library is looked for in all of them.
    pub searches: bool,
    /// Whether there were more than [`MOST`] imports, so that not all of them were followed: it may reach anything.
    pub is_cut_short: bool,
}

/// Imports that are followed. Each may cost a look at every library, and anybody may write millions.
pub const MOST: usize = 10_000;

impl Program<'_> {
    /// Follows every import from the entry file on.
    pub fn reach(&self) -> Reach {
        let asked = RefCell::default();
        let watched = Watched { program: self, asked: &asked };
        let start = (Root::Own, self.entry.to_owned());
        let mut known = BTreeSet::from([start.clone()]);
        let mut open = vec![start];
        let mut left = MOST;
        let mut follow = |root: &Root, importer: &str, code: &[u8], open: &mut Vec<_>| {
            for import in imports(code) {
                if left == 0 {
                    asked.borrow_mut().is_cut_short = true;
                    open.clear();
                    return;
                }
                left -= 1;
                if let Ok(found) = find(&watched, root, importer, &import)
                    && known.insert(found.clone())
                {
                    open.push(found);
                }
            }
        };
        for code in &self.fragments {
            follow(&Root::Own, self.entry, code.as_bytes(), &mut open);
        }
        while let Some((root, path)) = open.pop() {
            if let Root::Library(alias) = &root {
                asked.borrow_mut().taken.insert(alias.clone());
            }
            if let Some(code) = self.file(&root, &path) {
                follow(&root, &path, code, &mut open);
            }
        }
        asked.into_inner()
    }

    fn file(&self, root: &Root, path: &str) -> Option<&[u8]> {
        match root {
            Root::Own => self.own.file(path),
            Root::Library(alias) => self.libraries.get(alias.as_str())?.file(path),
        }
    }
}

/// Notes what is asked for.
struct Watched<'a> {
    program: &'a Program<'a>,
    asked: &'a RefCell<Reach>,
}

impl Trees for Watched<'_> {
    fn has(&self, root: &Root, path: &str) -> bool {
        self.program.file(root, path).is_some()
    }

    fn is_library(&self, alias: &str) -> bool {
        self.asked.borrow_mut().named.insert(alias.to_owned());
        self.program.libraries.contains_key(alias)
    }

    fn search(&self, path: &str) -> Option<String> {
        self.asked.borrow_mut().searches = true;
        let found = self.program.libraries.iter().find(|(_, files)| files.file(path).is_some());
        found.map(|(alias, _)| (*alias).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(path, code)| ((*path).to_owned(), (*code).to_owned())).collect()
    }

    fn told(own: &[(&str, &str)], libraries: &[(&str, &[(&str, &str)])], fragments: &[&str]) -> String {
        let own = files(own);
        let libraries: Vec<_> = libraries.iter().map(|(alias, list)| (*alias, files(list))).collect();
        let program = Program {
            entry: "main.jsonnet",
            fragments: fragments.to_vec(),
            own: &own,
            libraries: libraries.iter().map(|(alias, files)| (*alias, files as &dyn Files)).collect(),
        };
        let reach = program.reach();
        let words = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(",");
        format!("{} | {} | {}", words(&reach.named), words(&reach.taken), reach.searches)
    }

    #[test]
    fn only_what_is_imported_by_what_is_imported_counts() {
        let a: (&str, &[_]) =
            ("a", &[("main.libsonnet", "import 'b/x.libsonnet'"), ("unused.libsonnet", "import 'd/y'")]);
        let b: (&str, &[_]) =
            ("b", &[("x.libsonnet", "import './z.libsonnet'"), ("z.libsonnet", "importstr 'c/text'")]);
        let c: (&str, &[_]) = ("c", &[("text", "no code: import"), ("main.libsonnet", "{}")]);
        let libraries = [a, b, c];
        let main = |code| [("main.jsonnet", code), ("other.jsonnet", "import 'e/never'")];
        assert_eq!(told(&main("{}"), &libraries, &[]), " |  | false");
        assert_eq!(told(&main("import 'a'"), &libraries, &[]), "a,b,c | a,b,c | false");
        assert_eq!(told(&main("import 'b/z.libsonnet'"), &libraries, &[]), "b,c | b,c | false");
        assert_eq!(told(&main("1"), &libraries, &["import 'c'"]), "c | c | false", "variables import, too");
    }

    #[test]
    fn no_more_imports_are_followed_than_anybody_needs() {
        let code = |imports: usize| (0..imports).map(|n| format!("import 'a{n}/x';")).collect::<String>();
        let told = |imports: usize| {
            let own = files(&[("main.jsonnet", &code(imports))]);
            let program = Program { entry: "main.jsonnet", fragments: vec![], own: &own, libraries: BTreeMap::new() };
            let reach = program.reach();
            (reach.named.len(), reach.is_cut_short)
        };
        assert_eq!(told(MOST), (MOST, false));
        assert_eq!(told(MOST + 5), (MOST, true));
    }

    #[test]
    fn what_is_not_there_is_named_and_what_is_beside_is_not() {
        let own = [
            ("main.jsonnet", "[import 'beside.libsonnet', import 'gone/x', import 'lib/y']"),
            ("beside.libsonnet", "1"),
        ];
        assert_eq!(told(&own, &[("lib", &[])], &[]), "gone,lib |  | true");
        let vendored =
            [("main.jsonnet", "import 'vendor/a.libsonnet'"), ("vendor/a.libsonnet", "import 'org/b'"), ("org/b", "1")];
        assert_eq!(
            told(&vendored, &[], &[]),
            "org |  | false",
            "its own files come first, but a library of that name would win"
        );
        let searched = [("main.jsonnet", "import 'org/b'")];
        assert_eq!(told(&searched, &[("x", &[("org/b", "1")])], &[]), "org | x | true");
    }
}
