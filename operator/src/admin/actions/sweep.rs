//! Sweeping on demand.

use std::time::Duration;

use jaas_api::admin::{ActionDone, ActionEnd, ActionLine, ActionOutcome};
use jaas_storage::store::{Item, ItemKind, Upload};

use super::Run;
use crate::admin::inventory::age;
use crate::admin::lines::{Gone, Lines};
use crate::snippet::outcome::chain;

/// Removes what writers left behind that are gone, and answers how much.
pub(super) async fn sweep(run: &Run, lines: &mut Lines, least_age: Duration) -> Result<ActionEnd, Gone> {
    let world = &run.admin.world;
    if run.dry_run {
        return told(run, lines, least_age).await;
    }
    let swept = match world.authority.permit() {
        Ok(permit) => permit.during(world.store.sweep(least_age)).await,
        Err(error) => Err(error),
    };
    let swept = match swept {
        Ok(swept) => swept.map_err(|error| chain(&error)),
        Err(error) => Err(error.to_string()),
    };
    Ok(match swept {
        Ok(swept) => ActionEnd { removed: swept.removed, ..ActionEnd::default() },
        Err(why) => {
            world.metrics.sweep_failed();
            ActionEnd { stopped: Some(why), ..ActionEnd::default() }
        }
    })
}

/// What a sweep would take, as far as names and times tell.
async fn told(run: &Run, lines: &mut Lines, least_age: Duration) -> Result<ActionEnd, Gone> {
    let uploads = match run.admin.world.store.uploads().await {
        Ok(uploads) => uploads,
        Err(error) => return Ok(ActionEnd { stopped: Some(chain(&error)), ..ActionEnd::default() }),
    };
    let mut end = ActionEnd::default();
    for (path, bytes) in due(run.listing.values(), &uploads, run.admin.backend == "local", least_age) {
        end.removed += 1;
        let why = String::new();
        let done = ActionDone { path: path.to_owned(), outcome: ActionOutcome::WouldRemove, bytes, why };
        lines.write(&ActionLine::Item(done)).await?;
    }
    Ok(end)
}

/// In a directory a lock tells a living writer from a dead one, and what holds one lives for a moment only; a bucket knows ages.
/// What was set aside is left out: only the sweep itself sees how long ago that was.
fn due<'a>(
    listing: impl Iterator<Item = &'a Item>,
    uploads: &'a [Upload],
    locks: bool,
    least_age: Duration,
) -> Vec<(&'a str, u64)> {
    let old = |since: Option<std::time::SystemTime>| since.is_some_and(|since| age(since) >= least_age.as_secs());
    let files = listing.filter(|item| item.kind == ItemKind::Temporary && (locks || old(item.written)));
    let uploads = uploads.iter().filter(|upload| old(upload.begun)).map(|upload| (upload.path.as_str(), 0));
    let mut due: Vec<_> = files.map(|item| (item.path.as_str(), item.size)).chain(uploads).collect();
    due.sort_unstable();
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn a_dry_sweep_tells_left_overs_and_no_artifact() {
        let ago = |seconds| SystemTime::now().checked_sub(Duration::from_secs(seconds));
        let file = |path: &str, seconds| Item { written: ago(seconds), ..Item::of(path, 4) };
        let listing = [
            file("a/web/sha256-00.01.tar.gz.tmp", 5),
            file("a/web/sha256-00.02.tar.gz.tmp", 500),
            file("a/web/notes.tmp", 500),
        ];
        let uploads = [
            Upload { path: "a/web/x".to_owned(), begun: ago(500) },
            Upload { path: "a/web/y".to_owned(), begun: ago(5) },
            Upload { path: "a/web/z".to_owned(), begun: None },
        ];
        let paths = |locks| {
            let due = due(listing.iter(), &uploads, locks, Duration::from_secs(100));
            due.into_iter().map(|(path, _)| path).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(paths(false), "a/web/sha256-00.02.tar.gz.tmp a/web/x");
        assert_eq!(paths(true), "a/web/sha256-00.01.tar.gz.tmp a/web/sha256-00.02.tar.gz.tmp a/web/x");
    }
}
