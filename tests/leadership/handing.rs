//! Leadership that goes from one to the next on purpose.

use std::time::{Duration, Instant};

use jaas_operator::leadership::{STEP_DOWN, STEP_DOWN_ANSWERED, State, Timing};
use jaas_tests::wait::eventually;
use serde_json::json;

use crate::group::{DEADLINE, Group, LEASE, RETRY};

#[tokio::test]
async fn one_of_three_leads_and_the_lease_says_so_as_client_go_would() {
    let group = Group::new("one", 3).await;
    let (leader, epoch) = group.leader().await;
    let lease = group.lease().await;
    let spec = lease.spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some(group.members[leader].name.as_str()));
    assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(3), Some(0)));
    assert_eq!((lease.metadata.uid, epoch.transitions), (Some(epoch.uid.clone()), 0));
    assert!(spec.renew_time > spec.acquire_time);
    for (index, member) in group.members.iter().enumerate() {
        let holder = Some(group.members[leader].name.clone());
        match member.states.borrow().clone() {
            State::Leader { epoch: told, .. } => assert_eq!((index, told), (leader, epoch.clone())),
            other => assert_eq!(other, State::Standby { holder }),
        }
    }
    group.verdict();
}

#[tokio::test]
async fn one_who_stops_lets_go_and_the_next_leads_at_once() {
    let group = Group::new("stop", 3).await;
    let (leader, epoch) = group.leader().await;
    group.members[leader].stop.cancel();
    let (_, next, took) = group.leader_but(Some(leader), LEASE).await;
    println!("stop: the next leads after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!((next.uid, next.transitions), (epoch.uid, epoch.transitions + 1));
    eventually("the end of the election", LEASE, async || group.members[leader].is_over().then_some(())).await.unwrap();
    assert_eq!(*group.members[leader].states.borrow(), State::Ended);
    group.verdict();
}

#[tokio::test]
async fn one_who_gave_up_a_deletion_on_its_way_lets_go_once_that_counts_no_more() {
    let group = Group::new("given-up", 2).await;
    let (leader, _) = group.leader().await;
    let permit = group.members[leader].permit().unwrap();
    let begun = Instant::now();
    let deletion = tokio::time::timeout(Duration::from_millis(10), permit.during(std::future::pending::<()>()));
    assert!(deletion.await.is_err());
    drop(permit);
    group.members[leader].stop.cancel();
    group.leader_but(Some(leader), LEASE * 2).await;
    let life = Timing::new(LEASE, DEADLINE, RETRY).unwrap().deletion_life();
    assert!(begun.elapsed() > life, "the next leads after {:?}, within {life:?}", begun.elapsed());
    group.verdict();
}

#[tokio::test]
async fn the_last_one_leaves_a_lease_that_anybody_may_take() {
    let group = Group::new("last", 1).await;
    group.leader().await;
    group.members[0].stop.cancel();
    eventually("the end of the election", LEASE, async || group.members[0].is_over().then_some(())).await.unwrap();
    let spec = group.lease().await.spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_duration_seconds), (Some(""), Some(1)));
    group.verdict();
}

#[tokio::test]
async fn one_who_is_asked_steps_down_answers_and_lets_others_lead() {
    let group = Group::new("ask", 2).await;
    let (leader, _) = group.leader().await;
    let asked = Instant::now();
    group.annotate(json!({STEP_DOWN: "please-1", "kept": "yes"})).await;
    let annotations = eventually("an answer", LEASE, async || {
        let annotations = group.lease().await.metadata.annotations.unwrap_or_default();
        (annotations.get(STEP_DOWN_ANSWERED).map(String::as_str) == Some("please-1")).then_some(annotations)
    });
    let annotations = annotations.await.unwrap();
    let answered = asked.elapsed();
    assert_eq!(annotations.get("kept").map(String::as_str), Some("yes"));
    let (next, _, _) = group.leader_but(Some(leader), LEASE).await;
    println!("step-down: answered after {answered:?}, the next leads after {:?}", asked.elapsed());
    assert!(answered < Duration::from_secs(1), "{answered:?}");
    assert!(asked.elapsed() < Duration::from_secs(1) + RETRY, "{:?}", asked.elapsed());
    // The answer stands; nobody steps down twice for one request.
    tokio::time::sleep(RETRY * 3).await;
    assert!(group.members[next].permit().is_some());
    group.verdict();
}

#[tokio::test]
async fn one_who_is_asked_and_alone_leads_again_after_a_lease_duration() {
    let group = Group::new("alone", 1).await;
    group.leader().await;
    group.annotate(json!({STEP_DOWN: "t"})).await;
    let asked = Instant::now();
    let gone = async || group.members[0].permit().is_none().then_some(());
    eventually("the end of the term", Duration::from_secs(1), gone).await.unwrap();
    let (_, epoch, _) = group.leader_but(None, LEASE * 2).await;
    assert!(asked.elapsed() >= LEASE, "{:?}", asked.elapsed());
    assert_eq!(epoch.transitions, 1);
    group.verdict();
}
