use jaas_api::admin::Owner;
use serde_json::json;

use super::super::super::keep::tests::{file, noon, snippet};
use super::*;

const OLD: u64 = 99 * 3600;

fn at(path: &str, class: FileClass, age: u64) -> File {
    File { path: path.to_owned(), class, bytes: 10, age: Some(age), version: "1".to_owned() }
}

fn external(name: &str) -> ExternalArtifact {
    let source = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": name});
    let value = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"namespace": "team-x", "name": name, "creationTimestamp": "2026-11-01T00:00:00Z"},
        "spec": {"sourceRef": source}});
    serde_json::from_value(value).unwrap()
}

struct World {
    inventory: Inventory,
    artifacts: Vec<ExternalArtifact>,
    unlisted: BTreeSet<String>,
    settings: Settings,
    classes: Vec<OrphanClass>,
    events: Option<BTreeSet<Key>>,
}

impl World {
    fn of(files: Vec<File>) -> Self {
        let settings = Settings { max_withdraw_wait: 3600, artifact_gc_grace: 300, ..Settings::default() };
        let inventory = Inventory { complete: true, files, uploads_unknown: None };
        let (artifacts, unlisted, classes, events) = (Vec::new(), BTreeSet::new(), Vec::new(), None);
        Self { inventory, artifacts, unlisted, settings, classes, events }
    }

    fn decide(&self) -> Decided {
        let keep = Keep::of(&[snippet()], &self.artifacts);
        let (leaving, now) = (BTreeSet::from(["team-y".to_owned()]), noon());
        Seen {
            inventory: &self.inventory,
            keep: &keep,
            artifacts: &self.artifacts,
            unlisted: &self.unlisted,
            leaving: &leaving,
            settings: &self.settings,
            min_age: 24 * 3600,
            events: self.events.as_ref(),
            classes: &self.classes,
            now,
        }
        .decide()
    }

    fn classes(&self) -> Vec<(&'static str, String)> {
        self.decide().groups.into_iter().map(|group| (group.class, group.place)).collect()
    }
}

fn gone(age: u64) -> File {
    at("team-x/old/sha256-1.tar.gz", FileClass::Revision, age)
}

#[test]
fn files_of_a_snippet_that_is_gone_are_orphans_and_others_are_told() {
    let world = World::of(vec![
        file("4", 1, OLD),
        file("0", 1, OLD),
        gone(OLD),
        at("team-x/old/sha256-1.tar.gz.trash-7", FileClass::Trash, OLD),
        at("team-y/tmp/sha256-1.tar.gz", FileClass::Revision, OLD),
        at("team-a/web/x.tar.gz.tmp", FileClass::Tmp, OLD),
        at("lost+found", FileClass::Foreign, OLD),
        at(".jaas-owner.json", FileClass::OwnerMark, OLD),
    ]);
    let decided = world.decide();
    assert_eq!(decided.sum, Sum { files: 3, bytes: 30 });
    let told: Vec<_> =
        decided.groups.iter().map(|it| (it.class, it.place.as_str(), it.sum.files, it.why.as_str())).collect();
    assert_eq!(
        told,
        [
            ("prefix", "team-x/old", 2, "snippet gone"),
            ("prefix", "team-y/tmp", 1, "namespace gone"),
            ("revision", "team-a/web", 1, "nothing names it; storage prune removes it"),
            ("tmp", "team-a/web", 1, "half of a write; storage sweep removes it"),
            ("foreign", "lost+found", 1, "not ours, kept"),
        ]
    );
    assert!(decided.doubts.is_empty());
}

#[test]
fn what_cannot_be_decided_is_no_orphan() {
    let mut world = World::of(vec![gone(OLD)]);
    world.unlisted.insert("team-x".to_owned());
    let decided = world.decide();
    assert_eq!((decided.files.len(), decided.groups[0].class, decided.doubts.len()), (0, "unknown", 1));

    let mut world = World::of(vec![gone(OLD)]);
    world.settings.watch_namespaces = vec!["team-a".to_owned()];
    assert_eq!(world.classes(), [("out-of-scope", "team-x/old".to_owned())]);

    assert_eq!(World::of(vec![gone(24 * 3600 - 1)]).classes(), [("young", "team-x/old".to_owned())]);
    let mut world = World::of(vec![gone(25 * 3600)]);
    world.settings.max_withdraw_wait = 48 * 3600;
    assert_eq!(world.classes()[0].0, "young", "the operator may still be withdrawing it");
    let ageless = File { age: None, ..gone(0) };
    assert_eq!(World::of(vec![ageless]).classes()[0].0, "unknown");
}

#[test]
fn an_announced_file_is_never_an_orphan() {
    let mut world = World::of(vec![gone(OLD)]);
    let mut artifact = external("old");
    artifact.status = serde_json::from_value(
        json!({"artifact": {"path": gone(OLD).path, "url": "http://x", "revision": "sha256:1"}}),
    )
    .unwrap();
    world.artifacts = vec![artifact];
    let decided = world.decide();
    assert_eq!((decided.files.len(), decided.external.len()), (0, 1));
}

#[test]
fn an_artifact_without_its_snippet_is_told_unless_it_is_somebody_elses() {
    let mut world = World::of(Vec::new());
    let mut foreign = external("flux");
    foreign.spec.source_ref = None;
    world.artifacts = vec![external("old"), foreign];
    assert_eq!(world.classes(), [("external", "team-x/old".to_owned())]);
    world.unlisted.insert("team-x".to_owned());
    assert_eq!((world.classes()[0].0, world.decide().external.len()), ("unknown", 0));
}

#[test]
fn classes_and_events_narrow_what_is_looked_at() {
    let mut world = World::of(vec![gone(OLD), at("lost+found", FileClass::Foreign, OLD)]);
    world.classes = vec![OrphanClass::Foreign];
    assert_eq!((world.classes().len(), world.decide().files.len()), (1, 0));
    world.classes.clear();
    let key = |name: &str| Key { namespace: "team-x".to_owned(), name: name.to_owned() };
    world.events = Some(BTreeSet::from([key("other")]));
    assert!(world.classes().is_empty());
    world.events = Some(BTreeSet::from([key("old")]));
    assert_eq!(world.decide().files.len(), 1);
}

#[test]
fn uploads_that_nobody_told_of_are_in_doubt_where_they_are_wanted() {
    let mut world = World::of(Vec::new());
    world.inventory.uploads_unknown = Some("denied".to_owned());
    assert!(world.decide().doubts.is_empty());
    world.classes = vec![OrphanClass::Multipart];
    assert_eq!(world.decide().doubts, ["unfinished uploads are not known: denied"]);
}

#[test]
fn nothing_goes_from_a_store_in_doubt() {
    let mark = |release: &str| Some(Owner { cluster: "u".to_owned(), release: release.to_owned() });
    let ours = Stats { owner: mark("a/b"), identity: mark("a/b"), owner_known: true, ..Stats::default() };
    let world = World::of(vec![gone(OLD)]);
    let decided = world.decide();
    let refused =
        |stats: &Stats, snippets, stored, max| refusal(stats, snippets, &decided, stored, max).map(|(what, _)| what);
    assert_eq!(refused(&ours, 1, 5, None), None);
    assert!(refused(&ours, 0, 5, None).is_some_and(|what| what.contains("no snippet exists")));
    assert!(refused(&ours, 1, 4, None).is_some_and(|what| what.contains("a fifth")));
    assert_eq!(refused(&ours, 1, 4, Some(1)), None);
    assert!(refused(&ours, 1, 4, Some(0)).is_some());
    let foreign = Stats { owner: mark("c/d"), ..ours.clone() };
    assert!(refused(&foreign, 1, 5, Some(9)).is_some_and(|what| what.contains("c/d")));
    let bare = Stats { owner: None, ..ours.clone() };
    assert!(refused(&bare, 1, 5, Some(9)).is_some_and(|what| what.contains("no mark")));
    let guarded = Stats { guarded: Some("not now".to_owned()), ..ours };
    assert!(refused(&guarded, 1, 5, Some(9)).is_some_and(|what| what.starts_with("not now")));
    let many =
        World::of((0..501).map(|n| File { path: format!("team-x/old-{n}/sha256-1.tar.gz"), ..gone(OLD) }).collect());
    let what = refusal(&Stats { guarded: None, ..stats_of(&mark) }, 1, &many.decide(), 99_999, None);
    assert!(what.is_some_and(|(what, how)| what.contains("more than 500") && how.ends_with("--max-delete 501")));
}

fn stats_of(mark: &dyn Fn(&str) -> Option<Owner>) -> Stats {
    Stats { owner: mark("a/b"), identity: mark("a/b"), owner_known: true, ..Stats::default() }
}
