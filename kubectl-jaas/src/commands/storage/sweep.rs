//! `storage sweep`: removes what writes and uploads that never ended left behind.

use jaas_api::admin::{Action, Settings};
use jaas_findings::facts::{File, FileClass};
use kube::Resource as _;
use tokio::time::Instant;

use super::super::consent::{Danger, consent};
use super::super::mark::mark;
use super::super::{Error, Invocation, Verdict};
use super::act::{Work, act};
use super::ground::{self, Ground};
use crate::cli::{DryRun, SweepArgs};
use crate::exit::Exit;
use crate::hint::count;
use crate::road::{Need, Road};
use crate::session::Writes;
use crate::size::words;
use crate::view::{Deed, Found, Report, Sum, Sweep};

/// How long a sweep of a large bucket may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(1800);
/// How long what was set aside is kept, in seconds; the operator's own sweep takes it after that too.
const TRASH: u64 = 24 * 60 * 60;

/// Plans, asks, sweeps.
pub(super) async fn run(args: &SweepArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    report.metadata.dry_run = DryRun::word(args.how.change.dry_run);
    report.metadata.reason.clone_from(&args.how.change.reason);
    report.metadata.scope.all_namespaces = true;
    let writes = Writes::of(args.how.change.dry_run);
    let ground = Ground::open(invocation, &args.how.operator, &args.how.road, writes, report).await?;
    invocation.listener.say(&format!("storage sweep of the whole store; {}", ground.session.destination));
    if args.multipart && ground.flags.backend() != "s3" {
        let what = "a store in a folder has no uploads; nothing was changed".to_owned();
        return Err(Error::Refused { what, how: "leave --multipart out to remove halves of writes".to_owned() });
    }
    let site = ground.site(invocation, &args.how.operator, &args.how.road);
    let mut opened = ground::look(invocation, ground::open(&site, Need::Act, invocation)).await?;
    let stats = ground::look(invocation, async { Ok(opened.road.stats(&ground.flags).await?) }).await?;
    let older_than = floor(args.older_than.map(|time| time.as_secs()), &stats.settings)?;
    let (inventory, omitted) = ground::look(invocation, async { Ok(opened.road.inventory(None).await?) }).await?;
    if !inventory.complete {
        // A sweep judges by names and ages alone, so what is not listed here is no danger; it is only not shown.
        invocation.listener.say(&format!("not all is listed: {}", crate::hint::few(&omitted)));
    }
    if let Some(why) = &inventory.uploads_unknown {
        invocation.listener.say(&format!("unfinished uploads are not shown: {why}"));
    }
    let is_whole = inventory.complete && inventory.uploads_unknown.is_none();
    let mut sweep = look(&inventory.files, older_than);
    let Sum { files, bytes } = sweep.due;
    if files == 0 && is_whole {
        let message = match sweep.young.files {
            0 => "nothing to sweep".to_owned(),
            young => format!("nothing to sweep; {} too young, below {}", count(young, "file"), age(older_than)),
        };
        report.detail = Some(ground.view(Some(&opened), Found::Sweep(sweep)));
        return Ok(Verdict { exit: Exit::Done, message, hint: None });
    }
    let plan = format!("{} older than {}, {}", count(files, "left-over file"), age(older_than), words(bytes));
    let asked =
        consent(Danger::Bounded, &format!("{plan}\nRemove them?"), "", None, &args.how.change, invocation).await;
    if let Err(error) = asked {
        report.detail = Some(ground.view(Some(&opened), Found::Sweep(sweep)));
        return Err(error);
    }
    if args.how.change.dry_run == Some(DryRun::Client) {
        report.detail = Some(ground.view(Some(&opened), Found::Sweep(sweep)));
        return Ok(Verdict {
            exit: Exit::Done,
            message: format!("would remove {plan}; nothing was changed"),
            hint: None,
        });
    }
    let work = Work {
        site,
        invocation,
        change: &args.how.change,
        deadline: Instant::now() + LIMIT,
        action: Action::Sweep,
        dry_run: args.how.change.dry_run.is_some(),
        older_than: Some(older_than),
    };
    let Road::Admin(admin) = &mut opened.road else {
        return Err(Error::NoRoad { need: Need::Act.words(), tried: Vec::new() });
    };
    let acted = act(&work, admin, &[]).await;
    sweep.removed = acted.removed.files;
    let verb = if args.how.change.dry_run.is_some() { "would remove" } else { "removed" };
    let message = match acted.unknown {
        0 => format!("{verb} {}{}", count(acted.removed.files, "left-over file"), acted.rest()),
        _ => "the operator was asked and has not answered, so some or all left-over files may be gone".to_owned(),
    };
    let verdict = Verdict { exit: acted.exit(), message, hint: acted.hint(&super::super::again()) };
    if !acted.deeds.is_empty() {
        sweep.items = acted.deeds;
    }
    if let Some(operator) = ground.operator.as_ref().filter(|_| sweep.removed > 0) {
        let what = format!("removed {}", count(sweep.removed, "left-over file"));
        let object = operator.0.object_ref(&());
        mark(&ground.session, invocation, &args.how.change, &object, "SweptByHand", &what).await;
    }
    report.detail = Some(ground.view(Some(&opened), Found::Sweep(sweep)));
    Ok(verdict)
}

/// The least age of what goes: never below the operator's own, which is how long a living writer may take.
fn floor(wanted: Option<u64>, settings: &Settings) -> Result<u64, Error> {
    let least = settings.sweep_max_tmp_age;
    match wanted {
        None => Ok(least),
        Some(wanted) if wanted >= least => Ok(wanted),
        Some(wanted) => Err(Error::Refused {
            what: format!("what is {} old may still be written; nothing was changed", age(wanted)),
            how: format!("the operator's own limit is {} (--storage-sweep-max-tmp-age)", age(least)),
        }),
    }
}

fn age(seconds: u64) -> String {
    crate::age::words(std::time::Duration::from_secs(seconds))
}

fn look(files: &[File], older_than: u64) -> Sweep {
    let mut sweep = Sweep { older_than, ..Sweep::default() };
    for file in files {
        let limit = match file.class {
            FileClass::Tmp | FileClass::Multipart => older_than,
            FileClass::Trash => TRASH,
            FileClass::Revision | FileClass::OwnerMark | FileClass::Foreign => continue,
        };
        if file.age.is_some_and(|age| age >= limit) {
            sweep.due.add(file.bytes);
            let why = file.class.word().to_owned();
            sweep.items.push(Deed { path: file.path.clone(), outcome: "planned", bytes: file.bytes, why });
        } else {
            sweep.young.add(file.bytes);
        }
    }
    sweep
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_younger_than_the_operators_limit_goes() {
        let settings = Settings { sweep_max_tmp_age: 1800, ..Settings::default() };
        assert_eq!(floor(None, &settings).unwrap(), 1800);
        assert_eq!(floor(Some(3600), &settings).unwrap(), 3600);
        let Err(Error::Refused { how, .. }) = floor(Some(60), &settings) else { panic!() };
        assert!(how.contains("30m"), "{how}");
    }

    #[test]
    fn only_left_overs_are_swept_and_by_their_own_age() {
        let file = |class, age| File { path: "a/b/c".to_owned(), class, bytes: 1, age, version: String::new() };
        let files = [
            file(FileClass::Tmp, Some(1800)),
            file(FileClass::Tmp, Some(1799)),
            file(FileClass::Tmp, None),
            file(FileClass::Multipart, Some(9000)),
            file(FileClass::Trash, Some(9000)),
            file(FileClass::Trash, Some(TRASH)),
            file(FileClass::Revision, Some(99_999)),
            file(FileClass::Foreign, Some(99_999)),
        ];
        let sweep = look(&files, 1800);
        assert_eq!((sweep.due.files, sweep.young.files), (3, 3));
    }
}
