//! `reconcile --missing` and `diff`, where a file was really taken away.

use jaas_tests::cluster::{LEASE, Settings, Store};
use jaas_tests::wait::eventually;
use serde_json::json;

use super::bench::{PATIENCE, document, exits, text};
use super::installed::Ward;

#[tokio::test]
async fn what_is_not_in_the_store_is_found_rendered_again_and_verified() {
    let ward = Ward::new(Settings { store: Store::Claim, admin: true, ..Settings::default() }).await;
    ward.publish(&[("a", "1"), ("b", "2"), ("c", "3")]).await;
    exits(&ward.operator(&["reconcile", "--missing"]).await, 6);
    // Somebody else holds the Lease and does nothing, so that nobody brings anything back meanwhile.
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": ward.namespace.name},
        "spec": {"holderIdentity": "ghost_1", "leaseDurationSeconds": 3600}});
    ward.plane.apply_objects(&[lease]).await.unwrap();
    let stepped_down = async || {
        let log = ward.installation.pod().unwrap().log();
        log.contains("\"holder\":\"ghost_1\"").then_some(()).ok_or(log)
    };
    eventually("the end of its term", PATIENCE, stepped_down).await.unwrap();
    let folder = ward.installation.volume().join(&ward.namespace.name);
    std::fs::remove_dir_all(folder.join("a")).unwrap();
    let one = ward.operator(&["reconcile", "--missing", "--dry-run", "-o", "name"]).await;
    exits(&one, 0);
    assert_eq!(text(&one.stdout), "jsonnetsnippet.jaas.metio.wtf/a\n");
    let lost = ward.operator(&["diff", "a"]).await;
    exits(&lost, 3);
    assert!(text(&lost.stderr).contains("it is being brought back; nothing was compared"), "{}", text(&lost.stderr));
    let look =
        ["wait", "no-findings", "storage", "--depth", "full", "--route", "admin", "--timeout", "10s", "-o", "json"];
    let waited = ward.operator(&look).await;
    exits(&waited, 124);
    let found = document(&waited);
    assert_eq!(found["diagnosis"]["findings"][0]["code"], "A501", "{found:#}");

    // More than half: somebody must say that a wrong place is not the reason.
    std::fs::remove_dir_all(folder.join("b")).unwrap();
    let refused = ward.operator(&["reconcile", "--missing"]).await;
    exits(&refused, 5);
    assert!(text(&refused.stderr).contains("2 of 3 artifacts are missing"), "{}", text(&refused.stderr));

    let free = r#"{"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}"#;
    exits(&ward.kubectl(&["patch", "lease", LEASE, "--type=merge", "-p", free]).await, 0);
    exits(&ward.operator(&["wait", "leader"]).await, 0);
    let all = ward.operator(&["reconcile", "--all", "--verify", "hash", "-o", "json"]).await;
    exits(&all, 0);
    let report = document(&all);
    let verified: Vec<_> = report["targets"].as_array().unwrap().iter().map(|target| &target["verified"]).collect();
    assert_eq!(verified, [&json!("hash"); 3], "{report:#}");
    exits(&ward.operator(&["reconcile", "--missing"]).await, 6);
    exits(&ward.operator(&["diff", "a", "--exit-code"]).await, 0);
}
