//! `storage df` and `storage du`: how full the store is, and who fills it.

use std::collections::{BTreeMap, BTreeSet};

use jaas_api::ExternalArtifact;
use jaas_api::admin::Stats;
use jaas_findings::facts::{File, FileClass, HealthState};
use jiff::Timestamp;

use super::super::select::{Choice, States};
use super::super::{Error, Invocation, Verdict};
use super::ground::{self, Ground};
use super::keep::{Hold, Keep, owner};
use super::share;
use crate::cli::{DuArgs, StoreArgs, Targets};
use crate::exit::Exit;
use crate::facts::{self, Scope};
use crate::hint::count;
use crate::road::Need;
use crate::session::Writes;
use crate::size::words;
use crate::snippet::Key;
use crate::view::{Found, Next, Report, Space, Sum, Use};

/// Notes how full the store is.
pub(super) async fn df(args: &StoreArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let ground = Ground::open(invocation, &args.operator, &args.road, Writes::Refused, report).await?;
    invocation.listener.say(&format!("storage df; {}", ground.session.destination));
    let site = ground.site(invocation, &args.operator, &args.road);
    let opened = ground::look(invocation, ground::open(&site, Need::Stats, invocation)).await?;
    let stats = ground::look(invocation, async { Ok(opened.road.stats(&ground.flags).await?) }).await?;
    let mut space = space(&stats);
    space.in_blocks = ground.flags.backend() == "local";
    let message = match (space.free_bytes, space.quota.filter(|quota| *quota > 0)) {
        (free, Some(quota)) => {
            let volume = free.map(|free| format!(", {} free on the volume", words(free))).unwrap_or_default();
            let left = quota.saturating_sub(space.bytes);
            format!("{} stored, {} left of the quota{volume}", words(space.bytes), words(left))
        }
        (Some(free), None) => format!("{} stored, {} free", words(space.bytes), words(free)),
        (None, None) => format!("{} stored", words(space.bytes)),
    };
    let scope = Scope { namespace: None, labels: None };
    let artifacts = facts::list_artifacts(&ground.session, &scope).await.unwrap_or_default();
    let message = match shortage(&space, largest(&artifacts, space.in_blocks)) {
        Some(shortage) => {
            // The store takes a small file, and that is not fine.
            if space.health == HealthState::Fine.word() {
                NEARLY_FULL.clone_into(&mut space.health);
            }
            format!("{message}: {shortage}")
        }
        None => message,
    };
    let is_known = stats.usage.is_some();
    report.detail = Some(ground.view(Some(&opened), Found::Space(space)));
    Ok(match is_known {
        true => Verdict { exit: Exit::Done, message, hint: None },
        false => Verdict {
            exit: Exit::Partial,
            message: "the store did not tell how full it is".to_owned(),
            hint: Some("see why: kubectl jaas storage doctor".to_owned()),
        },
    })
}

/// The word for a store that takes writes and will soon take none.
const NEARLY_FULL: &str = "nearly full";

/// What is short: less than a tenth of the quota is left, or the largest artifact would not fit once more. How full a volume is stands in
/// its own line.
fn shortage(space: &Space, largest: Option<(String, u64)>) -> Option<String> {
    let quota = space.quota.filter(|quota| *quota > 0);
    let left = quota.map(|quota| quota.saturating_sub(space.bytes));
    let room = left.into_iter().chain(space.free_bytes).min();
    if let Some((room, (name, bytes))) = room.zip(largest).filter(|(room, (_, bytes))| bytes > room) {
        return Some(format!(
            "the next revision of {name}, {}, would not fit in the {} left",
            words(bytes),
            words(room)
        ));
    }
    let is_tenth = quota.zip(left).is_some_and(|(quota, left)| left.saturating_mul(10) < quota);
    is_tenth.then(|| NEARLY_FULL.to_owned())
}

/// The snippet with the largest artifact that is announced, and the bytes that it takes.
fn largest(artifacts: &[ExternalArtifact], in_blocks: bool) -> Option<(String, u64)> {
    let of_snippet = |artifact: &&ExternalArtifact| {
        artifact.spec.source_ref.as_ref().is_some_and(|source| source.kind.as_deref() == Some("JsonnetSnippet"))
    };
    let size = |artifact: &ExternalArtifact| {
        let bytes = u64::try_from(artifact.published()?.size?).ok()?;
        let name = artifact.metadata.name.clone().unwrap_or_default();
        let namespace = artifact.metadata.namespace.clone().unwrap_or_default();
        Some((format!("{namespace}/{name}"), if in_blocks { share::blocks(bytes) } else { bytes }))
    };
    artifacts.iter().filter(of_snippet).filter_map(size).max_by_key(|(_, bytes)| *bytes)
}

/// How full the store is.
pub(super) fn space(stats: &Stats) -> Space {
    let usage = stats.usage.clone().unwrap_or_default();
    Space {
        bytes: usage.bytes,
        files: usage.files,
        free_bytes: usage.free_bytes,
        total_bytes: usage.total_bytes,
        free_inodes: usage.free_inodes,
        quota: usage.quota,
        full_in_seconds: usage.full_in_seconds,
        health: stats.health.as_ref().map(|health| health.state.word().to_owned()).unwrap_or_default(),
        in_blocks: false,
    }
}

/// Notes what each snippet takes.
pub(super) async fn du(args: &DuArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let targets = Targets {
        selector: args.selector.clone(),
        all: args.selector.is_none(),
        all_namespaces: args.all_namespaces && args.selector.is_some(),
        ..Targets::default()
    };
    let choice = Choice::new(&targets, States::default(), invocation.connection.namespace.as_deref(), "storage du")?;
    let ground = Ground::open(invocation, &args.operator, &args.road, Writes::Refused, report).await?;
    let selection = choice.within(&ground.session.namespace);
    report.metadata.scope = selection.scope();
    invocation.listener.say(&format!("storage du of {selection}; {}", ground.session.destination));
    let site = ground.site(invocation, &args.operator, &args.road);
    let opened = ground::look(invocation, ground::open(&site, Need::List, invocation)).await?;
    let namespace = selection.namespace.as_deref();
    let (inventory, omitted) = ground::look(invocation, async { Ok(opened.road.inventory(namespace).await?) }).await?;
    let (mut snippets, artifacts) = ground::objects(&ground.session, namespace).await?;
    let keep = Keep::of(&snippets, &artifacts);
    let meant = match &args.selector {
        None => None,
        Some(labels) => {
            let scope = Scope { namespace, labels: Some(labels) };
            snippets = facts::list_snippets(&ground.session, &scope).await?;
            Some(snippets.iter().map(crate::snippet::Snippet::key).collect::<BTreeSet<_>>())
        }
    };
    let grace = ground.flags.seconds("artifact-gc-grace").unwrap_or_default();
    let mut uses = uses(&inventory.files, &keep, meant.as_ref(), grace, Timestamp::now());
    let quota = match share::flag(&ground.flags) {
        Some(flag) => ground::look(invocation, async { Ok(opened.road.stats(&ground.flags).await.ok()) })
            .await?
            .and_then(|stats| share::bytes(flag, &stats.usage.unwrap_or_default())),
        None => None,
    };
    share::tell(&mut uses, &inventory.files, ground.flags.backend() == "local", quota);
    report.metadata.scope.snippets = uses.iter().filter(|it| it.exists).count();
    let total = uses.iter().fold(Sum::default(), |sum, it| sum.and(it.stored));
    let expired = uses.iter().fold(Sum::default(), |sum, it| sum.and(it.expired));
    let blocks = if ground.flags.backend() == "local" { "; df counts whole blocks, which are more" } else { "" };
    let message = format!(
        "{} in {}; {} in {} that nothing holds{blocks}",
        words(total.bytes),
        count(total.files, "file"),
        words(expired.bytes),
        count(expired.files, "file")
    );
    let next = next(&uses);
    report.detail = Some(ground.view(Some(&opened), Found::Uses(uses)));
    report.next = next;
    Ok(partly(message, inventory.complete, &omitted))
}

/// What to type about what nothing holds: of snippets that are there it is pruned, of others it is orphaned.
fn next(uses: &[Use]) -> Vec<Next> {
    let is_any = |exists: bool| uses.iter().any(|it| it.exists == exists && it.expired.files > 0);
    let line = |command: &str, why: &str| Next { command: command.to_owned(), why: why.to_owned() };
    let mut next = Vec::new();
    if is_any(true) {
        let prune = "kubectl jaas storage prune --expired --all --dry-run";
        next.push(line(prune, "shows what could go of snippets that are there"));
    }
    if is_any(false) {
        next.push(line("kubectl jaas storage find-orphans", "shows what belongs to no snippet, and why"));
    }
    next
}

/// Done, unless the listing is not whole.
pub(super) fn partly(message: String, complete: bool, omitted: &[String]) -> Verdict {
    match (omitted, complete) {
        ([], true) => Verdict { exit: Exit::Done, message, hint: None },
        ([], false) => Verdict {
            exit: Exit::Partial,
            message: format!("{message}; the listing is not complete"),
            hint: Some(format!("run it again: {}", super::super::again())),
        },
        (names, _) => Verdict {
            exit: Exit::Partial,
            message: format!("{message}; not listed: {}", crate::hint::few(names)),
            hint: Some("the rights: kubectl jaas auth storage --yaml".to_owned()),
        },
    }
}

fn uses(files: &[File], keep: &Keep, meant: Option<&BTreeSet<Key>>, grace: u64, now: Timestamp) -> Vec<Use> {
    let mut all: BTreeMap<Key, Use> = BTreeMap::new();
    for file in files {
        let Some(key) = owner(&file.path).filter(|key| meant.is_none_or(|meant| meant.contains(key))) else { continue };
        let exists = keep.knows(&key);
        let entry = all.entry(key.clone()).or_insert_with(|| Use {
            namespace: key.namespace,
            name: key.name,
            exists,
            ..Use::default()
        });
        entry.stored.add(file.bytes);
        let part = match file.class {
            FileClass::Revision => match keep.hold(file, grace, now) {
                Hold::Current => &mut entry.current,
                Hold::History => &mut entry.history,
                Hold::Grace => &mut entry.grace,
                Hold::Nothing => &mut entry.expired,
            },
            _ => &mut entry.other,
        };
        part.add(file.bytes);
    }
    let mut uses: Vec<_> = all.into_values().collect();
    uses.sort_by(|a, b| (b.stored.bytes, &a.namespace, &a.name).cmp(&(a.stored.bytes, &b.namespace, &b.name)));
    uses
}

#[cfg(test)]
mod tests {
    use super::super::keep::tests::{file, noon, snippet};
    use super::*;

    #[test]
    fn a_snippet_takes_what_lies_in_its_folder_and_the_largest_comes_first() {
        let keep = Keep::of(&[snippet()], &[]);
        let other =
            |path: &str, class, bytes| File { path: path.to_owned(), class, bytes, age: None, version: String::new() };
        let files = [
            file("4", 1, 0),
            file("3", 2, 0),
            file("2", 4, 0),
            file("1", 8, 0),
            other("team-a/web/x.tmp", FileClass::Tmp, 16),
            other("team-x/old/y", FileClass::Revision, 100),
            other(".jaas-owner.json", FileClass::OwnerMark, 1),
        ];
        let uses = uses(&files, &keep, None, 300, noon());
        assert_eq!(
            uses.iter().map(|it| (it.name.as_str(), it.exists)).collect::<Vec<_>>(),
            [("old", false), ("web", true)]
        );
        let web = &uses[1];
        let sums = [web.stored, web.current, web.history, web.grace, web.expired, web.other].map(|sum| sum.bytes);
        assert_eq!(sums, [31, 1, 2, 4, 8, 16]);
        let meant = BTreeSet::from([Key { namespace: "team-a".to_owned(), name: "web".to_owned() }]);
        assert_eq!(super::uses(&files, &keep, Some(&meant), 300, noon()).len(), 1);
    }

    #[test]
    fn a_quota_of_which_less_than_a_tenth_is_left_is_nearly_full() {
        let is_short = |bytes, quota| shortage(&Space { bytes, quota, ..Space::default() }, None).is_some();
        assert!(is_short(91, Some(100)) && is_short(101, Some(100)));
        assert!(!is_short(90, Some(100)) && !is_short(91, None));
        assert!(!is_short(91, Some(0)));
    }

    #[test]
    fn a_next_revision_that_would_not_fit_is_named() {
        let space = Space { bytes: 220 << 10, quota: Some(256 << 10), ..Space::default() };
        let big = || Some(("team-a/big".to_owned(), 80 << 10));
        let told = "the next revision of team-a/big, 80.0 KiB, would not fit in the 36.0 KiB left";
        assert_eq!(shortage(&space, big()).as_deref(), Some(told));
        let wide = Space { bytes: 100 << 10, free_bytes: Some(1 << 30), ..space.clone() };
        assert_eq!(shortage(&wide, big()), None);
        assert_eq!(shortage(&Space { free_bytes: Some(36 << 10), ..wide }, big()).as_deref(), Some(told));
    }

    #[test]
    fn what_nothing_holds_leads_to_a_prune_or_to_the_orphans() {
        let it = |exists, files| Use { exists, expired: Sum { files, bytes: 1 }, ..Use::default() };
        let commands = |uses: &[Use]| next(uses).into_iter().map(|it| it.command).collect::<Vec<_>>();
        assert_eq!(commands(&[it(true, 0)]), Vec::<String>::new());
        let both = commands(&[it(true, 1), it(false, 2)]);
        assert!(both[0].contains(" prune --expired ") && both[1].ends_with("find-orphans"), "{both:?}");
    }

    #[test]
    fn what_is_not_listed_is_said() {
        assert_eq!(partly(String::new(), true, &[]).exit, Exit::Done);
        assert_eq!(partly(String::new(), false, &[]).exit, Exit::Partial);
        let told = partly("1 Mi".to_owned(), false, &["team-b".to_owned()]);
        assert_eq!((told.exit, told.message.as_str()), (Exit::Partial, "1 Mi; not listed: `team-b`"));
    }
}
