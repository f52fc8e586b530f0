//! `leader`, `wait leader`, `force-handover`, `restart`, with two Pods of an operator that elect.

use jaas_tests::cluster::{LEASE, Settings, Store};
use jaas_tests::supervisor::Exit;
use jaas_tests::wait::{self, eventually};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};

use super::bench::{Bench, PATIENCE, document, exits, text};
use super::installed::Ward;

/// Two Pods, one of which leads.
async fn pair() -> Ward {
    let ward = Ward::new(Settings { replicas: 2, store: Store::Claim, ..Settings::default() }).await;
    ward.publish(&[("web", "1")]).await;
    ward
}

impl Ward {
    async fn lease(&self) -> Lease {
        let leases: Api<Lease> = Api::namespaced(self.plane.admin().await.unwrap(), &self.namespace.name);
        leases.get(LEASE).await.unwrap()
    }

    /// A Lease that was deleted and made anew has another.
    async fn uid(&self) -> Option<String> {
        self.lease().await.metadata.uid
    }

    async fn holder(&self) -> (String, i32) {
        let spec = self.lease().await.spec.unwrap();
        (spec.holder_identity.unwrap_or_default(), spec.lease_transitions.unwrap_or_default())
    }
}

#[tokio::test]
async fn leadership_is_shown_handed_over_and_proven() {
    let pair = pair().await;
    exits(&pair.operator(&["wait", "leader"]).await, 0);
    let leader = pair.operator(&["leader", "-o", "json"]).await;
    exits(&leader, 0);
    let shown = document(&leader)["leader"].clone();
    let (before, transitions) = pair.holder().await;
    assert_eq!((&shown["holder"], &shown["transitions"]), (&json!(before), &json!(transitions)), "{shown:#}");
    assert_eq!((&shown["podReady"], &shown["standbys"], &shown["alive"]), (&json!(true), &json!(1), &json!(true)));
    let status = document(&pair.operator(&["status", "-o", "json"]).await);
    assert_eq!(status["status"]["operator"]["version"], env!("CARGO_PKG_VERSION"), "{status:#}");
    assert_eq!(status["status"]["leader"]["holder"], json!(before));

    let unasked = pair.operator(&["force-handover"]).await;
    exits(&unasked, 5);
    let dry = pair.operator(&["force-handover", "--dry-run=server"]).await;
    exits(&dry, 0);
    assert!(text(&dry.stdout).contains("would ask jaas-"), "{}", text(&dry.stdout));
    assert_eq!(pair.holder().await, (before.clone(), transitions));
    let uid = pair.uid().await;
    for method in ["evict", "delete"] {
        // The API server checks and drops it: Pods and Lease stay.
        exits(&pair.operator(&["force-handover", "--method", method, "--allow-outage", "--dry-run=server"]).await, 0);
    }
    let by_lease = pair.operator(&["force-handover", "--method", "lease", "--allow-outage", "--dry-run=server"]).await;
    exits(&by_lease, 5);
    assert!(text(&by_lease.stderr).contains("several Pods write the volume"), "{}", text(&by_lease.stderr));
    assert_eq!((pair.holder().await, pair.uid().await), ((before.clone(), transitions), uid));
    let pods = pair.kubectl(&["get", "pods", "-o", "json"]).await;
    exits(&pods, 0);
    assert_eq!(document(&pods)["items"].as_array().map(Vec::len), Some(2));
    assert!(!text(&pods.stdout).contains("deletionTimestamp"), "{}", text(&pods.stdout));

    let canary = format!("{}/web", pair.namespace.name);
    let args = ["force-handover", "--yes", "--reason", "INC-4711", "--canary", &canary, "-o", "json"];
    let moved = pair.operator(&args).await;
    exits(&moved, 0);
    let report = document(&moved);
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    let expected =
        ["lease", "method", "standby", "steady", "rollout", "store", "act", "release", "leader", "renewal", "canary"];
    assert_eq!(steps, expected, "{report:#}");
    let gap = report["figures"]["secondsWithoutLeader"].as_f64().unwrap();
    println!("force-handover: {gap} s without a leader, {} s in all", report["figures"]["seconds"]);
    assert!(gap < 3.0, "{gap}: longer than a lease");
    let (after, changes) = pair.holder().await;
    assert!(after != before && changes > transitions, "{before} {transitions} {after} {changes}");
    assert_eq!(document(&pair.operator(&["leader", "-o", "json"]).await)["leader"]["holder"], json!(after));
    let told = async || {
        let events = pair.kubectl(&["get", "events", "-o", "json"]).await;
        let events: Value = serde_json::from_slice(&events.stdout).ok()?;
        let is_told = |event: &Value| event["reason"] == "HandoverByHand" && event["involvedObject"]["name"] == LEASE;
        events["items"].as_array()?.iter().any(is_told).then_some(())
    };
    eventually("the event on the lease", PATIENCE, told).await.unwrap();
    for everywhere in [&[][..], &["-A"]] {
        let shown = pair.operator(&[&["events", "-o", "json"], everywhere].concat()).await;
        exits(&shown, 0);
        let events = document(&shown)["events"].as_array().cloned().unwrap_or_default();
        let is_it = |it: &&Value| it["namespace"] == pair.namespace.name.as_str() && it["reason"] == "HandoverByHand";
        let found: Vec<_> = events.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{events:#?}");
        assert_eq!((&found[0]["kind"], &found[0]["deleted"]), (&json!("Lease"), &Value::Null), "{found:#?}");
    }
}

#[tokio::test]
async fn a_handover_without_another_ready_replica_is_refused() {
    let pair = pair().await;
    exits(&pair.operator(&["wait", "leader"]).await, 0);
    let (before, transitions) = pair.holder().await;
    let other = pair.installation.standbys().await.unwrap().remove(0);
    other.freeze().unwrap();
    let is_unready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "False")
    };
    wait::object(&pair.pods().await, &other.name, "is not ready", PATIENCE, is_unready).await.unwrap();
    let refused = pair.operator(&["force-handover", "--yes"]).await;
    exits(&refused, 5);
    assert!(text(&refused.stderr).contains("no other replica is ready"), "{}", text(&refused.stderr));
    assert_eq!(pair.holder().await, (before, transitions));
}

#[tokio::test]
async fn deleting_the_lease_takes_words_of_its_own_and_a_dry_run_leaves_it() {
    let ward = Ward::new(Settings::default()).await;
    exits(&ward.operator(&["wait", "leader"]).await, 0);
    let (holder, uid) = (ward.holder().await, ward.uid().await);
    let by_lease = ["force-handover", "--method", "lease", "--allow-outage", "--accept-empty-store"];
    exits(&ward.operator(&[&by_lease[..], &["--dry-run=server"]].concat()).await, 0);
    let unasked = ward.operator(&by_lease).await;
    exits(&unasked, 5);
    let words = format!("--confirm 'delete lease {}/{LEASE}'", ward.namespace.name);
    assert!(text(&unasked.stderr).contains(&words), "{}", text(&unasked.stderr));
    assert_eq!((ward.holder().await, ward.uid().await), (holder, uid));
}

#[tokio::test]
async fn an_evicted_leader_is_stopped_another_one_leads_and_redundancy_comes_back() {
    let pair = pair().await;
    exits(&pair.operator(&["wait", "leader"]).await, 0);
    let leader = pair.installation.leader().await.unwrap();
    let process = leader.process().unwrap();
    let canary = format!("{}/web", pair.namespace.name);
    let args = ["force-handover", "--method", "evict", "--yes", "--canary", &canary, "-o", "json"];
    let moved = pair.operator(&args).await;
    exits(&moved, 0);
    let report = document(&moved);
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|step| &step["name"]).collect();
    assert_eq!(steps.last().unwrap().as_str(), Some("standby"), "{report:#}");
    // It was asked to end and did: nobody had to kill it.
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0), "{}", leader.log());
    assert_ne!(pair.installation.leader().await.unwrap().name, leader.name);
    pair.installation.wait_done().await.unwrap();
    assert!(pair.installation.pods().iter().all(|pod| pod.name != leader.name));
}

#[tokio::test]
async fn a_restart_replaces_every_pod_and_waits_for_the_new_ones() {
    let pair = pair().await;
    let before: Vec<_> =
        pair.installation.pods().iter().map(|pod| (pod.name.clone(), pod.process().unwrap())).collect();
    exits(&pair.operator(&["restart"]).await, 5);
    let restarted = pair.operator(&["restart", "--yes", "--reason", "INC-4711", "-o", "json"]).await;
    exits(&restarted, 0);
    let report = document(&restarted);
    let rollout = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["what"].as_str().unwrap().starts_with("2 of 2 Pods are new"));
    assert!(rollout.is_some(), "{report:#}");
    // It is done once one of the new ones leads, and not before.
    let leads = report["steps"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&leads["name"], &leads["state"]), (&json!("leader"), &json!("ok")), "{report:#}");
    let holder = pair.holder().await.0;
    assert!(before.iter().all(|(name, _)| !holder.starts_with(name.as_str())), "{holder}");
    // The last of the old ones may still be at its end, which a Deployment does not count.
    pair.installation.wait_done().await.unwrap();
    for (name, process) in before {
        assert_eq!(process.exit(), Some(Exit::Code(0)), "{name}");
        assert!(pair.installation.pods().iter().all(|pod| pod.name != name));
    }
    exits(&pair.operator(&["wait", "leader"]).await, 0);
    exits(&pair.jaas(&["reconcile", "web"]).await, 0);
}

#[tokio::test]
async fn a_restart_after_which_nobody_leads_is_late_and_says_how_to_go_on() {
    let ward = Ward::new(Settings { store: Store::Claim, ..Settings::default() }).await;
    exits(&ward.operator(&["wait", "leader"]).await, 0);
    // Somebody else holds the Lease for longer than the restart waits.
    let held = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": ward.namespace.name},
        "spec": {"holderIdentity": "nobody_1", "leaseDurationSeconds": 3600,
            "renewTime": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()}});
    ward.plane.apply_objects(&[held]).await.unwrap();
    let args = ["restart", "--allow-outage", "--yes", "--timeout", "60s", "-o", "json"];
    let late = ward.operator(&args).await;
    exits(&late, 124);
    let report = document(&late);
    let message = report["result"]["message"].as_str().unwrap();
    assert!(message.starts_with("the takeover is pending: the new Pods of "), "{report:#}");
    assert!(message.contains("nobody, an old Pod, still holds Lease "), "{report:#}");
    assert_eq!(report["next"][0]["command"], "kubectl jaas wait leader", "{report:#}");
    assert!(text(&late.stderr).contains("new Pods work; waiting until one of them leads"), "{}", text(&late.stderr));
}

#[tokio::test]
async fn without_a_lease_or_an_operator_it_is_6() {
    let bench = Bench::new().await;
    let place = ["--operator-namespace", &bench.namespace.name, "--lease", "nope"];
    exits(&bench.admin(&[&["leader"][..], &place].concat()).await, 6);
    exits(&bench.admin(&[&["force-handover", "--yes"][..], &place].concat()).await, 6);
    exits(&bench.admin(&["restart", "--yes", "--operator-namespace", &bench.namespace.name]).await, 6);
    let nobody = bench.run(&bench.namespace.tenant(), &["leader", "-n", &bench.namespace.name]).await;
    exits(&nobody, 7);
}
