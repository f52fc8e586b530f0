//! Collects what a program can import from places that are asked file by file, without running it.
//!
//! Paths of imports are literals, so all that an evaluation can ask for is known beforehand; only that is read.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::import::{Trees, find, imports};
use crate::location::Root;

/// Where files are read from.
pub trait Place {
    /// The bytes of a file, unless there is none or it is larger than `most` bytes, which is `TooLarge`.
    ///
    /// # Errors
    /// [`TooLarge`].
    fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, TooLarge>;
}

/// The files of a program would take more than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program and what it imports are of more than {limit} bytes")]
pub struct TooLarge {
    /// Bytes that they may take.
    pub limit: u64,
}

/// What a program can import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Its own files by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Files of each library by path, by alias.
    pub libraries: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

/// Reads the entry file and, on and on, what is imported; an import that leads nowhere is left to the evaluation. All files together may
/// take `limit` bytes.
///
/// # Errors
/// [`TooLarge`].
pub fn collect(
    entry: &str,
    own: &dyn Place,
    libraries: &BTreeMap<String, &dyn Place>,
    limit: u64,
) -> Result<Collected, TooLarge> {
    let reading = Reading { own, libraries, left: Cell::new(limit), full: Cell::new(false), known: RefCell::default() };
    let start = (Root::Own, entry.to_owned());
    let mut seen = BTreeSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some((root, path)) = open.pop() {
        let code = reading.file(&root, &path).unwrap_or_default();
        for import in imports(&code) {
            if let Ok(found) = find(&reading, &root, &path, &import)
                && seen.insert(found.clone())
            {
                open.push(found);
            }
        }
        if reading.full.get() {
            return Err(TooLarge { limit });
        }
    }
    let mut collected = Collected::default();
    for ((root, path), bytes) in reading.known.into_inner() {
        let Some(bytes) = bytes.filter(|_| seen.contains(&(root.clone(), path.clone()))) else { continue };
        let files = match root {
            Root::Own => &mut collected.files,
            Root::Library(alias) => collected.libraries.entry(alias).or_default(),
        };
        files.insert(path, Rc::unwrap_or_clone(bytes));
    }
    Ok(collected)
}

type Known = BTreeMap<(Root, String), Option<Rc<Vec<u8>>>>;

/// What has been asked for.
struct Reading<'a> {
    own: &'a dyn Place,
    libraries: &'a BTreeMap<String, &'a dyn Place>,
    left: Cell<u64>,
    full: Cell<bool>,
    known: RefCell<Known>,
}

impl Reading<'_> {
    fn file(&self, root: &Root, path: &str) -> Option<Rc<Vec<u8>>> {
        let key = (root.clone(), path.to_owned());
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let place = match root {
            Root::Own => self.own,
            Root::Library(alias) => *self.libraries.get(alias)?,
        };
        let read = if self.full.get() { Ok(None) } else { place.read(path, self.left.get()) };
        let read = read.unwrap_or_else(|TooLarge { .. }| {
            self.full.set(true);
            None
        });
        let read = read.map(Rc::new);
        let size = read.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.left.set(self.left.get().saturating_sub(size));
        self.known.borrow_mut().insert(key, read.clone());
        read
    }
}

impl Trees for Reading<'_> {
    fn has(&self, root: &Root, path: &str) -> bool {
        self.file(root, path).is_some()
    }

    fn is_library(&self, alias: &str) -> bool {
        self.libraries.contains_key(alias)
    }

    fn search(&self, path: &str) -> Option<String> {
        let has = |alias: &&String| self.has(&Root::Library((*alias).clone()), path);
        self.libraries.keys().find(has).cloned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Default)]
    struct Folder {
        files: BTreeMap<&'static str, &'static str>,
        asked: RefCell<Vec<String>>,
    }

    impl Folder {
        fn of(files: &[(&'static str, &'static str)]) -> Self {
            Self { files: files.iter().copied().collect(), asked: RefCell::default() }
        }
    }

    impl Place for Folder {
        fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, TooLarge> {
            self.asked.borrow_mut().push(path.to_owned());
            match self.files.get(path) {
                Some(text) if text.len() as u64 > most => Err(TooLarge { limit: most }),
                Some(text) => Ok(Some(text.as_bytes().to_vec())),
                None => Ok(None),
            }
        }
    }

    fn paths(collected: &Collected) -> Vec<String> {
        let own = collected.files.keys().cloned();
        let libraries = collected
            .libraries
            .iter()
            .flat_map(|(alias, files)| files.keys().map(move |path| format!("{alias}:{path}")));
        own.chain(libraries).collect()
    }

    #[test]
    fn only_what_is_imported_is_read_and_each_file_once() {
        let own = Folder::of(&[
            ("app/main.jsonnet", "(import 'a.libsonnet') + (import '../shared.libsonnet') + (import 'lib/x')"),
            ("app/a.libsonnet", "import 'lib/x'"),
            ("shared.libsonnet", "importstr 'app/a.libsonnet'"),
            ("unused.libsonnet", "import 'b'"),
        ]);
        let (first, second) =
            (Folder::of(&[("lib/y", "3")]), Folder::of(&[("lib/x", "import 'y'"), ("lib/y", "2"), ("lib/z", "1")]));
        let libraries =
            BTreeMap::from([("0/first".to_owned(), &first as &dyn Place), ("1/second".to_owned(), &second)]);
        let collected = collect("app/main.jsonnet", &own, &libraries, 1000).unwrap();
        assert_eq!(
            paths(&collected),
            ["app/a.libsonnet", "app/main.jsonnet", "shared.libsonnet", "1/second:lib/x", "1/second:lib/y"],
            "beside the importing file comes before the first library"
        );
        let mut asked = own.asked.into_inner();
        asked.sort();
        let all = asked.len();
        asked.dedup();
        assert_eq!(asked.len(), all, "{asked:?}");
        assert!(!asked.contains(&"unused.libsonnet".to_owned()));
    }

    #[test]
    fn what_is_collected_evaluates_as_it_lies() {
        let own = Folder::of(&[
            ("app/main.jsonnet", "{ a: import 'lib/x', b: importstr 'text' }"),
            ("app/text", "import 'no'"),
        ]);
        let library = Folder::of(&[("lib/x", "(import 'y') + 1"), ("lib/y", "1")]);
        let libraries = BTreeMap::from([("0/l".to_owned(), &library as &dyn Place)]);
        let Collected { files, libraries } = collect("app/main.jsonnet", &own, &libraries, 1000).unwrap();
        let request = crate::Request {
            label: "app".to_owned(),
            entry: "app/main.jsonnet".to_owned(),
            files,
            libraries,
            external_variables: BTreeMap::new(),
            top_level_arguments: BTreeMap::new(),
            output: crate::Output::Json,
            max_stack: 0,
        };
        let rendered = crate::evaluate(&request).unwrap();
        assert_eq!(String::from_utf8(rendered.bytes).unwrap(), "{\n   \"a\": 2,\n   \"b\": \"import 'no'\"\n}\n");
    }

    #[test]
    fn what_leads_nowhere_is_left_out_and_too_much_is_refused() {
        let own =
            Folder::of(&[("main.jsonnet", "[import 'gone', import '../../etc/passwd', import 'b']"), ("b", "12345")]);
        let none = BTreeMap::new();
        assert_eq!(paths(&collect("main.jsonnet", &own, &none, 1000).unwrap()), ["b", "main.jsonnet"]);
        assert_eq!(collect("gone", &own, &none, 1000), Ok(Collected::default()));
        let all = own.files.values().map(|text| text.len() as u64).sum();
        assert!(collect("main.jsonnet", &own, &none, all).is_ok());
        assert_eq!(collect("main.jsonnet", &own, &none, all - 1), Err(TooLarge { limit: all - 1 }));
        assert_eq!(collect("main.jsonnet", &own, &none, 10), Err(TooLarge { limit: 10 }), "the entry file itself");
    }
}
