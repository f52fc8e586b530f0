//! Whose files are nobody's. Pure.
//!
//! Everything that could make a file of somebody look like nobody's leaves it undecided.

use std::collections::{BTreeMap, BTreeSet};

use jaas_api::ExternalArtifact;
use jaas_api::admin::{Settings, Stats};
use jaas_findings::facts::{File, FileClass, Inventory};
use jiff::Timestamp;

use super::super::keep::{Hold, Keep, owner};
use crate::cli::OrphanClass;
use crate::snippet::Key;
use crate::view::{OrphanGroup, Sum};

/// Most files that go without `--max-delete`.
pub(super) const MOST: usize = 500;
/// Most of the store that goes without `--max-delete`: a fifth.
pub(super) const SHARE: usize = 5;

/// What was seen.
pub(super) struct Seen<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) keep: &'a Keep,
    pub(super) artifacts: &'a [ExternalArtifact],
    /// Namespaces whose snippets, or whose part of the store, could not be listed.
    pub(super) unlisted: &'a BTreeSet<String>,
    /// Namespaces that do not exist any more, or are on their way out.
    pub(super) leaving: &'a BTreeSet<String>,
    pub(super) settings: &'a Settings,
    pub(super) min_age: u64,
    /// Only snippets that these events name; all where there is none.
    pub(super) events: Option<&'a BTreeSet<Key>>,
    pub(super) classes: &'a [OrphanClass],
    pub(super) now: Timestamp,
}

/// What follows.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) groups: Vec<OrphanGroup>,
    /// Files that `--delete` is about.
    pub(super) files: Vec<File>,
    /// ExternalArtifacts that `--delete` is about.
    pub(super) external: Vec<ExternalArtifact>,
    pub(super) sum: Sum,
    /// Why something could not be decided.
    pub(super) doubts: Vec<String>,
}

/// One verdict on one file.
struct Verdict {
    class: &'static str,
    why: &'static str,
    is_orphan: bool,
}

impl Verdict {
    fn of(class: &'static str, why: &'static str) -> Self {
        Self { class, why, is_orphan: false }
    }
}

impl Seen<'_> {
    /// The least age of an orphan: what the operator may still be withdrawing is none.
    pub(super) fn age(&self) -> u64 {
        let least = self.settings.max_withdraw_wait.saturating_add(self.settings.artifact_gc_grace);
        self.min_age.max(least)
    }

    /// Judges everything.
    pub(super) fn decide(&self) -> Decided {
        let mut decided = Decided::default();
        let mut groups: BTreeMap<(&str, String, &str), (Sum, Option<u64>)> = BTreeMap::new();
        for file in &self.inventory.files {
            let key = owner(&file.path);
            if self.events.is_some_and(|events| key.as_ref().is_none_or(|key| !events.contains(key))) {
                continue;
            }
            let Some(verdict) = self.judge(file, key.as_ref()) else { continue };
            if !self.wants(verdict.class) {
                continue;
            }
            let place = key.map_or_else(|| file.path.clone(), |key| key.to_string());
            let (sum, age) = groups.entry((verdict.class, place, verdict.why)).or_insert((Sum::default(), file.age));
            sum.add(file.bytes);
            *age = (*age).min(file.age);
            if verdict.is_orphan {
                decided.sum.add(file.bytes);
                decided.files.push(file.clone());
            }
        }
        decided.groups = groups
            .into_iter()
            .map(|((class, place, why), (sum, age))| OrphanGroup { class, place, sum, age, why: why.to_owned() })
            .collect();
        self.external(&mut decided);
        decided.groups.sort_by(|a, b| (rank(a.class), &a.place).cmp(&(rank(b.class), &b.place)));
        decided.doubts = self.doubts(&decided);
        decided
    }

    fn wants(&self, class: &str) -> bool {
        match class {
            // What could not be decided might be of any class that is about snippets.
            "unknown" | "out-of-scope" | "young" => {
                self.classes.is_empty() || self.classes.contains(&OrphanClass::Prefix)
            }
            class => self.classes.is_empty() || self.classes.iter().any(|wanted| wanted.word() == class),
        }
    }

    /// `None` for what is in order.
    fn judge(&self, file: &File, key: Option<&Key>) -> Option<Verdict> {
        match file.class {
            FileClass::OwnerMark => return None,
            FileClass::Tmp => return Some(Verdict::of("tmp", "half of a write; storage sweep removes it")),
            FileClass::Multipart => return Some(Verdict::of("multipart", "never ended; storage sweep removes it")),
            FileClass::Foreign => return Some(Verdict::of("foreign", "not ours, kept")),
            FileClass::Revision | FileClass::Trash => {}
        }
        let key = key?;
        if self.keep.knows(key) {
            let is_beyond = file.class == FileClass::Revision
                && self.keep.hold(file, self.settings.artifact_gc_grace, self.now) == Hold::Nothing;
            return is_beyond.then(|| Verdict::of("revision", "nothing names it; storage prune removes it"));
        }
        if self.keep.names(&file.path) {
            return Some(Verdict::of("unknown", "an ExternalArtifact announces it"));
        }
        let watched = &self.settings.watch_namespaces;
        if !watched.is_empty() && !watched.contains(&key.namespace) {
            return Some(Verdict::of("out-of-scope", "not watched; maybe another operator's"));
        }
        if self.unlisted.contains(&key.namespace) {
            return Some(Verdict::of("unknown", "you may not list it"));
        }
        match file.age {
            None => Some(Verdict::of("unknown", "its age is not known")),
            Some(age) if age < self.age() => Some(Verdict::of("young", "too young to tell")),
            Some(_) => {
                let why = if self.leaving.contains(&key.namespace) { "namespace gone" } else { "snippet gone" };
                Some(Verdict { class: "prefix", why, is_orphan: true })
            }
        }
    }

    /// ExternalArtifacts of ours whose snippet is gone. Whoever may not list the snippets of a namespace knows of none there.
    fn external(&self, decided: &mut Decided) {
        if !self.wants("external") {
            return;
        }
        for artifact in self.artifacts {
            let Some(key) = ours(artifact) else { continue };
            let is_meant = self.events.is_none_or(|events| events.contains(&key));
            if self.keep.knows(&key) || !is_meant || artifact.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let watched = &self.settings.watch_namespaces;
            let (class, why) = if self.unlisted.contains(&key.namespace) {
                ("unknown", "ExternalArtifact; you may not list its snippet")
            } else if !watched.is_empty() && !watched.contains(&key.namespace) {
                ("out-of-scope", "not watched; maybe another operator's")
            } else {
                ("external", "ExternalArtifact without snippet")
            };
            let created = artifact.metadata.creation_timestamp.as_ref().map(|time| time.0);
            let age = created.map(|created| crate::age::since(created, self.now).as_secs());
            decided.groups.push(OrphanGroup {
                class,
                place: key.to_string(),
                sum: Sum::default(),
                age,
                why: why.to_owned(),
            });
            if class == "external" {
                decided.external.push(artifact.clone());
            }
        }
    }

    fn doubts(&self, decided: &Decided) -> Vec<String> {
        let mut doubts = Vec::new();
        if !self.inventory.complete && self.unlisted.is_empty() {
            doubts.push("the listing of the store is not complete".to_owned());
        }
        if let Some(why) =
            self.inventory.uploads_unknown.as_ref().filter(|_| self.classes.contains(&OrphanClass::Multipart))
        {
            doubts.push(format!("unfinished uploads are not known: {why}"));
        }
        let unlisted: Vec<_> = self.unlisted.iter().cloned().collect();
        let is_about = |class: &str| decided.groups.iter().any(|group| group.class == class);
        if !unlisted.is_empty() {
            doubts.push(format!("you may not list {}", crate::hint::few(&unlisted)));
        } else if is_about("unknown") {
            doubts.push("some files could not be decided".to_owned());
        }
        doubts
    }
}

fn rank(class: &str) -> usize {
    let order = ["prefix", "external", "unknown", "young", "out-of-scope", "revision", "tmp", "multipart", "foreign"];
    order.iter().position(|known| *known == class).unwrap_or(order.len())
}

/// The snippet that an ExternalArtifact of ours belongs to: the one of the same namespace and name that it names as its source.
fn ours(artifact: &ExternalArtifact) -> Option<Key> {
    let (namespace, name) = (artifact.metadata.namespace.clone()?, artifact.metadata.name.clone()?);
    let source = artifact.spec.source_ref.as_ref()?;
    let is_here = source.namespace.as_deref().is_none_or(|place| place.is_empty() || place == namespace);
    let is_ours = source.kind.as_deref() == Some("JsonnetSnippet") && source.name.as_deref() == Some(&name) && is_here;
    is_ours.then_some(Key { namespace, name })
}

/// Why so many files go only with `--max-delete`.
pub(super) fn many(count: usize, stored: usize) -> Option<String> {
    match count {
        _ if count > MOST => Some(format!("{count} files are more than {MOST}")),
        _ if count * SHARE > stored => {
            Some(format!("{count} files are more than a fifth of the {stored} that are stored"))
        }
        _ => None,
    }
}

/// Why nothing may be removed, whoever says yes.
pub(super) fn refusal(
    stats: &Stats,
    snippets: usize,
    decided: &Decided,
    stored: usize,
    max: Option<usize>,
) -> Option<(String, String)> {
    let count = decided.files.len();
    let told = |what: &str, how: &str| Some((format!("{what}; nothing was changed"), how.to_owned()));
    if let Some(guarded) = &stats.guarded {
        return told(guarded, "see whose the store is: kubectl jaas storage info");
    }
    match (&stats.owner, &stats.identity) {
        (Some(owner), Some(ours)) if owner == ours => {}
        (Some(owner), _) => {
            let what = format!("the store is that of {} in cluster {}, as its mark says", owner.release, owner.cluster);
            return told(&what, "if that is a mistake, see --storage-take-over of the operator");
        }
        (None, _) => {
            return told(
                "the store carries no mark, so whose files these are is not known",
                "the operator marks it when it leads: kubectl jaas doctor",
            );
        }
    }
    if snippets == 0 {
        return told(
            "no snippet exists at all; a cluster that is being restored looks like that too",
            "restore the snippets first",
        );
    }
    match max {
        Some(max) if count > max => {
            let what = format!("{count} files are more than --max-delete {max}");
            told(&what, &format!("look at them once more; if they are really nobody's: --max-delete {count}"))
        }
        None => {
            let what = many(count, stored)?;
            told(&what, &format!("if they are really nobody's, add --max-delete {count}"))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
