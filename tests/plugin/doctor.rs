//! `doctor` and `storage doctor` beside an operator that is installed.

use std::process::Output;

use jaas_tests::cluster::{Addressing, LEASE, Settings, Store};
use jaas_tests::wait::eventually;
use serde_json::{Value, json};

use super::bench::{PATIENCE, code, document, exits, text};
use super::installed::Ward;

/// An operator with two good snippets.
async fn ward(settings: Settings) -> Ward {
    let ward = Ward::new(Settings { store: Store::Claim, ..settings }).await;
    ward.publish(&[("a", "1"), ("b", "2")]).await;
    ward
}

impl Ward {
    /// The storage server is asked by its announced address: an API server leads to no loopback address.
    async fn doctor(&self, args: &[&str]) -> Output {
        self.operator(&[args, &["--route", "direct"]].concat()).await
    }
}

fn check<'a>(document: &'a Value, code: &str) -> &'a Value {
    let checks = document["diagnosis"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["code"] == code).unwrap()
}

fn roots(document: &Value) -> Vec<&str> {
    let roots = document["diagnosis"]["triage"]["roots"].as_array().unwrap();
    roots.iter().filter(|root| root["severity"] != "warning").map(|root| root["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_healthy_installation_is_0_with_every_byte_proven_and_a_failing_snippet_is_4() {
    let ward = ward(Settings::default()).await;
    for depth in ["quick", "standard", "full"] {
        exits(&ward.doctor(&["doctor", "--depth", depth]).await, 0);
    }
    let healthy = ward.doctor(&["storage", "doctor", "--depth", "full", "-o", "json"]).await;
    exits(&healthy, 0);
    let document = document(&healthy);
    for code in ["A501", "A502", "A503", "A504", "A505", "A507", "N301", "N304", "K010", "K011", "S400"] {
        assert_eq!(check(&document, code)["state"], "ok", "{code}: {document:#}");
    }
    ward.plane.apply_objects(&[ward.snippet("bad", "error 'no'")]).await.unwrap();
    exits(&ward.jaas(&["reconcile", "bad"]).await, 3);
    let failing = ward.doctor(&["doctor", "-o", "json"]).await;
    exits(&failing, 4);
    let found = super::bench::document(&failing);
    assert_eq!(roots(&found), ["R717"], "{found:#}");
    exits(&ward.doctor(&["doctor", "--suppress", &format!("R717={}/bad", ward.namespace.name)]).await, 0);
    let explained = ward.jaas(&["explain", "bad"]).await;
    assert!(text(&explained.stdout).contains("is Ready=False: EvaluationFailed"), "{}", text(&explained.stdout));
}

#[tokio::test]
async fn an_emptied_volume_is_found_while_nobody_may_fill_it_again() {
    let ward = ward(Settings::default()).await;
    // Somebody else holds the Lease and does nothing, so that the operator serves and may not write.
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": ward.namespace.name},
        "spec": {"holderIdentity": "ghost_1", "leaseDurationSeconds": 3600}});
    ward.plane.apply_objects(&[lease]).await.unwrap();
    let stepped_down = async || {
        let log = ward.installation.pod().unwrap().log();
        log.contains("\"holder\":\"ghost_1\"").then_some(()).ok_or(log)
    };
    eventually("the end of its term", PATIENCE, stepped_down).await.unwrap();
    for entry in std::fs::read_dir(ward.installation.volume()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
    // What is in memory would be served as before.
    ward.installation.pod().unwrap().kill().await.unwrap();
    ward.installation.wait_done().await.unwrap();
    let emptied = async || {
        let emptied = ward.doctor(&["storage", "doctor", "-o", "json"]).await;
        let found = document(&emptied);
        if code(&emptied) == 4 && roots(&found) == ["A501"] { Ok(found) } else { Err(format!("{found:#}")) }
    };
    let found = eventually("the finding", PATIENCE, emptied).await.unwrap();
    assert_eq!(found["diagnosis"]["findings"][0]["subjects"].as_array().map(Vec::len), Some(4), "{found:#}");

    // Once it leads it fills the volume again by itself.
    let free = r#"{"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}"#;
    exits(&ward.kubectl(&["patch", "lease", LEASE, "--type=merge", "-p", free]).await, 0);
    let whole = async || (code(&ward.doctor(&["storage", "doctor", "--depth", "full"]).await) == 0).then_some(());
    eventually("the whole store", PATIENCE, whole).await.unwrap();
}

#[tokio::test]
async fn the_service_proxy_is_a_road_and_a_service_without_pods_is_found() {
    let ward = ward(Settings { addressing: Addressing::Network, ..Settings::default() }).await;
    let by_proxy = ["storage", "doctor", "--route", "service-proxy", "-o", "json"];
    let whole = async || {
        let healthy = ward.operator(&[&by_proxy[..], &["--depth", "full"]].concat()).await;
        if code(&healthy) == 0 { Ok(document(&healthy)) } else { Err(text(&healthy.stdout)) }
    };
    let found = eventually("a way through the API server", PATIENCE, whole).await.unwrap();
    assert_eq!(check(&found, "A502")["state"], "ok", "{found:#}");
    let nobody = r#"{"spec": {"selector": {"app.kubernetes.io/name": "nobody"}}}"#;
    exits(&ward.kubectl(&["patch", "service", "jaas-storage", "--type=merge", "-p", nobody]).await, 0);
    let lost = async || {
        let lost = ward.operator(&by_proxy).await;
        let found = document(&lost);
        if code(&lost) == 4 && roots(&found) == ["N304"] { Ok(()) } else { Err(format!("{found:#}")) }
    };
    eventually("the finding", PATIENCE, lost).await.unwrap();
}
