//! What decides the bytes of an artifact, and its fingerprint. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jaas_api::source::{SourceRef, Variable};
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use jaas_sources::Folder;
use kube::runtime::reflector::ObjectRef;
use sha2::{Digest, Sha256};

use super::check::{self, Checked};
use super::observe::Seen;
use super::world::World;
use crate::config::Snippets;
use crate::mounted::Library;
use crate::source::{Fetched, resolve};

/// Inline files of a snippet or a library by name.
pub type Files<'a> = &'a BTreeMap<String, String>;

/// Where a snippet's own files are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Own<'a> {
    /// In its spec.
    Inline(Files<'a>),
    /// In a source.
    Source(&'a SourceRef),
}

/// Files of a snippet or a library, wherever they came from.
#[derive(Clone, Debug)]
pub enum Tree<'a> {
    /// From a spec.
    Inline(Cow<'a, BTreeMap<String, String>>),
    /// From a source.
    Fetched(Arc<Fetched>),
    /// From a folder of the operator.
    Mounted(Arc<Library>),
}

impl Tree<'_> {
    /// Number of files.
    pub fn len(&self) -> usize {
        match self {
            Self::Inline(files) => files.len(),
            Self::Fetched(fetched) => fetched.files.len(),
            Self::Mounted(library) => library.files.len(),
        }
    }

    /// Bytes of the files and of their names, as an evaluation is given them.
    pub fn bytes(&self) -> u64 {
        let sum = |sizes: &mut dyn Iterator<Item = (&String, usize)>| {
            sizes.map(|(name, size)| (name.len() + size) as u64).sum()
        };
        match self {
            Self::Inline(files) => sum(&mut files.iter().map(|(name, file)| (name, file.len()))),
            Self::Fetched(fetched) => sum(&mut fetched.files.iter().map(|(name, file)| (name, file.len()))),
            Self::Mounted(library) => sum(&mut library.files.iter().map(|(name, file)| (name, file.len()))),
        }
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a file of this very name.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::Inline(files) => files.contains_key(name),
            Self::Fetched(fetched) => fetched.files.contains_key(name),
            Self::Mounted(library) => library.files.contains_key(name),
        }
    }

    /// A copy of the files.
    pub fn to_bytes(&self) -> BTreeMap<String, Vec<u8>> {
        match self {
            Self::Inline(files) => {
                files.iter().map(|(name, content)| (name.clone(), content.clone().into_bytes())).collect()
            }
            Self::Fetched(fetched) => BTreeMap::clone(&fetched.files),
            Self::Mounted(library) => library.files.clone(),
        }
    }

    /// What decides the files.
    pub fn identity(&self) -> Identity<'_> {
        match self {
            Self::Inline(files) => Identity::Inline(files),
            Self::Fetched(fetched) => Identity::Source(Cow::Borrowed(&fetched.digest), Cow::Borrowed(&fetched.folder)),
            Self::Mounted(library) => Identity::Mounted(&library.digest),
        }
    }
}

/// What decides the files of a snippet or a library.
#[derive(Clone, Debug)]
pub enum Identity<'a> {
    /// The files themselves.
    Inline(Files<'a>),
    /// Digest of an artifact, and the folder of it that is wanted.
    Source(Cow<'a, str>, Cow<'a, Folder>),
    /// Digest of a mounted library.
    Mounted(&'a str),
}

impl<'a> Identity<'a> {
    /// What the caches say of a source; `None` where that is not known.
    fn known(world: &World, owner: &str, reference: &SourceRef) -> Option<Self> {
        let (digest, folder) = resolve::known(world, owner, reference)?;
        Some(Self::Source(Cow::Owned(digest), Cow::Owned(folder)))
    }
}

/// Changes whenever the way of fingerprinting does.
const FORMAT: &str = "inputs/1";

/// Everything that decides the bytes.
pub struct Inputs<'a> {
    /// The snippet, for its variables and options.
    pub snippet: &'a JsonnetSnippet,
    /// The snippet's own files.
    pub files: Identity<'a>,
    /// Files of each library by alias.
    pub libraries: BTreeMap<&'a str, Identity<'a>>,
    /// Names and digests of the mounted libraries that decide what is imported.
    pub mounted: Vec<(String, String)>,
    /// The settings, for the operator's own variables.
    pub settings: &'a Snippets,
    /// Depth of the evaluation's stack.
    pub max_stack: u32,
}

impl Inputs<'_> {
    /// The fingerprint: equal inputs have equal ones, and different inputs different ones.
    pub fn digest(&self) -> String {
        let spec = &self.snippet.spec;
        let mut hash = Fingerprint::new();
        hash.text(FORMAT).text(jaas_render::ENGINE).text(jaas_storage::artifact::PACKER);
        hash.text(&spec.entry_file).text(spec.output.as_str());
        hash.number(u64::from(spec.allow_empty.unwrap_or_default())).number(u64::from(self.max_stack));
        hash.tree(&self.files);
        hash.number(self.libraries.len() as u64);
        for (alias, files) in &self.libraries {
            hash.text(alias).tree(files);
        }
        hash.variables(&spec.tlas).variables(&spec.external_variables);
        hash.files(&self.settings.external_variables);
        for (name, digest) in &self.mounted {
            hash.text(name).text(digest);
        }
        hash.finish()
    }
}

/// The fingerprint as the caches have it, or `None` where a library or a source is not in them.
pub fn from_cache(world: &World, seen: &Seen, _: &Checked, own: Own<'_>) -> Option<String> {
    let owner = seen.key.namespace();
    let mut found: Vec<(&str, Arc<JsonnetLibrary>)> = Vec::new();
    for library in &seen.snippet.spec.libraries {
        check::library_namespace(library, owner, &world.settings).ok()?;
        let reference = ObjectRef::new(&library.name).within(library.namespace_or(owner));
        found.push((library.alias(), world.libraries.get(&reference)?));
    }
    let mut libraries = BTreeMap::new();
    for (alias, library) in &found {
        let identity = match (&library.spec.files, &library.spec.source_ref) {
            (Some(files), _) => Identity::Inline(files),
            (None, Some(reference)) => {
                let namespace = library.metadata.namespace.as_deref().unwrap_or_default();
                Identity::known(world, namespace, reference)?
            }
            (None, None) => return None,
        };
        libraries.insert(*alias, identity);
    }
    let files = match own {
        Own::Inline(files) => Identity::Inline(files),
        Own::Source(reference) => Identity::known(world, owner, reference)?,
    };
    let names = seen.snippet.status.as_ref().map(|status| status.mounted_libraries.as_slice()).unwrap_or_default();
    let inputs = Inputs {
        snippet: &seen.snippet,
        files,
        libraries,
        mounted: world.mounted.state().identity(names),
        settings: &world.settings,
        max_stack: world.max_stack,
    };
    Some(inputs.digest())
}

/// Hashes texts with their lengths, so that no two sequences run together.
struct Fingerprint(Sha256);

impl Fingerprint {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(number.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.0.update(text);
        self
    }

    fn files(&mut self, files: Files<'_>) -> &mut Self {
        self.number(files.len() as u64);
        for (name, content) in files {
            self.text(name).text(content);
        }
        self
    }

    /// Files by their content, or by what they were taken from. No number of files is as large as the mark of the latter.
    fn tree(&mut self, identity: &Identity<'_>) -> &mut Self {
        match identity {
            Identity::Inline(files) => self.files(files),
            Identity::Source(digest, folder) => self.number(u64::MAX).text(digest).text(&folder.to_string()),
            Identity::Mounted(digest) => self.number(u64::MAX - 1).text(digest),
        }
    }

    fn variables(&mut self, variables: &[Variable]) -> &mut Self {
        let mut sorted: Vec<_> = variables.iter().collect();
        sorted.sort_by_key(|variable| &variable.name);
        self.number(sorted.len() as u64);
        for variable in sorted {
            self.text(&variable.name).text(variable.value.as_deref().unwrap_or_default());
            self.number(u64::from(variable.code.unwrap_or_default()));
        }
        self
    }

    fn finish(self) -> String {
        format!("sha256:{}", hex::encode(self.0.finalize()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::snippet::report::tests::settings;
    use jaas_api::snippet::{Output, SnippetSpec};

    fn files(content: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("main.jsonnet".to_owned(), content.to_owned())])
    }

    fn digest(change: impl FnOnce(&mut JsonnetSnippet, &mut Snippets, &mut BTreeMap<String, String>)) -> String {
        let mut snippet = JsonnetSnippet::new("a", "b", SnippetSpec::default());
        let (mut settings, mut library) = (settings(), files("1"));
        change(&mut snippet, &mut settings, &mut library);
        let own = snippet.spec.files.take().unwrap_or_else(|| files("{}"));
        let libraries = BTreeMap::from([("lib", Identity::Inline(&library))]);
        let files = Identity::Inline(&own);
        Inputs { snippet: &snippet, files, libraries, mounted: Vec::new(), settings: &settings, max_stack: 500 }
            .digest()
    }

    #[test]
    fn everything_that_decides_the_bytes_changes_the_fingerprint() {
        let variable = |name: &str, value: &str, code: bool| Variable {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            code: Some(code),
        };
        let digests = [
            digest(|_, _, _| ()),
            digest(|snippet, _, _| snippet.spec.files = Some(files("{ }"))),
            digest(|snippet, _, _| snippet.spec.entry_file = "other".to_owned()),
            digest(|snippet, _, _| snippet.spec.output = Output::Source),
            digest(|snippet, _, _| snippet.spec.output = Output::Manifests),
            digest(|snippet, _, _| snippet.spec.allow_empty = Some(true)),
            digest(|snippet, _, _| snippet.spec.tlas = vec![variable("x", "1", false)]),
            digest(|snippet, _, _| snippet.spec.tlas = vec![variable("x", "1", true)]),
            digest(|snippet, _, _| snippet.spec.external_variables = vec![variable("x", "1", false)]),
            digest(|_, settings, _| drop(settings.external_variables.insert("x".to_owned(), "1".to_owned()))),
            digest(|_, _, library| *library = files("2")),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn the_mounted_libraries_that_are_imported_from_decide() {
        let (snippet, settings, own) = (JsonnetSnippet::new("a", "b", SnippetSpec::default()), settings(), files("1"));
        let digest = |mounted: &[(&str, &str)]| {
            let mounted = mounted.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect();
            let (files, libraries) = (Identity::Inline(&own), BTreeMap::new());
            Inputs { snippet: &snippet, files, libraries, mounted, settings: &settings, max_stack: 0 }.digest()
        };
        let digests = [digest(&[]), digest(&[("a", "")]), digest(&[("a", "1")]), digest(&[("b", "1")])];
        assert_eq!(digests.iter().collect::<std::collections::BTreeSet<_>>().len(), digests.len());
    }

    #[test]
    fn digest_and_folder_of_a_source_decide() {
        let snippet = JsonnetSnippet::new("a", "b", SnippetSpec::default());
        let settings = settings();
        let digest = |digest: &'static str, folder: &str| {
            let folder = Cow::Owned(folder.parse().unwrap());
            let files = Identity::Source(Cow::Borrowed(digest), folder);
            let (libraries, mounted) = (BTreeMap::new(), Vec::new());
            Inputs { snippet: &snippet, files, libraries, mounted, settings: &settings, max_stack: 0 }.digest()
        };
        let plain = digest("sha256:0a", "x");
        assert_ne!(plain, digest("sha256:0b", "x"));
        assert_ne!(plain, digest("sha256:0a", "y"));
        assert_eq!(plain, digest("sha256:0a", "./x/"));
    }

    #[test]
    fn what_does_not_decide_the_bytes_leaves_it_alone() {
        let plain = digest(|_, _, _| ());
        assert_eq!(plain, digest(|snippet, _, _| snippet.spec.history = 7));
        assert_eq!(plain, digest(|snippet, _, _| snippet.metadata.generation = Some(9)));
        assert_eq!(plain, digest(|_, settings, _| settings.max_artifact_bytes = Some(5)));
    }
}
