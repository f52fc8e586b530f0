//! Watches that end, are refused, or say nothing more.

use std::collections::HashSet;
use std::time::Instant;

use http::StatusCode;
use jaas_tests::apiproxy::{Act, Call};

use crate::bed::Bed;

fn is_watch(call: &Call) -> bool {
    call.query.split('&').any(|pair| pair.starts_with("watch="))
}

#[tokio::test]
async fn a_watch_that_says_nothing_more_is_noticed() {
    let bed = Bed::new().await;
    bed.create("web", "1").await;
    bed.published("web", "1\n").await;
    bed.proxy.mute();
    let begun = Instant::now();
    bed.edit("web", "2").await;
    bed.published("web", "2\n").await;
    println!("noticed and published after {:?}", begun.elapsed());
    bed.is_well().await;
}

#[tokio::test]
async fn a_watch_that_is_refused_as_too_old_begins_with_a_list() {
    let bed = Bed::new().await;
    bed.create("web", "1").await;
    bed.published("web", "1\n").await;
    let mut listed = HashSet::new();
    // As an API server does that has lost the past: watches are too old until somebody has listed.
    bed.proxy.rule(move |call| {
        if is_watch(call) && !listed.contains(&call.path) {
            return Act::Refuse(StatusCode::GONE);
        }
        if !is_watch(call) {
            listed.insert(call.path.clone());
        }
        Act::Pass
    });
    bed.proxy.mute();
    bed.edit("web", "2").await;
    bed.published("web", "2\n").await;
    bed.is_well().await;
    bed.has("jaas_watch_up{kind=\"JsonnetSnippet\"} 1").await;
    let metrics = bed.operator.metrics().await.unwrap();
    assert!(metrics.contains("jaas_watch_failures_total{kind=\"JsonnetSnippet\",cause=\"expired\"}"), "{metrics}");
}

#[tokio::test]
async fn a_list_and_a_watch_that_get_no_answer_are_given_up_and_tried_again() {
    let bed = Bed::new().await;
    bed.create("web", "1").await;
    bed.published("web", "1\n").await;
    // Every request hangs, and so do the answers that are under way.
    bed.proxy.cut();
    assert!(!bed.is_told("JsonnetSnippet", "silent").await);
    bed.edit("web", "2").await;
    bed.proxy.heal();
    bed.published("web", "2\n").await;
    bed.is_well().await;
}
