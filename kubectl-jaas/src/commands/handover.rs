//! `force-handover`: moves leadership to another replica and proves that it took over.

mod act;
mod checks;
mod proof;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, Resource as _};
use tokio::time::Instant;

use self::act::Act;
use self::checks::Facts;
use self::proof::{Proof, Stage};
use super::consent::{Danger, consent};
use super::ending::Ending;
use super::mark::mark;
use super::{Error, Invocation, Verdict, find};
use crate::cli::{DryRun, HandoverArgs, Method};
use crate::exit::Exit;
use crate::lease::Leadership;
use crate::operator::{Operator, Replica, Store};
use crate::session::{Call, Session, Writes};
use crate::snippet::Key;
use crate::view::{Detail, Report, Step, StepState, to_milliseconds};

/// Checks, asks, acts, and notes the proof.
pub(super) async fn run(
    args: &HandoverArgs,
    invocation: &Invocation<'_>,
    report: &mut Report,
) -> Result<Verdict, Error> {
    let canary = args.canary.as_deref().map(canary).transpose()?;
    report.metadata.dry_run = DryRun::word(args.change.dry_run);
    report.metadata.reason.clone_from(&args.change.reason);
    let session = Session::open(invocation.connection, invocation.run, Writes::of(args.change.dry_run)).await?;
    report.at(&session.destination);
    let (operator, place) = find::lease_place(&session, &args.operator).await?;
    invocation.listener.say(&format!("hand over lease {place}; {}", session.destination));
    let Some(lease) = find::lease(&session, &place).await? else { return Err(Error::NoLease(place.to_string())) };
    let before = Leadership::of(&lease);
    let replicas = match &operator {
        Some(operator) => find::replicas(&session, operator).await.ok(),
        None => None,
    };
    let method = args.method.unwrap_or(if before.steps_down { Method::Cooperative } else { Method::Evict });
    let shares = shared(&session, operator.as_ref()).await;
    let replicas_seen = replicas.as_deref();
    let facts = Facts {
        place: &place,
        before: &before,
        replicas: replicas_seen,
        operator: operator.as_ref(),
        shares,
        method,
        args,
        now: Timestamp::now(),
    };
    let mut steps = facts.checks();
    if let Some(refusal) = checks::refusal(&steps) {
        report.detail = Some(Detail::Steps(steps));
        return Err(Error::Refused { what: refusal, how: String::new() });
    }
    let pods = operator.as_ref().map_or(place.namespace.as_str(), Operator::namespace);
    let act = Act { session: &session, place: &place, pods, before: &before, method, run: invocation.run, args };
    let words = format!("delete lease {place}");
    let danger = if method == Method::Lease { Danger::Severe } else { Danger::Bounded };
    let question = facts.question(&steps);
    if let Err(error) = consent(danger, &question, &words, args.confirm.as_deref(), &args.change, invocation).await {
        report.detail = Some(Detail::Steps(steps));
        return Err(error);
    }
    if let Some(how) = args.change.dry_run {
        if how == DryRun::Server {
            act.perform(holder(replicas_seen, &before)).await?;
        }
        steps.push(Step::new("act", StepState::Planned, format!("would {}", facts.deed())));
        report.detail = Some(Detail::Steps(steps));
        let confirm = if method == Method::Lease { format!("; to do it: --confirm '{words}'") } else { String::new() };
        return Ok(Verdict {
            exit: Exit::Done,
            message: format!("would {}; nothing was changed{confirm}", facts.deed()),
            hint: None,
        });
    }

    // The watch is open before the act, so that no change of the Lease can slip through.
    let deadline = Instant::now() + args.timeout;
    let mut proof = Proof::new(before.clone());
    let mut watch = proof::open(&session, &place);
    proof::first(&session, &place, &mut watch, &mut proof, invocation, deadline).await?;
    let begun = invocation.run.elapsed();
    act.perform(holder(replicas_seen, &before)).await?;
    let since = || to_milliseconds(invocation.run.elapsed().saturating_sub(begun).as_secs_f64());
    steps.push(Step { seconds: Some(since()), ..Step::new("act", StepState::Ok, facts.done()) });
    mark(&session, invocation, &args.change, &lease.object_ref(&()), "HandoverByHand", &facts.done()).await;
    let ending = proof::follow(&mut watch, &mut proof, invocation, deadline).await;
    steps.extend(proof.steps(begun));
    if let (Some(key), Stage::Proven) = (&canary, proof.stage()) {
        steps.push(act.canary(key, deadline, begun, invocation).await);
    }
    if matches!(method, Method::Evict | Method::Delete)
        && proof.stage() == Stage::Proven
        && let (Some(operator), Some(replicas)) = (&operator, replicas_seen)
    {
        steps.push(act.redundancy(operator, replicas, deadline, begun, invocation).await);
    }
    if let Some(gap) = proof.gap() {
        report.figures.insert("secondsWithoutLeader", to_milliseconds(gap.as_secs_f64()));
    }
    report.figures.insert("seconds", since());
    let verdict = verdict(&proof, &ending, &steps);
    report.detail = Some(Detail::Steps(steps));
    Ok(verdict)
}

/// The Pod that leads.
fn holder<'a>(replicas: Option<&'a [Replica]>, before: &Leadership) -> Option<&'a Replica> {
    replicas?.iter().find(|replica| replica.name == before.pod())
}

/// Whether several Pods can write the volume of the store; `None` where that is no question or cannot be seen.
async fn shared(session: &Session, operator: Option<&Operator>) -> Option<bool> {
    let operator = operator?;
    let Store::Claim(name) = operator.store() else { return None };
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(session.client.clone(), operator.namespace());
    let call = Call::new("get", "", "persistentvolumeclaims", &["get"]).within(Some(operator.namespace())).named(&name);
    let claim = session.call(&call, claims.get(&name)).await.ok()?;
    let modes = claim.spec.and_then(|spec| spec.access_modes).unwrap_or_default();
    Some(modes.iter().any(|mode| mode == "ReadWriteMany"))
}

fn canary(text: &str) -> Result<Key, Error> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Key { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err(Error::Canary(text.to_owned())),
    }
}

fn verdict(proof: &Proof, ending: &Ending, steps: &[Step]) -> Verdict {
    let again = || Some("see who leads: kubectl jaas leader".to_owned());
    match (proof.stage(), ending) {
        (_, Ending::Stopped(signal)) => Verdict {
            exit: signal.exit(),
            message: format!("interrupted: {}", proof.words()),
            hint: Some("what was asked for may still happen; see who leads: kubectl jaas leader".to_owned()),
        },
        (_, Ending::Broken(error)) => {
            Verdict { exit: error.exit(), message: format!("{error}; until then {}", proof.words()), hint: again() }
        }
        (Stage::Again, _) => Verdict {
            exit: Exit::Unexpected,
            message: format!("{}; no other replica took over", proof.words()),
            hint: Some("see whether the others are ready: kubectl jaas status".to_owned()),
        },
        (Stage::Proven, _) if steps.iter().any(|step| step.state == StepState::Failed) => Verdict {
            exit: Exit::TimedOut,
            message: format!("{}, but not all is proven", proof.words()),
            hint: again(),
        },
        (Stage::Proven, _) => Verdict { exit: Exit::Done, message: proof.words(), hint: None },
        (Stage::Waiting, _) => {
            Verdict { exit: Exit::TimedOut, message: format!("not proven in time: {}", proof.words()), hint: again() }
        }
    }
}
