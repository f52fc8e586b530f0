//! What decides the bytes of an artifact, and its fingerprint. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jaas_api::source::Variable;
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use kube::runtime::reflector::ObjectRef;
use sha2::{Digest, Sha256};

use super::check::{self, Checked};
use super::observe::Seen;
use super::world::World;
use crate::config::Snippets;

/// Files of a snippet or a library by name.
pub type Files<'a> = &'a BTreeMap<String, String>;

/// Changes whenever the way of fingerprinting does.
const FORMAT: &str = "inputs/1";

/// Everything that decides the bytes.
pub struct Inputs<'a> {
    /// The snippet, for its variables and options.
    pub snippet: &'a JsonnetSnippet,
    /// The snippet's own files.
    pub files: Files<'a>,
    /// Files of each library by alias.
    pub libraries: BTreeMap<&'a str, Files<'a>>,
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
        hash.files(self.files);
        hash.number(self.libraries.len() as u64);
        for (alias, files) in &self.libraries {
            hash.text(alias).files(files);
        }
        hash.variables(&spec.tlas).variables(&spec.external_variables);
        hash.files(&self.settings.external_variables);
        hash.finish()
    }
}

/// The fingerprint as the caches have it, or `None` where a library is not in them or its files are not inline.
pub fn from_cache(world: &World, seen: &Seen, _: &Checked, files: Files<'_>) -> Option<String> {
    let owner = seen.key.namespace();
    let mut found: Vec<(&str, Arc<JsonnetLibrary>)> = Vec::new();
    for library in &seen.snippet.spec.libraries {
        check::library_namespace(library, owner, &world.settings).ok()?;
        let reference = ObjectRef::new(&library.name).within(library.namespace_or(owner));
        found.push((library.alias(), world.libraries.get(&reference)?));
    }
    let libraries = found
        .iter()
        .map(|(alias, library)| Some((*alias, library.spec.files.as_ref()?)))
        .collect::<Option<BTreeMap<_, _>>>()?;
    let inputs =
        Inputs { snippet: &seen.snippet, files, libraries, settings: &world.settings, max_stack: world.max_stack };
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
        let libraries = BTreeMap::from([("lib", &library)]);
        Inputs { snippet: &snippet, files: &own, libraries, settings: &settings, max_stack: 500 }.digest()
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
    fn what_does_not_decide_the_bytes_leaves_it_alone() {
        let plain = digest(|_, _, _| ());
        assert_eq!(plain, digest(|snippet, _, _| snippet.spec.history = 7));
        assert_eq!(plain, digest(|snippet, _, _| snippet.metadata.generation = Some(9)));
        assert_eq!(plain, digest(|_, settings, _| settings.max_artifact_bytes = Some(5)));
    }
}
