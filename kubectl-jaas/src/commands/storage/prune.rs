//! `storage prune`: removes stored revisions that nobody needs.
//!
//! The store is listed first and the snippets afterwards, so that what was published in between is never doomed. The endpoint judges
//! every file once more before it goes.

mod history;
mod plan;

use std::collections::BTreeSet;

use jaas_api::admin::Action;
use jaas_findings::facts::File;
use jiff::Timestamp;
use kube::Resource as _;
use tokio::time::Instant;

use self::plan::{Level, Plan, plan};
use super::super::consent::{Danger, consent};
use super::super::mark::mark;
use super::super::select::{Choice, Selection, States};
use super::super::{Error, Invocation, Verdict};
use super::act::{Acted, Work, act, items};
use super::ground::{self, Ground};
use super::keep::{Keep, owner};
use crate::cli::{DryRun, PruneArgs};
use crate::consumers;
use crate::exit::Exit;
use crate::facts::Scope;
use crate::hint::count;
use crate::road::{Admin, Need, Opened, Road, Site};
use crate::session::{Session, Writes};
use crate::size::words;
use crate::snippet::{Key, Snippet};
use crate::view::{Deed, Found, Next, Prune, Report, Shorter, Sum};

/// Plans, asks, removes, and notes what became of each file.
pub(in super::super) async fn run(
    args: &PruneArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let deadline = Instant::now() + args.timeout;
    let level = Level::of(&args.level);
    let choice =
        Choice::new(&args.targets, States::default(), invocation.connection.namespace.as_deref(), "storage prune")?;
    report.metadata.dry_run = DryRun::word(args.how.change.dry_run);
    report.metadata.reason.clone_from(&args.how.change.reason);
    let writes = Writes::of(args.how.change.dry_run);
    let ground = Ground::open(invocation, &args.how.operator, &args.how.road, writes, report).await?;
    let selection = choice.within(&ground.session.namespace);
    report.metadata.scope = selection.scope();
    invocation.listener.say(&format!("storage prune of {selection}; {}", ground.session.destination));
    let site = ground.site(invocation, &args.how.operator, &args.how.road);
    let job = Job { args, invocation, ground: &ground, site, selection: &selection, level, deadline };
    let mut opened = ground::look(invocation, ground::open(&site, Need::Act, invocation)).await?;
    let looked = ground::look(invocation, job.look(&opened)).await?;
    report.metadata.scope.snippets = looked.snippets.len();
    if let Err(error) = selection.check(&looked.snippets) {
        if args.allow_empty && looked.snippets.is_empty() {
            return Ok(Verdict { exit: Exit::Done, message: error.to_string(), hint: None });
        }
        return Err(error.into());
    }
    let mut prune = job.prune(&looked);
    let nothing = looked.plan.doomed.is_empty() && looked.plan.shorter.is_empty();
    if nothing {
        let message = match looked.plan.in_grace.files {
            0 if looked.plan.in_use.files > 0 => {
                format!("nothing to remove; {} in use by consumers", count(looked.plan.in_use.files, "revision"))
            }
            0 => "nothing to remove".to_owned(),
            files => {
                format!("nothing to remove; {} in their grace, which --beyond-keep ignores", count(files, "revision"))
            }
        };
        report.detail = Some(ground.view(Some(&opened), Found::Prune(prune)));
        return Ok(Verdict { exit: Exit::Done, message, hint: None });
    }
    let words = job.words(&looked);
    let danger = if matches!(level, Level::Keep(_)) { Danger::Severe } else { Danger::Bounded };
    let question = job.question(&looked);
    if let Err(error) = consent(danger, &question, &words, args.confirm.as_deref(), &args.how.change, invocation).await
    {
        report.detail = Some(ground.view(Some(&opened), Found::Prune(prune)));
        return Err(error);
    }
    let verdict = match args.how.change.dry_run {
        Some(DryRun::Client) => job.planned(&looked, &words, &prune),
        Some(DryRun::Server) => {
            history::shorten(&job, &looked.snippets, &looked.plan.shorter).await?;
            // What a shorter history would let go is still named by the present one.
            let is_free = |file: &&File| !matches!(level, Level::Keep(_)) || !looked.keep.names(&file.path);
            let doomed = looked.plan.doomed.iter().filter(is_free);
            let acted = job.act(admin(&mut opened)?, doomed, &looked.keep, true).await;
            job.tried(&looked, acted, &words, &mut prune)
        }
        None => {
            let doomed = match level {
                Level::Keep(_) => match history::shorten(&job, &looked.snippets, &looked.plan.shorter).await? {
                    history::Shortened::Done => {
                        let again = Job { level: Level::BeyondKeep, ..job };
                        let now = ground::look(invocation, again.look(&opened)).await?;
                        cleaned(&mut prune, |path| now.stored.contains(path));
                        now.plan.doomed
                    }
                    history::Shortened::Not(verdict) => {
                        report.detail = Some(ground.view(Some(&opened), Found::Prune(prune)));
                        return Ok(verdict);
                    }
                },
                Level::Expired | Level::BeyondKeep => looked.plan.doomed.clone(),
            };
            let acted = job.act(admin(&mut opened)?, doomed.iter(), &looked.keep, false).await;
            prune.free_after = free(&opened, &ground).await;
            let verdict = job.done(acted, &mut prune);
            job.tell(&looked.snippets, &prune).await;
            verdict
        }
    };
    if args.how.change.dry_run.is_none() && verdict.exit == Exit::Done {
        let command = "kubectl jaas reconcile --failed --allow-empty".to_owned();
        report.next = vec![Next { command, why: "renders what could not be published for want of room".to_owned() }];
    }
    report.detail = Some(ground.view(Some(&opened), Found::Prune(prune)));
    Ok(verdict)
}

/// What was seen, and what follows from it.
struct Looked {
    snippets: Vec<Snippet>,
    keep: Keep,
    plan: Plan,
    free: Option<u64>,
    /// Paths of all that is stored.
    stored: BTreeSet<String>,
}

#[derive(Clone, Copy)]
struct Job<'a> {
    args: &'a PruneArgs,
    invocation: &'a Invocation<'a>,
    ground: &'a Ground,
    site: Site<'a>,
    selection: &'a Selection,
    level: Level,
    deadline: Instant,
}

/// The endpoint at the end of the road.
fn admin(opened: &mut Opened) -> Result<&mut Admin, Error> {
    match &mut opened.road {
        Road::Admin(admin) => Ok(admin),
        Road::Files(_) | Road::Backing(_) => Err(Error::NoRoad { need: Need::Act.words(), tried: Vec::new() }),
    }
}

/// How much more can be stored: what the quota leaves, or the volume, whichever is less.
async fn free(opened: &Opened, ground: &Ground) -> Option<u64> {
    let usage = opened.road.stats(&ground.flags).await.ok()?.usage?;
    let quota = usage.quota.filter(|quota| *quota > 0).map(|quota| quota.saturating_sub(usage.bytes));
    quota.into_iter().chain(usage.free_bytes).min()
}

impl Job<'_> {
    fn session(&self) -> &Session {
        &self.ground.session
    }

    /// The store first, then the snippets.
    async fn look(&self, opened: &Opened) -> Result<Looked, Error> {
        let namespace = self.selection.namespace.as_deref();
        let free = free(opened, self.ground).await;
        let (inventory, omitted) = opened.road.inventory(namespace).await?;
        ground::whole(&inventory, &omitted)?;
        let (all, artifacts) = ground::objects(self.session(), namespace).await?;
        let mut keep = Keep::of(&all, &artifacts);
        self.note_used(&mut keep).await;
        let meant = match &self.args.targets.selector {
            Some(labels) => {
                let scope = Scope { namespace, labels: Some(labels) };
                crate::facts::list_snippets(self.session(), &scope).await?
            }
            None => all,
        };
        let snippets = self.selection.matching(meant);
        let grace = self.ground.flags.seconds("artifact-gc-grace").unwrap_or_default();
        let spare = match (self.args.until_free, free) {
            (Some(wanted), Some(free)) => Some(wanted.saturating_sub(free)),
            (Some(_), None) => {
                let what = "how much is free is not known here, so nothing can be removed until then".to_owned();
                return Err(Error::Refused { what, how: "leave --until-free out".to_owned() });
            }
            (None, _) => None,
        };
        let plan = plan(self.level, &snippets, &inventory.files, &keep, grace, spare, Timestamp::now());
        let stored = inventory.files.into_iter().map(|file| file.path).collect();
        Ok(Looked { snippets, keep, plan, free, stored })
    }

    /// Notes what Flux's objects are seen to have applied. Where they cannot be seen that is said, and nobody is kept from making room.
    async fn note_used(&self, keep: &mut Keep) {
        let [applying, releasing] = &consumers::APPLYING;
        let (first, second) =
            tokio::join!(consumers::list(self.session(), applying), consumers::list(self.session(), releasing));
        for listed in [first, second] {
            match listed {
                Ok(listed) => keep.note_used(&listed),
                Err(error) => {
                    let line = format!("whether a consumer still uses an older revision is not seen: {error}");
                    self.invocation.listener.say(&line);
                }
            }
        }
    }

    fn prune(&self, looked: &Looked) -> Prune {
        Prune {
            level: self.level.word(),
            snippets: looked.plan.rows.clone(),
            histories: looked.plan.shorter.clone(),
            doomed: looked.plan.total,
            in_grace: looked.plan.in_grace,
            removed: Sum::default(),
            removed_by_operator: Sum::default(),
            free_before: looked.free,
            free_after: None,
            items: looked.plan.doomed.iter().map(planned).collect(),
        }
    }

    /// What somebody must type, or give beforehand, to lose what nothing brings back.
    fn words(&self, looked: &Looked) -> String {
        let of = match looked.snippets.as_slice() {
            [one] => one.key().to_string(),
            many => format!("{} snippets", many.len()),
        };
        match self.level {
            Level::Keep(keep) => format!("keep {keep} of {of}"),
            Level::Expired | Level::BeyondKeep => String::new(),
        }
    }

    fn question(&self, looked: &Looked) -> String {
        let plan = &looked.plan;
        let mut text = String::from("SNIPPET  STORED  KEEP  REMOVE  SIZE\n");
        for row in plan.rows.iter().filter(|row| row.remove > 0).take(10) {
            let bytes = words(row.bytes);
            let line =
                format!("{}/{}  {}  {}  {}  {bytes}\n", row.namespace, row.name, row.stored, row.keep, row.remove);
            text.push_str(&line);
        }
        if !plan.shorter.is_empty() {
            text.push_str(&format!("{}; roll-back targets are lost\n", sets(&plan.shorter, "sets")));
            for one in plan.shorter.iter().filter(|one| one.keeper.is_some()).take(3) {
                let keeper = one.keeper.as_deref().unwrap_or_default();
                text.push_str(&format!(
                    "{}/{} is kept as it is by {keeper}, which may set it back\n",
                    one.namespace, one.name
                ));
            }
        }
        for row in plan.rows.iter().filter(|row| !row.note.is_empty()).take(3) {
            text.push_str(&format!("{}/{}: {}\n", row.namespace, row.name, row.note));
        }
        let Sum { files, bytes } = plan.total;
        text.push_str(&format!("Remove {}, {}, for good? There is no undo.", count(files, "revision"), words(bytes)));
        text
    }

    /// The endpoint keeps every revision that a status still calls retired from the milder action, however long its grace is over: of those
    /// whose grace is over it is asked for the other one, which keeps the history all the same.
    async fn act<'f>(
        &self,
        admin: &mut Admin,
        files: impl Iterator<Item = &'f File>,
        keep: &Keep,
        dry_run: bool,
    ) -> Acted {
        let is_milder = |file: &&File| self.level == Level::Expired && !keep.is_retired(&file.path);
        let (unnamed, others): (Vec<_>, Vec<_>) = files.partition(is_milder);
        let acted = self.part(admin, Action::PruneExpired, &unnamed, dry_run).await;
        if !acted.is_whole() {
            return acted;
        }
        acted.and(self.part(admin, Action::PruneBeyondKeep, &others, dry_run).await)
    }

    async fn part(&self, admin: &mut Admin, action: Action, files: &[&File], dry_run: bool) -> Acted {
        if files.is_empty() {
            return Acted::nothing();
        }
        let work = Work {
            site: self.site,
            invocation: self.invocation,
            change: &self.args.how.change,
            deadline: self.deadline,
            action,
            dry_run,
            older_than: None,
        };
        act(&work, admin, &items(files.iter().copied())).await
    }

    /// An Event on each snippet that lost something or whose history is shorter now, whoever removed the files in the end.
    async fn tell(&self, snippets: &[Snippet], prune: &Prune) {
        for snippet in snippets {
            let key = snippet.key();
            if let Some(what) = done_to(&key, prune) {
                let object = snippet.object_ref(&());
                mark(self.session(), self.invocation, &self.args.how.change, &object, "PrunedByHand", &what).await;
            }
        }
    }

    fn planned(&self, looked: &Looked, words: &str, prune: &Prune) -> Verdict {
        let Sum { files, bytes } = prune.doomed;
        let confirm = if words.is_empty() { String::new() } else { format!("; to do it: --confirm '{words}'") };
        let longer = match looked.plan.shorter.as_slice() {
            [] => String::new(),
            shorter => format!("{} and ", sets(shorter, "set")),
        };
        let message =
            format!("would {longer}remove {}, {}{confirm}", count(files, "revision"), crate::size::words(bytes));
        Verdict {
            exit: Exit::Done,
            message: format!("{message}; nothing was changed, and there would be no undo"),
            hint: None,
        }
    }

    fn tried(&self, looked: &Looked, acted: Acted, words: &str, prune: &mut Prune) -> Verdict {
        let mut verdict = self.planned(looked, words, prune);
        let rest = acted.rest();
        if !rest.is_empty() || acted.failure.is_some() {
            verdict.message.push_str(&rest);
            verdict.exit = acted.exit();
            verdict.hint = acted.hint(&super::super::again());
        }
        merge(&mut prune.items, acted.deeds);
        verdict
    }

    fn done(&self, mut acted: Acted, prune: &mut Prune) -> Verdict {
        // What was there at the plan and is gone now went without this run: the operator cleans up by itself.
        for deed in acted.deeds.iter_mut().filter(|deed| deed.outcome == "missing") {
            *deed = Deed { outcome: GONE, why: BY_OPERATOR.to_owned(), ..deed.clone() };
        }
        let (exit, rest, hint) = (acted.exit(), acted.rest(), acted.hint(&super::super::again()));
        merge(&mut prune.items, acted.deeds);
        prune.removed_by_operator = Sum::default();
        for deed in prune.items.iter().filter(|deed| deed.outcome == GONE) {
            prune.removed_by_operator.add(deed.bytes);
        }
        prune.removed = acted.removed.and(prune.removed_by_operator);
        Verdict { exit, message: format!("{}{rest}", outcome(prune)), hint }
    }
}

/// The outcome of a file that the operator removed by itself.
const GONE: &str = "gone";
const BY_OPERATOR: &str = "gone already: the operator removed it";

/// Of what was planned that which is no longer in the store.
fn cleaned(prune: &mut Prune, is_stored: impl Fn(&str) -> bool) {
    for deed in prune.items.iter_mut().filter(|deed| !is_stored(&deed.path)) {
        *deed = Deed { outcome: GONE, why: BY_OPERATOR.to_owned(), ..deed.clone() };
    }
}

/// What was done, with the room before and after.
fn outcome(prune: &Prune) -> String {
    let mut text = match prune.histories.as_slice() {
        [] => String::new(),
        shorter => format!("{}; ", sets(shorter, "set")),
    };
    let Sum { files, bytes } = prune.removed;
    text.push_str(&format!("removed {}, {}", count(files, "revision"), words(bytes)));
    match prune.removed_by_operator.files {
        0 => {}
        by_operator if by_operator == files => text.push_str(" (gone already: the operator removed them by itself)"),
        by_operator => text.push_str(&format!(" ({by_operator} of them gone already: the operator removed them)")),
    }
    match (prune.free_before, prune.free_after) {
        (Some(before), Some(after)) => text.push_str(&format!("; free {} before, {} now", words(before), words(after))),
        (None, Some(after)) => text.push_str(&format!("; {} free now", words(after))),
        (_, None) => {}
    }
    text
}

/// What happened to a snippet, for its Event; nothing where it kept all.
fn done_to(key: &Key, prune: &Prune) -> Option<String> {
    let is_gone = |deed: &&Deed| matches!(deed.outcome, "removed" | GONE) && owner(&deed.path).as_ref() == Some(key);
    let gone = prune.items.iter().filter(is_gone).count();
    let is_it = |one: &&Shorter| one.namespace == key.namespace && one.name == key.name;
    let shorter = prune.histories.iter().find(is_it);
    let removed = (gone > 0).then(|| format!("removed {} ({})", count(gone, "stored revision"), prune.level));
    let shorter = shorter.map(|one| format!("set spec.history from {} to {}", one.from, one.to));
    let parts: Vec<_> = shorter.into_iter().chain(removed).collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// That `spec.history` becomes shorter, of one snippet with its numbers.
fn sets(shorter: &[Shorter], verb: &str) -> String {
    let one = |it: &Shorter| format!("{}/{} from {} to {}", it.namespace, it.name, it.from, it.to);
    let few: Vec<_> = shorter.iter().take(3).map(one).collect();
    let more = shorter.len().saturating_sub(few.len());
    let rest = if more > 0 { format!(" and of {more} more") } else { String::new() };
    format!("{verb} spec.history of {}{rest}", few.join(", "))
}

fn planned(file: &File) -> Deed {
    Deed { path: file.path.clone(), outcome: "planned", bytes: file.bytes, why: String::new() }
}

/// What became of what was planned.
fn merge(items: &mut Vec<Deed>, deeds: Vec<Deed>) {
    for deed in deeds {
        match items.iter_mut().find(|item| item.path == deed.path) {
            Some(item) => *item = Deed { bytes: item.bytes.max(deed.bytes), ..deed },
            None => items.push(deed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(outcome: &'static str, number: u8) -> Deed {
        Deed { path: format!("team-a/web/sha256-{number}.tar.gz"), outcome, bytes: 40 << 10, why: String::new() }
    }

    fn prune(items: Vec<Deed>) -> Prune {
        let shorter = Shorter { namespace: "team-a".to_owned(), name: "web".to_owned(), from: 10, to: 2, keeper: None };
        let (free_before, free_after) = (Some(36 << 10), Some(116 << 10));
        Prune { level: "keep", items, histories: vec![shorter], free_before, free_after, ..Prune::default() }
    }

    #[test]
    fn what_the_operator_removed_meanwhile_counts_as_done() {
        let mut prune = prune(vec![deed("planned", 1), deed("planned", 2), deed("planned", 3)]);
        cleaned(&mut prune, |path| !path.contains("sha256-1"));
        assert_eq!((prune.items[0].outcome, prune.items[0].why.as_str()), (GONE, BY_OPERATOR));
        assert_eq!(prune.items[1].outcome, "planned");
        prune.removed = Sum { files: 2, bytes: 80 << 10 };
        prune.removed_by_operator = Sum { files: 2, bytes: 80 << 10 };
        assert_eq!(
            outcome(&prune),
            "set spec.history of team-a/web from 10 to 2; removed 2 revisions, 80.0 KiB (gone already: the operator removed them by itself); free 36.0 KiB before, 116.0 KiB now"
        );
        prune.removed.add(1);
        assert!(outcome(&prune).contains("(2 of them gone already: the operator removed them)"));
    }

    #[test]
    fn an_event_tells_of_each_snippet_that_lost_something_whoever_removed_it() {
        let key = |name: &str| Key { namespace: "team-a".to_owned(), name: name.to_owned() };
        let all_gone = prune(vec![deed(GONE, 1), deed("removed", 2), deed("kept", 3)]);
        let told = "set spec.history from 10 to 2 and removed 2 stored revisions (keep)";
        assert_eq!(done_to(&key("web"), &all_gone).as_deref(), Some(told));
        assert_eq!(done_to(&key("api"), &all_gone), None);
        assert_eq!(done_to(&key("web"), &prune(Vec::new())).as_deref(), Some("set spec.history from 10 to 2"));
    }

    #[test]
    fn many_histories_are_summed_up() {
        let one = prune(Vec::new()).histories.remove(0);
        assert_eq!(sets(std::slice::from_ref(&one), "set"), "set spec.history of team-a/web from 10 to 2");
        assert!(sets(&vec![one; 5], "set").ends_with(" and of 2 more"));
    }
}
