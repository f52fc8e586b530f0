//! Looks at folders and reads what changed. Blocks.
//!
//! No path leads out of its root: a link is followed only inside of it, as those by which Kubernetes swaps the content of a ConfigMap in
//! one step. A library whose files change while they are read is read again with the next look.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use jaas_sources::archive::is_safe_name;
use jaas_sources::{Files, Limits};

use super::{Library, State, Trouble};

/// Folders inside of each other.
const DEPTH: usize = 32;
/// Links that lead nowhere are named up to this many.
const NAMED: usize = 5;

/// What is known of all roots.
#[derive(Debug, Default)]
pub struct Poll {
    roots: BTreeMap<PathBuf, Root>,
}

#[derive(Debug, Default)]
struct Root {
    libraries: BTreeMap<String, Known>,
    trouble: Option<String>,
}

#[derive(Debug, Default)]
struct Known {
    /// The listing that the library was read by.
    listing: Option<Listing>,
    library: Option<Arc<Library>>,
    refused: Option<String>,
    /// Its files changed while they were read.
    unsettled: bool,
}

/// Everything in a library, by its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listing {
    files: Vec<File>,
    bytes: u64,
    entries: u64,
    /// Links that lead out of the root, or nowhere.
    passed_over: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    /// Its path in the library.
    name: String,
    state: FileState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(meta: &Metadata) -> Self {
        Self {
            file: (meta.dev(), meta.ino()),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Why a library was not read.
enum NotRead {
    Refused(String),
    Changed,
}

impl Poll {
    /// Looks, and answers what is mounted now.
    pub fn look(mut self, roots: &[PathBuf]) -> (Self, State) {
        for path in roots {
            let root = self.roots.entry(path.clone()).or_default();
            root.trouble = root.look(path).err().map(|error| match error.kind() {
                io::ErrorKind::NotFound => "it does not exist; create it or correct --library-path".to_owned(),
                _ => format!("it cannot be read: {error}; check the mount and its permissions"),
            });
        }
        let state = self.state(roots);
        (self, state)
    }

    /// Whether a library could not be read because it changed meanwhile, and never was read before.
    pub fn is_unsettled(&self) -> bool {
        self.roots.values().flat_map(|root| root.libraries.values()).any(|it| it.unsettled && it.library.is_none())
    }

    fn state(&self, roots: &[PathBuf]) -> State {
        let mut state = State::default();
        for path in roots {
            let Some(root) = self.roots.get(path) else { continue };
            let mut tell = |path: &Path, message: String| {
                state.troubles.push(Trouble { path: path.display().to_string(), message });
            };
            if let Some(message) = &root.trouble {
                tell(path, message.clone());
            }
            for (alias, known) in &root.libraries {
                if let Some(why) = &known.refused {
                    let use_of_it = if known.library.is_some() { "; what was read before is used on" } else { "" };
                    tell(&path.join(alias), format!("{why}{use_of_it}"));
                }
                let passed_over =
                    known.listing.as_ref().map(|listing| listing.passed_over.as_slice()).unwrap_or_default();
                if !passed_over.is_empty() {
                    let names =
                        passed_over.iter().take(NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                    let what = format!("links that lead out of the folder, or nowhere, are passed over: {names}");
                    tell(&path.join(alias), what);
                }
                state.libraries.remove(alias);
                state.refused.remove(alias);
                match (&known.library, &known.refused) {
                    (Some(library), _) => drop(state.libraries.insert(alias.clone(), Arc::clone(library))),
                    (None, why) => {
                        let why = why.clone().unwrap_or_else(|| "it keeps changing while it is read".to_owned());
                        state.refused.insert(alias.clone(), why);
                    }
                }
            }
        }
        state
    }
}

impl Root {
    fn look(&mut self, path: &Path) -> io::Result<()> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        let mut aliases = Vec::new();
        for entry in dir.entries()? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            // What is no folder, be it behind a link, is no library.
            let is_folder = is_safe_name(&name) && dir.metadata(&name).is_ok_and(|meta| meta.is_dir());
            if is_folder {
                aliases.push(name);
            }
        }
        self.libraries.retain(|alias, _| aliases.contains(alias));
        for alias in aliases {
            let known = self.libraries.entry(alias.clone()).or_default();
            known.look(&dir, &alias);
        }
        Ok(())
    }
}

impl Known {
    fn look(&mut self, root: &Dir, alias: &str) {
        let listing = match list(root, alias) {
            Ok(listing) => listing,
            Err(why) => {
                (self.refused, self.unsettled) = (Some(why), false);
                return;
            }
        };
        if self.library.is_some() && self.listing.as_ref() == Some(&listing) {
            (self.refused, self.unsettled) = (None, false);
            return;
        }
        match read(root, alias, &listing) {
            Ok(files) => {
                let library = Library::new(files);
                // Another state of the same bytes is no other library.
                if self.library.as_ref().is_none_or(|known| **known != library) {
                    self.library = Some(Arc::new(library));
                }
                (self.listing, self.refused, self.unsettled) = (Some(listing), None, false);
            }
            Err(NotRead::Refused(why)) => (self.refused, self.unsettled) = (Some(why), false),
            Err(NotRead::Changed) => self.unsettled = true,
        }
    }
}

/// Everything in a library.
fn list(root: &Dir, alias: &str) -> Result<Listing, String> {
    let mut listing = Listing::default();
    descend(root, alias, "", &mut Vec::new(), &mut listing)?;
    listing.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listing)
}

fn descend(
    root: &Dir,
    folder: &str,
    prefix: &str,
    above: &mut Vec<(u64, u64)>,
    listing: &mut Listing,
) -> Result<(), String> {
    let limits = Limits::default();
    let failed = |path: &str, error: &io::Error| format!("`{path}` cannot be read: {error}; check its permissions");
    let here = root.metadata(folder).map_err(|error| failed(folder, &error))?;
    let id = (here.dev(), here.ino());
    // A link that leads back up.
    if above.contains(&id) {
        return Ok(());
    }
    if above.len() >= DEPTH {
        return Err(format!("`{folder}` lies deeper than {DEPTH} folders"));
    }
    above.push(id);
    for entry in root.read_dir(folder).map_err(|error| failed(folder, &error))? {
        let entry = entry.map_err(|error| failed(folder, &error))?;
        listing.entries += 1;
        if listing.entries > limits.entries {
            return Err(format!("it holds more than {} entries", limits.entries));
        }
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_safe_name(&name) {
            continue;
        }
        let (path, name) = (format!("{folder}/{name}"), format!("{prefix}{name}"));
        let meta = match root.metadata(&path) {
            Ok(meta) => meta,
            Err(error) if is_link(root, &path) && leads_nowhere(&error) => {
                listing.passed_over.push(name);
                continue;
            }
            // Gone between the listing and the look.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&path, &error)),
        };
        if meta.is_dir() {
            descend(root, &path, &format!("{name}/"), above, listing)?;
        } else if meta.is_file() {
            let size = meta.len();
            if size > limits.file {
                return Err(format!("`{name}` is of {size} bytes, of which {} may be", limits.file));
            }
            listing.bytes += size;
            if listing.bytes > limits.total {
                return Err(format!("it holds more than {} bytes", limits.total));
            }
            listing.files.push(File { name, state: FileState::of(&meta) });
        }
    }
    above.pop();
    Ok(())
}

fn is_link(root: &Dir, path: &str) -> bool {
    root.symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
}

/// Out of the root, to nothing, or in a circle. The first is no error of the system, so it has no number.
fn leads_nowhere(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || (error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none())
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// The files of a listing, if they still are what it says.
fn read(root: &Dir, alias: &str, listing: &Listing) -> Result<Files, NotRead> {
    let mut files = Files::new();
    for file in &listing.files {
        files.insert(file.name.clone(), read_file(root, &format!("{alias}/{}", file.name), file)?);
    }
    match list(root, alias) {
        Ok(now) if now == *listing => Ok(files),
        _ => Err(NotRead::Changed),
    }
}

fn read_file(root: &Dir, path: &str, file: &File) -> Result<Vec<u8>, NotRead> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => NotRead::Changed,
        _ => NotRead::Refused(format!("`{}` cannot be read: {error}; check its permissions", file.name)),
    };
    let mut options = OpenOptions::new();
    // A fifo in place of the file that was seen is not waited for.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let opened = root.open_with(path, &options).map_err(refused)?;
    let meta = opened.metadata().map_err(refused)?;
    if !meta.is_file() || FileState::of(&meta) != file.state {
        return Err(NotRead::Changed);
    }
    let mut bytes = Vec::new();
    opened.take(file.state.size + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 == file.state.size { Ok(bytes) } else { Err(NotRead::Changed) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Folders {
        work: tempfile::TempDir,
        poll: Poll,
    }

    impl Folders {
        fn new() -> Self {
            Self { work: tempfile::tempdir().unwrap(), poll: Poll::default() }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.work.path().join(path)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn look(&mut self, roots: &[&str]) -> State {
            let roots: Vec<_> = roots.iter().map(|root| self.path(root)).collect();
            let (poll, state) = std::mem::take(&mut self.poll).look(&roots);
            self.poll = poll;
            state
        }
    }

    fn text(state: &State, alias: &str, name: &str) -> Option<String> {
        let bytes = state.libraries.get(alias)?.files.get(name)?;
        Some(String::from_utf8(bytes.clone()).unwrap())
    }

    #[test]
    fn folders_are_libraries_and_the_last_root_counts() {
        let mut folders = Folders::new();
        folders.write("one/lib/main.libsonnet", "1");
        folders.write("one/lib/only-here.json", "{}");
        folders.write("one/other/deep/er/x.txt", "text");
        folders.write("one/file-at-the-root", "no library");
        folders.write("one/.hidden/main.libsonnet", "no library");
        folders.write("one/lib/.hidden", "no file");
        folders.write("two/lib/main.libsonnet", "2");
        let state = folders.look(&["one", "two", "nowhere"]);
        assert_eq!(state.libraries.keys().collect::<Vec<_>>(), ["lib", "other"]);
        assert_eq!(text(&state, "lib", "main.libsonnet").as_deref(), Some("2"));
        assert_eq!(text(&state, "lib", "only-here.json"), None);
        assert_eq!(text(&state, "other", "deep/er/x.txt").as_deref(), Some("text"));
        assert_eq!(state.libraries["lib"].files.len(), 1);
        assert_eq!(state.troubles.len(), 1);
        assert!(state.troubles[0].message.contains("does not exist"), "{state:?}");
    }

    #[test]
    fn links_lead_where_they_stay_inside() {
        let mut folders = Folders::new();
        folders.write("secret/key", "secret");
        // As the kubelet lays out a ConfigMap: below the alias, and at the root.
        folders.write("root/map/..2024_1/main.libsonnet", "1");
        symlink("..2024_1", folders.path("root/map/..data")).unwrap();
        symlink("..data/main.libsonnet", folders.path("root/map/main.libsonnet")).unwrap();
        folders.write("root/..2024_1/top/main.libsonnet", "1");
        symlink("..2024_1", folders.path("root/..data")).unwrap();
        symlink("..data/top", folders.path("root/top")).unwrap();
        symlink("../../secret/key", folders.path("root/map/out")).unwrap();
        symlink(folders.path("secret/key"), folders.path("root/map/absolute")).unwrap();
        symlink("nothing", folders.path("root/map/dangling")).unwrap();
        symlink("round", folders.path("root/map/round")).unwrap();
        symlink(".", folders.path("root/map/self")).unwrap();
        symlink("../secret", folders.path("root/outside")).unwrap();
        let state = folders.look(&["root"]);
        assert_eq!(state.libraries.keys().collect::<Vec<_>>(), ["map", "top"]);
        for alias in ["map", "top"] {
            let files = &state.libraries[alias].files;
            assert_eq!(files.keys().collect::<Vec<_>>(), ["main.libsonnet"], "{alias}");
        }
        let told = &state.troubles[0].message;
        for name in ["`out`", "`absolute`", "`dangling`", "`round`"] {
            assert!(told.contains(name), "{told}");
        }

        // The swap: a new folder, and a link that is renamed over the old one.
        folders.write("root/map/..2024_2/main.libsonnet", "2");
        symlink("..2024_2", folders.path("root/map/..data_tmp")).unwrap();
        fs::rename(folders.path("root/map/..data_tmp"), folders.path("root/map/..data")).unwrap();
        let after = folders.look(&["root"]);
        assert_eq!(text(&after, "map", "main.libsonnet").as_deref(), Some("2"));
        assert!(Arc::ptr_eq(&state.libraries["top"], &after.libraries["top"]), "what did not change is not read again");
    }

    #[test]
    fn what_is_too_large_is_refused_and_what_was_read_stays() {
        let mut folders = Folders::new();
        folders.write("root/lib/main.libsonnet", "1");
        let file = fs::File::create(folders.path("root/large")).unwrap();
        file.set_len(Limits::default().file + 1).unwrap();
        fs::create_dir(folders.path("root/never")).unwrap();
        fs::rename(folders.path("root/large"), folders.path("root/never/large")).unwrap();
        let state = folders.look(&["root"]);
        let message = &state.refused["never"];
        assert!(message.contains("`large` is of 16777217 bytes, of which 16777216 may be"), "{message}");
        assert!(state.knows("never") && state.knows("lib"));

        fs::hard_link(folders.path("root/never/large"), folders.path("root/lib/large")).unwrap();
        let state = folders.look(&["root"]);
        assert_eq!(text(&state, "lib", "main.libsonnet").as_deref(), Some("1"));
        assert!(state.troubles.iter().any(|it| it.message.contains("what was read before is used on")), "{state:?}");
        fs::remove_file(folders.path("root/lib/large")).unwrap();
        folders.write("root/lib/main.libsonnet", "22");
        assert_eq!(text(&folders.look(&["root"]), "lib", "main.libsonnet").as_deref(), Some("22"));
    }

    #[test]
    fn a_fifo_is_not_waited_for() {
        let mut folders = Folders::new();
        folders.write("root/lib/main.libsonnet", "1");
        let made = std::process::Command::new("mkfifo").arg(folders.path("root/lib/fifo")).status().unwrap();
        assert!(made.success());
        let state = folders.look(&["root"]);
        assert_eq!(state.libraries["lib"].files.len(), 1);
    }
}
