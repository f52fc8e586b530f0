//! What is evaluated: files, libraries and variables of one snippet. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use jaas_api::snippet::SnippetSpec;
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use serde_json::Value;

use super::super::Error;

/// Files by name.
pub(super) type Files = BTreeMap<String, String>;

/// Everything of a snippet that decides the result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Input {
    /// Name that messages show, before the entry file.
    pub(super) label: String,
    /// The snippet, for its variables and options.
    pub(super) spec: SnippetSpec,
    /// Its own files.
    pub(super) files: Files,
    /// Files of each library by alias.
    pub(super) libraries: BTreeMap<String, Files>,
}

/// Whether the word means a file.
pub(super) fn is_file(word: &str) -> bool {
    word.contains(std::path::is_separator)
        || [".yaml", ".yml", ".json", ".jsonnet"].into_iter().any(|ending| word.ends_with(ending))
}

/// A program without any snippet around it.
pub(super) fn program(path: &str, text: String) -> Input {
    let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let spec = SnippetSpec { entry_file: name.clone(), ..SnippetSpec::default() };
    Input { label: "file".to_owned(), spec, files: Files::from([(name, text)]), libraries: BTreeMap::new() }
}

/// The one snippet of a file, and the files of the libraries that stand beside it, by name.
///
/// # Errors
/// No snippet, several, or something that cannot be read.
pub(super) fn documents(file: &str, text: &str) -> Result<(JsonnetSnippet, BTreeMap<String, Files>), Error> {
    let wrong = |cause: String| Error::File { file: file.to_owned(), cause };
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| wrong(error.to_string()))?;
    let (mut snippets, mut libraries) = (Vec::new(), BTreeMap::new());
    for document in documents {
        match document["kind"].as_str() {
            Some("JsonnetSnippet") => {
                snippets.push(serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?);
            }
            Some("JsonnetLibrary") => {
                let library: JsonnetLibrary =
                    serde_json::from_value(document).map_err(|error| wrong(error.to_string()))?;
                let name = library.metadata.name.unwrap_or_default();
                libraries.extend(library.spec.files.map(|files| (name, files)));
            }
            _ => {}
        }
    }
    match (snippets.pop(), snippets.len()) {
        (Some(snippet), 0) => Ok((snippet, libraries)),
        (Some(_), others) => Err(wrong(format!("it holds {} JsonnetSnippets, and one is evaluated", others + 1))),
        (None, _) => Err(wrong("it holds no JsonnetSnippet".to_owned())),
    }
}

/// The libraries of a snippet that are present, by alias.
pub(super) fn aliased(snippet: &JsonnetSnippet, present: &BTreeMap<String, Files>) -> BTreeMap<String, Files> {
    let references = snippet.spec.libraries.iter();
    let found = references.filter_map(|it| Some((it.alias().to_owned(), present.get(&it.name)?.clone())));
    found.collect()
}

/// A snippet with its libraries.
///
/// # Errors
/// Its files come from a Flux source, or there are none.
pub(super) fn of(snippet: JsonnetSnippet, libraries: BTreeMap<String, Files>) -> Result<Input, Error> {
    let name = snippet.metadata.name.unwrap_or_default();
    let label = match snippet.metadata.namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name,
    };
    if snippet.spec.source_ref.is_some() {
        return Err(needs_flux(&format!("snippet `{label}`")));
    }
    let files = snippet.spec.files.clone().unwrap_or_default();
    Ok(Input { label, spec: snippet.spec, files, libraries })
}

/// What is said where files come from a Flux source.
pub(super) fn needs_flux(what: &str) -> Error {
    Error::Refused {
        what: format!("the files of {what} come from a Flux source, which this version does not fetch"),
        how: "render a file with the files inline: kubectl jaas render FILE".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
kind: JsonnetSnippet
metadata: {name: web}
spec:
  files: {main.jsonnet: \"(import 'l/x').y\"}
  libraries: [{kind: JsonnetLibrary, name: lib, importPath: l}]
---
kind: JsonnetLibrary
metadata: {name: lib}
spec: {files: {x: '{y: 1}'}}
---
kind: ConfigMap
";

    #[test]
    fn files_are_told_from_names() {
        for word in ["./web", "web.yaml", "web.jsonnet", "a/b"] {
            assert!(is_file(word), "{word}");
        }
        assert!(!is_file("web") && !is_file("web.v2"));
    }

    #[test]
    fn a_file_holds_one_snippet_and_its_libraries() {
        let (snippet, present) = documents("f", FILE).unwrap();
        let libraries = aliased(&snippet, &present);
        assert_eq!(libraries["l"]["x"], "{y: 1}");
        let input = of(snippet, libraries).unwrap();
        assert_eq!((input.label.as_str(), input.spec.entry_file.as_str()), ("web", "main.jsonnet"));
        let two = format!("{FILE}---\n{FILE}");
        assert_eq!(
            documents("f", &two).unwrap_err().to_string(),
            "cannot use f: it holds 2 JsonnetSnippets, and one is evaluated"
        );
        assert!(documents("f", "kind: ConfigMap").is_err());
    }

    #[test]
    fn what_needs_flux_says_so() {
        let text = "kind: JsonnetSnippet\nmetadata: {name: web}\nspec: {sourceRef: {kind: GitRepository, name: g}}";
        let (snippet, _) = documents("f", text).unwrap();
        let error = of(snippet, BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("come from a Flux source"), "{error}");
    }
}
