//! Objects that are there already although the webhook would refuse them: made before it was installed, or while nobody could be asked.
//!
//! The reconciler says of each snippet what is wrong. Here they are counted, by the webhook's own judgement, so that whoever installs it
//! knows whose next change will be refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jaas_api::{JsonnetLibrary, JsonnetSnippet};
use kube::ResourceExt;
use tokio_util::sync::CancellationToken;

use super::judge::{self, Facts};
use crate::snippet::World;

/// Pause between two counts.
const PAUSE: Duration = Duration::from_secs(15);
/// Names that the log tells at most.
const NAMED: usize = 10;

/// Counts until the process ends, once everything is listed.
pub async fn run(world: Arc<World>, listed: Vec<CancellationToken>, stop: CancellationToken) {
    for list in &listed {
        tokio::select! {
            () = stop.cancelled() => return,
            () = list.cancelled() => {}
        }
    }
    let mut told = Vec::new();
    loop {
        let found = count(&world);
        if found != told {
            tell(&found);
            told = found;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Kind and name of each object that would be refused, in their order.
fn count(world: &World) -> Vec<(&'static str, String)> {
    let facts = Facts { settings: &world.settings, graph: Some(&world.graph) };
    let mounted = world.mounted.state();
    let snippets = world.snippets.state();
    let refused = |snippet: &&Arc<JsonnetSnippet>| {
        judge::snippet(snippet, None, &facts, |alias| mounted.knows(alias)).denial.is_some()
    };
    let snippets: Vec<_> = snippets.iter().filter(refused).map(|it| ("JsonnetSnippet", path(&**it))).collect();
    let libraries = world.libraries.state();
    let refused = |library: &&Arc<JsonnetLibrary>| judge::library(library, None, &facts).denial.is_some();
    let libraries: Vec<_> = libraries.iter().filter(refused).map(|it| ("JsonnetLibrary", path(&**it))).collect();
    let mut all = [snippets, libraries].concat();
    all.sort();
    let mut counts = BTreeMap::from([("JsonnetSnippet", 0), ("JsonnetLibrary", 0)]);
    for (kind, _) in &all {
        *counts.entry(*kind).or_default() += 1;
    }
    for (kind, count) in counts {
        world.metrics.webhook().would_refuse(kind, count);
    }
    all
}

fn path(object: &impl ResourceExt) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

fn tell(found: &[(&'static str, String)]) {
    if found.is_empty() {
        tracing::info!("Every object would pass the webhook");
        return;
    }
    let names: Vec<_> = found.iter().take(NAMED).map(|(kind, path)| format!("{kind} {path}")).collect();
    let objects = names.join(", ");
    tracing::warn!(count = found.len(), objects, "Objects that the webhook would refuse are there already");
}
