//! Leadership that ends against the leader's will.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jaas_operator::leadership::State;
use jaas_tests::wait::eventually;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::group::{DEADLINE, Group, LEASE, RETRY, SLACK};

#[tokio::test]
async fn after_a_kill_the_next_leads_within_lease_and_retry() {
    let group = Group::new("kill", 3).await;
    let (leader, epoch) = group.leader().await;
    group.members[leader].kill();
    let (_, next, took) = group.leader_but(Some(leader), LEASE * 3).await;
    println!("kill: the next leads after {took:?}");
    assert!(took < LEASE + RETRY + SLACK, "{took:?}");
    assert_eq!(next.transitions, epoch.transitions + 1);
    group.verdict();
}

#[tokio::test]
async fn a_deleted_lease_ends_the_term_and_nobody_overlaps() {
    let group = Group::new("delete", 3).await;
    group.leader().await;
    for _ in 0..3 {
        let (leader, before, _) = group.leader_but(None, LEASE * 2).await;
        let permit = group.members[leader].permit().unwrap();
        let asked = Instant::now();
        group.delete_lease().await;
        tokio::time::timeout(RETRY, permit.ended()).await.expect("the term ends within the retry period");
        let ended = asked.elapsed();
        assert!(permit.check().is_err());
        drop(permit);
        let (_, after, _) = group.leader_but(None, LEASE * 2).await;
        println!("delete: the term ends after {ended:?}, the next begins after {:?}", asked.elapsed());
        assert_ne!(after.uid, before.uid);
    }
    group.verdict();
}

#[tokio::test]
async fn a_lease_that_is_deleted_after_a_kill_shortens_no_wait() {
    let group = Group::new("both", 2).await;
    let (leader, _) = group.leader().await;
    group.members[leader].kill();
    group.delete_lease().await;
    let (_, _, took) = group.leader_but(Some(leader), LEASE * 3).await;
    println!("kill and delete: the next leads after {took:?}");
    // What the other saw last may be a renewal and a request old.
    assert!(took > LEASE - RETRY * 2 && took < LEASE + RETRY * 2 + SLACK, "{took:?}");
    group.verdict();
}

#[tokio::test]
async fn one_who_was_frozen_finds_its_permit_ended_before_it_can_write() {
    let group = Group::new("freeze", 2).await;
    let (leader, _) = group.leader().await;
    let permit = group.members[leader].permit().unwrap();
    let authority = group.members[leader].authority.clone();
    // The only worker of its runtime sleeps: neither renewals nor the watch go on.
    let frozen = group.members[leader].runtime().spawn(async move {
        std::thread::sleep(LEASE * 2);
        (permit.check().is_err(), authority.permit().is_err())
    });
    let (next, _, took) = group.leader_but(Some(leader), LEASE * 2).await;
    println!("freeze: the next leads after {took:?}");
    assert_eq!(frozen.await.unwrap(), (true, true));
    tokio::time::sleep(RETRY * 2).await;
    assert!(group.members[next].permit().is_some() && group.members[leader].permit().is_none());
    group.verdict();
}

#[tokio::test]
async fn a_machine_that_slept_finds_its_permit_ended_and_may_lead_on_if_nobody_came() {
    let group = Group::new("sleep", 1).await;
    let (_, epoch) = group.leader().await;
    let permit = group.members[0].permit().unwrap();
    group.members[0].clock.suspend(Duration::from_secs(20));
    assert!(permit.check().is_err() && group.members[0].permit().is_none());
    let (_, again, _) = group.leader_but(None, LEASE).await;
    assert_eq!(again, epoch, "the Lease was nobody else's meanwhile");
    group.verdict();
}

#[tokio::test]
async fn a_date_that_jumps_changes_nothing() {
    let group = Group::new("date", 2).await;
    let (leader, epoch) = group.leader().await;
    for offset in [86_400, -86_400, 0] {
        for (index, member) in group.members.iter().enumerate() {
            member.clock.set_date(if index == leader { offset } else { -offset });
        }
        for _ in 0..10 {
            tokio::time::sleep(RETRY / 4).await;
            assert_eq!(group.members[leader].permit().map(|permit| permit.epoch().clone()), Some(epoch.clone()));
        }
    }
    group.verdict();
}

#[tokio::test]
async fn one_who_is_cut_off_stops_before_the_next_leads() {
    let wall = Wall::start(&Group::address().await).await;
    let group = Group::through("cut", &[Some(wall.address.clone())]).await;
    let (_, epoch) = group.leader().await;
    let permit = group.members[0].permit().unwrap();
    let cut = Instant::now();
    wall.cut();
    tokio::time::timeout(LEASE, permit.ended()).await.expect("the term ends");
    let ended = cut.elapsed();
    println!("cut off: the term ends after {ended:?}");
    assert!(ended < DEADLINE + SLACK, "{ended:?}");
    drop(permit);
    wall.mend();
    let (_, again, _) = group.leader_but(None, LEASE * 2).await;
    assert_eq!(again, epoch, "the Lease was nobody else's meanwhile");
    group.verdict();
}

#[tokio::test]
async fn two_of_whom_one_is_cut_off_never_lead_at_once() {
    let server = Group::address().await;
    let walls = [Wall::start(&server).await, Wall::start(&server).await];
    let group = Group::through("split", &walls.each_ref().map(|wall| Some(wall.address.clone()))).await;
    let (leader, epoch) = group.leader().await;
    walls[leader].cut();
    let (_, next, took) = group.leader_but(Some(leader), LEASE * 3).await;
    println!("cut off: the next leads after {took:?}");
    assert!(took < LEASE + RETRY + SLACK, "{took:?}");
    assert_eq!(next.transitions, epoch.transitions + 1);
    walls[leader].mend();
    let old = &group.members[leader];
    let named = Some(group.members[1 - leader].name.clone());
    let follows = async || (*old.states.borrow() == State::Standby { holder: named.clone() }).then_some(());
    eventually("the old leader knowing the new one", LEASE, follows).await.unwrap();
    group.verdict();
}

/// A way to the API server that can be walled up: connections stay, nothing comes through.
struct Wall {
    address: String,
    closed: Arc<AtomicBool>,
    broken: Arc<std::sync::Mutex<CancellationToken>>,
}

impl Wall {
    async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let server = server.trim_start_matches("https://").to_owned();
        let closed = Arc::new(AtomicBool::new(false));
        let broken = Arc::new(std::sync::Mutex::new(CancellationToken::new()));
        let (walled, breaks) = (Arc::clone(&closed), Arc::clone(&broken));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, walled) = (server.clone(), Arc::clone(&walled));
                let broken = breaks.lock().unwrap().clone();
                tokio::spawn(async move {
                    while walled.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    let Ok(upstream) = TcpStream::connect(&server).await else { return };
                    pass(client, upstream, broken).await;
                });
            }
        });
        Self { address, closed, broken }
    }

    fn cut(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let mut broken = self.broken.lock().unwrap();
        std::mem::replace(&mut *broken, CancellationToken::new()).cancel();
    }

    fn mend(&self) {
        self.closed.store(false, Ordering::SeqCst);
    }
}

/// Passes bytes on until the way is broken; then holds both ends, silent.
async fn pass(mut client: TcpStream, mut upstream: TcpStream, broken: CancellationToken) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut upstream) => {}
        () = broken.cancelled() => std::future::pending().await,
    }
}
