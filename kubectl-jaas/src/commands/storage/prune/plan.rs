//! Which revisions would go. Pure.

use std::collections::BTreeMap;

use jaas_findings::facts::File;
use jiff::Timestamp;

use super::super::keep::{Hold, Keep, owner, revisions};
use crate::cli::LevelArgs;
use crate::snippet::{Key, Snippet};
use crate::view::{PruneRow, Sum};

/// How much goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What nothing holds.
    Expired,
    /// Also what only the grace holds.
    BeyondKeep,
    /// Also what is beyond the newest of a history.
    Keep(u16),
}

impl Level {
    pub(super) fn of(args: &LevelArgs) -> Self {
        match (args.keep, args.beyond_keep) {
            (Some(keep), _) => Self::Keep(keep),
            (None, true) => Self::BeyondKeep,
            (None, false) => Self::Expired,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::BeyondKeep => "beyond-keep",
            Self::Keep(_) => "keep",
        }
    }
}

/// What would go.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Files that go, in the order in which they go.
    pub(super) doomed: Vec<File>,
    /// One row for each snippet that has anything stored.
    pub(super) rows: Vec<PruneRow>,
    pub(super) total: Sum,
    /// What only the grace holds, and stays.
    pub(super) in_grace: Sum,
    /// What would go, but for somebody who is seen to use it.
    pub(super) in_use: Sum,
}

/// What of the files of `snippets` goes at `level`. `spare` are bytes after which it is enough.
pub(super) fn plan(
    level: Level,
    snippets: &[Snippet],
    files: &[File],
    keep: &Keep,
    grace: u64,
    spare: Option<u64>,
    now: Timestamp,
) -> Plan {
    let stored = revisions(files);
    let mut plan = Plan::default();
    let (mut doomed, mut users) = (Vec::new(), BTreeMap::new());
    for snippet in snippets {
        let key = snippet.key();
        let Some(files) = stored.get(&key) else { continue };
        let beyond = beyond(level, snippet, &key);
        for file in files {
            let goes = match keep.hold(file, grace, now) {
                Hold::Nothing => true,
                Hold::Grace if level == Level::Expired => {
                    plan.in_grace.add(file.bytes);
                    false
                }
                Hold::Grace => true,
                Hold::History => beyond.contains(&file.path),
                Hold::Current => false,
            };
            match keep.user(&file.path) {
                Some(user) if goes => {
                    plan.in_use.add(file.bytes);
                    users.entry(key.clone()).or_insert_with(|| user.to_owned());
                }
                _ if goes => doomed.push((*file).clone()),
                _ => {}
            }
        }
    }
    // The oldest go first, and of the same age the largest.
    doomed.sort_by(|a, b| (b.age, b.bytes, &a.path).cmp(&(a.age, a.bytes, &b.path)));
    let mut freed = 0_u64;
    for file in doomed {
        if spare.is_some_and(|spare| freed >= spare) {
            break;
        }
        freed = freed.saturating_add(file.bytes);
        plan.total.add(file.bytes);
        plan.doomed.push(file);
    }
    plan.rows = snippets.iter().filter_map(|snippet| row(snippet, stored.get(&snippet.key())?, &plan.doomed)).collect();
    for row in &mut plan.rows {
        let key = Key { namespace: row.namespace.clone(), name: row.name.clone() };
        row.note = users.get(&key).map(|user| format!("{user} has one applied, which stays")).unwrap_or_default();
    }
    plan.rows.sort_by(|a, b| (b.bytes, &a.namespace, &a.name).cmp(&(a.bytes, &b.namespace, &b.name)));
    plan
}

/// Paths that a shorter history no longer names.
fn beyond(level: Level, snippet: &Snippet, key: &Key) -> Vec<String> {
    let Level::Keep(keep) = level else { return Vec::new() };
    let history = snippet.status.as_ref().map(|status| status.history.as_slice()).unwrap_or_default();
    let path = |revision: &str| jaas_findings::facts::snippets::path_of(&key.namespace, &key.name, revision);
    history.iter().skip(usize::from(keep)).filter_map(|entry| path(&entry.revision)).collect()
}

fn row(snippet: &Snippet, stored: &[&File], doomed: &[File]) -> Option<PruneRow> {
    let key = snippet.key();
    let gone: Vec<_> = doomed.iter().filter(|file| owner(&file.path).as_ref() == Some(&key)).collect();
    let (stored, remove) = (stored.len() as u64, gone.len() as u64);
    Some(PruneRow {
        namespace: key.namespace,
        name: key.name,
        stored,
        keep: stored - remove,
        remove,
        bytes: gone.iter().map(|file| file.bytes).sum(),
        oldest: gone.iter().filter_map(|file| file.age).max(),
        note: String::new(),
    })
}

/// Snippets whose history is longer than that, so that it must be shortened first.
pub(super) fn longer(snippets: &[Snippet], keep: u16) -> Vec<&Snippet> {
    let is_longer = |snippet: &&Snippet| {
        let named = snippet.status.as_ref().map_or(0, |status| status.history.len());
        snippet.spec.history.unwrap_or(1) > i64::from(keep) || named > usize::from(keep)
    };
    snippets.iter().filter(is_longer).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::keep::tests::{file, noon, snippet};
    use super::*;
    use crate::consumers::Consumer;

    fn doomed(level: Level, spare: Option<u64>) -> (Vec<char>, Plan) {
        let snippets = [snippet()];
        let keep = Keep::of(&snippets, &[]);
        let files = [
            file("4", 10, 60),
            file("3", 10, 7200),
            file("2", 10, 9000),
            file("1", 30, 10_800),
            file("0", 5, 99_999),
            File { path: "team-x/old/sha256-1.tar.gz".to_owned(), ..file("1", 1, 99_999) },
        ];
        let plan = plan(level, &snippets, &files, &keep, 300, spare, noon());
        let name = |file: &File| file.path.chars().nth("team-a/web/sha256-".len()).unwrap();
        (plan.doomed.iter().map(name).collect(), plan)
    }

    #[test]
    fn a_level_takes_what_the_one_before_takes_and_more() {
        let (expired, plan) = doomed(Level::Expired, None);
        assert_eq!((expired, plan.in_grace), (vec!['0', '1'], Sum { files: 1, bytes: 10 }));
        assert_eq!(plan.total, Sum { files: 2, bytes: 35 });
        let row = &plan.rows[0];
        assert_eq!((row.stored, row.keep, row.remove, row.bytes, row.oldest), (5, 3, 2, 35, Some(99_999)));
        assert_eq!(doomed(Level::BeyondKeep, None).0, ['0', '1', '2']);
        assert_eq!(doomed(Level::Keep(1), None).0, ['0', '1', '2', '3']);
        assert_eq!(doomed(Level::Keep(2), None).0, ['0', '1', '2']);
    }

    #[test]
    fn what_a_consumer_is_seen_to_use_stays_and_is_said() {
        let snippets = [snippet()];
        let mut keep = Keep::of(&snippets, &[]);
        keep.note_used(&[Consumer {
            kind: "Kustomization".to_owned(),
            namespace: "flux".to_owned(),
            name: "apps".to_owned(),
            artifact: snippets[0].key(),
            revisions: vec!["sha256:1".to_owned()],
            ..Consumer::default()
        }]);
        let files = [file("4", 10, 60), file("1", 30, 10_800), file("0", 5, 99_999)];
        let plan = plan(Level::BeyondKeep, &snippets, &files, &keep, 300, None, noon());
        assert_eq!((plan.doomed.len(), plan.in_use), (1, Sum { files: 1, bytes: 30 }));
        assert_eq!(plan.rows[0].note, "Kustomization flux/apps has one applied, which stays");
    }

    #[test]
    fn it_is_enough_when_enough_is_free() {
        assert_eq!(doomed(Level::Keep(1), Some(5)).0, ['0']);
        assert_eq!(doomed(Level::Keep(1), Some(6)).0, ['0', '1']);
        assert!(doomed(Level::Keep(1), Some(0)).0.is_empty());
    }

    #[test]
    fn a_history_is_shortened_where_it_is_longer() {
        let all = [snippet()];
        assert_eq!((longer(&all, 1).len(), longer(&all, 2).len()), (1, 0));
        let mut wide = snippet();
        wide.spec.history = Some(5);
        assert_eq!(longer(&[wide], 2).len(), 1);
    }
}
