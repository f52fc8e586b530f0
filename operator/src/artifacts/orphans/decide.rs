//! Which files nobody needs, and whether they may go now. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_storage::store::{Item, ItemKind};
use jaas_storage::{Key, Revision};
use tokio::time::Instant;

/// As many files may go in one round, whatever part of the store they are.
const ALWAYS_ALLOWED: usize = 100;
/// Beyond that, one of so many may.
const PART_ALLOWED: usize = 5;

/// Since when each file has been an orphan, without a break.
pub type Known = HashMap<(Key, Revision), Instant>;

/// What the API server says of each namespace that it listed completely; one that is not here was not.
pub type Lists = BTreeMap<String, Namespace>;

/// What the objects of a namespace say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Number of snippets.
    pub snippets: usize,
    /// Paths of all files that a snippet or an artifact names.
    pub named: BTreeSet<String>,
}

impl Namespace {
    /// Takes in a snippet.
    pub fn snippet(&mut self, snippet: &JsonnetSnippet) {
        self.snippets += 1;
        self.named.extend(named_by_snippet(snippet));
    }

    /// Takes in an artifact, whoever made it.
    pub fn artifact(&mut self, artifact: &ExternalArtifact) {
        self.named.extend(named_by_artifact(artifact));
    }
}

/// Paths that a snippet's status names: what is current, what is kept, and what waits for its grace to end.
pub fn named_by_snippet(snippet: &JsonnetSnippet) -> Vec<String> {
    let (Some(key), Some(status)) = (key(&snippet.metadata), &snippet.status) else { return Vec::new() };
    let records = status.history.iter().chain(&status.retired).map(|record| &record.revision);
    let revisions = status.revision.iter().chain(records).filter_map(|revision| revision.parse().ok());
    revisions.map(|revision| key.path(&revision)).collect()
}

/// Paths that a snippet's status keeps beyond any grace: what is current, and what is in the history.
pub fn kept_by_snippet(snippet: &JsonnetSnippet) -> Vec<String> {
    let (Some(key), Some(status)) = (key(&snippet.metadata), &snippet.status) else { return Vec::new() };
    let kept = status.revision.iter().chain(status.history.iter().map(|record| &record.revision));
    kept.filter_map(|revision| revision.parse().ok()).map(|revision| key.path(&revision)).collect()
}

/// Paths that an artifact names: the one it announces, and that of the revision it announces.
pub fn named_by_artifact(artifact: &ExternalArtifact) -> Vec<String> {
    let (Some(key), Some(published)) = (key(&artifact.metadata), artifact.published()) else { return Vec::new() };
    let of_revision = published.revision.parse().ok().map(|revision| key.path(&revision));
    std::iter::once(published.path.clone()).chain(of_revision).collect()
}

fn key(metadata: &kube::core::ObjectMeta) -> Option<Key> {
    Key::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?).ok()
}

/// A file that nobody names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The snippet in whose folder it is.
    pub key: Key,
    /// Its revision.
    pub revision: Revision,
    /// Its length in bytes.
    pub size: u64,
}

/// Why nothing may go although something is due.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Guard {
    /// An API server that lost its objects looks like this.
    #[error("no namespace that could be listed has a snippet, so all that the store holds of them would go")]
    NoSnippet,
    /// So do lists that are wrong in another way, and a store that was exchanged.
    #[error("{due} of {all} files would go at once, which is more than {ALWAYS_ALLOWED} and more than 20 %")]
    TooMany {
        /// Files that would go.
        due: usize,
        /// Files in the store.
        all: usize,
    },
}

/// What came of looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is to be known in the next round; its length is the number of orphans, due or not.
    pub known: Known,
    /// What may go now, or why it may not.
    pub verdict: Result<Vec<Orphan>, Guard>,
}

/// Compares what the store held with what the API server said afterwards.
///
/// A file goes at the earliest in the second round that sees it as an orphan, since a listing may be wrong for a moment. One that
/// a round did not see as an orphan, also because its namespace could not be listed, starts anew.
///
/// `forced` are snippets that were let go with their files in place: those files need no guard.
pub fn decide(
    listing: &[Item],
    lists: &Lists,
    known: &Known,
    forced: &BTreeSet<Key>,
    age: Duration,
    now: Instant,
) -> Decision {
    let (mut all, mut next, mut due) = (0, Known::new(), Vec::new());
    for item in listing {
        let (Some(key), ItemKind::Revision(revision)) = (&item.key, &item.kind) else { continue };
        all += 1;
        let Some(namespace) = lists.get(key.namespace()) else { continue };
        if namespace.named.contains(&key.path(revision)) {
            continue;
        }
        let file = (key.clone(), revision.clone());
        let since = known.get(&file).copied();
        if since.is_some_and(|since| now.saturating_duration_since(since) >= age) {
            due.push(Orphan { key: key.clone(), revision: revision.clone(), size: item.size });
        }
        next.insert(file, since.unwrap_or(now));
    }
    Decision { known: next, verdict: guard(due, all, lists, forced) }
}

/// Where a guard stops the rest, what was let go on purpose goes all the same.
fn guard(due: Vec<Orphan>, all: usize, lists: &Lists, forced: &BTreeSet<Key>) -> Result<Vec<Orphan>, Guard> {
    let (known, unknown): (Vec<_>, Vec<_>) = due.into_iter().partition(|orphan| forced.contains(&orphan.key));
    let stopped = if unknown.is_empty() {
        None
    } else if lists.values().all(|namespace| namespace.snippets == 0) {
        Some(Guard::NoSnippet)
    } else if unknown.len() > ALWAYS_ALLOWED && unknown.len().saturating_mul(PART_ALLOWED) > all {
        Some(Guard::TooMany { due: unknown.len(), all })
    } else {
        None
    };
    match stopped {
        Some(guard) if known.is_empty() => Err(guard),
        Some(_) => Ok(known),
        None => Ok(known.into_iter().chain(unknown).collect()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_api::artifact::{Artifact, ExternalArtifactSpec, ExternalArtifactStatus};
    use jaas_api::snippet::SnippetSpec;
    use jaas_api::status::{RevisionRecord, SyncStatus};
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    const AGE: Duration = Duration::from_secs(7200);

    fn revision(of: &str) -> Revision {
        Revision::of_document(of.as_bytes())
    }

    fn file(namespace: &str, name: &str, of: &str) -> Item {
        Item::of(&Key::new(namespace, name).unwrap().path(&revision(of)), 10)
    }

    fn snippet(name: &str, current: &str, history: &[&str], retired: &[&str]) -> JsonnetSnippet {
        let records = |list: &[&str]| {
            let record =
                |of: &&str| RevisionRecord { revision: revision(of).to_string(), time: Time(Timestamp::UNIX_EPOCH) };
            list.iter().map(record).collect()
        };
        let mut snippet = JsonnetSnippet::new("a", name, SnippetSpec::default());
        snippet.status = Some(SyncStatus {
            revision: Some(revision(current).to_string()),
            history: records(history),
            retired: records(retired),
            ..SyncStatus::default()
        });
        snippet
    }

    fn artifact(name: &str, path: &str, revision: &str) -> ExternalArtifact {
        let mut artifact = ExternalArtifact::new("a", name, ExternalArtifactSpec::default());
        let published = Artifact { path: path.to_owned(), revision: revision.to_owned(), ..Artifact::default() };
        artifact.status = Some(ExternalArtifactStatus { artifact: Some(published), ..Default::default() });
        artifact
    }

    fn lists(snippets: &[JsonnetSnippet], artifacts: &[ExternalArtifact]) -> Lists {
        let mut namespace = Namespace::default();
        snippets.iter().for_each(|snippet| namespace.snippet(snippet));
        artifacts.iter().for_each(|artifact| namespace.artifact(artifact));
        Lists::from([("a".to_owned(), namespace)])
    }

    /// What goes when everything that is an orphan has been one for long.
    fn goes(listing: &[Item], lists: &Lists) -> Result<Vec<String>, Guard> {
        let none = BTreeSet::new();
        let start = Instant::now();
        let noted = decide(listing, lists, &Known::new(), &none, AGE, start);
        assert_eq!(noted.verdict, Ok(Vec::new()), "nothing goes when it is first seen");
        let due = decide(listing, lists, &noted.known, &none, AGE, start + AGE).verdict?;
        Ok(due.iter().map(|orphan| orphan.key.path(&orphan.revision)).collect())
    }

    #[test]
    fn what_anything_names_stays_and_the_rest_goes() {
        let living = || snippet("web", "current", &["current", "kept"], &["retired"]);
        let of_path = |of: &str| file("a", "web", of).path;
        let unrelated = || snippet("other", "x", &[], &[]);
        for (what, of, lists, stays) in [
            ("current", "current", lists(&[living()], &[]), true),
            ("history", "kept", lists(&[living()], &[]), true),
            ("retired", "retired", lists(&[living()], &[]), true),
            ("left by a crash", "left", lists(&[living()], &[]), false),
            (
                "announced revision",
                "new",
                lists(&[living()], &[artifact("web", "", &revision("new").to_string())]),
                true,
            ),
            ("announced path", "new", lists(&[living()], &[artifact("web", &of_path("new"), "odd")]), true),
            ("announced, snippet gone", "new", lists(&[unrelated()], &[artifact("web", &of_path("new"), "")]), true),
            ("snippet gone", "current", lists(&[unrelated()], &[]), false),
            (
                "of another artifact",
                "new",
                lists(&[living()], &[artifact("x", "", &revision("new").to_string())]),
                false,
            ),
            ("of another snippet", "x", lists(&[unrelated()], &[]), false),
            ("never judged", "x", lists(&[JsonnetSnippet::new("a", "web", SnippetSpec::default())], &[]), false),
        ] {
            let item = file("a", "web", of);
            let expected = if stays { Vec::new() } else { vec![item.path.clone()] };
            assert_eq!(goes(&[item], &lists), Ok(expected), "{what}");
        }
    }

    #[test]
    fn only_artifacts_are_ever_orphans() {
        let lists = lists(&[snippet("other", "x", &[], &[])], &[]);
        for kind in [ItemKind::Temporary, ItemKind::Trash, ItemKind::Foreign, ItemKind::OwnerMark] {
            let item = Item { kind: kind.clone(), ..file("a", "web", "x") };
            assert_eq!(goes(&[item], &lists), Ok(Vec::new()), "{kind:?}");
        }
    }

    #[test]
    fn a_namespace_that_was_not_listed_is_left_alone() {
        let lists = lists(&[snippet("other", "x", &[], &[])], &[]);
        let listing = [file("b", "web", "x"), file("a", "gone", "x")];
        assert_eq!(goes(&listing, &lists), Ok(vec![listing[1].path.clone()]));
        assert_eq!(goes(&listing, &Lists::new()), Ok(Vec::new()));
    }

    #[test]
    fn an_orphan_goes_once_it_has_been_one_for_the_whole_age_without_a_break() {
        let item = [file("a", "web", "x")];
        let (orphaned, named) =
            (lists(&[snippet("other", "", &[], &[])], &[]), lists(&[snippet("web", "x", &[], &[])], &[]));
        let unlisted = Lists::new();
        let start = Instant::now();
        // Hours at which a round takes place, what it sees, and whether the file goes then.
        for (what, rounds) in [
            ("waits", vec![(0, &orphaned, false), (1, &orphaned, false), (2, &orphaned, true)]),
            ("no rounds between", vec![(0, &orphaned, false), (9, &orphaned, true)]),
            (
                "named meanwhile",
                vec![(0, &orphaned, false), (1, &named, false), (2, &orphaned, false), (4, &orphaned, true)],
            ),
            ("not listed meanwhile", vec![(0, &orphaned, false), (1, &unlisted, false), (3, &orphaned, false)]),
        ] {
            let mut known = Known::new();
            for (hour, lists, expected) in rounds {
                let now = start + Duration::from_secs(hour * 3600);
                let decision = decide(&item, lists, &known, &BTreeSet::new(), AGE, now);
                assert_eq!(!decision.verdict.unwrap().is_empty(), expected, "{what}, hour {hour}");
                known = decision.known;
            }
        }
        let none = BTreeSet::new();
        let at_once = decide(&item, &orphaned, &Known::new(), &none, Duration::ZERO, start);
        assert_eq!(at_once.verdict, Ok(Vec::new()), "two listings, whatever the age");
        assert_eq!(decide(&item, &orphaned, &at_once.known, &none, Duration::ZERO, start).verdict.unwrap().len(), 1);
        assert!(
            decide(&[], &orphaned, &at_once.known, &none, AGE, start).known.is_empty(),
            "what is gone is forgotten"
        );
    }

    #[test]
    fn the_guards_stop_what_looks_like_a_mistake() {
        let store = |orphans: usize, kept: usize| {
            let orphans = (0..orphans).map(|n| file("a", "gone", &n.to_string()));
            // Files of a namespace that may not be listed are part of the store all the same.
            orphans.chain((0..kept).map(|n| file("b", "web", &n.to_string()))).collect::<Vec<_>>()
        };
        let one = lists(&[snippet("other", "", &[], &[])], &[]);
        for (orphans, kept, stopped) in
            [(100, 0, false), (101, 0, true), (101, 403, true), (101, 404, false), (200, 800, false), (201, 799, true)]
        {
            let expected =
                if stopped { Err(Guard::TooMany { due: orphans, all: orphans + kept }) } else { Ok(orphans) };
            assert_eq!(goes(&store(orphans, kept), &one).map(|gone| gone.len()), expected, "{orphans} {kept}");
        }
        let none = lists(&[], &[]);
        assert_eq!(goes(&store(1, 9), &none), Err(Guard::NoSnippet));
        let elsewhere = Namespace { snippets: 1, ..Namespace::default() };
        let some: Lists = none.into_iter().chain([("b".to_owned(), elsewhere)]).collect();
        assert_eq!(goes(&store(1, 0), &some).map(|gone| gone.len()), Ok(1));
    }

    #[test]
    fn ages_go_on_while_a_guard_stops() {
        let (item, none, start) = ([file("a", "web", "x")], lists(&[], &[]), Instant::now());
        let noted = decide(&item, &none, &Known::new(), &BTreeSet::new(), AGE, start).known;
        let stopped = decide(&item, &none, &noted, &BTreeSet::new(), AGE, start + AGE);
        assert_eq!((stopped.verdict, stopped.known), (Err(Guard::NoSnippet), noted));
    }

    #[test]
    fn what_was_let_go_with_its_files_needs_no_guard() {
        let key = |name: &str| Key::new("a", name).unwrap();
        let (empty, one) = (lists(&[], &[]), lists(&[snippet("other", "", &[], &[])], &[]));
        let gone: Vec<_> = (0..300).map(|n| file("a", &format!("gone{n}"), "x")).collect();
        let lost: Vec<_> = (0..300).map(|n| file("a", &format!("lost{n}"), "x")).collect();
        let forced: BTreeSet<_> = (0..300).map(|n| key(&format!("gone{n}"))).collect();
        let start = Instant::now();
        let verdict = |listing: &[Item], lists: &Lists| {
            let noted = decide(listing, lists, &Known::new(), &forced, AGE, start).known;
            assert_eq!(decide(listing, lists, &noted, &forced, AGE, start).verdict, Ok(Vec::new()), "the age counts");
            decide(listing, lists, &noted, &forced, AGE, start + AGE).verdict.map(|due| due.len())
        };
        assert_eq!(verdict(&gone, &empty), Ok(300));
        assert_eq!(verdict(&gone, &one), Ok(300));
        assert_eq!(verdict(&lost, &one), Err(Guard::TooMany { due: 300, all: 300 }));
        let both = [gone, lost].concat();
        assert_eq!(verdict(&both, &one), Ok(300), "the others stay");
        assert_eq!(verdict(&both, &empty), Ok(300));
    }
}
