//! `leader`: who leads, since when, and how steadily.

use jiff::Timestamp;

use super::{Error, Invocation, Verdict, find};
use crate::cli::LeaderArgs;
use crate::exit::Exit;
use crate::lease::{Leadership, Place};
use crate::operator::Replica;
use crate::session::{Session, Writes};
use crate::view::{Detail, LeaderView, Next, Report};

/// Notes the leader in the report.
pub(super) async fn run(args: &LeaderArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let session = Session::open(invocation.connection, invocation.run, Writes::Refused).await?;
    report.at(&session.destination);
    let (operator, place) = find::lease_place(&session, &args.operator).await?;
    invocation.listener.say(&format!("lease {place}; {}", session.destination));
    let Some(lease) = find::lease(&session, &place).await? else { return Err(Error::NoLease(place.to_string())) };
    // Without the right to see Pods, the Lease still tells who leads.
    let replicas = match &operator {
        Some(operator) => find::replicas(&session, operator).await.ok(),
        None => None,
    };
    let leadership = Leadership::of(&lease);
    let leader = view(&place, &leadership, replicas.as_deref(), Timestamp::now());
    let verdict = judge(&leader);
    if verdict.exit == Exit::Findings {
        report.next = next(&leader);
    }
    report.detail = Some(Detail::Leader(leader));
    Ok(verdict)
}

/// What is known of the leader.
pub(super) fn view(place: &Place, leadership: &Leadership, replicas: Option<&[Replica]>, now: Timestamp) -> LeaderView {
    let held = replicas.and_then(|replicas| replicas.iter().find(|replica| replica.name == leadership.pod()));
    let others = |replicas: &[Replica]| {
        replicas.iter().filter(|replica| replica.is_ready && replica.name != leadership.pod()).count()
    };
    LeaderView {
        lease: place.to_string(),
        holder: leadership.holder.clone(),
        pod: leadership.pod().to_owned(),
        pod_ready: replicas.map(|_| held.is_some_and(|replica| replica.is_ready)),
        node: held.and_then(|replica| replica.node.clone()),
        since: leadership.acquired,
        renewed_at: leadership.renewed,
        lease_seconds: leadership.duration.as_secs(),
        transitions: leadership.transitions,
        alive: leadership.is_alive(now),
        standbys: replicas.map(others),
        step_down: leadership.asked.clone(),
    }
}

/// What to type where nobody leads. Waiting helps only where somebody can take over.
fn next(leader: &LeaderView) -> Vec<Next> {
    let line = |command: &str, why: &str| Next { command: command.to_owned(), why: why.to_owned() };
    let doctor = line("kubectl jaas doctor leader pods", "finds why, and says what to type");
    match leader.standbys {
        Some(0) => vec![doctor],
        _ => vec![line("kubectl jaas wait leader", "waits until one leads"), doctor],
    }
}

/// That nobody is there to take over, where that is so.
pub(super) fn alone(leader: &LeaderView) -> Option<&'static str> {
    (leader.standbys == Some(0)).then_some("no other replica is ready, so nobody can take over")
}

fn judge(leader: &LeaderView) -> Verdict {
    let (exit, message) = if leader.holder.is_empty() {
        (Exit::Findings, format!("nobody holds Lease {}", leader.lease))
    } else if !leader.alive {
        (Exit::Findings, format!("{} holds Lease {} and does not renew it", leader.pod, leader.lease))
    } else {
        (Exit::Done, format!("{} leads", leader.pod))
    };
    let hint = alone(leader).filter(|_| exit != Exit::Done).map(str::to_owned);
    Verdict { exit, message, hint }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn leadership(holder: &str) -> Leadership {
        let renewed = Some(Timestamp::UNIX_EPOCH);
        Leadership { holder: holder.to_owned(), renewed, duration: Duration::from_secs(15), ..Leadership::default() }
    }

    fn seen(leadership: &Leadership, seconds: i64, replicas: Option<&[Replica]>) -> LeaderView {
        let place = Place { namespace: "ns".to_owned(), name: "l".to_owned() };
        view(&place, leadership, replicas, Timestamp::from_second(seconds).unwrap())
    }

    #[test]
    fn only_a_leader_that_renews_is_fine() {
        let cases = [
            (leadership("jaas-1_x"), 15, Exit::Done, "jaas-1 leads"),
            (leadership("jaas-1_x"), 16, Exit::Findings, "jaas-1 holds Lease ns/l and does not renew it"),
            (leadership(""), 1, Exit::Findings, "nobody holds Lease ns/l"),
        ];
        for (leadership, seconds, exit, message) in cases {
            let verdict = judge(&seen(&leadership, seconds, None));
            assert_eq!((verdict.exit, verdict.message.as_str()), (exit, message));
        }
    }

    #[test]
    fn waiting_is_proposed_only_where_somebody_can_take_over() {
        let replica = |name: &str| Replica { name: name.to_owned(), is_ready: true, ..Replica::default() };
        let commands = |replicas: &[Replica]| {
            let leader = seen(&leadership("jaas-1_x"), 99, Some(replicas));
            (next(&leader).into_iter().map(|it| it.command).collect::<Vec<_>>(), judge(&leader).hint)
        };
        let (alone, hint) = commands(&[replica("jaas-1")]);
        assert_eq!(alone, ["kubectl jaas doctor leader pods"]);
        assert_eq!(hint.as_deref(), Some("no other replica is ready, so nobody can take over"));
        let (two, hint) = commands(&[replica("jaas-1"), replica("jaas-2")]);
        assert_eq!(two, ["kubectl jaas wait leader", "kubectl jaas doctor leader pods"]);
        assert_eq!(hint, None);
    }

    #[test]
    fn standbys_are_other_pods_that_work() {
        let replica = |name: &str, is_ready| Replica { name: name.to_owned(), is_ready, ..Replica::default() };
        let replicas = [replica("jaas-1", true), replica("jaas-2", true), replica("jaas-3", false)];
        let leader = seen(&leadership("jaas-1_x"), 1, Some(&replicas));
        assert_eq!((leader.pod_ready, leader.standbys), (Some(true), Some(1)));
        let gone = seen(&leadership("jaas-9_x"), 1, Some(&replicas));
        assert_eq!((gone.pod_ready, gone.standbys), (Some(false), Some(2)));
        assert_eq!(seen(&leadership("jaas-1_x"), 1, None).standbys, None);
    }
}
