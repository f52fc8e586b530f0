//! Snippets on sources whose changes the operator is not told of, because it lacks the right to watch their kind.
//!
//! Their files are read with the rights of their account, so everything of them works but one thing: nobody says when there is
//! something new. They are looked at now and then instead, and their condition says why.

use std::time::Duration;

use jaas_api::artifact::FLUX_SOURCE_GROUP;
use jaas_api::source::{SourceKind, SourceRef};
use jaas_api::{JsonnetLibrary, JsonnetSnippet, Reason};
use kube::runtime::reflector::{ObjectRef, Store};

use super::outcome::Refusal;
use crate::cluster::health;

/// How often such snippets are looked at, give or take.
const AGAIN: Duration = Duration::from_secs(60);

/// Why changes of what the snippet is made of are not seen; `None` where they are.
pub fn of(
    snippet: &JsonnetSnippet,
    owner: &str,
    libraries: &Store<JsonnetLibrary>,
    refusal: impl Fn(SourceKind, &str) -> Option<health::Refusal>,
) -> Option<Refusal> {
    let judge = |owner: &str, reference: &SourceRef| {
        let why = refusal(reference.kind, reference.namespace_or(owner))?;
        Some(Refusal::new(Reason::RBACDenied, sentence(reference.kind, &why)))
    };
    find(snippet, owner, libraries, judge)
}

/// When to look again at a snippet that is made of something in a namespace that is not watched (`--watch-namespaces`): nothing is wrong
/// with it, but nobody says when there is something new. `None` where all of it is watched.
pub fn again(
    snippet: &JsonnetSnippet,
    owner: &str,
    libraries: &Store<JsonnetLibrary>,
    is_watched: impl Fn(&str) -> bool,
) -> Option<Duration> {
    let mut outside = snippet.spec.libraries.iter().any(|library| !is_watched(library.namespace_or(owner)));
    outside |=
        find(snippet, owner, libraries, |owner, reference| (!is_watched(reference.namespace_or(owner))).then_some(()))
            .is_some();
    outside.then(|| AGAIN.mul_f64(rand::random_range(1.0..1.2)))
}

/// The first answer for a reference that the snippet's files come from, its libraries' included.
fn find<T>(
    snippet: &JsonnetSnippet,
    owner: &str,
    libraries: &Store<JsonnetLibrary>,
    judge: impl Fn(&str, &SourceRef) -> Option<T>,
) -> Option<T> {
    let own = snippet.spec.source_ref.as_ref().and_then(|reference| judge(owner, reference));
    own.or_else(|| {
        snippet.spec.libraries.iter().find_map(|library| {
            let namespace = library.namespace_or(owner);
            let library = libraries.get(&ObjectRef::new(&library.name).within(namespace))?;
            judge(namespace, library.spec.source_ref.as_ref()?)
        })
    })
}

/// Names no object: a library's source is its owner's business.
pub fn sentence(kind: SourceKind, why: &health::Refusal) -> String {
    let account = user(&why.message).map(|user| format!(" {user:?}")).unwrap_or_default();
    let place = match &why.namespace {
        Some(namespace) => format!("in namespace {namespace:?}"),
        None => "in all namespaces".to_owned(),
    };
    format!(
        "the operator is not told of changes of {} sources: its account{account} may not list and watch {}.{FLUX_SOURCE_GROUP} {place} — whoever installed the operator has to give it that right, as the role that the chart installs does. What is published stays, and the source is looked at about once a minute",
        kind.as_str(),
        kind.plural(),
    )
}

/// Whom the API server refused, in words that are the same for each verb.
fn user(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("User \"")?;
    rest.split_once('"').map(|(user, _)| user)
}

#[cfg(test)]
mod tests {
    use jaas_api::library::LibrarySpec;
    use jaas_api::snippet::SnippetSpec;
    use jaas_api::source::LibraryRef;
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::watcher::Event;

    use super::*;

    fn reference(kind: SourceKind, namespace: Option<&str>) -> SourceRef {
        SourceRef {
            api_version: None,
            kind,
            name: "repo".to_owned(),
            namespace: namespace.map(str::to_owned),
            path: None,
        }
    }

    fn libraries() -> Store<JsonnetLibrary> {
        let mut writer = Writer::default();
        let source = Some(reference(SourceKind::Bucket, None));
        let library = JsonnetLibrary::new("b", "lib", LibrarySpec { files: None, source_ref: source });
        writer.apply_watcher_event(&Event::Apply(library));
        writer.as_reader()
    }

    fn told(spec: SnippetSpec) -> Option<String> {
        let refusal = |kind, namespace: &str| {
            (kind == SourceKind::Bucket && namespace == "b").then(|| health::Refusal {
                message: "buckets is forbidden: User \"system:serviceaccount:x:jaas\" cannot list".to_owned(),
                namespace: None,
            })
        };
        let snippet = JsonnetSnippet::new("a", "web", spec);
        of(&snippet, "a", &libraries(), refusal).map(|refusal| refusal.message)
    }

    #[test]
    fn who_is_made_of_a_kind_that_is_not_watched_is_told_which_right_is_missing_and_who_gives_it() {
        let on =
            |kind, namespace| SnippetSpec { source_ref: Some(reference(kind, namespace)), ..SnippetSpec::default() };
        let message = told(on(SourceKind::Bucket, Some("b"))).unwrap_or_default();
        assert!(message.starts_with(
            "the operator is not told of changes of Bucket sources: its account \"system:serviceaccount:x:jaas\" may not list and watch buckets.source.toolkit.fluxcd.io in all namespaces — whoever installed the operator"
        ), "{message}");
        let library = LibraryRef { name: "lib".to_owned(), namespace: Some("b".to_owned()), ..LibraryRef::default() };
        assert_eq!(told(SnippetSpec { libraries: vec![library], ..SnippetSpec::default() }), Some(message));
        assert_eq!(told(on(SourceKind::Bucket, None)), None, "it is watched there");
        assert_eq!(told(on(SourceKind::GitRepository, Some("b"))), None);
        assert_eq!(told(SnippetSpec::default()), None);
    }

    #[test]
    fn who_is_made_of_something_in_a_namespace_that_is_not_watched_is_looked_at_again() {
        let library = |namespace: &str| LibraryRef {
            name: "lib".to_owned(),
            namespace: Some(namespace.to_owned()),
            ..LibraryRef::default()
        };
        let of_source = |namespace: Option<&str>| SnippetSpec {
            source_ref: Some(reference(SourceKind::GitRepository, namespace)),
            ..SnippetSpec::default()
        };
        let of_library = |namespace| SnippetSpec { libraries: vec![library(namespace)], ..SnippetSpec::default() };
        let again = |spec: SnippetSpec, watched: &[&str]| {
            again(&JsonnetSnippet::new("a", "web", spec), "a", &libraries(), |namespace| watched.contains(&namespace))
        };
        for (spec, watched) in
            [(of_source(Some("c")), &["a"][..]), (of_library("c"), &["a"]), (of_library("b"), &["a"])]
        {
            let delay = again(spec, watched).unwrap_or_default();
            assert!(delay >= AGAIN && delay < 2 * AGAIN, "{delay:?}");
        }
        for (spec, watched) in [(of_source(None), &["a"][..]), (of_library("b"), &["a", "b"])] {
            assert_eq!(again(spec, watched), None);
        }
    }
}
