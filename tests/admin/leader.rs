//! Of two replicas the leader acts, and the other one says who that is.

use jaas_api::admin::{self as wire, AUDIENCE, Capabilities};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::http::{self, Answer};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::eventually;
use serde_json::json;

use crate::bench::{Bench, PATIENCE, STILL, problem, token};

#[tokio::test]
async fn another_replica_names_the_leader_and_changes_nothing() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("two").await.unwrap();
    let home = plane.empty_namespace("jaas-system").await.unwrap().name;
    let options = |storage_path| OperatorOptions {
        watch_namespaces: vec![namespace.name.clone()],
        namespace: Some(home.clone()),
        args: STILL
            .iter()
            .map(|arg| (*arg).to_owned())
            .chain(["--leader-election=true".to_owned(), format!("--leader-election-namespace={home}")])
            .collect(),
        admin: true,
        storage_path,
        ..OperatorOptions::default()
    };
    let first = Operator::ready(plane, options(None)).await.unwrap();
    let path = first.storage_path().to_owned();
    let bench = Bench::of(plane, namespace.clone(), first).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let standby = Operator::ready(plane, options(Some(path))).await.unwrap();
    let token = token(plane, &namespace, "on-call", AUDIENCE).await;
    let leader: Capabilities = serde_json::from_slice(&bench.get(&token, wire::CAPABILITIES).await.body).unwrap();
    assert!(leader.leads && leader.leader.as_ref() == Some(&leader.replica) && !leader.replica.is_empty());
    let ask = async |method: &str, path: &str, body: String| -> Answer {
        let request = http::client().unwrap().request(method.parse().unwrap(), standby.admin_url(path));
        http::read(request.bearer_auth(&token).body(body)).await.unwrap()
    };
    let known = eventually("the standby to know the leader", PATIENCE, async || {
        let answer = ask("GET", wire::CAPABILITIES, String::new()).await;
        let found: Capabilities = serde_json::from_slice(&answer.body).map_err(|_| answer.text())?;
        if found.leader.is_some() { Ok(found) } else { Err(answer.text()) }
    });
    let known = known.await.unwrap();
    assert_eq!((known.leads, &known.leader), (false, &Some(leader.replica.clone())));
    assert_ne!(known.replica, leader.replica);

    let left = bench.plant("web", "left");
    let version = bench.listed(&left).await.version;
    let prune = json!({"action": "prune-expired", "items": [{"path": left, "version": version}]});
    for (method, path, body) in [
        ("POST", wire::ACTIONS, prune.to_string()),
        ("POST", wire::ACTIONS, json!({"action": "sweep"}).to_string()),
        ("GET", wire::RECONCILES, String::new()),
    ] {
        let answer = ask(method, path, body).await;
        assert_eq!(answer.status, 421, "{}", answer.text());
        assert_eq!(problem(&answer).leader, Some(leader.replica.clone()));
    }
    assert!(bench.file(&left).exists());
    // Looking needs no leader.
    for path in [wire::STATS, wire::INVENTORY] {
        assert_eq!(ask("GET", path, String::new()).await.status, 200, "{path}");
    }
    let done = bench.act_on(wire::Action::PruneExpired, &left).await;
    assert_eq!(done.outcome, wire::ActionOutcome::Removed, "{done:?}");
}
