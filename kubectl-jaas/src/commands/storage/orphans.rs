//! `storage find-orphans`: files and artifacts that no snippet owns.
//!
//! The store is listed first and the snippets afterwards: a snippet that is made in between can then never look absent.

mod decide;

use std::collections::BTreeSet;

use jaas_api::ExternalArtifact;
use jaas_api::admin::Action;
use jaas_findings::Known;
use jaas_findings::facts::{FileClass, Inventory};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Resource as _};
use tokio::time::Instant;

use self::decide::{Decided, Seen, many, refusal};
use super::super::consent::{Danger, consent};
use super::super::ending::Ending;
use super::super::mark::mark;
use super::super::{Error, Invocation, Verdict};
use super::act::{Acted, Work, act, items};
use super::ground::{self, Ground};
use super::info;
use super::keep::{Keep, owner};
use crate::cli::{DryRun, OrphanArgs};
use crate::exit::Exit;
use crate::facts::{self, Scope};
use crate::hint::count;
use crate::road::{Need, Road};
use crate::session::{self, Call, Session, Writes};
use crate::size::words;
use crate::snippet::{Key, Snippet};
use crate::view::{Deed, Found, Orphans, Report};

/// How long removing may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(1800);

/// Looks, decides, and with `--delete` asks and removes.
pub(in super::super) async fn run(
    args: &OrphanArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    report.metadata.dry_run = DryRun::word(args.how.change.dry_run);
    report.metadata.reason.clone_from(&args.how.change.reason);
    let namespace = invocation.connection.namespace.as_deref();
    report.metadata.scope.all_namespaces = namespace.is_none();
    report.metadata.scope.namespaces = namespace.iter().map(|name| (*name).to_owned()).collect();
    let writes = if args.delete { Writes::of(args.how.change.dry_run) } else { Writes::Refused };
    let ground = Ground::open(invocation, &args.how.operator, &args.how.road, writes, report).await?;
    let place = namespace.map_or("all namespaces".to_owned(), |name| format!("namespace `{name}`"));
    invocation.listener.say(&format!("find orphans in {place}; {}", ground.session.destination));
    let site = ground.site(invocation, &args.how.operator, &args.how.road);
    let need = if args.delete { Need::Act } else { Need::List };
    let mut opened = ground::look(invocation, ground::open(&site, need, invocation)).await?;
    let stats = ground::look(invocation, async { Ok(opened.road.stats(&ground.flags).await?) }).await?;
    let (inventory, omitted) = ground::look(invocation, async { Ok(opened.road.inventory(namespace).await?) }).await?;
    let world = ground::look(invocation, World::look(&ground.session, namespace, &inventory)).await?;
    let events = if args.from_events { Some(events(&ground, namespace).await?) } else { None };
    report.metadata.scope.snippets = world.snippets.len();
    let keep = Keep::of(&world.snippets, &world.artifacts);
    let unlisted: BTreeSet<_> = world.unlisted.iter().chain(&omitted).cloned().collect();
    let seen = Seen {
        inventory: &inventory,
        keep: &keep,
        artifacts: &world.artifacts,
        unlisted: &unlisted,
        leaving: &world.leaving,
        settings: &stats.settings,
        min_age: args.min_age.as_secs(),
        events: events.as_ref(),
        classes: &args.class,
        now: Timestamp::now(),
    };
    let decided = seen.decide();
    let number = decided.files.len() + decided.external.len();
    let confirm = format!("delete {number} in {}", ground.namespace());
    let mut orphans = Orphans {
        groups: decided.groups.clone(),
        orphans: decided.sum,
        external: decided.external.len() as u64,
        owner: info::owner(&stats),
        doubts: decided.doubts.clone(),
        confirm: (number > 0).then(|| confirm.clone()),
        items: Vec::new(),
    };
    let what = sentence(&decided);
    let stored = inventory.files.iter().filter(|file| file.class == FileClass::Revision).count();
    if !args.delete || number == 0 {
        let limited = args.max_delete.is_none() && many(decided.files.len(), stored).is_some();
        let limit = if limited { format!(" --max-delete {}", decided.files.len()) } else { String::new() };
        let verdict = look_verdict(&decided, what, &format!("--delete{limit} --confirm '{confirm}'"), args.from_events);
        report.detail = Some(ground.view(Some(&opened), Found::Orphans(orphans)));
        return Ok(verdict);
    }
    let refused = match inventory.complete || !omitted.is_empty() {
        true => refusal(&stats, world.snippets.len(), &decided, stored, args.max_delete),
        false => Some((
            "the listing of the store is not complete; nothing was changed".to_owned(),
            "run it again".to_owned(),
        )),
    };
    if let Some((what, how)) = refused {
        let how = format!("{how}{}", words_beside(&how, &confirm));
        report.detail = Some(ground.view(Some(&opened), Found::Orphans(orphans)));
        return Err(Error::Refused { what, how });
    }
    let question = format!("{what}\nThey are removed for good. There is no undo.");
    let asked =
        consent(Danger::Severe, &question, &confirm, args.confirm.as_deref(), &args.how.change, invocation).await;
    if let Err(error) = asked {
        report.detail = Some(ground.view(Some(&opened), Found::Orphans(orphans)));
        return Err(error);
    }
    if args.how.change.dry_run == Some(DryRun::Client) {
        let message = format!("would remove {what}; nothing was changed; to do it: --confirm '{confirm}'");
        report.detail = Some(ground.view(Some(&opened), Found::Orphans(orphans)));
        return Ok(Verdict { exit: Exit::Done, message, hint: None });
    }
    let Road::Admin(admin) = &mut opened.road else {
        return Err(Error::NoRoad { need: Need::Act.words(), tried: Vec::new() });
    };
    let work = Work {
        site,
        invocation,
        change: &args.how.change,
        deadline: Instant::now() + LIMIT,
        action: Action::DeleteOrphans,
        dry_run: args.how.change.dry_run.is_some(),
        older_than: None,
    };
    // What is announced goes first: consumers must not fetch what is being removed.
    let mut external = Vec::new();
    for artifact in &decided.external {
        if ground::stopped(invocation).is_some() {
            break;
        }
        external.push(remove(&ground.session, artifact, args.how.change.dry_run).await);
    }
    let mut acted = match decided.files.as_slice() {
        [] => Acted::nothing(),
        files => act(&work, admin, &items(files)).await,
    };
    if let (Some(signal), Ending::Complete) = (ground::stopped(invocation), &acted.ending)
        && external.len() < decided.external.len()
    {
        acted.ending = Ending::Stopped(signal);
    }
    let gone = external.iter().filter(|deed| matches!(deed.outcome, "removed" | "would-remove")).count();
    acted.deeds.extend(external);
    if let Some(operator) = ground.operator.as_ref().filter(|_| acted.count("removed") > 0) {
        let what = format!("removed {}", count(acted.count("removed"), "orphan"));
        let object = operator.0.object_ref(&());
        mark(&ground.session, invocation, &args.how.change, &object, "OrphansDeletedByHand", &what).await;
    }
    let verb = if args.how.change.dry_run.is_some() { "would remove" } else { "removed" };
    let message = format!(
        "{verb} {}, {}, and {}{}",
        count(acted.removed.files, "file"),
        words(acted.removed.bytes),
        count(gone, "ExternalArtifact"),
        acted.rest()
    );
    let exit = match acted.exit() {
        Exit::Done if !decided.doubts.is_empty() => Exit::Partial,
        exit => exit,
    };
    // The words count what is there, so those of this run do not fit what it leaves.
    let again = "see what is left, and the words for it: kubectl jaas storage find-orphans --delete --dry-run";
    let hint = acted.hint(again).or_else(|| decided.doubts.first().cloned());
    orphans.items = acted.deeds;
    report.detail = Some(ground.view(Some(&opened), Found::Orphans(orphans)));
    Ok(Verdict { exit, message, hint })
}

/// What else must be said beside a limit that is raised.
fn words_beside(how: &str, confirm: &str) -> String {
    if how.contains("--max-delete") { format!(" --confirm '{confirm}'") } else { String::new() }
}

fn sentence(decided: &Decided) -> String {
    let files = decided.files.len();
    let external = decided.external.len();
    let mut text = format!("{}, {}", count(files, "file"), words(decided.sum.bytes));
    if external > 0 {
        text.push_str(&format!(", {}", count(external, "ExternalArtifact")));
    }
    text
}

/// How a look is judged that removes nothing.
fn look_verdict(decided: &Decided, what: String, flags: &str, from_events: bool) -> Verdict {
    let is_none = decided.files.is_empty() && decided.external.is_empty();
    let rights = || Some("the rights: kubectl jaas auth storage --yaml".to_owned());
    match (is_none, decided.doubts.is_empty()) {
        (true, true) if from_events => Verdict {
            exit: Exit::Done,
            message: "no orphans of a snippet that an Event tells of".to_owned(),
            hint: Some("for all others: kubectl jaas storage find-orphans".to_owned()),
        },
        (true, true) => Verdict { exit: Exit::Done, message: "no orphans".to_owned(), hint: None },
        (true, false) => Verdict {
            exit: Exit::Partial,
            message: format!("no orphans among what could be decided: {}", decided.doubts.join("; ")),
            hint: rights(),
        },
        (false, _) => Verdict {
            exit: Exit::Findings,
            message: format!("orphans: {what}"),
            hint: Some(format!("to remove them for good: kubectl jaas storage find-orphans {flags}")),
        },
    }
}

/// Snippets and artifacts as they are now, and where nobody may look.
struct World {
    snippets: Vec<Snippet>,
    artifacts: Vec<ExternalArtifact>,
    unlisted: BTreeSet<String>,
    /// Namespaces of the store that are gone.
    leaving: BTreeSet<String>,
}

impl World {
    /// Lists all at once where that is allowed, else each namespace that occurs in the store.
    async fn look(session: &Session, namespace: Option<&str>, inventory: &Inventory) -> Result<Self, Error> {
        let named: BTreeSet<_> =
            inventory.files.iter().filter_map(|file| owner(&file.path)).map(|key| key.namespace).collect();
        let present = namespaces(session).await;
        let leaving = match &present {
            Some(present) => named.iter().filter(|name| !present.contains(*name)).cloned().collect(),
            None => BTreeSet::new(),
        };
        let mut world = Self { snippets: Vec::new(), artifacts: Vec::new(), unlisted: BTreeSet::new(), leaving };
        match ground::objects(session, namespace).await {
            Ok((snippets, artifacts)) => (world.snippets, world.artifacts) = (snippets, artifacts),
            Err(session::Error::Forbidden { .. }) if namespace.is_none() => {
                for name in named {
                    match ground::objects(session, Some(&name)).await {
                        Ok((snippets, artifacts)) => {
                            world.snippets.extend(snippets);
                            world.artifacts.extend(artifacts);
                        }
                        Err(session::Error::Forbidden { .. }) => drop(world.unlisted.insert(name)),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(world)
    }
}

/// Namespaces that exist and stay; `None` where they may not be listed, which only makes a word less exact.
async fn namespaces(session: &Session) -> Option<BTreeSet<String>> {
    let namespaces: Api<Namespace> = Api::all(session.client.clone());
    let call = Call::new("list", "", "namespaces", &["list"]);
    let listed = session.call(&call, namespaces.list_metadata(&ListParams::default())).await.ok()?;
    let stays = listed.items.into_iter().filter(|it| it.metadata.deletion_timestamp.is_none());
    Some(stays.filter_map(|it| it.metadata.name).collect())
}

/// Snippets that were let go with their files in place.
async fn events(ground: &Ground, namespace: Option<&str>) -> Result<BTreeSet<Key>, Error> {
    let scope = Scope { namespace, labels: None };
    match facts::withdrawals(&ground.session, &scope, Some(ground.namespace())).await {
        Known::Yes(events) => {
            Ok(events.into_iter().map(|event| Key { namespace: event.namespace, name: event.name }).collect())
        }
        Known::No(why) => Err(Error::Refused {
            what: format!("the events cannot be seen: {why}"),
            how: "leave --from-events out".to_owned(),
        }),
    }
}

/// Deletes exactly the object that was seen. The dry run stands in body and query, so that no gate on the way takes it for a real one.
async fn remove(session: &Session, artifact: &ExternalArtifact, dry_run: Option<DryRun>) -> Deed {
    let (namespace, name) = (artifact.metadata.namespace.clone(), artifact.metadata.name.clone());
    let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
    let path = format!("externalartifact {namespace}/{name}");
    let deed = |outcome, why: String| Deed { path: path.clone(), outcome, bytes: 0, why };
    let group = jaas_api::artifact::FLUX_SOURCE_GROUP;
    let call =
        Call::new("delete", group, "externalartifacts", &["list", "delete"]).within(Some(&namespace)).named(&name);
    // A snippet that came back meanwhile owns it again.
    let snippets: Api<Snippet> = Api::namespaced(session.client.clone(), &namespace);
    let look =
        Call::new("get", jaas_api::GROUP, crate::snippet::RESOURCE, &["get"]).within(Some(&namespace)).named(&name);
    match session.call(&look, snippets.get_opt(&name)).await {
        Ok(None) => {}
        Ok(Some(_)) => return deed("kept", "its snippet is there again".to_owned()),
        Err(error) => return deed("failed", error.to_string()),
    }
    let params = DeleteParams {
        dry_run: dry_run.is_some(),
        preconditions: Some(Preconditions {
            uid: artifact.metadata.uid.clone(),
            resource_version: artifact.metadata.resource_version.clone(),
        }),
        ..DeleteParams::default()
    };
    match session.call(&call, delete(session, &namespace, &name, &params)).await {
        Ok(()) if dry_run.is_some() => deed("would-remove", String::new()),
        Ok(()) => deed("removed", String::new()),
        Err(session::Error::NotFound { .. }) => deed("missing", String::new()),
        Err(session::Error::Conflict { message, .. }) => deed("changed", message),
        Err(error) => deed("failed", error.to_string()),
    }
}

async fn delete(session: &Session, namespace: &str, name: &str, params: &DeleteParams) -> Result<(), kube::Error> {
    let url = ExternalArtifact::url_path(&(), Some(namespace));
    let query = if params.dry_run { "?dryRun=All" } else { "" };
    let body = serde_json::to_vec(params).map_err(kube::Error::SerdeError)?;
    let request =
        http::Request::delete(format!("{url}/{name}{query}")).header(http::header::CONTENT_TYPE, "application/json");
    let request = request.body(body).map_err(kube::Error::HttpError)?;
    session.client.request_text(request).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orphans_beat_doubts_and_doubts_beat_silence() {
        let doubtful = || Decided { doubts: vec!["no".to_owned()], ..Decided::default() };
        let exit = |decided: &Decided| look_verdict(decided, sentence(decided), "x", false).exit;
        assert_eq!(exit(&Decided::default()), Exit::Done);
        assert_eq!(exit(&doubtful()), Exit::Partial);
        let artifact: ExternalArtifact =
            serde_json::from_value(serde_json::json!({"metadata": {}, "spec": {}})).unwrap();
        let found = Decided { external: vec![artifact], ..doubtful() };
        assert_eq!(exit(&found), Exit::Findings);
        assert_eq!(sentence(&found), "0 files, 0 bytes, 1 ExternalArtifact");
        assert_eq!(words_beside("add --max-delete 9", "delete 9 in a"), " --confirm 'delete 9 in a'");
        assert_eq!(words_beside("restore the snippets first", "delete 9 in a"), "");
    }
}
