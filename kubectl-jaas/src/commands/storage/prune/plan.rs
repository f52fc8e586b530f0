//! Which revisions would go. Pure.

use std::collections::BTreeMap;

use jaas_findings::facts::File;
use jiff::Timestamp;

use super::super::keep::{Hold, Keep, owner, revisions};
use crate::cli::LevelArgs;
use crate::snippet::{Key, Snippet};
use crate::view::{PruneRow, Shorter, Sum};

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
    /// Histories that are shortened first.
    pub(super) shorter: Vec<Shorter>,
}

/// What of the files of `snippets` goes at `level`. `spare` are bytes after which it is enough.
pub(super) fn plan(
    level: Level,
    snippets: &[Snippet],
    files: &[File],
    held: &Keep,
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
            let goes = match held.hold(file, grace, now) {
                Hold::Nothing => true,
                Hold::Grace if level == Level::Expired => {
                    plan.in_grace.add(file.bytes);
                    false
                }
                Hold::Grace => true,
                Hold::History => beyond.contains(&file.path),
                Hold::Current => false,
            };
            match held.user(&file.path) {
                Some(user) if goes => {
                    plan.in_use.add(file.bytes);
                    users.entry(key.clone()).or_insert_with(|| user.to_owned());
                }
                _ if goes => doomed.push(turn(file, &beyond, files)),
                _ => {}
            }
        }
    }
    // The oldest go first, and of the same age the largest; of one history always from its end.
    doomed.sort_by(|(a, a_place, a_file), (b, b_place, b_file)| {
        (b, b_place, b_file.bytes, &a_file.path).cmp(&(a, a_place, a_file.bytes, &b_file.path))
    });
    let mut freed = 0_u64;
    for (_, _, file) in doomed {
        if spare.is_some_and(|spare| freed >= spare) {
            break;
        }
        freed = freed.saturating_add(file.bytes);
        plan.total.add(file.bytes);
        plan.doomed.push(file);
    }
    if let Level::Keep(keep) = level {
        let is_stored = |path: &str| files.iter().any(|file| file.path == path);
        let stays = |path: &str| {
            is_stored(path) && held.user(path).is_none() && plan.doomed.iter().all(|file| file.path != path)
        };
        plan.shorter = snippets.iter().filter_map(|snippet| shorter(snippet, keep, spare.is_some(), stays)).collect();
    }
    plan.rows = snippets.iter().filter_map(|snippet| row(snippet, stored.get(&snippet.key())?, &plan.doomed)).collect();
    for row in &mut plan.rows {
        let key = Key { namespace: row.namespace.clone(), name: row.name.clone() };
        row.note = users.get(&key).map(|user| format!("{user} has one applied, which stays")).unwrap_or_default();
    }
    plan.rows.sort_by(|a, b| (b.bytes, &a.namespace, &a.name).cmp(&(a.bytes, &b.namespace, &b.name)));
    plan
}

/// When a file goes: by its age, or that of an older entry of its history if that is younger, which happens where a revision came back; and
/// its place in the history.
fn turn(file: &File, beyond: &[String], stored: &[&File]) -> (Option<u64>, usize, File) {
    let Some(place) = beyond.iter().position(|path| *path == file.path) else {
        return (file.age, usize::MAX, file.clone());
    };
    let older = beyond.iter().skip(place).filter_map(|path| stored.iter().find(|file| file.path == *path));
    (older.map(|file| file.age).min().flatten(), place, file.clone())
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

/// What becomes of a history that is longer than `keep`; nothing where it stays. Where it is enough that enough is free, only as much of it
/// goes as the files that go: `stays` says which paths do not.
fn shorter(snippet: &Snippet, keep: u16, is_partial: bool, stays: impl Fn(&str) -> bool) -> Option<Shorter> {
    let from = snippet.spec.history.unwrap_or(1);
    let Key { namespace, name } = snippet.key();
    let named = snippet.status.as_ref().map(|status| status.history.as_slice()).unwrap_or_default();
    let path = |revision: &str| jaas_findings::facts::snippets::path_of(&namespace, &name, revision);
    let last = named.iter().rposition(|entry| path(&entry.revision).is_some_and(|path| stays(&path)));
    let to = match last.map(|last| u16::try_from(last + 1).unwrap_or(u16::MAX)) {
        Some(kept) if is_partial => kept.max(keep),
        _ => keep,
    };
    // Without a file that goes there is nothing to gain by a shorter one.
    let is_longer =
        if is_partial { named.len() > usize::from(to) } else { from > i64::from(to) || named.len() > usize::from(to) };
    let keeper = snippet.keeper().map(|keeper| keeper.to_string());
    is_longer.then_some(Shorter { namespace, name, from, to, keeper })
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

    fn shortened(snippet: &Snippet, keep: u16, is_partial: bool, stays: &[&str]) -> Option<(i64, u16)> {
        let path = |revision: &&&str| jaas_findings::facts::snippets::path_of("team-a", "web", revision);
        let stays: Vec<_> = stays.iter().filter_map(|it| path(&it)).collect();
        shorter(snippet, keep, is_partial, |path| stays.iter().any(|it| it == path)).map(|it| (it.from, it.to))
    }

    #[test]
    fn a_history_is_shortened_where_it_is_longer() {
        let one = snippet();
        assert_eq!(shortened(&one, 1, false, &[]).map(|it| it.1), Some(1));
        assert_eq!(shortened(&one, 2, false, &[]), None);
        let mut wide = snippet();
        wide.spec.history = Some(5);
        assert_eq!(shortened(&wide, 2, false, &[]), Some((5, 2)));
    }

    #[test]
    fn of_one_history_the_end_goes_first_whatever_the_files_ages() {
        let paths = ["a/b/2", "a/b/3", "a/b/4"].map(str::to_owned);
        let file = |path: &str, age| File { path: path.to_owned(), age: Some(age), ..file("1", 1, 1) };
        let files = [file("a/b/2", 90), file("a/b/3", 5), file("a/b/4", 5)];
        let stored: Vec<_> = files.iter().collect();
        let turns: Vec<_> = files.iter().map(|file| turn(file, &paths, &stored)).map(|it| (it.0, it.1)).collect();
        assert_eq!(turns, [(Some(5), 0), (Some(5), 1), (Some(5), 2)]);
        assert_eq!(turn(&file("a/b/1", 7), &paths, &stored).0, Some(7));
    }

    #[test]
    fn where_enough_is_free_before_that_the_history_keeps_what_stays() {
        let mut wide = snippet();
        wide.spec.history = Some(10);
        let status = wide.status.as_mut().unwrap();
        let revisions = ["sha256:4", "sha256:3", "sha256:2", "sha256:1"];
        let entry = status.history[0].clone();
        let entries = revisions.map(|revision| {
            let mut entry = entry.clone();
            entry.revision = revision.to_owned();
            entry
        });
        status.history = entries.into();
        assert_eq!(shortened(&wide, 1, true, &revisions[..3]), Some((10, 3)));
        assert_eq!(shortened(&wide, 1, true, &revisions[..1]), Some((10, 1)));
        assert_eq!(shortened(&wide, 2, true, &revisions[..1]), Some((10, 2)));
        assert_eq!(shortened(&wide, 1, true, &revisions), None);
    }
}
