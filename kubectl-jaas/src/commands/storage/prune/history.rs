//! Shortens histories, and waits until the operator has taken note: nothing that a status names is ever removed.

use jaas_api::RECONCILE_REQUEST;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::super::super::ending::Ending;
use super::super::super::settle::{self, Waiting};
use super::super::super::watch::Watch;
use super::super::super::{Error, Verdict, again};
use super::super::ground;
use super::Job;
use crate::cli::DryRun;
use crate::exit::Exit;
use crate::hint;
use crate::session::{self, Call, FIELD_MANAGER};
use crate::snippet::{Key, RESOURCE, Snippet};
use crate::view::{Shorter, TargetOutcome};

/// What came of it.
pub(super) enum Shortened {
    /// Every status names no more than that.
    Done,
    /// Not all of them; nothing was removed.
    Not(Verdict),
}

/// Writes `spec.history` of those that have a longer one, upon exactly the state that was seen, and waits for the answers.
pub(super) async fn shorten(job: &Job<'_>, snippets: &[Snippet], shorter: &[Shorter]) -> Result<Shortened, Error> {
    let of = |snippet: &Snippet| {
        let Key { namespace, name } = snippet.key();
        shorter.iter().find(|it| it.namespace == namespace && it.name == name).map(|it| it.to)
    };
    let longer: Vec<_> = snippets.iter().filter_map(|snippet| Some((snippet, of(snippet)?))).collect();
    if let Some((paused, _)) = longer.iter().find(|(snippet, _)| snippet.is_suspended()) {
        let Key { namespace, name } = paused.key();
        return Err(Error::Refused {
            what: format!("{namespace}/{name} is suspended, so its history is not shortened; nothing was changed"),
            how: format!("resume it first: kubectl jaas resume {name} -n {namespace}"),
        });
    }
    // The watch is open before the first write, so that no answer can slip through.
    let mut watch = Watch::open(job.session(), job.selection, &["list", "watch", "patch"]);
    let dry_run = job.args.how.change.dry_run;
    if dry_run.is_none() && !longer.is_empty() {
        watch.list(job.session()).await?;
    }
    let mut written = Vec::new();
    for (snippet, keep) in &longer {
        if let Some(signal) = ground::stopped(job.invocation) {
            let message = format!(
                "stopped: the history of {} of {} snippets was shortened, and nothing was removed",
                written.len(),
                longer.len()
            );
            let hint = Some(format!("to go on: {}", again()));
            return Ok(Shortened::Not(Verdict { exit: signal.exit(), message, hint }));
        }
        match write(job, snippet, *keep).await {
            Ok(snippet) => written.push(snippet),
            Err(error) => {
                let message = format!(
                    "{error}; the history of {} of {} snippets was shortened, and nothing was removed",
                    written.len(),
                    longer.len()
                );
                return Ok(Shortened::Not(Verdict { exit: error.exit(), message, hint: Some(error.hint()) }));
            }
        }
    }
    if dry_run.is_some() {
        return Ok(Shortened::Done);
    }
    let waiting = Waiting { session: job.session(), invocation: job.invocation, deadline: job.deadline };
    let (targets, ending) = waiting.until(&mut watch, written, settle::rendered).await;
    let open: Vec<_> = targets.iter().filter(|target| target.outcome != TargetOutcome::Synced).collect();
    let exit = match (&ending, open.is_empty()) {
        (Ending::Complete, true) => return Ok(Shortened::Done),
        (Ending::Stopped(signal), _) => signal.exit(),
        (Ending::Deadline, _) => Exit::TimedOut,
        (Ending::Broken(error), _) => error.exit(),
        (Ending::Complete, false) => Exit::Partial,
    };
    let message = format!(
        "spec.history of {} is shorter now; the operator has not taken note of it for {} of them, so nothing was removed by this run",
        hint::few(&longer.iter().map(|(snippet, _)| snippet.key().to_string()).collect::<Vec<_>>()),
        open.len()
    );
    Ok(Shortened::Not(Verdict { exit, message, hint: Some(format!("to go on: {}", again())) }))
}

async fn write(job: &Job<'_>, seen: &Snippet, keep: u16) -> Result<Snippet, session::Error> {
    let Key { namespace, name } = seen.key();
    let snippets: Api<Snippet> = Api::namespaced(job.session().client.clone(), &namespace);
    let call = Call::new("patch", jaas_api::GROUP, RESOURCE, &["patch"]).within(Some(&namespace)).named(&name);
    let params = PatchParams {
        dry_run: job.args.how.change.dry_run == Some(DryRun::Server),
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let annotations = json!({RECONCILE_REQUEST: job.invocation.run.token()});
    let metadata = json!({"resourceVersion": seen.metadata.resource_version, "annotations": annotations});
    let patch = Patch::Merge(json!({"metadata": metadata, "spec": {"history": keep}}));
    job.session().call(&call, snippets.patch(&name, &params, &patch)).await
}
