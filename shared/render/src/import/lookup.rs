//! Where an import leads: the order in which trees are asked. Pure.

use super::path;
use crate::location::Root;

/// The file that stands for a library when its alias alone is imported.
const LIBRARY_MAIN: &str = "main.libsonnet";

/// The trees of a program.
pub(crate) trait Trees {
    /// Whether a tree has a file.
    fn has(&self, root: &Root, path: &str) -> bool;
    /// Whether there is a library of this alias.
    fn is_library(&self, alias: &str) -> bool;
    /// The first library, by alias, that has this path.
    fn search(&self, path: &str) -> Option<String>;
}

/// Answers where `path` leads from the file `importer` of `root`: beside that file, else by library alias, else in any tree from its
/// root, the program's own first.
pub(crate) fn find(trees: &impl Trees, root: &Root, importer: &str, path: &str) -> Result<(Root, String), String> {
    if path.is_empty() {
        return Err("import path is empty".to_owned());
    }
    if let Some(beside) = path::beside(importer, path)
        && trees.has(root, &beside)
    {
        return Ok((root.clone(), beside));
    }
    let (alias, rest) = path.split_once('/').map_or((path, None), |(alias, rest)| (alias, Some(rest)));
    let library = || Root::Library(alias.to_owned());
    match (trees.is_library(alias), rest) {
        (true, None) if trees.has(&library(), LIBRARY_MAIN) => Ok((library(), LIBRARY_MAIN.to_owned())),
        (true, None) => Err(format!("library {alias:?} has no {LIBRARY_MAIN}")),
        (true, Some(rest)) => {
            let wanted = path::clean(rest);
            if trees.has(&library(), &wanted) {
                Ok((library(), wanted))
            } else {
                Err(format!("file {wanted:?} not found in library {alias:?}"))
            }
        }
        (false, _) => {
            let wanted = path::clean(path);
            if trees.has(&Root::Own, &wanted) {
                return Ok((Root::Own, wanted));
            }
            match trees.search(&wanted) {
                Some(alias) => Ok((Root::Library(alias), wanted)),
                None => Err(format!("import {path:?} matches no sibling file or library alias")),
            }
        }
    }
}
