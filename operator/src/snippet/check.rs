//! Judges a spec by itself. Pure.
//!
//! The order of the checks is part of the contract: the first problem is the one that is told.

use jaas_api::source::LibraryRef;
use jaas_api::{JsonnetSnippet, Reason};
use jaas_storage::artifact::path;

use super::inputs::{Own, Tree};
use super::outcome::Refusal;
use crate::cluster::names;
use crate::cluster::tenant::Account;
use crate::config::Snippets;
use crate::graph::Name;

/// A spec that passed every check that needs nothing but itself and the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Whose rights are used.
    pub account: Account,
}

/// Checks account, variables and libraries. `is_mounted` tells whether there is a mounted library of an alias.
///
/// # Errors
/// The first problem.
pub fn spec(
    snippet: &JsonnetSnippet,
    settings: &Snippets,
    is_mounted: impl Fn(&str) -> bool,
) -> Result<Checked, Refusal> {
    let account = account(snippet, settings)?;
    if let Some(name) = taken_variables(snippet, settings).first() {
        return Err(Refusal::new(
            Reason::ExternalVariableConflict,
            format!("spec.externalVariables[{name:?}] conflicts with --ext-var"),
        ));
    }
    aliases(&snippet.spec.libraries, is_mounted)?;
    Ok(Checked { account })
}

/// Names of variables that the operator itself defines, in the order of the spec.
pub fn taken_variables<'a>(snippet: &'a JsonnetSnippet, settings: &Snippets) -> Vec<&'a str> {
    let names = snippet.spec.external_variables.iter().map(|variable| variable.name.as_str());
    names.filter(|name| settings.external_variables.contains_key(*name)).collect()
}

/// Whose rights are used, whatever else is wrong with the spec.
///
/// # Errors
/// Where nobody is named.
pub fn account(snippet: &JsonnetSnippet, settings: &Snippets) -> Result<Account, Refusal> {
    let named = snippet.spec.service_account_name.as_deref().filter(|name| !name.is_empty());
    let name = named.unwrap_or(&settings.default_service_account);
    if name.is_empty() {
        return Err(Refusal::new(
            Reason::ServiceAccountMissing,
            "neither spec.serviceAccountName nor --default-service-account is set",
        ));
    }
    // The name becomes a part of the path of a request that is made with our own rights.
    if !names::is_name(name) {
        return Err(Refusal::new(
            Reason::ServiceAccountMissing,
            format!("spec.serviceAccountName {name:?} is no name of a ServiceAccount; name one of this namespace"),
        ));
    }
    let namespace = snippet.metadata.namespace.clone().unwrap_or_default();
    Ok(Account { namespace, name: name.to_owned() })
}

fn aliases(libraries: &[LibraryRef], is_mounted: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    segments(libraries)?;
    if let Some((position, alias)) = shadowing(libraries, is_mounted) {
        return Err(Refusal::new(
            Reason::InvalidSpec,
            format!(
                "spec.libraries[{position}] importPath {alias:?} shadows OCI-mounted library; rename the import alias or remove the LibraryRef"
            ),
        ));
    }
    distinct(libraries)
}

/// Whether every alias is one segment of a path.
///
/// # Errors
/// The first that is not.
pub fn segments(libraries: &[LibraryRef]) -> Result<(), Refusal> {
    let Some(alias) = libraries.iter().map(LibraryRef::alias).find(|alias| !is_segment(alias)) else { return Ok(()) };
    Err(Refusal::new(
        Reason::InvalidSpec,
        format!(
            "spec.libraries import alias {alias:?} must be a single path segment (allowed: one [A-Za-z0-9._-] segment, no slash or traversal)"
        ),
    ))
}

/// The first alias that a mounted library has, and where it stands.
pub fn shadowing(libraries: &[LibraryRef], is_mounted: impl Fn(&str) -> bool) -> Option<(usize, &str)> {
    libraries.iter().map(LibraryRef::alias).enumerate().find(|(_, alias)| is_mounted(alias))
}

/// Whether every library has an alias of its own.
///
/// # Errors
/// The first that has not.
pub fn distinct(libraries: &[LibraryRef]) -> Result<(), Refusal> {
    for (position, library) in libraries.iter().enumerate() {
        if libraries[..position].iter().any(|earlier| earlier.alias() == library.alias()) {
            return Err(Refusal::new(
                Reason::InvalidSpec,
                format!(
                    "spec.libraries import path {:?} is used by more than one entry; each library must resolve to a distinct import path",
                    library.alias()
                ),
            ));
        }
    }
    Ok(())
}

fn is_segment(alias: &str) -> bool {
    !matches!(alias, "" | "." | "..")
        && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Checks the snippet's own files.
///
/// # Errors
/// The first problem.
pub fn files(snippet: &JsonnetSnippet) -> Result<Own<'_>, Refusal> {
    if let Some(reference) = &snippet.spec.source_ref {
        return Ok(Own::Source(reference));
    }
    let Some(files) = snippet.spec.files.as_ref().filter(|files| !files.is_empty()) else {
        return Err(Refusal::new(
            Reason::InvalidSpec,
            "neither spec.files nor spec.sourceRef is set; admission should have caught this",
        ));
    };
    entry(snippet, files.contains_key(&snippet.spec.entry_file))?;
    Ok(Own::Inline(files))
}

/// Checks the files that a source provided.
///
/// # Errors
/// The first problem.
pub fn fetched(snippet: &JsonnetSnippet, tree: &Tree<'_>) -> Result<(), Refusal> {
    if tree.is_empty() {
        let path = snippet.spec.source_ref.as_ref().and_then(|reference| reference.path.as_deref());
        let message = match path.filter(|path| !path.is_empty()) {
            Some(path) => format!(
                "spec.sourceRef.path {path:?} matched no files in the artifact; widen the path filter or remove it"
            ),
            None => "source contains no files; check the upstream artifact".to_owned(),
        };
        return Err(Refusal::new(Reason::InvalidSpec, message));
    }
    entry(snippet, tree.contains(&snippet.spec.entry_file))
}

/// A mounted library that the snippet imports from and that cannot be used.
pub fn mounted(alias: &str, why: &str) -> Refusal {
    let what = format!(
        "mounted library {alias:?} cannot be used: {why}. It is the operator's (--library-path); tell its administrator"
    );
    Refusal::new(Reason::LibraryNotFound, what)
}

/// A snippet that is made of itself. What other namespaces have is not for its readers.
pub fn cycle(namespace: &str, way: &[Name]) -> Refusal {
    let own = |it: &Name| it.namespace == namespace;
    let ways = way.chunk_by(|one, next| !own(one) && !own(next));
    let ways = ways.filter_map(<[Name]>::first);
    let shown = ways.map(|it| if own(it) { it.to_string() } else { "another namespace".to_owned() });
    let shown: Vec<_> = shown.collect();
    Refusal::new(Reason::DependencyCycle, format!("spec.sourceRef chain forms a cycle: {}", shown.join(" → ")))
}

/// The first of these names that consumers would not take out of an artifact with `output: source`, and why.
pub fn unsafe_entry<'a>(mut names: impl Iterator<Item = &'a String>) -> Option<(&'a str, &'static str)> {
    names.find_map(|name| Some((name.as_str(), path::unsafe_name(name)?)))
}

/// What such names must be.
pub const SAFE_ENTRIES: &str = "allowed: relative paths of [A-Za-z0-9._/-] without hidden or empty segments";

fn entry(snippet: &JsonnetSnippet, is_there: bool) -> Result<(), Refusal> {
    if is_there {
        return Ok(());
    }
    let message = format!("source must contain {:?} as the snippet entry point", snippet.spec.entry_file);
    Err(Refusal::new(Reason::InvalidSpec, message))
}

/// Whether a reference leads out of the snippet's namespace although that is refused, or to what no object can be.
///
/// # Errors
/// The refusal.
pub fn library_namespace(library: &LibraryRef, owner: &str, settings: &Snippets) -> Result<(), Refusal> {
    let namespace = library.namespace_or(owner);
    if settings.no_cross_namespace_refs && namespace != owner {
        return Err(Refusal::new(
            Reason::CrossNamespaceRefRejected,
            format!(
                "spec.libraries[{}] points at namespace {namespace:?} but --no-cross-namespace-refs is set",
                library.name
            ),
        ));
    }
    // Both become parts of a request's path.
    for (field, name) in [("name", library.name.as_str()), ("namespace", namespace)] {
        if !names::is_name(name) {
            let what = format!("spec.libraries: {field} {name:?} is no name that an object can have; correct it");
            return Err(Refusal::new(Reason::InvalidSpec, what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::snippet::report::tests::settings;
    use jaas_api::snippet::SnippetSpec;
    use jaas_api::source::Variable;

    fn snippet(change: impl FnOnce(&mut SnippetSpec)) -> JsonnetSnippet {
        let mut spec = SnippetSpec {
            service_account_name: Some("tenant".to_owned()),
            files: Some(BTreeMap::from([("main.jsonnet".to_owned(), "{}".to_owned())])),
            ..SnippetSpec::default()
        };
        change(&mut spec);
        JsonnetSnippet::new("a", "b", spec)
    }

    fn library(name: &str, import_path: Option<&str>) -> LibraryRef {
        LibraryRef { name: name.to_owned(), import_path: import_path.map(str::to_owned), ..LibraryRef::default() }
    }

    fn is_mounted(alias: &str) -> bool {
        alias == "mounted"
    }

    fn refusal(change: impl FnOnce(&mut SnippetSpec)) -> (Reason, String) {
        let refusal = spec(&snippet(change), &settings(), is_mounted).unwrap_err();
        (refusal.reason, refusal.message)
    }

    #[test]
    fn a_circle_names_no_object_of_another_namespace() {
        let way =
            [("a", "x"), ("b", "y"), ("b", "z"), ("a", "w"), ("a", "x")].map(|(space, name)| Name::new(space, name));
        let told = "spec.sourceRef chain forms a cycle: a/x → another namespace → a/w → a/x";
        assert_eq!(cycle("a", &way).message, told);
    }

    #[test]
    fn a_plain_snippet_passes() {
        let account = Account { namespace: "a".to_owned(), name: "tenant".to_owned() };
        assert_eq!(spec(&snippet(|_| ()), &settings(), is_mounted), Ok(Checked { account }));
        assert!(files(&snippet(|_| ())).is_ok());
    }

    #[test]
    fn the_account_comes_from_the_spec_else_from_the_flag() {
        let mut settings = settings();
        settings.default_service_account = "fallback".to_owned();
        let named = |spec_name: Option<&str>| {
            let snippet = snippet(|spec| spec.service_account_name = spec_name.map(str::to_owned));
            spec(&snippet, &settings, is_mounted).unwrap().account.name
        };
        assert_eq!([named(Some("mine")), named(Some("")), named(None)], ["mine", "fallback", "fallback"]);
        assert_eq!(
            refusal(|spec| spec.service_account_name = None),
            (
                Reason::ServiceAccountMissing,
                "neither spec.serviceAccountName nor --default-service-account is set".to_owned()
            )
        );
    }

    #[test]
    fn an_account_is_named_as_kubernetes_names_things() {
        let long = "a".repeat(254);
        for wrong in ["../../b/serviceaccounts/x", "a/token?x=", "a#", "a b", "A", "-a", "a.", "a..b", "%2e", &long] {
            let (reason, message) = refusal(|spec| spec.service_account_name = Some(wrong.to_owned()));
            assert_eq!(reason, Reason::ServiceAccountMissing, "{wrong}");
            assert!(message.contains("is no name of a ServiceAccount"), "{message}");
        }
        for right in ["a", "a-1.b", &"a".repeat(253)] {
            assert!(
                spec(&snippet(|spec| spec.service_account_name = Some(right.to_owned())), &settings(), is_mounted)
                    .is_ok()
            );
        }
    }

    #[test]
    fn the_first_problem_is_the_one_that_is_told() {
        let everything_wrong = |spec: &mut SnippetSpec| {
            spec.external_variables = vec![
                Variable { name: "free".to_owned(), ..Variable::default() },
                Variable { name: "taken".to_owned(), code: Some(true), ..Variable::default() },
            ];
            spec.libraries = vec![library("x", Some("a/b")), library("y", None), library("y", None)];
        };
        assert_eq!(
            refusal(everything_wrong),
            (Reason::ExternalVariableConflict, "spec.externalVariables[\"taken\"] conflicts with --ext-var".to_owned())
        );
        assert_eq!(
            refusal(|spec| {
                everything_wrong(spec);
                spec.external_variables.clear();
            })
            .1,
            "spec.libraries import alias \"a/b\" must be a single path segment (allowed: one [A-Za-z0-9._-] segment, no slash or traversal)"
        );
        assert_eq!(
            refusal(|spec| spec.libraries = vec![library("x", Some("y")), library("y", None)]).1,
            "spec.libraries import path \"y\" is used by more than one entry; each library must resolve to a distinct import path"
        );
    }

    #[test]
    fn the_entry_file_is_looked_up_by_its_exact_name() {
        let refused = |change: fn(&mut SnippetSpec)| {
            let snippet = snippet(change);
            files(&snippet).unwrap_err().message
        };
        assert_eq!(
            refused(|spec| spec.entry_file = "./main.jsonnet".to_owned()),
            "source must contain \"./main.jsonnet\" as the snippet entry point"
        );
        assert_eq!(
            refused(|spec| spec.files = None),
            "neither spec.files nor spec.sourceRef is set; admission should have caught this"
        );
    }

    #[test]
    fn another_namespace_is_refused_only_where_the_flag_says_so() {
        let mut settings = settings();
        let elsewhere = LibraryRef { namespace: Some("c".to_owned()), ..library("x", None) };
        assert_eq!(
            library_namespace(&elsewhere, "a", &settings).unwrap_err().message,
            "spec.libraries[x] points at namespace \"c\" but --no-cross-namespace-refs is set"
        );
        for own in [None, Some(String::new()), Some("a".to_owned())] {
            let here = LibraryRef { namespace: own, ..library("x", None) };
            assert!(library_namespace(&here, "a", &settings).is_ok());
        }
        settings.no_cross_namespace_refs = false;
        assert!(library_namespace(&elsewhere, "a", &settings).is_ok());
    }

    #[test]
    fn an_alias_of_a_mounted_library_is_taken() {
        let (reason, message) =
            refusal(|spec| spec.libraries = vec![library("x", None), library("y", Some("mounted"))]);
        assert_eq!(reason, Reason::InvalidSpec);
        assert_eq!(
            message,
            "spec.libraries[1] importPath \"mounted\" shadows OCI-mounted library; rename the import alias or remove the LibraryRef"
        );
    }
}
