//! What is evaluated: files, libraries and variables of one snippet. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use jaas_api::library::LibrarySpec;
use jaas_api::snippet::SnippetSpec;
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use serde_json::Value;

use super::super::Error;

/// Files by name.
pub(super) use jaas_sources::Files;

/// Files that stand in an object.
pub(super) fn bytes<'a>(files: impl IntoIterator<Item = (&'a String, &'a String)>) -> Files {
    files.into_iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect()
}

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
    Input {
        label: "file".to_owned(),
        spec,
        files: Files::from([(name, text.into_bytes())]),
        libraries: BTreeMap::new(),
    }
}

/// The one snippet of a file, and the libraries that stand beside it, by name.
///
/// # Errors
/// No snippet, several, or something that cannot be read.
pub(super) fn documents(file: &str, text: &str) -> Result<(JsonnetSnippet, BTreeMap<String, LibrarySpec>), Error> {
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
                libraries.insert(name, library.spec);
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

/// A snippet whose files, and those of all its libraries, stand in the file; `None` where something has to be asked for.
pub(super) fn whole(snippet: &JsonnetSnippet, present: &BTreeMap<String, LibrarySpec>) -> Option<Input> {
    if snippet.spec.source_ref.is_some() {
        return None;
    }
    let found = snippet.spec.libraries.iter().map(|library| {
        let files = present.get(&library.name)?.files.as_ref()?;
        Some((library.alias().to_owned(), bytes(files)))
    });
    let libraries = found.collect::<Option<_>>()?;
    Some(of(snippet.clone(), bytes(snippet.spec.files.iter().flatten()), libraries))
}

/// How messages name a snippet.
pub(super) fn label(snippet: &JsonnetSnippet) -> String {
    let name = snippet.metadata.name.clone().unwrap_or_default();
    snippet.metadata.namespace.as_ref().map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"))
}

/// A snippet with its files and its libraries.
pub(super) fn of(snippet: JsonnetSnippet, files: Files, libraries: BTreeMap<String, Files>) -> Input {
    Input { label: label(&snippet), spec: snippet.spec, files, libraries }
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
        let input = whole(&snippet, &present).unwrap();
        assert_eq!(input.libraries["l"]["x"], b"{y: 1}");
        assert_eq!((input.label.as_str(), input.spec.entry_file.as_str()), ("web", "main.jsonnet"));
        let two = format!("{FILE}---\n{FILE}");
        assert_eq!(
            documents("f", &two).unwrap_err().to_string(),
            "cannot use f: it holds 2 JsonnetSnippets, and one is evaluated"
        );
        assert!(documents("f", "kind: ConfigMap").is_err());
    }

    #[test]
    fn what_is_not_in_the_file_has_to_be_asked_for() {
        let source = "sourceRef: {kind: GitRepository, name: g}";
        let (snippet, present) =
            documents("f", &format!("kind: JsonnetSnippet\nmetadata: {{name: web}}\nspec: {{{source}}}")).unwrap();
        assert_eq!(whole(&snippet, &present), None);
        let (snippet, present) = documents("f", &FILE.replace("files: {x: '{y: 1}'}", source)).unwrap();
        assert_eq!(whole(&snippet, &present), None);
        let (snippet, _) = documents("f", FILE).unwrap();
        assert_eq!(whole(&snippet, &BTreeMap::new()), None);
    }
}
