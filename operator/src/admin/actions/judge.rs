//! Whether one file may go: what it is, whether it is what was seen, and what names it. Pure.

use std::time::{Duration, SystemTime};

use jaas_api::admin::{Action, ActionItem, ActionOutcome};
use jaas_api::{ExternalArtifact, JsonnetSnippet};
use jaas_storage::store::{Item, ItemKind};
use kube::ResourceExt as _;
use kube::core::{Selector, SelectorExt as _};

use crate::admin::inventory::class;
use crate::artifacts::orphans::decide::{kept_by_snippet, named_by_artifact, named_by_snippet};

/// Why a file stays, and what that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stays {
    pub(super) outcome: ActionOutcome,
    pub(super) why: String,
}

impl Stays {
    pub(super) fn new(outcome: ActionOutcome, why: impl Into<String>) -> Self {
        Self { outcome, why: why.into() }
    }

    fn kept(why: impl Into<String>) -> Self {
        Self::new(ActionOutcome::Kept, why)
    }
}

/// What a request may be about, by its names alone. `watched` is empty where all namespaces are.
pub(super) fn by_name(action: Action, named: &Item, watched: &[String]) -> Result<(), Stays> {
    let refused = |why: String| Err(Stays::new(ActionOutcome::Refused, why));
    let fits = match action {
        Action::PruneExpired | Action::PruneBeyondKeep | Action::Repair => {
            matches!(named.kind, ItemKind::Revision(_))
        }
        Action::DeleteOrphans => matches!(named.kind, ItemKind::Revision(_) | ItemKind::Trash),
        Action::Sweep => false,
    };
    match &named.key {
        Some(key) if fits => {
            let namespace = key.namespace();
            if watched.is_empty() || watched.iter().any(|name| name == namespace) {
                return Ok(());
            }
            refused(format!("this operator does not watch the namespace {namespace}, so it cannot tell who needs it"))
        }
        _ => refused(format!("the action is not about files of the class {}", class(&named.kind).word())),
    }
}

/// The present state, if it is the one that was seen. A repair looks at the content and needs no version.
pub(super) fn as_seen<'a>(action: Action, asked: &ActionItem, present: Option<&'a Item>) -> Result<&'a Item, Stays> {
    let Some(present) = present else {
        return Err(Stays::new(ActionOutcome::Missing, "it is not in the store"));
    };
    // A directory may have the name of an artifact.
    if present.kind == ItemKind::Foreign {
        return Err(Stays::new(ActionOutcome::Refused, "it is no file that the operator wrote"));
    }
    let unseen = action == Action::Repair && asked.version.is_empty();
    if unseen || asked.version == present.version {
        return Ok(present);
    }
    Err(Stays::new(ActionOutcome::Changed, "it was written again since it was looked at; look again"))
}

/// What the API server says just now of the snippet in whose folder a file is.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Whether the namespace is being deleted.
    pub(super) terminating: bool,
    /// The snippet, unless there is none.
    pub(super) snippet: Option<JsonnetSnippet>,
    /// The artifact of the same name, unless there is none.
    pub(super) artifact: Option<ExternalArtifact>,
}

/// Whether this operator looks after the snippet in whose folder the file is; one that is gone has no labels to tell.
pub(super) fn by_labels(facts: &Facts, labels: &Selector) -> Result<(), Stays> {
    let Some(snippet) = &facts.snippet else { return Ok(()) };
    if labels.matches(snippet.labels()) {
        return Ok(());
    }
    let why = format!(
        "this operator does not look after the snippet {}, by its --label-selector, so it would not bring back what is missed",
        snippet.name_any()
    );
    Err(Stays::new(ActionOutcome::Refused, why))
}

/// Whether a revision or a file that was set aside may be removed. `least_age` holds for orphans.
pub(super) fn removable(
    action: Action,
    item: &Item,
    facts: &Facts,
    now: SystemTime,
    least_age: Duration,
) -> Result<(), Stays> {
    let name = item.key.as_ref().map(ToString::to_string).unwrap_or_default();
    if facts.terminating {
        return Err(Stays::kept("its namespace is being deleted; what is left then is found by find-orphans"));
    }
    if facts.artifact.as_ref().is_some_and(|artifact| named_by_artifact(artifact).contains(&item.path)) {
        return Err(Stays::kept(format!("the ExternalArtifact {name} announces it")));
    }
    match (action, &facts.snippet) {
        (Action::DeleteOrphans, Some(_)) => Err(Stays::kept(format!("the snippet {name} exists"))),
        (Action::DeleteOrphans, None) => old_enough(item, now, least_age),
        (_, None) => {
            let why = format!("the snippet {name} is gone; that is for find-orphans");
            Err(Stays::new(ActionOutcome::Refused, why))
        }
        (_, Some(snippet)) => unneeded(action, item, snippet, &name),
    }
}

fn unneeded(action: Action, item: &Item, snippet: &JsonnetSnippet, name: &str) -> Result<(), Stays> {
    let observed = snippet.status.as_ref().and_then(|status| status.observed_generation);
    if snippet.metadata.deletion_timestamp.is_some() {
        return Err(Stays::kept(format!("the snippet {name} is being deleted, and its files go with it")));
    }
    if observed.is_none() || observed != snippet.metadata.generation {
        return Err(Stays::kept(format!("the snippet {name} was changed and not looked at since; wait until it is")));
    }
    let current = snippet.status.as_ref().and_then(|status| status.revision.as_deref());
    if let ItemKind::Revision(revision) = &item.kind
        && current == Some(&*revision.to_string())
    {
        return Err(Stays::kept(format!("it is the current revision of the snippet {name}")));
    }
    if kept_by_snippet(snippet).contains(&item.path) {
        return Err(Stays::kept(format!("the history of the snippet {name} holds it")));
    }
    if action == Action::PruneExpired && named_by_snippet(snippet).contains(&item.path) {
        return Err(Stays::kept(format!("the snippet {name} retired it, and its grace is not over")));
    }
    Ok(())
}

fn old_enough(item: &Item, now: SystemTime, least: Duration) -> Result<(), Stays> {
    let Some(written) = item.written else {
        return Err(Stays::kept("the store does not tell when it was written"));
    };
    // A clock that is behind makes it younger, never older.
    let age = now.duration_since(written).unwrap_or_default();
    if age >= least {
        return Ok(());
    }
    let seconds = |time: Duration| time.as_secs();
    Err(Stays::kept(format!(
        "it was written {} s ago, and an orphan goes when it is {} s old (--max-withdraw-wait and --artifact-gc-grace together)",
        seconds(age),
        seconds(least)
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_api::artifact::{Artifact, ExternalArtifactSpec, ExternalArtifactStatus};
    use jaas_api::snippet::SnippetSpec;
    use jaas_api::status::{RevisionRecord, SyncStatus};
    use jaas_storage::{Key, Revision};
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    const AGE: Duration = Duration::from_secs(100);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    fn path(of: &str) -> String {
        Key::new("a", "web").unwrap().path(&Revision::of_document(of.as_bytes()))
    }

    fn item(of: &str, seconds: u64) -> Item {
        let written = now().checked_sub(Duration::from_secs(seconds));
        Item { written, version: "1".to_owned(), ..Item::of(&path(of), 10) }
    }

    /// Current `c`, history `c` and `h`, retired `r`.
    fn snippet() -> JsonnetSnippet {
        let revision = |of: &str| Revision::of_document(of.as_bytes()).to_string();
        let record = |of: &str| RevisionRecord { revision: revision(of), time: Time(Timestamp::UNIX_EPOCH) };
        let mut snippet = JsonnetSnippet::new("a", "web", SnippetSpec::default());
        snippet.metadata.generation = Some(2);
        snippet.status = Some(SyncStatus {
            observed_generation: Some(2),
            revision: Some(revision("c")),
            history: vec![record("c"), record("h")],
            retired: vec![record("r")],
            ..SyncStatus::default()
        });
        snippet
    }

    fn artifact(of: &str) -> ExternalArtifact {
        let mut artifact = ExternalArtifact::new("a", "web", ExternalArtifactSpec::default());
        let published = Artifact { path: path(of), ..Artifact::default() };
        artifact.status = Some(ExternalArtifactStatus { artifact: Some(published), ..Default::default() });
        artifact
    }

    fn judged(action: Action, item: &Item, facts: &Facts) -> Result<(), ActionOutcome> {
        removable(action, item, facts, now(), AGE).map_err(|stays| {
            assert!(!stays.why.is_empty());
            stays.outcome
        })
    }

    #[test]
    fn a_living_snippet_keeps_what_it_names() {
        let facts = Facts { snippet: Some(snippet()), artifact: Some(artifact("e")), ..Facts::default() };
        let kept = Err(ActionOutcome::Kept);
        for (of, expired, beyond) in
            [("c", kept, kept), ("h", kept, kept), ("e", kept, kept), ("r", kept, Ok(())), ("x", Ok(()), Ok(()))]
        {
            assert_eq!(judged(Action::PruneExpired, &item(of, 0), &facts), expired, "{of}");
            assert_eq!(judged(Action::PruneBeyondKeep, &item(of, 0), &facts), beyond, "{of}");
            assert_eq!(judged(Action::DeleteOrphans, &item(of, 900), &facts), kept, "{of}");
        }
    }

    #[test]
    fn a_snippet_that_nobody_looked_at_since_it_changed_keeps_everything() {
        let mut changed = snippet();
        changed.metadata.generation = Some(3);
        let mut new = snippet();
        new.status = None;
        let mut going = snippet();
        going.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        for snippet in [changed, new, going] {
            let facts = Facts { snippet: Some(snippet), ..Facts::default() };
            assert_eq!(judged(Action::PruneBeyondKeep, &item("x", 900), &facts), Err(ActionOutcome::Kept));
        }
    }

    #[test]
    fn an_orphan_is_old_and_named_by_nobody() {
        let none = Facts::default();
        assert_eq!(judged(Action::DeleteOrphans, &item("x", 100), &none), Ok(()));
        assert_eq!(judged(Action::DeleteOrphans, &item("x", 99), &none), Err(ActionOutcome::Kept));
        let timeless = Item { written: None, ..item("x", 0) };
        assert_eq!(judged(Action::DeleteOrphans, &timeless, &none), Err(ActionOutcome::Kept));
        let announced = Facts { artifact: Some(artifact("x")), ..Facts::default() };
        assert_eq!(judged(Action::DeleteOrphans, &item("x", 900), &announced), Err(ActionOutcome::Kept));
        let ending = Facts { terminating: true, ..Facts::default() };
        assert_eq!(judged(Action::DeleteOrphans, &item("x", 900), &ending), Err(ActionOutcome::Kept));
        assert_eq!(judged(Action::PruneExpired, &item("x", 900), &none), Err(ActionOutcome::Refused));
    }

    #[test]
    fn each_action_has_its_class_and_scope() {
        let trash = format!("{}.trash-1", path("x"));
        let temporary = format!("{}.tmp", path("x"));
        let allowed = |action, path: &str, watched: &[&str]| {
            let watched: Vec<String> = watched.iter().map(|&name| name.to_owned()).collect();
            by_name(action, &Item::of(path, 0), &watched).is_ok()
        };
        let all = [Action::PruneExpired, Action::PruneBeyondKeep, Action::DeleteOrphans, Action::Repair];
        for action in all {
            assert!(allowed(action, &path("x"), &[]) && allowed(action, &path("x"), &["b", "a"]), "{action:?}");
            assert!(!allowed(action, &path("x"), &["b"]), "{action:?}");
            assert_eq!(allowed(action, &trash, &[]), action == Action::DeleteOrphans, "{action:?}");
            for odd in [&*temporary, ".jaas-owner.json", "a/web/notes.txt", "../a/web", "", "a//x", "/etc/passwd"] {
                assert!(!allowed(action, odd, &[]), "{action:?} {odd}");
            }
        }
    }

    #[test]
    fn what_the_selector_leaves_out_is_left_alone() {
        let of = |labels: &[(&str, &str)]| {
            let mut snippet = snippet();
            let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
            snippet.metadata.labels = Some(labels.collect());
            Facts { snippet: Some(snippet), ..Facts::default() }
        };
        let judged = |facts: &Facts, selector: &str| {
            by_labels(facts, &jaas_api::selector::parse(selector).unwrap()).map_err(|stays| stays.outcome)
        };
        assert_eq!(judged(&of(&[("team", "a")]), "team=a"), Ok(()));
        assert_eq!(judged(&of(&[]), "team=a"), Err(ActionOutcome::Refused));
        assert_eq!(judged(&of(&[]), ""), Ok(()));
        assert_eq!(judged(&Facts::default(), "team=a"), Ok(()), "an orphan has no labels");
    }

    #[test]
    fn only_what_was_seen_is_touched() {
        let present = item("x", 0);
        let asked = |version: &str| ActionItem { path: path("x"), version: version.to_owned() };
        let seen = |action, version: &str, present: Option<&Item>| {
            as_seen(action, &asked(version), present).map(|_| ()).map_err(|stays| stays.outcome)
        };
        assert_eq!(seen(Action::PruneExpired, "1", Some(&present)), Ok(()));
        assert_eq!(seen(Action::PruneExpired, "2", Some(&present)), Err(ActionOutcome::Changed));
        assert_eq!(seen(Action::PruneExpired, "", Some(&present)), Err(ActionOutcome::Changed));
        assert_eq!(seen(Action::Repair, "", Some(&present)), Ok(()));
        assert_eq!(seen(Action::Repair, "2", Some(&present)), Err(ActionOutcome::Changed));
        assert_eq!(seen(Action::PruneExpired, "1", None), Err(ActionOutcome::Missing));
        let folder = Item { kind: ItemKind::Foreign, ..present };
        assert_eq!(seen(Action::Repair, "", Some(&folder)), Err(ActionOutcome::Refused));
    }
}
