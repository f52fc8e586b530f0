//! `logs`, through the API server and a kubelet that is played.

use jaas_tests::cluster::Settings;
use jaas_tests::wait::eventually;

use super::bench::{PATIENCE, document, exits, text};
use super::installed::Ward;

#[tokio::test]
async fn the_leaders_log_is_shown_and_what_it_says_of_one_snippet_and_the_run_before() {
    let ward = Ward::new(Settings { replicas: 2, ..Settings::default() }).await;
    ward.publish(&[("a", "1"), ("b", "2")]).await;
    let leader = ward.installation.leader().await.unwrap();
    let shown = ward.operator(&["logs", "-o", "json"]).await;
    exits(&shown, 0);
    let records = document(&shown)["records"].as_array().unwrap().clone();
    assert!(records.len() > 3 && records.iter().all(|record| record["pod"] == leader.name.as_str()), "{records:#?}");
    for record in &records {
        let text = record["record"].to_string();
        assert!(!text.contains("Some(") && !text.contains(" { "), "a record in the words of a program: {text}");
    }
    let changes: Vec<_> = records
        .iter()
        .filter(|record| record["record"]["msg"] == "Leadership changed")
        .map(|record| (&record["record"]["leads"], &record["record"]["holder"]))
        .collect();
    assert!(changes.iter().any(|(leads, _)| **leads == true), "{records:#?}");
    assert!(changes.windows(2).all(|pair| pair[0] != pair[1]), "a change is told once: {changes:?}");
    let of_one = ward.operator(&["logs", "a"]).await;
    exits(&of_one, 0);
    let lines = text(&of_one.stdout);
    assert!(!lines.is_empty() && lines.lines().all(|line| line.contains("\"a\"") || line.contains("/a")), "{lines}");
    let of_all = text(&ward.operator(&["logs", "--all-replicas"]).await.stdout);
    for pod in ward.installation.pods() {
        assert!(of_all.contains(&format!("{} {{", pod.name)), "{of_all}");
    }

    leader.kill().await.unwrap();
    let said = leader.log();
    ward.installation.wait_done().await.unwrap();
    let before = async || {
        let before = ward.operator(&["logs", "--previous", "--all-replicas", "-o", "json"]).await;
        // The other one has not run before, which is told.
        let found = document(&before);
        let records = found["records"].as_array().cloned().unwrap_or_default();
        if before.status.code() == Some(3) && records.len() == said.lines().count() {
            Ok(())
        } else {
            Err(format!("{found:#}"))
        }
    };
    eventually("the log before", PATIENCE, before).await.unwrap();
}
