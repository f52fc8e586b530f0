//! `reconcile --missing`, and `wait no-findings`, against a storage server that lacks files.

use std::time::{Duration, Instant};

use serde_json::json;

use super::installation::{Installation, PROXY};
use super::plugin::finish;

fn kind(name: &str) -> String {
    format!("jsonnetsnippet.jaas.metio.wtf/{name}\n")
}

#[test]
fn only_those_whose_file_is_not_there_are_meant() {
    let made = Installation::of(&["web", "api", "grid"]);
    made.server.store(PROXY, made.files().into_iter().skip(1));
    let ran = made.plugin.run("reconcile --missing --dry-run -o name");
    assert_eq!((ran.code, ran.stdout), (0, kind("web")), "{}", ran.stderr);
    let document = made.plugin.run("reconcile --missing --dry-run -o json").document();
    assert_eq!(
        (&document["metadata"]["scope"]["snippets"], &document["result"]["counts"]),
        (&json!(1), &json!({"would-change": 1}))
    );
    for wrong in ["reconcile --missing --all", "reconcile web --missing", "reconcile web --yes"] {
        assert_eq!(made.plugin.run(wrong).code, 2, "{wrong}");
    }
}

#[test]
fn more_than_half_is_likelier_a_wrong_place_and_needs_a_yes() {
    let made = Installation::of(&["web", "api", "grid"]);
    made.server.store(PROXY, made.files().into_iter().skip(2));
    let ran = made.plugin.run("reconcile --missing");
    assert_eq!(ran.code, 5, "{ran:?}");
    let expected = "error: 2 of 3 artifacts are missing, and a wrong bucket, prefix or volume is likelier";
    assert!(ran.stderr.contains(expected) && ran.stderr.contains("add --yes"), "{}", ran.stderr);
    assert!(made.server.writes().iter().all(|write| !write.starts_with("PATCH")), "{:?}", made.server.writes());
    let asked = made.plugin.run("reconcile --missing --yes --no-wait -o json").document();
    // This server knows no snippet that could be written, which comes after the question.
    assert_eq!(asked["metadata"]["scope"]["snippets"], 2, "{asked:#}");
    assert_eq!(made.server.patches().len(), 2);
}

#[test]
fn nothing_missing_is_6_and_a_store_that_nobody_reaches_is_3() {
    let made = Installation::of(&["web"]);
    let ran = made.plugin.run("reconcile --missing");
    assert_eq!(
        (ran.code, ran.stderr.contains("error: nothing is missing: 1 announced artifacts are in the store")),
        (6, true),
        "{ran:?}"
    );
    assert_eq!(made.plugin.run("reconcile --missing --allow-empty").code, 0);
    made.server.store("/elsewhere/", []);
    let blind = made.plugin.run("reconcile --missing");
    assert_eq!(blind.code, 3, "{blind:?}");
    assert!(blind.stderr.contains("no road leads to"), "{}", blind.stderr);
    assert!(made.server.patches().is_empty());
}

#[test]
fn waiting_for_no_findings_ends_when_they_are_gone_or_the_time_is_over() {
    let made = Installation::of(&["web", "api"]);
    assert_eq!(made.plugin.run("wait no-findings").code, 0);
    made.server.store(PROXY, made.files().into_iter().skip(1));
    let late = made.plugin.run("wait no-findings --timeout 1s -o json");
    let document = late.document();
    assert_eq!((late.code, &document["kind"]), (124, &json!("WaitReport")), "{late:?}");
    assert_eq!(document["diagnosis"]["findings"][0]["code"], "A501", "{document:#}");
    assert!(
        document["result"]["message"].as_str().unwrap().starts_with("timed out after 1s; left: 1 error"),
        "{document:#}"
    );
    for other in ["wait no-findings leader", "wait no-findings --fail-on critical", "wait no-findings --depth quick"] {
        assert_eq!(made.plugin.run(&format!("{other} --timeout 5s")).code, 0, "{other}");
    }

    let looks = || {
        made.server.requests().iter().filter(|it| it.starts_with("HEAD ") && it.contains("/proxy/team-a/web")).count()
    };
    let (before, begun) = (looks(), Instant::now());
    let waiting = made.plugin.start("wait no-findings storage --timeout 60s");
    // Once the second look has begun, the first one has told what it found.
    while looks() < before + 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", made.server.requests());
        std::thread::sleep(Duration::from_millis(20));
    }
    made.server.store(PROXY, made.files());
    let ran = finish(waiting);
    assert_eq!((ran.code, ran.stderr.contains("still: 1 error")), (0, true), "{ran:?}");
}

#[test]
fn waiting_says_what_makes_no_sense() {
    let made = Installation::of(&["web"]);
    let wrong = made.plugin.run("wait no-findings web");
    assert_eq!((wrong.code, wrong.stderr.contains("`web` is no area\nhint: one of ")), (2, true), "{wrong:?}");
    assert_eq!(made.plugin.run("wait ready web --fail-on error").code, 2);
    made.server.forbid("/api/v1/namespaces/jaas-system/services");
    let blind = made.plugin.run("wait no-findings --depth quick --timeout 30s");
    assert_eq!((blind.code, blind.stderr.contains("auth doctor --yaml")), (3, true), "{blind:?}");
}
