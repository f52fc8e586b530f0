//! Snippets by their names, and what they import. Blocks.
//!
//! No path leads out of its folder: a link is followed only inside of it, as those by which Kubernetes swaps the content of a ConfigMap in
//! one step. Everything is read anew for each request.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use jaas_render::collect::{self, Collected, Place, TooLarge};

use crate::config::Renderer as Settings;

/// The file that stands for a snippet of a folder.
const MAIN: &str = "main.jsonnet";

/// A snippet, and the folder that it may import from.
#[derive(Debug)]
pub(super) struct Found {
    own: Own,
    entry: String,
    label: String,
}

/// Looks for a snippet: among the files that were named, then in the folders in their order.
pub(super) fn find(settings: &Settings, name: &str) -> Option<Found> {
    if let Some(path) = settings.snippets.iter().find(|path| *path == name) {
        return Some(named(path));
    }
    let name = safe(name)?;
    settings.directories.iter().find_map(|directory| {
        // One that is not there may come yet.
        let dir = Dir::open_ambient_dir(directory, ambient_authority()).ok()?;
        let path = format!("{name}/{MAIN}");
        if !dir.metadata(&path).ok()?.is_file() {
            return None;
        }
        let own = Own { dir: Some(dir), prefix: prefix(directory), file: None };
        let label = directory.join(&path).display().to_string();
        Some(Found { entry: own.named(&path), own, label })
    })
}

/// A file that was named itself. That it is not there is for the evaluation to say.
fn named(path: &str) -> Found {
    let file = Path::new(path);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).ok();
    let mut own = Own { dir, prefix: prefix(folder), file: None };
    let entry = own.named(&name);
    own.file = Some((entry.clone(), file.to_owned()));
    Found { own, entry, label: path.to_owned() }
}

impl Found {
    /// What diagnostics call the entry file.
    pub(super) fn label(&self) -> String {
        self.label.clone()
    }

    /// The entry file among [`Collected::files`].
    pub(super) fn entry(&self) -> String {
        self.entry.clone()
    }

    /// Reads the snippet and all that it can import.
    pub(super) fn collect(self, libraries: &Libraries, limit: u64) -> Result<Collected, TooLarge> {
        let opened: BTreeMap<_, _> = libraries
            .0
            .iter()
            .filter_map(|(alias, path)| Some((alias, Dir::open_ambient_dir(path, ambient_authority()).ok()?)))
            .map(|(alias, dir)| (alias.clone(), Library(dir)))
            .collect();
        let places = opened.iter().map(|(alias, library)| (alias.clone(), library as &dyn Place)).collect();
        collect::collect(&self.entry, &self.own, &places, limit)
    }
}

/// Folders that imports are looked for in, by a word that sorts the last of them first.
#[derive(Clone, Debug)]
pub(super) struct Libraries(BTreeMap<String, PathBuf>);

impl Libraries {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        // No import begins with such a word: it holds a slash.
        let word = |number: usize, path: &Path| format!("{number:03}/{}", prefix(path));
        Self(paths.iter().rev().enumerate().map(|(number, path)| (word(number, path), path.clone())).collect())
    }
}

/// The folder of a snippet. Its files are called by their whole paths, so that no import from a library is taken for one of them.
#[derive(Debug)]
struct Own {
    dir: Option<Dir>,
    prefix: String,
    /// A file that was named itself and may be a link to anywhere.
    file: Option<(String, PathBuf)>,
}

impl Own {
    fn named(&self, path: &str) -> String {
        format!("{}/{path}", self.prefix)
    }
}

impl Place for Own {
    fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, TooLarge> {
        if let Some((_, file)) = self.file.as_ref().filter(|(name, _)| name == path) {
            let opened = File::open_ambient_with(file, &options(), ambient_authority());
            return opened.map_or(Ok(None), |file| content(file, most));
        }
        let inside = path.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let opened = self.dir.as_ref().zip(inside).and_then(|(dir, path)| dir.open_with(path, &options()).ok());
        opened.map_or(Ok(None), |file| content(file, most))
    }
}

struct Library(Dir);

impl Place for Library {
    fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, TooLarge> {
        self.0.open_with(path, &options()).map_or(Ok(None), |file| content(file, most))
    }
}

/// How files are opened: a fifo is not waited for.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    options
}

/// The bytes of a file; what is none, or cannot be read, counts as absent.
fn content(file: File, most: u64) -> Result<Option<Vec<u8>>, TooLarge> {
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    if file.take(most.saturating_add(1)).read_to_end(&mut bytes).is_err() {
        return Ok(None);
    }
    if bytes.len() as u64 > most { Err(TooLarge { limit: most }) } else { Ok(Some(bytes)) }
}

/// A name as a path in a folder; `None` for one that climbs or begins at the root.
fn safe(name: &str) -> Option<String> {
    if name.starts_with('/') || name.split('/').any(|segment| segment == "..") {
        return None;
    }
    let segments: Vec<_> = name.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    (!segments.is_empty()).then(|| segments.join("/"))
}

/// A path as files are called below it.
fn prefix(path: &Path) -> String {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    let named = names.collect::<Vec<_>>().join("/");
    // Of the root and of the working directory nothing is left, and a file below must not be found by its bare name.
    if named.is_empty() { "~".to_owned() } else { named }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::Listener;

    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new(files: &[(&str, &str)]) -> Self {
            let folders = Self(tempfile::tempdir().unwrap());
            for (path, text) in files {
                folders.write(path, text);
            }
            folders
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn settings(&self, snippets: &[&str], directories: &[&str]) -> Settings {
            let listener = Listener {
                host: String::new(),
                port: 1,
                read_timeout: std::time::Duration::ZERO,
                write_timeout: std::time::Duration::ZERO,
            };
            Settings {
                listener,
                endpoint: "jsonnet".to_owned(),
                snippets: snippets.iter().map(|path| self.path(path).display().to_string()).collect(),
                directories: directories.iter().map(|path| self.path(path)).collect(),
            }
        }

        /// What is read for a snippet: its entry first, then what it imports.
        fn read(&self, settings: &Settings, name: &str, libraries: &[&str]) -> Option<Vec<String>> {
            let found = find(settings, name)?;
            let entry = found.entry();
            let paths: Vec<_> = libraries.iter().map(|path| self.path(path)).collect();
            let collected = found.collect(&Libraries::new(&paths), 1000).unwrap();
            let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
            let first = collected.files.get(&entry).map(&text);
            let others = collected.files.iter().filter(|(path, _)| **path != entry).map(|(_, bytes)| text(bytes));
            let libraries = collected.libraries.values().flat_map(|files| files.values().map(&text));
            Some(first.into_iter().chain(others).chain(libraries).collect())
        }
    }

    #[test]
    fn folders_are_asked_in_their_order_and_a_named_file_comes_first() {
        let folders = Folders::new(&[
            ("one/app/main.jsonnet", "1"),
            ("two/app/main.jsonnet", "2"),
            ("two/deep/er/main.jsonnet", "3"),
            ("two/empty/other.jsonnet", "no"),
            ("single.jsonnet", "4"),
        ]);
        let settings = folders.settings(&["single.jsonnet", "gone.jsonnet"], &["missing", "one", "two"]);
        let read = |name: &str| folders.read(&settings, name, &[]);
        let some = |text: &str| Some(vec![text.to_owned()]);
        assert_eq!(read("app"), some("1"));
        assert_eq!(read("app/"), some("1"));
        assert_eq!(read("deep/er"), some("3"));
        assert_eq!(read("deep//./er"), some("3"));
        let path = |name: &str| folders.path(name).display().to_string();
        assert_eq!(read(&path("single.jsonnet")), some("4"));
        assert_eq!(read(&path("gone.jsonnet")), Some(Vec::new()), "the evaluation says that it is not there");
        for absent in ["", "/", ".", "deep", "empty", "nothing", "../one/app", "app/../app", "a\0b", &path("one/app")] {
            assert_eq!(read(absent), None, "{absent:?}");
        }
        folders.write("missing/app/main.jsonnet", "5");
        assert_eq!(read("app"), some("5"), "a folder may come later, and files may change");
        folders.write("missing/app/main.jsonnet", "6");
        assert_eq!(read("app"), some("6"));
    }

    #[test]
    fn nothing_leads_out_of_a_folder() {
        let folders = Folders::new(&[
            ("secret/main.jsonnet", "'secret'"),
            ("one/shared.libsonnet", "'shared'"),
            (
                "one/app/main.jsonnet",
                "[import '../shared.libsonnet', importstr '../../secret/main.jsonnet', import 'link.libsonnet']",
            ),
            ("one/map/..2024_1/main.jsonnet", "'mapped'"),
        ]);
        symlink(folders.path("secret"), folders.path("one/out")).unwrap();
        symlink("../../secret/main.jsonnet", folders.path("one/app/link.libsonnet")).unwrap();
        symlink("..2024_1", folders.path("one/map/..data")).unwrap();
        symlink("..data/main.jsonnet", folders.path("one/map/main.jsonnet")).unwrap();
        fs::create_dir_all(folders.path("one/fifo")).unwrap();
        let fifo = folders.path("one/fifo/main.jsonnet");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        fs::create_dir_all(folders.path("one/folder/main.jsonnet")).unwrap();
        let settings = folders.settings(&[], &["one"]);
        for absent in ["out", "fifo", "folder"] {
            assert_eq!(folders.read(&settings, absent, &[]), None, "{absent}");
        }
        assert_eq!(folders.read(&settings, "map", &[]).unwrap(), ["'mapped'"]);
        assert_eq!(folders.read(&settings, "app", &[]).unwrap()[1..], ["'shared'"]);
    }

    #[test]
    fn imports_are_looked_for_beside_and_then_in_the_last_library_first() {
        let folders = Folders::new(&[
            ("one/app/main.jsonnet", "[import 'a', import 'lib/b', import 'lib/c', import 'lib']"),
            ("one/app/a", "'beside'"),
            ("one/lib/b", "'not below the folder'"),
            ("first/a", "'never'"),
            ("first/lib/b", "'never'"),
            ("first/lib/c", "'first'"),
            ("last/lib/b", "(import '../x')"),
            ("last/x", "'of the library'"),
            ("last/lib/main.libsonnet", "'no alias'"),
        ]);
        let settings = folders.settings(&[], &["one"]);
        let read = folders.read(&settings, "app", &["first", "missing", "last"]).unwrap();
        assert_eq!(read[1..], ["'beside'", "(import '../x')", "'of the library'", "'first'"]);
    }

    #[test]
    fn a_named_file_may_be_a_link_and_imports_beside_it() {
        let folders = Folders::new(&[("elsewhere/real", "import 'b'"), ("here/b", "'beside the link'")]);
        symlink(folders.path("elsewhere/real"), folders.path("here/app.jsonnet")).unwrap();
        let settings = folders.settings(&["here/app.jsonnet"], &[]);
        let name = folders.path("here/app.jsonnet").display().to_string();
        assert_eq!(folders.read(&settings, &name, &[]).unwrap(), ["import 'b'", "'beside the link'"]);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let folders = Folders::new(&[("one/app/main.jsonnet", &"x".repeat(2000))]);
        let settings = folders.settings(&[], &["one"]);
        let found = find(&settings, "app").unwrap();
        assert_eq!(found.collect(&Libraries::new(&[]), 1000), Err(TooLarge { limit: 1000 }));
    }
}
