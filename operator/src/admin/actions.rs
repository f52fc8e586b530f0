//! What changes the store. [`judge`] decides about one file; here it is asked for what the decision needs, and carried out.
//!
//! The store is listed first and the API server asked afterwards, as when the operator collects by itself, so that a file which is
//! announced meanwhile is seen to be. A permit is held over each removal. A reconcile that began meanwhile may count on a file that
//! went: its snippet is looked at again.

mod ask;
mod judge;
mod sweep;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use jaas_api::admin::{
    ACTOR_HEADER, Action, ActionDone, ActionEnd, ActionItem, ActionLine, ActionOutcome, ActionRequest, RUN_HEADER,
};
use jaas_storage::store::{Item, ItemKind, Removed};
use jaas_storage::{Key, Presence, Revision};
use kube::core::Selector;
use warp::reply::Response;

use self::ask::Asking;
use self::judge::Stays;
use super::auth::Caller;
use super::lines::{Gone, Lines, lines};
use super::problem::Refused;
use super::rights::{On, Scope};
use super::{Admin, Turn, bounded};
use crate::artifacts::custody::NotOurs;
use crate::snippet::outcome::chain;

/// So many failures in a row, and the rest is not tried: the store or the API server is away.
const FAILURES: u32 = 3;
/// Longest text of a caller that is logged.
const TEXT: usize = 300;

/// One request.
struct Run {
    admin: Arc<Admin>,
    action: Action,
    dry_run: bool,
    scope: Scope,
    /// The store as it was before anything else was asked, by path.
    listing: HashMap<String, Item>,
    /// Name of the run, as part of the name of what is set aside.
    id: String,
    least_age: Duration,
    /// Labels of the snippets that this operator looks after.
    labels: Selector,
}

/// Does what is asked for, as far as it may be done.
pub(super) async fn actions(
    admin: &Arc<Admin>,
    caller: &Caller,
    headers: &HeaderMap,
    body: &[u8],
    turn: Turn,
) -> Result<Response, Refused> {
    let request: ActionRequest = super::parse(body)?;
    match (request.action, request.items.len()) {
        (Action::Sweep, 0) => {}
        (Action::Sweep, _) => return Err(Refused::bad_request("items: a sweep takes none")),
        (_, items) => bounded(items)?,
    }
    admin.demand_leader()?;
    let scope = if request.action == Action::Sweep {
        admin.rights.demand(caller, "delete", On::Storage, None).await?;
        Scope::All
    } else {
        let keys = request.items.iter().filter_map(|item| Item::of(&item.path, 0).key);
        let namespaces: BTreeSet<String> = keys.map(|key| key.namespace().to_owned()).collect();
        admin.rights.scope(caller, "delete", On::Storage, namespaces).await?
    };
    let listing = admin.world.store.list().await.map_err(|error| Refused::unavailable(chain(&error)))?;
    let settings = &admin.settings;
    let run = Run {
        admin: Arc::clone(admin),
        action: request.action,
        dry_run: request.dry_run,
        scope,
        listing: listing.into_iter().map(|item| (item.path.clone(), item)).collect(),
        id: run_id(&text(headers, RUN_HEADER)),
        least_age: Duration::from_secs(settings.max_withdraw_wait.saturating_add(settings.artifact_gc_grace)),
        // It was read before when the process began.
        labels: jaas_api::selector::parse(&settings.label_selector).unwrap_or_default(),
    };
    tracing::info!(
        action = ?request.action,
        dryRun = request.dry_run,
        items = request.items.len(),
        caller = caller.user,
        claimedActor = text(headers, ACTOR_HEADER),
        run = run.id,
        reason = shortened(&request.reason),
        "A person asked for a change of the store"
    );
    let (lines, response) = lines();
    tokio::spawn(async move {
        let _turn = turn;
        carry_out(&run, lines, request).await;
    });
    Ok(response)
}

async fn carry_out(run: &Run, mut lines: Lines, request: ActionRequest) {
    let mut kept = 0_u64;
    let done = match ours(run).await {
        Err(why) => Ok(ActionEnd { stopped: Some(why), ..ActionEnd::default() }),
        Ok(()) if run.action == Action::Sweep => {
            let asked = Duration::from_secs(request.older_than.unwrap_or_default());
            let least = Duration::from_secs(run.admin.settings.sweep_max_tmp_age);
            sweep::sweep(run, &mut lines, asked.max(least)).await
        }
        Ok(()) => each(run, &mut lines, request.items, &mut kept).await,
    };
    let told = match &done {
        Ok(end) => lines.send(&ActionLine::End(end.clone())).await,
        Err(gone) => Err(*gone),
    };
    let ActionEnd { removed, bytes, stopped } = done.unwrap_or_default();
    let broken_off = told.is_err();
    tracing::info!(action = ?run.action, run = run.id, dryRun = run.dry_run, removed, bytes, kept, stopped, broken_off, "The change of the store ended");
}

/// Whether the store is ours just now, or why it is not known to be.
async fn ours(run: &Run) -> Result<(), String> {
    let world = &run.admin.world;
    let ours = world.custody.may_remove().await.map_err(|why| why.to_string())?;
    // Custody looks now and then only; somebody else may have taken the store since.
    match world.store.read_owner().await.map_err(|error| chain(&error))? {
        Some(found) if ours.is_same_installation(&found) => Ok(()),
        Some(found) => Err(NotOurs::Foreign(found).to_string()),
        // An emptied store has lost its mark, too, and is what a repair is for.
        None if run.action == Action::Repair => Ok(()),
        None => Err("the store lost its owner mark; wait until the operator has marked it again".to_owned()),
    }
}

/// Every item in its order, until the client leaves or nothing works any more.
async fn each(run: &Run, lines: &mut Lines, items: Vec<ActionItem>, kept: &mut u64) -> Result<ActionEnd, Gone> {
    let mut end = ActionEnd::default();
    let mut asking = Asking::new(run.admin.world.client.clone());
    let mut failures = 0;
    for asked in items {
        if run.admin.world.authority.permit().is_err() {
            end.stopped = Some("this replica leads no more; ask the leader for the rest".to_owned());
            break;
        }
        if run.admin.stop.is_cancelled() {
            end.stopped = Some("the operator is shutting down; ask the leader for the rest".to_owned());
            break;
        }
        let done = one(run, &mut asking, &asked).await;
        failures = if done.outcome == ActionOutcome::Failed { failures + 1 } else { 0 };
        match done.outcome {
            ActionOutcome::Removed | ActionOutcome::WouldRemove => {
                end.removed += 1;
                end.bytes = end.bytes.saturating_add(done.bytes);
            }
            _ => *kept += 1,
        }
        lines.send(&ActionLine::Item(done)).await?;
        if failures == FAILURES {
            end.stopped = Some(format!("{FAILURES} files in a row failed; the rest was not tried"));
            break;
        }
    }
    Ok(end)
}

async fn one(run: &Run, asking: &mut Asking, asked: &ActionItem) -> ActionDone {
    let bytes = run.listing.get(&asked.path).map_or(0, |item| item.size);
    let (outcome, why) = match judged(run, asking, asked).await {
        Ok((outcome, why)) => (outcome, why),
        Err(Stays { outcome, why }) => (outcome, why),
    };
    if matches!(outcome, ActionOutcome::Removed | ActionOutcome::SetAside) {
        tracing::info!(
            path = asked.path,
            bytes,
            run = run.id,
            ?outcome,
            "A file of the store went at a person's request"
        );
    }
    ActionDone { path: asked.path.clone(), outcome, bytes, why }
}

/// What became of one file.
async fn judged(run: &Run, asking: &mut Asking, asked: &ActionItem) -> Result<(ActionOutcome, String), Stays> {
    let world = &run.admin.world;
    let named = Item::of(&asked.path, 0);
    judge::by_name(run.action, &named, &run.admin.settings.watch_namespaces)?;
    let Some(key) = &named.key else {
        return Err(Stays::new(ActionOutcome::Refused, "it is in no snippet's folder"));
    };
    if !run.scope.covers(Some(key.namespace())) {
        let why = format!("you may not delete jsonnetsnippets/storage in the namespace {}", key.namespace());
        return Err(Stays::new(ActionOutcome::Refused, why));
    }
    let begun = world.memory.begun(key);
    if world.memory.is_busy(key) {
        let why = format!("the snippet {key} is being rendered; try again");
        return Err(Stays::new(ActionOutcome::Kept, why));
    }
    if !run.labels.selects_all() {
        let facts = asking.facts(key).await.map_err(|why| Stays::new(ActionOutcome::Failed, why))?;
        judge::by_labels(&facts, &run.labels)?;
    }
    let present = judge::as_seen(run.action, asked, run.listing.get(&asked.path));
    if let (Action::Repair, ItemKind::Revision(revision)) = (run.action, &named.kind) {
        return repair(run, key, revision, present).await;
    }
    let item = present?;
    let facts = asking.facts(key).await.map_err(|why| Stays::new(ActionOutcome::Failed, why))?;
    judge::removable(run.action, item, &facts, SystemTime::now(), run.least_age)?;
    if run.dry_run {
        return Ok((ActionOutcome::WouldRemove, String::new()));
    }
    let removed = remove(run, key, item, begun).await;
    // What counted on the file while it went finds out now instead of with the next consumer.
    if removed.is_ok() && world.memory.begun(key) != begun {
        run.admin.alarm.missed(key);
    }
    removed
}

async fn remove(run: &Run, key: &Key, item: &Item, begun: u64) -> Result<(ActionOutcome, String), Stays> {
    let world = &run.admin.world;
    let failed = |why: String| Stays::new(ActionOutcome::Failed, why);
    // Held until the removal is over: whoever leads next waits for it.
    let permit = world.authority.permit().map_err(|error| failed(error.to_string()))?;
    world.custody.may_remove().await.map_err(|why| failed(why.to_string()))?;
    if world.memory.begun(key) != begun {
        let why = format!("the snippet {key} is being rendered; try again");
        return Err(Stays::new(ActionOutcome::Kept, why));
    }
    let removed = permit.during(world.store.remove_if(item)).await.map_err(|error| failed(error.to_string()))?;
    match removed.map_err(|error| failed(chain(&error)))? {
        Removed::Gone => {
            if let (Action::PruneBeyondKeep, ItemKind::Revision(revision)) = (run.action, &item.kind) {
                // Its status lists it no more with the next write.
                world.memory.collect(key, revision.clone());
            }
            Ok((ActionOutcome::Removed, String::new()))
        }
        Removed::Missing => Err(Stays::new(ActionOutcome::Missing, "it is not in the store any more")),
        Removed::Changed => {
            Err(Stays::new(ActionOutcome::Changed, "it was written again since it was looked at; look again"))
        }
    }
}

/// Sets a damaged artifact aside and has its snippet rendered again; a missing one is rendered again, too.
async fn repair(
    run: &Run,
    key: &Key,
    revision: &Revision,
    present: Result<&Item, Stays>,
) -> Result<(ActionOutcome, String), Stays> {
    let world = &run.admin.world;
    match present {
        Err(stays) if stays.outcome == ActionOutcome::Missing => return Err(again(run, key)),
        other => other.map(drop)?,
    }
    let failed = |why: String| Stays::new(ActionOutcome::Failed, why);
    let cause = match world.store.verify(key, revision).await.map_err(|error| failed(chain(&error)))? {
        Presence::Intact { .. } => return Err(Stays::new(ActionOutcome::Kept, "it is in order")),
        Presence::Missing => return Err(again(run, key)),
        Presence::Damaged { cause } => cause,
    };
    if run.dry_run {
        return Ok((ActionOutcome::WouldSetAside, cause));
    }
    let aside = {
        let permit = world.authority.permit().map_err(|error| failed(error.to_string()))?;
        world.custody.may_remove().await.map_err(|why| failed(why.to_string()))?;
        let aside = permit.during(world.store.set_aside(key, revision, &run.id)).await;
        aside.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(chain(&error)))?
    };
    if !aside {
        return Err(again(run, key));
    }
    run.admin.alarm.missed(key);
    let how = if run.admin.backend == "s3" { "copied" } else { "renamed" };
    Ok((ActionOutcome::SetAside, format!("{cause}; {how} to {}.trash-{}", key.path(revision), run.id)))
}

/// A file that is not there: its snippet is looked at again.
fn again(run: &Run, key: &Key) -> Stays {
    if run.dry_run {
        return Stays::new(
            ActionOutcome::Missing,
            format!("it is not in the store; the snippet {key} would be rendered again"),
        );
    }
    run.admin.alarm.missed(key);
    Stays::new(
        ActionOutcome::Missing,
        format!("it is not in the store; the snippet {key} is rendered again if it needs it"),
    )
}

/// The text of a header field, for the log.
fn text(headers: &HeaderMap, name: &str) -> String {
    shortened(&headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default())
}

fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT).collect()
}

/// A name for the run that can be part of a file's name: the caller's own as far as it can be, else the time.
fn run_id(claimed: &str) -> String {
    let fits: String =
        claimed.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').take(64).collect();
    if fits.is_empty() { jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3NZ").to_string() } else { fits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_name_that_can_be_part_of_a_files_name() {
        assert_eq!(run_id("r-01J/..\n"), "r-01J");
        assert_eq!(run_id(&"x".repeat(100)).len(), 64);
        let made = run_id("/../");
        assert!(made.len() >= 16 && made.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{made}");
    }

    #[test]
    fn what_a_caller_claims_is_logged_without_control_characters() {
        assert_eq!(shortened("a\n\u{1b}[31mb"), "a[31mb");
        assert_eq!(shortened(&"x".repeat(1000)).len(), TEXT);
    }
}
