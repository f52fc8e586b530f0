//! Finds what a program imports among the files of its request. Never touches the file system.

mod literal;
mod lookup;
mod path;

use std::cell::RefCell;
use std::collections::BTreeMap;

use jrsonnet_evaluator::{
    AsPathLike, Error, ImportResolver, ResolvePath, Result, Source, SourcePath, Span, StackTraceElement,
    error::ErrorKind,
};
use jrsonnet_gcmodule::Acyclic;

pub(crate) use self::lookup::{Trees, find};
use crate::location::{Location, Reading, Root};
use crate::rewrite;
use crate::worker::pad;

/// Everything a program can import, and where it starts.
#[derive(Acyclic)]
pub(crate) struct Tree {
    /// The path of the entry file among `files`.
    pub(crate) entry: String,
    /// What diagnostics show for the entry file.
    pub(crate) label: String,
    /// The snippet's own files by path.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The files of each library by path, by alias.
    pub(crate) libraries: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Code that is no file, by the name shown for it.
    pub(crate) fragments: BTreeMap<String, String>,
    /// Whether the engine would misread a file, for the files asked about so far.
    pub(crate) misread: RefCell<BTreeMap<(Root, String), bool>>,
}

impl Tree {
    /// The source to start at.
    pub(crate) fn entry(&self) -> SourcePath {
        self.location(&(Root::Own, self.entry.clone()), Reading::Code).into_source()
    }

    /// Answers where `path` leads from the file that imports it: beside that file, else by library alias, else in any
    /// tree from its root.
    fn find(&self, from: &SourcePath, path: &str) -> Result<(Root, String), String> {
        let (root, importer) = self.importer(from);
        lookup::find(self, root, importer, path)
    }

    /// Where an import is written. Code that is no file imports as the entry file does.
    fn importer<'a>(&'a self, from: &'a SourcePath) -> (&'a Root, &'a str) {
        match Location::of(from) {
            Some(Location::File { root, path, .. }) => (root, path),
            Some(Location::Fragment(_)) | None => (&Root::Own, &self.entry),
        }
    }

    fn file(&self, root: &Root, path: &str) -> Option<&[u8]> {
        let files = match root {
            Root::Own => &self.files,
            Root::Library(alias) => self.libraries.get(alias)?,
        };
        files.get(path).map(Vec::as_slice)
    }

    /// The bytes behind a location, unchanged.
    fn content(&self, location: &Location) -> Option<&[u8]> {
        match location {
            Location::File { root, path, .. } => self.file(root, path),
            Location::Fragment(name) => self.fragments.get(name).map(String::as_bytes),
        }
    }

    fn location(&self, (root, path): &(Root, String), reading: Reading) -> Location {
        let shown = match root {
            Root::Own if *path == self.entry => self.label.clone(),
            Root::Own => path.clone(),
            Root::Library(alias) => format!("{alias}/{path}"),
        };
        Location::File { root: root.clone(), path: path.clone(), reading, shown }
    }

    /// Answers how to read `found`. One location serves both readings unless they differ, which keeps a file that is
    /// imported as code and as text one source.
    fn reading(&self, from: &SourcePath, path: &str, found: &(Root, String)) -> Result<Reading, String> {
        let misread = *self
            .misread
            .borrow_mut()
            .entry(found.clone())
            .or_insert_with(|| self.file(&found.0, &found.1).is_some_and(rewrite::misread));
        if !misread {
            return Ok(Reading::Code);
        }
        let readings =
            self.imports(from).fold((false, false), |seen, import| match (import.path == path, import.reading) {
                (false, _) => seen,
                (true, Reading::Code) => (true, seen.1),
                (true, Reading::Text) => (seen.0, true),
            });
        match readings {
            (true, false) => Ok(Reading::Code),
            (false, true) => Ok(Reading::Text),
            (true, true) | (false, false) => Err(format!(
                "cannot tell whether {path:?} is wanted as code or as text: as code it is rewritten (a block comment that ends \
                 with an even number of stars, the escape \\/, or a sign within a product), so import it once per file, by a plain string"
            )),
        }
    }

    fn imports(&self, from: &SourcePath) -> impl Iterator<Item = literal::Import> {
        let code = Location::of(from).and_then(|location| self.content(location)).unwrap_or_default();
        literal::imports(code)
    }

    /// The error at the first place in `from` that imports `path`; the engine adds no place of its own.
    fn refuse(&self, from: &SourcePath, path: &str, message: String) -> Error {
        let mut error = Error::new(ErrorKind::ImportCallbackError(message));
        let content = Location::of(from).and_then(|location| self.content(location));
        let place = self.imports(from).find(|import| import.path == path);
        if let (Some(Ok(code)), Some(import)) = (content.map(str::from_utf8), place)
            && let (Ok(start), Ok(end)) = (u32::try_from(import.range.start), u32::try_from(import.range.end))
        {
            let source = Source::new(from.clone(), code.into());
            error
                .trace_mut()
                .0
                .push(StackTraceElement { location: Some(Span(source, start, end)), desc: "import".to_owned() });
        }
        error
    }
}

impl Trees for Tree {
    fn has(&self, root: &Root, path: &str) -> bool {
        self.file(root, path).is_some()
    }

    fn is_library(&self, alias: &str) -> bool {
        self.libraries.contains_key(alias)
    }

    fn search(&self, path: &str) -> Option<String> {
        self.libraries.iter().find(|(_, files)| files.contains_key(path)).map(|(alias, _)| alias.clone())
    }
}

/// The paths that a piece of code imports, in order.
pub(crate) fn imports(code: &[u8]) -> impl Iterator<Item = String> {
    literal::imports(code).map(|import| import.path)
}

impl ImportResolver for Tree {
    fn resolve_from(&self, from: &SourcePath, path: &dyn AsPathLike) -> Result<SourcePath> {
        let path = match path.as_path() {
            ResolvePath::Str(path) => path.into(),
            ResolvePath::Path(path) => path.to_string_lossy(),
        };
        self.find(from, &path)
            .and_then(|found| {
                let reading = self.reading(from, &path, &found)?;
                Ok(self.location(&found, reading).into_source())
            })
            .map_err(|message| self.refuse(from, &path, message))
    }

    fn load_file_contents(&self, resolved: &SourcePath) -> Result<Vec<u8>> {
        let location = Location::of(resolved);
        let content = location.and_then(|location| self.content(location));
        let Some((location, content)) = location.zip(content) else {
            return Err(ErrorKind::ResolvedFileNotFound(resolved.clone()).into());
        };
        pad::loading(location);
        Ok(match location {
            Location::File { reading: Reading::Text, .. } => content.to_vec(),
            Location::File { .. } | Location::Fragment(_) => rewrite::rewrite(content).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
