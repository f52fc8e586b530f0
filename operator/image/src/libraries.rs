//! The shared libraries that a program links, and which of their many versions they have to be.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};
use object::{Endianness, elf};
use sha2::{Digest, Sha256};

/// Where the loader looks (`ld.so(8)`), with the folders of Debian's multiarch.
const FOLDERS: [&str; 4] = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"];
/// What the kernel provides.
const VDSO: &str = "linux-vdso.so.1";

/// A shared library, or the loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Where programs look for it.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl Library {
    fn read(path: &Path) -> Result<Self> {
        let content = fs::read(path).with_context(|| format!("reading the library {}", path.display()))?;
        Ok(Self { path: path.display().to_string(), content })
    }

    fn digest(&self) -> String {
        hex::encode(Sha256::digest(&self.content))
    }
}

/// The loader of a program and everything that it and its libraries link, in the order of the paths. None for a static program.
///
/// # Errors
/// When one is not an ELF file of 64 bits, or a library is nowhere.
pub fn of(program: &Path) -> Result<Vec<Library>> {
    let content = fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    let linked = Linked::read(&content).with_context(|| format!("reading {}", program.display()))?;
    let mut found = BTreeMap::new();
    if let Some(loader) = linked.loader {
        let library = Library::read(Path::new(&loader))?;
        found.insert(loader, library);
    }
    let mut wanted: VecDeque<String> = linked.needed.into();
    while let Some(name) = wanted.pop_front() {
        let is_known = name == VDSO || found.keys().any(|path: &String| path.ends_with(&format!("/{name}")));
        if is_known {
            continue;
        }
        let path = locate(&name)?;
        let library = Library::read(&path)?;
        wanted.extend(Linked::read(&library.content).with_context(|| format!("reading {}", path.display()))?.needed);
        found.insert(library.path.clone(), library);
    }
    Ok(found.into_values().collect())
}

fn locate(name: &str) -> Result<PathBuf> {
    let mut places = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    places.find(|path| path.exists()).with_context(|| format!("the library {name} is in none of {FOLDERS:?}"))
}

/// What the header of a program names.
#[derive(Debug, Default)]
struct Linked {
    loader: Option<String>,
    needed: Vec<String>,
}

impl Linked {
    fn read(content: &[u8]) -> Result<Self> {
        let header = FileHeader64::<Endianness>::parse(content).context("it is no ELF file of 64 bits")?;
        let endian = header.endian()?;
        ensure!(header.e_machine(endian) == elf::EM_X86_64, "it is not made for x86-64");
        let mut linked = Self::default();
        for segment in header.program_headers(endian, content)? {
            if let Some(loader) = segment.interpreter(endian, content)? {
                linked.loader = Some(std::str::from_utf8(loader)?.to_owned());
            }
        }
        let sections = header.sections(endian, content)?;
        if let Some((entries, index)) = sections.dynamic(endian, content)? {
            let strings = sections.strings(endian, content, index)?;
            for entry in entries {
                if entry.tag(endian) == DT_NEEDED {
                    let name = entry.string(endian, strings)?;
                    linked.needed.push(std::str::from_utf8(name)?.to_owned());
                }
            }
        }
        Ok(linked)
    }
}

/// The libraries that an image is made of: a line each, digest, path, and the package that has it.
pub struct Pins(BTreeMap<String, (String, String)>);

impl Pins {
    /// Reads a file of pins; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// When a line has not three words.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pin = |line: &str| {
            let mut words = line.split_whitespace().map(ToOwned::to_owned);
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some(digest), Some(path), Some(package), None) => Ok((path, (digest, package))),
                _ => bail!("a pin is a digest, a path and a package, not `{line}`"),
            }
        };
        lines.map(pin).collect::<Result<_>>().map(Self)
    }

    /// Whether these libraries and no others are meant.
    ///
    /// # Errors
    /// With everything that differs.
    pub fn check(&self, libraries: &[Library]) -> Result<()> {
        let mut differences = String::new();
        for library in libraries {
            let found = library.digest();
            match self.0.get(&library.path) {
                Some((digest, _)) if *digest == found => {}
                Some((digest, package)) => {
                    writeln!(differences, "{} is {found}; {package} has {digest}", library.path)?;
                }
                None => writeln!(differences, "{} ({found}) is not pinned", library.path)?,
            }
        }
        for path in self.0.keys().filter(|path| libraries.iter().all(|library| library.path != **path)) {
            writeln!(differences, "{path} is pinned, but the operator does not link it")?;
        }
        ensure!(
            differences.is_empty(),
            "this machine's libraries are not those that the image is made of:\n{differences}build it where those packages \
             are installed or with the Containerfile; `--pin` makes this machine's libraries the ones that are meant"
        );
        Ok(())
    }
}

/// A file of pins for these libraries, with the packages that Debian's package manager names.
#[must_use]
pub fn pins(libraries: &[Library]) -> String {
    let mut text = "# Libraries of the image: SHA-256, path, package. Written by `cargo image --pin`.\n".to_owned();
    for library in libraries {
        let line = format!("{} {} {}\n", library.digest(), library.path, package(&library.path));
        text.push_str(&line);
    }
    text
}

/// Package and version, such as `libc6=2.36-9`, or `unknown`.
fn package(path: &str) -> String {
    let ask = |program: &str, args: &[&str]| {
        let output = std::process::Command::new(program).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // A merged /usr makes the package manager know one of the two spellings only.
    let spellings = [path.to_owned(), format!("/usr{path}"), path.trim_start_matches("/usr").to_owned()];
    let owner = spellings.iter().find_map(|path| ask("dpkg-query", &["--search", path]));
    let owner = owner.and_then(|line| Some(line.split_once(':')?.0.to_owned()));
    let named = owner.and_then(|owner| ask("dpkg-query", &["--show", "--showformat=${Package}=${Version}", &owner]));
    named.unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_program_of_this_machine_links_a_loader_and_a_c_library() {
        let libraries = of(&std::env::current_exe().unwrap()).unwrap();
        let has = |name: &str| libraries.iter().any(|library| library.path.ends_with(name));
        assert!(has("/ld-linux-x86-64.so.2") && has("/libc.so.6"), "{libraries:?}");
        Pins::parse(&pins(&libraries)).unwrap().check(&libraries).unwrap();
    }

    #[test]
    fn another_library_one_more_and_one_less_are_all_told() {
        let library = |path: &str, content: &str| Library { path: path.to_owned(), content: content.into() };
        let pinned = Pins::parse(&pins(&[library("/lib/a", "1"), library("/lib/b", "1")])).unwrap();
        let error = pinned.check(&[library("/lib/a", "2"), library("/lib/c", "1")]).unwrap_err().to_string();
        for part in ["/lib/a is ", "/lib/c (", "is not pinned", "/lib/b is pinned", "--pin"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn what_is_no_program_and_what_is_no_pin_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "#!/bin/sh\n").unwrap();
        let error = format!("{:#}", of(file.path()).unwrap_err());
        assert!(error.contains("no ELF file"), "{error}");
        assert!(Pins::parse("two words").is_err());
    }
}
