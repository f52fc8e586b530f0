//! What the webhook thinks of an object: the reconciler's own checks, in the order and the words of the webhook. Pure.

use jaas_api::library::LibrarySpec;
use jaas_api::snippet::{Output, SnippetSpec};
use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use kube::ResourceExt;

use super::review::Verdict;
use crate::config::Snippets;
use crate::graph::{Graph, Name};
use crate::snippet::check;

/// What is said of an object that has neither files nor a source.
const NO_FILES: &str = "exactly one of spec.files or spec.sourceRef must be set";

/// What a verdict depends on besides the object.
pub struct Facts<'a> {
    /// How snippets are judged.
    pub settings: &'a Snippets,
    /// What snippets are made of; `None` until that is known.
    pub graph: Option<&'a Graph>,
}

/// The verdict on a snippet that is made or changed.
pub fn snippet(
    new: &JsonnetSnippet,
    old: Option<&JsonnetSnippet>,
    facts: &Facts<'_>,
    is_mounted: impl Fn(&str) -> bool,
) -> Verdict {
    if new.metadata.deletion_timestamp.is_some() {
        return Verdict::fine();
    }
    let is_same = old.is_some_and(|old| decides_the_same(&old.spec, &new.spec));
    if !is_same && let Some(denied) = refuse(new, facts, is_mounted) {
        return denied;
    }
    let warned = old.is_some_and(|old| is_same && old.spec.entry_file == new.spec.entry_file);
    Verdict { denial: None, warnings: if warned { Vec::new() } else { warnings(new, facts.settings) } }
}

/// Whether everything is the same that the rules are about. A change of anything else passes, whatever else is wrong.
fn decides_the_same(old: &SnippetSpec, new: &SnippetSpec) -> bool {
    old.external_variables == new.external_variables
        && old.libraries == new.libraries
        && old.source_ref == new.source_ref
        && old.files == new.files
        && old.output == new.output
}

fn refuse(new: &JsonnetSnippet, facts: &Facts<'_>, is_mounted: impl Fn(&str) -> bool) -> Option<Verdict> {
    let spec = &new.spec;
    let mut taken = check::taken_variables(new, facts.settings);
    if !taken.is_empty() {
        taken.sort_unstable();
        let names = taken.join(" ");
        return Some(Verdict::denied(format!("spec.externalVariables conflicts with operator --ext-var: [{names}]")));
    }
    if let Some((_, alias)) = check::shadowing(&spec.libraries, is_mounted) {
        return Some(Verdict::denied(format!(
            "spec.libraries import alias {alias:?} shadows OCI-mounted library; rename or drop the LibraryRef"
        )));
    }
    for checked in [check::segments(&spec.libraries), check::distinct(&spec.libraries)] {
        if let Err(refusal) = checked {
            return Some(Verdict::denied(refusal.message));
        }
    }
    if spec.output == Output::Source
        && let Some((name, why)) = check::unsafe_entry(spec.files.iter().flat_map(|files| files.keys()))
    {
        return Some(Verdict::denied(format!(
            "spec.files key {name:?} would be silently dropped by artifact consumers in output=source mode ({why}; {})",
            check::SAFE_ENTRIES
        )));
    }
    if spec.source_ref.is_some() || !spec.libraries.is_empty() {
        match facts.graph {
            Some(graph) => {
                if let Some(way) = graph.cycle_if(&name_of(new), spec) {
                    return Some(Verdict::denied(check::cycle(&new.namespace().unwrap_or_default(), &way).message));
                }
            }
            None => return Some(not_listed()),
        }
    }
    let has_files = spec.files.as_ref().is_some_and(|files| !files.is_empty());
    (!has_files && spec.source_ref.is_none()).then(|| Verdict::denied(NO_FILES))
}

/// What the reconciler will say of a snippet that passes.
fn warnings(new: &JsonnetSnippet, settings: &Snippets) -> Vec<String> {
    let mut warnings = Vec::new();
    if let (Err(_), Some(files)) = (check::files(new), &new.spec.files) {
        warnings.push(format!(
            "spec.entryFile={:?} is not a key in spec.files ({} files supplied); reconcile will fail with ReasonInvalidSpec",
            new.spec.entry_file,
            files.len()
        ));
    }
    let will_fail = |refusal: crate::snippet::outcome::Refusal| {
        format!("{}; reconcile will fail with Reason{}", refusal.message, refusal.reason)
    };
    warnings.extend(check::account(new, settings).err().map(will_fail));
    let owner = new.namespace().unwrap_or_default();
    let elsewhere =
        new.spec.libraries.iter().find_map(|library| check::library_namespace(library, &owner, settings).err());
    warnings.extend(elsewhere.map(will_fail));
    warnings
}

/// The verdict on a library that is made or changed.
pub fn library(new: &JsonnetLibrary, old: Option<&JsonnetLibrary>, facts: &Facts<'_>) -> Verdict {
    if new.metadata.deletion_timestamp.is_some() || old.is_some_and(|old| old.spec == new.spec) {
        return Verdict::fine();
    }
    let LibrarySpec { files, source_ref } = &new.spec;
    if source_ref.is_none() {
        let has_files = files.as_ref().is_some_and(|files| !files.is_empty());
        return if has_files { Verdict::fine() } else { Verdict::denied(NO_FILES) };
    }
    let Some(graph) = facts.graph else { return not_listed() };
    let name = Name::new(&new.namespace().unwrap_or_default(), &new.name_any());
    match graph.cycle_through(&name, &new.spec) {
        Some(way) => Verdict::denied(check::cycle(&name.namespace, &way).message),
        None => Verdict::fine(),
    }
}

fn not_listed() -> Verdict {
    Verdict::not_now(
        "cycle detection failed: the operator has started and has not read all snippets and libraries yet; try again in a moment",
    )
}

fn name_of(snippet: &JsonnetSnippet) -> Name {
    Name::new(&snippet.namespace().unwrap_or_default(), &snippet.name_any())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::snippet::report::tests::settings;
    use jaas_api::source::{LibraryRef, SourceKind, SourceRef, Variable};

    fn made(change: impl FnOnce(&mut SnippetSpec)) -> JsonnetSnippet {
        let mut spec = SnippetSpec {
            service_account_name: Some("tenant".to_owned()),
            files: Some(BTreeMap::from([("main.jsonnet".to_owned(), "{}".to_owned())])),
            ..SnippetSpec::default()
        };
        change(&mut spec);
        JsonnetSnippet::new("a", "b", spec)
    }

    fn told(new: &JsonnetSnippet, old: Option<&JsonnetSnippet>) -> Verdict {
        let (settings, graph) = (settings(), Graph::default());
        snippet(new, old, &Facts { settings: &settings, graph: Some(&graph) }, |alias| alias == "mounted")
    }

    fn denied(new: &JsonnetSnippet) -> String {
        told(new, None).denial.unwrap().message
    }

    fn taken(names: &[&str]) -> Vec<Variable> {
        names.iter().map(|name| Variable { name: (*name).to_owned(), ..Variable::default() }).collect()
    }

    fn imported(alias: &str) -> LibraryRef {
        LibraryRef { name: "lib".to_owned(), import_path: Some(alias.to_owned()), ..LibraryRef::default() }
    }

    #[test]
    fn the_first_rule_that_is_broken_is_told() {
        let conflict = made(|spec| {
            spec.external_variables = taken(&["taken", "free"]);
            spec.libraries = vec![imported("mounted"), imported("a/b")];
        });
        assert_eq!(denied(&conflict), "spec.externalVariables conflicts with operator --ext-var: [taken]");
        let shadow = made(|spec| spec.libraries = vec![imported("a/b"), imported("mounted")]);
        assert_eq!(
            denied(&shadow),
            "spec.libraries import alias \"mounted\" shadows OCI-mounted library; rename or drop the LibraryRef"
        );
        let slash = made(|spec| spec.libraries = vec![imported("a/b"), imported("c"), imported("c")]);
        assert!(denied(&slash).starts_with("spec.libraries import alias \"a/b\" must be a single path segment"));
        let twice = made(|spec| spec.libraries = vec![imported("c"), imported("c")]);
        assert!(denied(&twice).starts_with("spec.libraries import path \"c\" is used by more than one entry"));
        let bare = made(|spec| spec.files = None);
        assert_eq!(denied(&bare), NO_FILES);
    }

    #[test]
    fn names_matter_only_where_files_are_published_as_they_are() {
        let hidden = |output| {
            made(|spec| {
                spec.output = output;
                spec.files =
                    Some(BTreeMap::from([".x".to_owned(), "main.jsonnet".to_owned()].map(|it| (it, String::new()))));
            })
        };
        let told_of = denied(&hidden(Output::Source));
        assert!(
            told_of.starts_with("spec.files key \".x\" would be silently dropped by artifact consumers"),
            "{told_of}"
        );
        assert_eq!(told(&hidden(Output::Rendered), None), Verdict::fine());
    }

    #[test]
    fn an_old_violation_blocks_nothing_but_its_own_change() {
        let old = made(|spec| spec.libraries = vec![imported("a/b")]);
        let mut new = old.clone();
        new.spec.suspend = Some(true);
        assert_eq!(told(&new, Some(&old)), Verdict::fine());
        new.spec.output = Output::Manifests;
        assert!(told(&new, Some(&old)).denial.is_some());
        new.metadata.deletion_timestamp = serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap();
        assert_eq!(told(&new, Some(&old)), Verdict::fine());
    }

    #[test]
    fn what_will_fail_later_is_a_warning() {
        let old = made(|_| ());
        let mut new = old.clone();
        new.spec.entry_file = "other.jsonnet".to_owned();
        let expected = "spec.entryFile=\"other.jsonnet\" is not a key in spec.files (1 files supplied); reconcile will fail with ReasonInvalidSpec";
        assert_eq!(told(&new, Some(&old)).warnings, [expected]);
        assert_eq!(told(&new, Some(&new)).warnings, Vec::<String>::new(), "whoever did not touch it is not told");
        new.spec.service_account_name = None;
        assert_eq!(told(&new, None).warnings.len(), 2);
        let abroad = made(|spec| {
            spec.libraries = vec![LibraryRef { namespace: Some("c".to_owned()), ..imported("x") }];
        });
        assert!(told(&abroad, None).warnings[0].ends_with("reconcile will fail with ReasonCrossNamespaceRefRejected"));
    }

    #[test]
    fn cycles_are_refused_and_judged_only_once_everything_is_known() {
        let chained = |name: &str| SourceRef {
            api_version: None,
            kind: SourceKind::ExternalArtifact,
            name: name.to_owned(),
            namespace: None,
            path: None,
        };
        let own = made(|spec| {
            spec.files = None;
            spec.source_ref = Some(chained("b"));
        });
        assert_eq!(denied(&own), "spec.sourceRef chain forms a cycle: a/b → a/b");
        let settings = settings();
        let blind = Facts { settings: &settings, graph: None };
        assert_eq!(snippet(&own, None, &blind, |_| false).denial.unwrap().code, 503);
        assert_eq!(snippet(&made(|_| ()), None, &blind, |_| false), Verdict::fine());

        let graph = Graph::default();
        let facts = Facts { settings: &settings, graph: Some(&graph) };
        let user = made(|spec| spec.libraries = vec![imported("lib")]);
        graph.note_snippet(&Name::new("a", "b"), Some(&user.spec));
        let closing = JsonnetLibrary::new("a", "lib", LibrarySpec { files: None, source_ref: Some(chained("b")) });
        let refused = library(&closing, None, &facts).denial.unwrap();
        assert_eq!(refused.message, "spec.sourceRef chain forms a cycle: a/b → a/b");
        assert_eq!(library(&closing, Some(&closing), &facts), Verdict::fine());
        let bare = JsonnetLibrary::new("a", "lib", LibrarySpec::default());
        assert_eq!(library(&bare, None, &facts).denial.unwrap().message, NO_FILES);
    }
}
