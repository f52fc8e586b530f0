//! Pods of the operator that end.

use jaas_tests::cluster::Settings;

use super::bed::{Bed, Found, holds};

#[tokio::test]
async fn a_pod_that_was_killed_for_memory_is_told_and_everything_goes_on() {
    let bed = Bed::on_volume(Settings::default()).await;
    // A kubelet lays the end to memory; here the test says so. Nothing measures memory.
    bed.installation.pod().unwrap().kill_for_memory().await.unwrap();
    bed.installation.wait_done().await.unwrap();
    let found = bed.row_finds("kubectl jaas doctor pods", "P101", "error").await;
    holds(&found.roots, &["P101".to_owned()]);
    let told = found.get("P101").unwrap().to_string();
    assert!(told.contains("limit 512.0 MiB, 1 restart"), "{told}");
    bed.operator(&["wait", "leader"], 0).await;
    bed.write(&[("c", "3")]).await;
    bed.judged("c", "Synced").await;
    let before = bed.row("kubectl jaas logs --previous", &[], 0).await;
    assert!(before.contains("Starting JaaS"), "{before}");
}

#[tokio::test]
async fn an_operator_that_ends_again_and_again_is_told_with_its_exit_code() {
    let mut bed = Bed::on_volume(Settings::default()).await;
    bed.installation.upgrade(|settings| settings.replicas = 0).await.unwrap();
    let wrong = "--storage-cache=a lot".to_owned();
    let begin = |settings: &mut Settings| (settings.replicas, settings.args) = (1, vec![wrong]);
    bed.installation.upgrading(begin).await.unwrap();
    let found = bed.row_finds("kubectl jaas doctor pods", "P102", "error").await;
    let told = found.get("P102").unwrap().to_string();
    assert!(told.contains("with exit code 2"), "{told}");
    bed.installation.upgrade(|settings| settings.args.clear()).await.unwrap();
    bed.is_well().await;
}

#[tokio::test]
async fn a_snippet_that_is_suspended_does_not_hurt_any_more_and_the_limit_refuses_it() {
    let mut bed = Bed::on_volume(Settings::default()).await;
    let big = super::bed::noise(1, 3000);
    bed.publish(&[("big", &big)]).await;
    bed.row_of("kubectl jaas suspend web -n team-a --reason INC-4711", "big", &[], 0).await;
    let limit = "--max-artifact-bytes=4096".to_owned();
    bed.installation.upgrade(|settings| settings.args.push(limit)).await.unwrap();
    // What it announces stays until it is to be rendered again.
    bed.is_well().await;
    bed.exits(&["resume", "big"], 3).await;
    bed.judged("big", "ArtifactTooLarge").await;
    let explained = bed.exits(&["explain", "big"], 0).await;
    assert!(explained.contains("ArtifactTooLarge"), "{explained}");
}

/// An installation whose evaluations may take little.
async fn frugal() -> Bed {
    let args = vec!["--evaluation-memory=160Mi".to_owned(), "--evaluation-timeout=3s".to_owned()];
    Bed::on_volume(Settings { args, ..Settings::default() }).await
}

/// The finding names the snippet and its limit, and the line that it tells to type shows the same here, with the same limits; then
/// the snippet is put aside.
async fn is_named(bed: &Bed, found: &Found, code: &str, name: &str, limit: &str) {
    let told = found.get(code).unwrap().to_string();
    let process = bed.installation.pod().unwrap().process().unwrap().pid();
    assert!(told.contains(&format!("{}/{name}: ", bed.namespace.name)) && told.contains(limit), "{told}");
    found.proposes(code, &format!("kubectl jaas render {name} -n {} --time", bed.namespace.name));
    let here = bed.operator(&["render", name, "--time", "-o", "json"], 4).await;
    assert!(here.contains(limit), "{here}");
    assert_eq!(bed.installation.pod().unwrap().process().unwrap().pid(), process);
    bed.exits(&["suspend", name, "--reason", "INC-4711"], 0).await;
    bed.is_well().await;
}

#[tokio::test]
async fn a_greedy_snippet_is_stopped_alone_and_named() {
    let bed = frugal().await;
    bed.write(&[("greedy", "std.makeArray(1000000000, function(n) [n])")]).await;
    bed.judged("greedy", "EvaluationOutOfMemory").await;
    let found = bed.row_finds("kubectl jaas doctor reconcile", "R727", "error").await;
    is_named(&bed, &found, "R727", "greedy", "its limit of 160 MiB").await;
}

#[tokio::test]
async fn an_endless_snippet_is_ended_alone_and_named() {
    let bed = frugal().await;
    bed.write(&[("endless", "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)")]).await;
    bed.judged("endless", "EvaluationTimeout").await;
    let found = bed.row_finds("kubectl jaas doctor reconcile", "R718", "error").await;
    is_named(&bed, &found, "R718", "endless", "evaluation exceeded 3s").await;
}

#[tokio::test]
async fn alerts_of_the_operator_are_explained() {
    let bed = Bed::new(Settings::default()).await;
    let alerts = [
        ("JaaSStorageSweepFailures", "storage"),
        ("JaaSControllerWorkqueueDepthHigh", "S401"),
        ("JaaSOperatorPodDown", "P101"),
        ("JaaSSnippetArtifactGrowing", "C205"),
        ("JaaSStorageFull", "S401"),
        ("JaaSNoLeader", "P110"),
    ];
    for (alert, word) in alerts {
        let told = bed.exits(&["explain", alert], 0).await;
        assert!(told.contains(word), "{alert}: {told}");
    }
    bed.row("kubectl jaas explain JaaSStorageSweepFailures", &[], 0).await;
}
