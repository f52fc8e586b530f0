//! The screens of the commands on the store. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::reconcile;
use super::screen::Screen;
use super::table::Table;
use crate::age;
use crate::hint::count;
use crate::size::words;
use crate::view::{
    Advice, Deed, Detail, Fetched, FileView, Found, Info, Orphans, Proof, Prune, Repair, Report, Shorter, Space,
    StoreView, Sum, Sweep, Use,
};

/// Rows of a table on a screen; `wide` shows all.
const LIMIT: usize = 20;
/// Characters of a revision that tell it from others.
const SHORT: usize = 12;

/// What was found, and by which road.
pub(super) fn screen(found: &StoreView, is_wide: bool) -> Screen {
    let mut screen = Screen::default();
    screen.facts([
        ("operator", found.operator.clone().unwrap_or_default()),
        ("store", found.place.clone()),
        ("road", found.via.clone()),
    ]);
    match &found.found {
        Found::Info(info) => self::info(&mut screen, info),
        Found::Space(space) => self::space(&mut screen, space),
        Found::Uses(uses) => screen.table(self::uses(uses, is_wide)),
        Found::Files(files) => screen.table(self::files(files)),
        Found::Proofs(proofs) => screen.table(problems(proofs)),
        Found::Fetched(fetched) => self::fetched(&mut screen, fetched),
        Found::Prune(prune) => self::prune(&mut screen, prune, is_wide),
        Found::Sweep(sweep) => self::sweep(&mut screen, sweep, is_wide),
        Found::Orphans(orphans) => self::orphans(&mut screen, orphans, is_wide),
        Found::Repairs(repairs) => screen.table(self::repairs(repairs)),
        Found::Advice(advice) => self::advice(&mut screen, advice),
    }
    screen
}

/// A file that was asked for; shown as it is.
pub(super) fn text(report: &Report) -> Option<&str> {
    match &report.detail {
        Some(Detail::Store(found)) => match &found.found {
            Found::Fetched(fetched) => fetched.text.as_deref(),
            _ => None,
        },
        _ => None,
    }
}

/// Names of the snippets that it is about.
pub(super) fn names(found: &StoreView) -> String {
    let names: BTreeSet<&str> = match &found.found {
        Found::Uses(uses) => uses.iter().filter(|it| it.exists).map(|it| it.name.as_str()).collect(),
        Found::Proofs(proofs) => proofs.iter().filter(|it| it.code.is_some()).map(|it| it.name.as_str()).collect(),
        Found::Prune(prune) => {
            prune.snippets.iter().filter(|row| row.remove > 0).map(|row| row.name.as_str()).collect()
        }
        Found::Repairs(repairs) => repairs.iter().map(|it| it.proof.name.as_str()).collect(),
        // What nobody owns has no snippet.
        _ => BTreeSet::new(),
    };
    names.into_iter().map(reconcile::name).collect()
}

/// One proof as one line.
pub(super) fn proof(proof: &Proof, is_ascii: bool, is_wide: bool) -> String {
    let mark = match (proof.state, is_ascii) {
        ("ok", false) => "√",
        ("ok", true) => "ok",
        ("missing" | "damaged", false) => "×",
        ("missing" | "damaged", true) => "x",
        _ => "?",
    };
    let revision = if is_wide { proof.revision.clone() } else { short(&proof.revision) };
    let what = match (proof.code, proof.bytes) {
        (Some(code), _) => format!("{code} {}", proof.why),
        (None, Some(bytes)) if proof.why.is_empty() => words(bytes),
        (None, _) => format!("{}: {}", proof.state, proof.why),
    };
    format!("{mark}  {}/{}  {}  {revision}  {what}", proof.namespace, proof.name, proof.role)
}

fn short(revision: &str) -> String {
    revision.trim_start_matches("sha256:").chars().take(SHORT).collect()
}

fn age(seconds: Option<u64>) -> String {
    seconds.map(|seconds| crate::age::words(std::time::Duration::from_secs(seconds))).unwrap_or_default()
}

fn number(sum: Sum) -> String {
    if sum.files == 0 { String::new() } else { format!("{} ({})", words(sum.bytes), sum.files) }
}

fn info(screen: &mut Screen, info: &Info) {
    screen.facts([
        ("backend", info.backend.clone()),
        ("volume", info.volume.clone()),
        ("image", info.image.clone()),
        ("admin", info.admin.clone()),
        ("owner", info.owner.clone()),
        ("health", info.health.clone()),
        ("guarded", info.guarded.clone().unwrap_or_default()),
    ]);
    let mut table = Table::new(&["SETTING", "VALUE"]);
    for (name, value) in &info.settings {
        table.row([format!("--{name}"), value.clone()]);
    }
    screen.table(table);
}

fn space(screen: &mut Screen, space: &Space) {
    let percent = |part: u64, whole: u64| match whole {
        0 => String::new(),
        whole => format!(" ({:.0}%)", part as f64 * 100.0 / whole as f64),
    };
    let volume = match (space.total_bytes, space.free_bytes) {
        (Some(total), Some(free)) => {
            let used = total.saturating_sub(free);
            format!("{} of {} used{}, {} free", words(used), words(total), percent(used, total), words(free))
        }
        (_, Some(free)) => format!("{} free", words(free)),
        _ => String::new(),
    };
    let quota = space.quota.filter(|quota| *quota > 0);
    let left = |stored: u64, quota: u64| {
        let left = words(quota.saturating_sub(stored));
        format!("{}, {} left{}", words(quota), left, percent(stored, quota).replace("%)", "% taken)"))
    };
    screen.facts([
        (
            "stored",
            format!(
                "{} in {}{}",
                words(space.bytes),
                count(space.files, "file"),
                if space.in_blocks { ", in whole blocks" } else { "" }
            ),
        ),
        ("volume", volume),
        ("inodes", space.free_inodes.map(|free| format!("{free} free")).unwrap_or_default()),
        ("quota", quota.map(|quota| left(space.bytes, quota)).unwrap_or_default()),
        ("fills", space.full_in_seconds.map(full_in).unwrap_or_default()),
        ("health", space.health.clone()),
    ]);
}

/// When the store is full.
fn full_in(seconds: u64) -> String {
    match seconds {
        0 => "nothing is left".to_owned(),
        seconds => format!("in {}, if it goes on as in the last hours", age::words(Duration::from_secs(seconds))),
    }
}

fn uses(uses: &[Use], is_wide: bool) -> Table {
    let mut table = Table::new(&["SNIPPET", "STORED", "CURRENT", "HISTORY", "GRACE", "EXPIRED", "NS TOTAL", "NOTE"]);
    let limit = if is_wide { usize::MAX } else { LIMIT };
    // How many files it is in takes the room of a name.
    let number = |sum: Sum| match is_wide {
        false if sum.files > 0 => words(sum.bytes),
        _ => number(sum),
    };
    for it in uses.iter().take(limit) {
        let note = match (it.exists, it.other.files) {
            (false, _) => "no snippet".to_owned(),
            (true, 0) => String::new(),
            (true, files) => count(files, "left-over"),
        };
        table.row([
            format!("{}/{}", it.namespace, it.name),
            number(it.stored),
            number(it.current),
            number(it.history),
            number(it.grace),
            number(it.expired),
            whole(it),
            note,
        ]);
    }
    if let Some(rest) = uses.get(limit.min(uses.len())..).filter(|rest| !rest.is_empty()) {
        let sum = |part: fn(&Use) -> Sum| number(rest.iter().fold(Sum::default(), |sum, it| sum.and(part(it))));
        let cells =
            [sum(|it| it.stored), sum(|it| it.current), sum(|it| it.history), sum(|it| it.grace), sum(|it| it.expired)];
        let others = count(rest.len(), "other");
        table.row(std::iter::once(others).chain(cells).chain([String::new(), String::new()]));
    }
    table
}

/// What the namespace takes as a whole, and how much of its quota that is.
fn whole(it: &Use) -> String {
    match it.namespace_quota.filter(|quota| *quota > 0) {
        Some(quota) => format!(
            "{} of {} ({:.0}%)",
            words(it.namespace_bytes),
            words(quota),
            it.namespace_bytes as f64 * 100.0 / quota as f64
        ),
        None => words(it.namespace_bytes),
    }
}

fn files(files: &[FileView]) -> Table {
    let mut table = Table::new(&["PATH", "CLASS", "HELD BY", "SIZE", "AGE"]);
    for file in files {
        let held = file.held_by.to_owned();
        table.row([file.path.clone(), file.class.to_owned(), held, words(file.bytes), age(file.age)]);
    }
    table
}

/// What is not right; the rest was shown as it came.
fn problems(proofs: &[Proof]) -> Table {
    let mut table = Table::new(&["CODE", "SNIPPET", "ROLE", "REVISION", "WHAT"]);
    for proof in proofs.iter().filter(|proof| proof.state != "ok") {
        table.row([
            proof.code.unwrap_or("?").to_owned(),
            format!("{}/{}", proof.namespace, proof.name),
            proof.role.to_owned(),
            short(&proof.revision),
            proof.why.clone(),
        ]);
    }
    table
}

fn fetched(screen: &mut Screen, fetched: &Fetched) {
    screen.facts([
        ("snippet", format!("{}/{}", fetched.namespace, fetched.name)),
        ("revision", fetched.revision.clone()),
        ("digest", fetched.digest.clone()),
        ("size", words(fetched.bytes)),
        ("file", fetched.file.clone().unwrap_or_default()),
    ]);
    let mut table = Table::new(&["SIZE", "PATH"]);
    for entry in &fetched.entries {
        table.row([words(entry.bytes), entry.path.clone()]);
    }
    screen.table(table);
}

fn prune(screen: &mut Screen, prune: &Prune, is_wide: bool) {
    let mut table = Table::new(&["SNIPPET", "STORED", "KEEP", "REMOVE", "SIZE", "OLDEST", "NOTE"]);
    let limit = if is_wide { usize::MAX } else { LIMIT };
    let (shown, rest) = prune.snippets.split_at(limit.min(prune.snippets.len()));
    for row in shown {
        table.row([
            format!("{}/{}", row.namespace, row.name),
            row.stored.to_string(),
            row.keep.to_string(),
            row.remove.to_string(),
            words(row.bytes),
            age(row.oldest),
            row.note.clone(),
        ]);
    }
    if !prune.snippets.is_empty() {
        let sum = |part: fn(&crate::view::PruneRow) -> u64| prune.snippets.iter().map(part).sum::<u64>();
        let name = if rest.is_empty() { "total".to_owned() } else { format!("total, {} more", rest.len()) };
        let cells = [sum(|row| row.stored), sum(|row| row.keep), sum(|row| row.remove)].map(|it| it.to_string());
        let bytes = words(sum(|row| row.bytes));
        table.row(std::iter::once(name).chain(cells).chain([bytes, String::new(), String::new()]));
    }
    screen.table(table);
    let free = match (prune.free_before, prune.free_after) {
        (Some(before), Some(after)) => format!("{} before, {} now", words(before), words(after)),
        (before, after) => after.or(before).map(words).unwrap_or_default(),
    };
    screen.facts([
        ("in grace", number(prune.in_grace)),
        ("history", histories(&prune.histories, is_wide)),
        ("keeper", keepers(&prune.histories)),
        ("removed", number(prune.removed)),
        ("free", free),
    ]);
    screen.table(planned(&prune.items, is_wide));
    screen.table(deeds(&prune.items, is_wide));
}

/// What becomes of `spec.history`.
fn histories(all: &[Shorter], is_wide: bool) -> String {
    let limit = if is_wide { usize::MAX } else { LIMIT };
    let one = |it: &Shorter| format!("{}/{} from {} to {}", it.namespace, it.name, it.from, it.to);
    let shown: Vec<_> = all.iter().take(limit).map(one).collect();
    match all.len().saturating_sub(shown.len()) {
        _ if all.is_empty() => String::new(),
        0 => format!("sets spec.history of {}", shown.join(", ")),
        more => format!("sets spec.history of {} and {more} more", shown.join(", ")),
    }
}

/// Who may set it back.
fn keepers(all: &[Shorter]) -> String {
    let kept: Vec<_> = all.iter().filter_map(|it| Some((it, it.keeper.as_deref()?))).collect();
    let shown: Vec<_> =
        kept.iter().take(3).map(|(it, keeper)| format!("{keeper} may set {}/{} back", it.namespace, it.name)).collect();
    match kept.len().saturating_sub(shown.len()) {
        _ if all.is_empty() => String::new(),
        0 if kept.is_empty() => "no tool is seen to keep spec.history".to_owned(),
        0 => format!("{}: change it there, too", shown.join(", ")),
        more => format!("{} and {more} more: change it there, too", shown.join(", ")),
    }
}

/// What would go, by revision.
fn planned(items: &[Deed], is_wide: bool) -> Table {
    let mut table = Table::new(&["WOULD GO", "REVISION", "SIZE"]);
    let going: Vec<_> = items.iter().filter(|deed| matches!(deed.outcome, "planned" | "would-remove")).collect();
    // With all columns, each file stands among the outcomes.
    let limit = if is_wide { 0 } else { LIMIT };
    for deed in going.iter().take(limit) {
        let (folder, file) = deed.path.rsplit_once('/').unwrap_or_default();
        let revision = file.trim_start_matches("sha256-").split('.').next().unwrap_or_default();
        table.row([folder.to_owned(), short(revision), words(deed.bytes)]);
    }
    let more = going.len().saturating_sub(limit);
    if more > 0 && !is_wide {
        table.row([format!("and {more} more"), "-o wide".to_owned(), String::new()]);
    }
    table
}

/// What became of files, unless it is what was meant.
fn deeds(items: &[Deed], is_wide: bool) -> Table {
    let mut table = Table::new(&["FILE", "OUTCOME", "SIZE", "WHY"]);
    let is_plain = |deed: &&Deed| matches!(deed.outcome, "planned" | "removed" | "would-remove");
    let limit = if is_wide { usize::MAX } else { LIMIT };
    for deed in items.iter().filter(|deed| is_wide || !is_plain(deed)).take(limit) {
        table.row([deed.path.clone(), deed.outcome.to_owned(), words(deed.bytes), deed.why.clone()]);
    }
    table
}

fn sweep(screen: &mut Screen, sweep: &Sweep, is_wide: bool) {
    screen.facts([
        ("older than", age(Some(sweep.older_than))),
        ("due", number(sweep.due)),
        ("younger", number(sweep.young)),
        ("removed", if sweep.removed == 0 { String::new() } else { count(sweep.removed, "file") }),
    ]);
    let mut table = Table::new(&["FILE", "OUTCOME", "SIZE", "WHAT"]);
    let limit = if is_wide { usize::MAX } else { LIMIT };
    for deed in sweep.items.iter().take(limit) {
        table.row([deed.path.clone(), deed.outcome.to_owned(), words(deed.bytes), deed.why.clone()]);
    }
    screen.table(table);
}

fn orphans(screen: &mut Screen, orphans: &Orphans, is_wide: bool) {
    screen.facts([("owner", orphans.owner.clone()), ("doubts", orphans.doubts.join("; "))]);
    let mut table = Table::new(&["CLASS", "WHERE", "FILES", "SIZE", "AGE", "WHY"]);
    let limit = if is_wide { usize::MAX } else { LIMIT };
    for group in orphans.groups.iter().take(limit) {
        let files = if group.sum.files == 0 { "-".to_owned() } else { group.sum.files.to_string() };
        let bytes = if group.sum.files == 0 { "-".to_owned() } else { words(group.sum.bytes) };
        table.row([group.class.to_owned(), group.place.clone(), files, bytes, age(group.age), group.why.clone()]);
    }
    screen.table(table);
    let more = orphans.groups.len().saturating_sub(limit);
    if more > 0 {
        screen.drawing(format!("{more} more: -o wide"));
    }
    screen.table(deeds(&orphans.items, is_wide));
}

fn repairs(repairs: &[Repair]) -> Table {
    let mut table = Table::new(&["CODE", "SNIPPET", "ROLE", "REVISION", "OUTCOME", "MESSAGE"]);
    for repair in repairs {
        let proof = &repair.proof;
        table.row([
            proof.code.unwrap_or("?").to_owned(),
            format!("{}/{}", proof.namespace, proof.name),
            proof.role.to_owned(),
            short(&proof.revision),
            repair.outcome.to_owned(),
            repair.message.clone(),
        ]);
    }
    table
}

fn advice(screen: &mut Screen, advice: &Advice) {
    screen.drawing(advice.facts.iter().map(|fact| format!("# {fact}")).collect::<Vec<_>>().join("\n"));
    screen.drawing(advice.text.clone());
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
