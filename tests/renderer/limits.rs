//! What a program may use, and how many run.

use std::time::Duration;

use jaas_tests::renderer::Renderer;
use jaas_tests::wait::eventually;

use super::raw::{get, send};
use super::{ENDLESS, renderer};

const PATIENCE: Duration = Duration::from_secs(90);

const FILES: [(&str, &str); 6] = [
    ("snippets/empty/main.jsonnet", "{}"),
    ("snippets/endless/main.jsonnet", ENDLESS),
    ("snippets/greedy/main.jsonnet", "std.makeArray(100000000, function(n) 'x' + n)"),
    ("snippets/deep/main.jsonnet", "local f(n) = 1 + f(n + 1); f(0)"),
    ("snippets/large/main.jsonnet", "std.repeat('x', 20000000)"),
    ("snippets/wide/main.jsonnet", "std.repeat('x', 3000000)"),
];

#[tokio::test]
async fn a_program_that_wants_too_much_is_ended_and_told() {
    let hasty = renderer(&FILES, &["--evaluation-timeout=2s"], &[]).await;
    let endless = get(hasty.port(), "/jsonnet/endless").await;
    assert_eq!((endless.status, endless.code().as_str()), (504, "evaluation_timeout"));
    assert_eq!(endless.json()["detail"], "evaluation exceeded 2s");
    assert!(hasty.process().log().contains("Jsonnet evaluation timed out"), "{}", hasty.process().log());

    let patient = renderer(&FILES, &["--evaluation-memory=128Mi"], &[]).await;
    let port = patient.port();
    let greedy = get(port, "/jsonnet/greedy").await;
    assert!(matches!(greedy.code().as_str(), "evaluation_out_of_memory" | "evaluation_timeout"), "{greedy:?}");
    assert_eq!(get(port, "/jsonnet/deep").await.code(), "evaluation_failed");
    let large = get(port, "/jsonnet/large").await;
    assert_eq!((large.status, large.code().as_str()), (400, "document_too_large"), "{}", large.status);
    let wide = get(port, "/jsonnet/wide").await;
    assert_eq!((wide.status, wide.body.len(), wide.field("content-length")), (200, 3_000_003, "3000003"));
    assert_eq!(get(port, "/jsonnet/empty").await.body, "{ }\n");
}

/// Waits until so many evaluations run.
async fn running(renderer: &Renderer, number: usize) {
    let expected = format!("jaas_eval_in_flight {number}");
    eventually(&expected, PATIENCE, async || {
        let text = jaas_tests::http::get(&renderer.metrics_url()).await.map_err(|error| error.to_string())?.text();
        if text.lines().any(|line| line == expected) { Ok(()) } else { Err(text) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn where_as_many_run_as_may_the_next_one_is_told_when_to_ask_again() {
    let args = ["--max-concurrent-evals=2", "--evaluation-timeout=0"];
    let renderer = renderer(&FILES, &args, &[]).await;
    let port = renderer.port();
    let first = send(port, "GET", "/jsonnet/endless").await;
    let second = send(port, "GET", "/jsonnet/endless").await;
    // Who asks before they run would take a slot of theirs.
    running(&renderer, 2).await;
    let refused = get(port, "/jsonnet/empty").await;
    assert_eq!((refused.code().as_str(), refused.field("retry-after")), ("evaluation_unavailable", "1"));
    assert_eq!(refused.json()["detail"], "concurrent-eval cap is full; retry after backoff");
    assert_eq!(get(port, "/jsonnet/nothing").await.code(), "snippet_not_found", "which needs no slot");
    let metrics = jaas_tests::http::get(&renderer.metrics_url()).await.unwrap().text();
    assert!(!metrics.lines().any(|line| line == "jaas_eval_unavailable_total 0"), "{metrics}");

    // Who leaves takes the evaluation along.
    drop((first, second));
    running(&renderer, 0).await;
    assert_eq!(get(port, "/jsonnet/empty").await.status, 200);
}
