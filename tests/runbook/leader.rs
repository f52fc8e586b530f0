//! A leader that is stuck, and one that must go.

use jaas_tests::cluster::{Settings, Store};

use super::bed::{Bed, holds};

async fn pair(args: &[&str]) -> Bed {
    let args = args.iter().map(|it| (*it).to_owned()).collect();
    let bed = Bed::new(Settings { replicas: 2, store: Store::Claim, args, ..Settings::default() }).await;
    bed.publish(&[("a", "1"), ("b", "2")]).await;
    bed
}

#[tokio::test]
async fn a_frozen_leader_is_replaced_by_itself_and_writes_nothing_when_it_wakes() {
    let bed = pair(&[]).await;
    bed.operator(&["wait", "leader"], 0).await;
    let leader = bed.installation.leader().await.unwrap();
    leader.freeze().unwrap();
    bed.row("kubectl jaas wait leader", &[], 0).await;
    bed.write(&[("c", "3")]).await;
    bed.judged("c", "Synced").await;
    let other = bed.installation.leader().await.unwrap();
    assert_ne!(other.name, leader.name);
    let lost = bed.finds(&["doctor"], "P115", "warning").await;
    assert!(lost.get("P112").is_none(), "{:?}", lost.codes());
    leader.thaw().unwrap();
    bed.installation.wait_done().await.unwrap();
    assert_eq!(bed.installation.leader().await.unwrap().name, other.name);
    bed.is_well().await;
}

#[tokio::test]
async fn a_frozen_only_leader_is_found() {
    let bed = Bed::on_volume(Settings::default()).await;
    bed.operator(&["wait", "leader"], 0).await;
    let pod = bed.installation.leader().await.unwrap();
    pod.freeze().unwrap();
    let found = bed.row_finds("kubectl jaas doctor leader --depth quick", "P112", "error").await;
    holds(&found.roots, &["P112".to_owned()]);
    // Nobody else is there who could take over, and that is said before anything is done.
    bed.operator(&["force-handover", "--yes"], 5).await;
    let waited = bed.operator(&["wait", "leader", "--timeout", "1s", "-o", "json"], 124).await;
    assert!(waited.contains("nobody can take over"), "{waited}");
    found.proposes("P112", "kubectl jaas restart --allow-outage");
    bed.row("kubectl jaas restart --allow-outage", &["--yes"], 0).await;
    // Whoever is told that it is done finds a leader that lives, and nothing to restart.
    bed.operator(&["leader"], 0).await;
    assert_ne!(bed.installation.leader().await.unwrap().name, pod.name);
    let after = bed.doctor(&["doctor", "leader", "--depth", "quick"]).await;
    assert!(after.get("P112").is_none(), "{:?}", after.codes());
    bed.is_well().await;
}

#[tokio::test]
async fn leadership_is_moved_away_from_a_replica_and_proven() {
    let bed = pair(&[]).await;
    bed.operator(&["wait", "leader"], 0).await;
    let canary = format!("{}/a", bed.namespace.name);
    let more = ["--yes", "--canary", &canary];
    let first = bed.installation.leader().await.unwrap().name.clone();
    bed.row("kubectl jaas force-handover", &more, 0).await;
    let second = bed.installation.leader().await.unwrap().name.clone();
    assert_ne!(first, second);
    bed.installation.wait_done().await.unwrap();
    bed.row("kubectl jaas force-handover --method evict", &more, 0).await;
    assert_ne!(bed.installation.leader().await.unwrap().name, second);
    bed.installation.wait_done().await.unwrap();
    bed.is_well().await;
}
