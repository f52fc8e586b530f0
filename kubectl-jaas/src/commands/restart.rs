//! `restart`: replaces the operator's Pods one after the other, and waits until a new one leads.

mod takeover;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _};
use serde_json::json;
use tokio::time::Instant;

use self::takeover::{Before, Ended};
use super::consent::{Danger, consent};
use super::mark::mark;
use super::{Error, Invocation, Verdict, find};
use crate::cli::{DryRun, RestartArgs};
use crate::exit::Exit;
use crate::hint::count;
use crate::operator::{Operator, Rollout};
use crate::session::{Call, FIELD_MANAGER, Session, Writes};
use crate::snippet::keeper;
use crate::view::{Detail, Next, Report, Step, StepState, to_milliseconds};

/// The annotation by which `kubectl rollout restart` asks for new Pods.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Checks, asks, restarts, and notes how far it came.
pub(super) async fn run(
    args: &RestartArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let deadline = Instant::now() + args.timeout;
    report.metadata.dry_run = DryRun::word(args.change.dry_run);
    report.metadata.reason.clone_from(&args.change.reason);
    let session = Session::open(invocation.connection, invocation.run, Writes::of(args.change.dry_run)).await?;
    report.at(&session.destination);
    let operator = find::the_operator(&session, &args.operator).await?;
    invocation.listener.say(&format!("restart {}; {}", operator.path(), session.destination));
    let mut steps = checks(&operator, args.allow_outage);
    let refusals: Vec<_> = steps.iter().filter(|step| step.state == StepState::Failed).collect();
    if !refusals.is_empty() {
        let reasons = refusals.iter().map(|step| step.what.as_str()).collect::<Vec<_>>().join("; ");
        report.detail = Some(Detail::Steps(steps.clone()));
        return Err(Error::Refused { what: format!("nothing was changed: {reasons}"), how: String::new() });
    }
    let plan: String = steps.iter().map(|step| format!("{:<9} {}\n", step.name, step.what)).collect();
    let question = format!("{plan}Replace the Pods of {}?", operator.path());
    consent(Danger::Bounded, &question, "", None, &args.change, invocation).await?;

    let deployments: Api<Deployment> = Api::namespaced(session.client.clone(), operator.namespace());
    let call = Call::new("patch", "apps", "deployments", &["list", "get", "patch"])
        .within(Some(operator.namespace()))
        .named(operator.name());
    let before = Before::see(&session, &operator, &args.operator).await;
    if args.change.dry_run != Some(DryRun::Client) {
        let annotations = json!({RESTARTED_AT: Timestamp::now().to_string()});
        let patch = json!({
            "metadata": {"resourceVersion": operator.0.metadata.resource_version},
            "spec": {"template": {"metadata": {"annotations": annotations}}},
        });
        let params = PatchParams {
            dry_run: args.change.dry_run == Some(DryRun::Server),
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        session.call(&call, deployments.patch(operator.name(), &params, &Patch::Merge(patch))).await?;
    }
    if args.change.dry_run.is_some() {
        let message = format!("would replace the Pods of {}; nothing was changed", operator.path());
        steps.push(Step::new("act", StepState::Planned, message.clone()));
        report.detail = Some(Detail::Steps(steps));
        return Ok(Verdict { exit: Exit::Done, message, hint: None });
    }
    let begun = invocation.run.elapsed();
    steps.push(Step::new("act", StepState::Ok, "asked for new Pods"));
    let object = operator.0.object_ref(&());
    mark(&session, invocation, &args.change, &object, "RestartedByHand", "asked for new Pods").await;
    if args.no_wait {
        report.detail = Some(Detail::Steps(steps));
        let message = format!("asked for new Pods of {}, not waiting for them", operator.path());
        return Ok(Verdict { exit: Exit::Done, message, hint: None });
    }
    let mut stop = invocation.stop.clone();
    let undo =
        format!("to take it back: kubectl rollout undo deployment {} -n {}", operator.name(), operator.namespace());
    loop {
        let now = Operator(session.call(&call, deployments.get(operator.name())).await?).rollout();
        let seconds = to_milliseconds(invocation.run.elapsed().saturating_sub(begun).as_secs_f64());
        let done = |state| Step { seconds: Some(seconds), ..Step::new("rollout", state, words(now)) };
        if now.is_done() {
            steps.push(done(StepState::Ok));
            break;
        }
        let (exit, how) = tokio::select! {
            () = tokio::time::sleep(PAUSE) => continue,
            () = tokio::time::sleep_until(deadline) => (Exit::TimedOut, "timed out"),
            signal = stop.signalled() => (signal.exit(), "interrupted"),
        };
        steps.push(done(StepState::Failed));
        report.detail = Some(Detail::Steps(steps));
        return Ok(Verdict { exit, message: format!("{how}: {}; it goes on by itself", words(now)), hint: Some(undo) });
    }
    let ended = match before {
        Ok(Some(before)) => Some((before.until_taken(&session, invocation, deadline).await, Some(before))),
        Ok(None) => None,
        Err(error) => Some((Ended::Unseen(error), None)),
    };
    let seconds = to_milliseconds(invocation.run.elapsed().saturating_sub(begun).as_secs_f64());
    report.figures.insert("seconds", seconds);
    let verdict = match ended {
        None => Verdict { exit: Exit::Done, message: format!("{} runs anew", operator.path()), hint: None },
        Some((ended, before)) => {
            let (step, verdict) = judge(&ended, before.as_ref(), &operator.path(), Timestamp::now());
            steps.push(Step { seconds: Some(seconds), ..step });
            if matches!(ended, Ended::Late(_) | Ended::Stopped(..)) {
                let line = |command: &str, why: &str| Next { command: command.to_owned(), why: why.to_owned() };
                report.next = vec![
                    line("kubectl jaas wait leader", "waits until one leads"),
                    line("kubectl jaas doctor leader pods", "finds why, where none comes"),
                ];
            }
            verdict
        }
    };
    report.detail = Some(Detail::Steps(steps));
    Ok(verdict)
}

/// The last step, and how the run ended: done only once a new Pod is seen to lead.
fn judge(ended: &Ended, before: Option<&Before>, path: &str, now: Timestamp) -> (Step, Verdict) {
    let pending = |lease, exit, how: &str| {
        let held = before.map(|before| before.words(lease, now)).unwrap_or_default();
        let message = format!(
            "{how}: the new Pods of {path} work, and none of them leads yet: {held}; one takes over by itself once the Lease has run out"
        );
        (Step::new("leader", StepState::Failed, held), Verdict { exit, message, hint: None })
    };
    match ended {
        Ended::Leads(lease) => {
            let message = format!("{path} runs anew, and {} leads", lease.pod());
            let step = Step::new("leader", StepState::Ok, format!("{} leads, which is new", lease.pod()));
            (step, Verdict { exit: Exit::Done, message, hint: None })
        }
        Ended::Late(lease) => pending(lease, Exit::TimedOut, "the takeover is pending"),
        Ended::Stopped(signal, lease) => pending(lease, signal.exit(), "interrupted, and the takeover is pending"),
        Ended::Unseen(error) => {
            let message = format!("{path} runs anew; whether a new Pod leads is not seen: {error}");
            let step = Step::new("leader", StepState::Unknown, error.to_string());
            (step, Verdict { exit: Exit::Partial, message, hint: Some(error.hint()) })
        }
    }
}

fn words(rollout: Rollout) -> String {
    let Rollout { wanted, updated, total, available, .. } = rollout;
    let old = total.saturating_sub(updated).max(0);
    format!("{updated} of {wanted} Pods are new, {old} old ones left, {available} work")
}

fn checks(operator: &Operator, allow_outage: bool) -> Vec<Step> {
    let rollout = operator.rollout();
    let running = match rollout.is_running() {
        true => Step::new("rollout", StepState::Failed, format!("Pods are being replaced already: {}", words(rollout))),
        false => Step::new("rollout", StepState::Ok, "no Pods are being replaced"),
    };
    let is_away = rollout.wanted < 2 || operator.recreates();
    let outage = match (is_away, allow_outage) {
        (false, _) => {
            Step::new("outage", StepState::Ok, format!("{}, one after the other", count(rollout.wanted, "Pod")))
        }
        (true, _) if rollout.available == 0 => {
            let what = "no Pod works, so nothing more is lost: artifacts cannot be fetched until a new one does";
            Step::new("outage", StepState::Ok, what)
        }
        (true, true) => Step::new("outage", StepState::Warning, "artifacts cannot be fetched until a new Pod works"),
        (true, false) => {
            let what = "no Pod is left meanwhile, and artifacts cannot be fetched; add --allow-outage";
            Step::new("outage", StepState::Failed, what)
        }
    };
    let kept = match keeper(&operator.0.metadata) {
        Some(keeper) => Step::new("keeper", StepState::Warning, format!("{keeper} may take the annotation back")),
        None => Step::new("keeper", StepState::Ok, "no tool is seen to keep the Deployment"),
    };
    vec![running, outage, kept]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::tests::operator;

    fn states(change: impl FnOnce(&mut Value), allow_outage: bool) -> Vec<StepState> {
        checks(&operator(&[], change), allow_outage).into_iter().map(|step| step.state).collect()
    }

    #[test]
    fn several_pods_may_be_replaced_one_after_the_other() {
        assert_eq!(states(|_| (), false), [StepState::Ok, StepState::Ok, StepState::Ok]);
    }

    #[test]
    fn an_outage_must_be_allowed() {
        let single = |value: &mut Value| {
            value["spec"]["replicas"] = json!(1);
            value["status"] =
                json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        };
        assert_eq!(states(single, false)[1], StepState::Failed);
        assert_eq!(states(single, true)[1], StepState::Warning);
        let hangs = |value: &mut Value| {
            value["spec"]["replicas"] = json!(1);
            value["status"] = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1});
        };
        assert_eq!((states(hangs, false)[1], states(hangs, true)[1]), (StepState::Ok, StepState::Ok));
        let recreate = |value: &mut Value| value["spec"]["strategy"] = json!({"type": "Recreate"});
        assert_eq!(states(recreate, false)[1], StepState::Failed);
    }

    #[test]
    fn only_a_leader_that_was_seen_is_done() {
        let now = Timestamp::UNIX_EPOCH;
        let leads = crate::lease::Leadership { holder: "jaas-2_x".to_owned(), ..Default::default() };
        let (step, verdict) = judge(&Ended::Leads(leads.clone()), None, "ns/jaas", now);
        assert_eq!((step.state, verdict.exit), (StepState::Ok, Exit::Done));
        assert_eq!(verdict.message, "ns/jaas runs anew, and jaas-2 leads");
        let (step, verdict) = judge(&Ended::Late(leads), None, "ns/jaas", now);
        assert_eq!((step.state, verdict.exit), (StepState::Failed, Exit::TimedOut));
        assert!(verdict.message.starts_with("the takeover is pending: "), "{}", verdict.message);
    }

    #[test]
    fn a_rollout_that_runs_is_not_disturbed() {
        assert_eq!(states(|value| value["status"]["updatedReplicas"] = json!(1), false)[0], StepState::Failed);
        let kept = |value: &mut Value| {
            value["metadata"]["labels"] = json!({"helm.toolkit.fluxcd.io/name": "jaas"});
        };
        assert_eq!(states(kept, false)[2], StepState::Warning);
    }
}
