//! `explain` without any cluster.

use super::apiserver::{ApiServer, Mood};
use super::plugin::Plugin;

#[test]
fn a_reason_is_explained_without_a_cluster_and_in_any_case() {
    for word in ["ArtifactLost", "artifactlost"] {
        let explained = Plugin::without_server().run(&format!("explain {word}"));
        assert_eq!((explained.code, explained.stderr.as_str()), (0, ""));
        assert!(explained.stdout.starts_with("ArtifactLost\n"), "{}", explained.stdout);
    }
}

#[test]
fn a_program_gets_the_explanation_in_a_document() {
    let explained = Plugin::without_server().run("explain S401 -o json");
    assert_eq!((explained.code, explained.stderr.as_str()), (0, ""));
    let document: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!((&document["kind"], &document["result"]["exitCode"]), (&"ExplainReport".into(), &0.into()));
    let plain = Plugin::without_server().run("explain S401").stdout;
    assert_eq!(document["explanation"], plain.trim_end());
}

#[test]
fn an_unknown_reason_is_2_in_every_format() {
    for format in ["table", "json"] {
        let refused = Plugin::without_server().run(&format!("explain Brokken -o {format}"));
        assert_eq!(refused.code, 2);
        assert!(
            refused
                .stderr
                .contains("`Brokken` is no code, no reason of a JsonnetSnippet or of an Event, no alert and no metric"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("ArtifactLost"), "{}", refused.stderr);
    }
}

#[test]
fn words_of_a_symptom_lead_to_findings_without_a_cluster() {
    let found = Plugin::without_server().run("explain quota nearly full");
    assert_eq!((found.code, found.stderr.as_str()), (0, ""));
    assert!(found.stdout.contains("\n  S402  volume or quota nearly full\n"), "{}", found.stdout);
    let found = Plugin::without_server().run("explain quota");
    assert_eq!((found.code, found.stderr.as_str()), (0, ""));
    assert!(found.stdout.contains("  S401  volume or quota full\n"), "{}", found.stdout);
    assert!(found.stdout.trim_end().ends_with("kubectl jaas explain quota -n NAMESPACE"), "{}", found.stdout);
    // Whoever names a namespace means a snippet.
    let server = ApiServer::start(Mood::Answers, &["team-a/bad"]);
    let found = Plugin::new(server.url()).run("explain quota -n team-a");
    assert_eq!(found.code, 0, "{found:?}");
    assert!(found.stdout.starts_with("There is no snippet team-a/quota.\n") && found.stdout.contains("S401"));
}

#[test]
fn reasons_of_events_are_explained_without_a_cluster() {
    for (word, part) in [
        ("PrunedByHand", "kubectl jaas history NAME -n NAMESPACE"),
        ("repairedbyhand", "set aside"),
        ("WithdrawForced", "kubectl jaas storage find-orphans --from-events"),
    ] {
        let explained = Plugin::without_server().run(&format!("explain {word}"));
        assert_eq!((explained.code, explained.stderr.as_str()), (0, ""), "{word}");
        assert!(explained.stdout.contains(part), "{word}: {}", explained.stdout);
    }
}

#[test]
fn a_full_store_is_explained_by_what_to_type_for_volume_quota_and_bucket() {
    let explained = Plugin::without_server().run("explain StorageFull").stdout;
    let first = explained.lines().find(|line| line.starts_with("  kubectl ")).unwrap().trim();
    assert_eq!(first, "kubectl jaas storage df");
    for part in ["storage advise resize", "storage advise quota", "the bucket:", "storage prune --expired --all"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
}

#[test]
fn codes_alerts_and_metrics_are_explained_without_a_cluster() {
    for (word, code) in
        [("s401", "S401"), ("jaas_eval_outstanding_timed_out", "Q804"), ("JaaSStorageSweepFailures", "S405")]
    {
        let explained = Plugin::without_server().run(&format!("explain {word}"));
        assert_eq!((explained.code, explained.stderr.as_str()), (0, ""), "{word}");
        assert!(explained.stdout.starts_with(&format!("{code}  ")), "{}", explained.stdout);
    }
}

#[test]
fn a_snippet_is_explained_by_what_it_says_of_itself() {
    let server = ApiServer::start(Mood::Answers, &["team-a/bad"]);
    let plugin = Plugin::new(server.url());
    let fresh = plugin.run("explain bad");
    assert_eq!(fresh.code, 0, "{fresh:?}");
    assert!(fresh.stdout.starts_with("team-a/bad has no Ready condition yet\n\nPending\n"), "{}", fresh.stdout);
    assert_eq!(plugin.run("reconcile bad").code, 3);
    let failed = plugin.run("explain bad").stdout;
    assert!(
        failed.starts_with("team-a/bad is Ready=False: EvaluationFailed main.jsonnet:1:1: boom\n\nEvaluationFailed\n")
    );
    assert_eq!(plugin.run("explain ghost").code, 6);
}
