//! Snippets that would take the process down harm themselves alone.

use serde_json::json;

use crate::field::{Field, message, one_file};

#[tokio::test]
async fn endless_and_greedy_snippets_leave_the_operator_and_the_others_alone() {
    // The code of a debug build alone takes some 60 MiB of the address space, and the stack 64.
    let field = Field::with("hostile", &["--evaluation-timeout=8s", "--evaluation-memory=160Mi"]).await;
    let process = field.operator.process().pid();
    field.create_file("endless", "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)").await;
    field
        .create_file(
            "greedy",
            "std.foldl(function(text, i) text + text, std.range(1, 40), 'a hundred million times too much')",
        )
        .await;
    field.create_file("deep", "{ a: ({} + $).a }").await;
    for n in 0..10 {
        field.create_file(&format!("good{n}"), &n.to_string()).await;
    }
    for n in 0..10 {
        field.synced(&format!("good{n}")).await;
    }
    let endless = field.judged("endless", "EvaluationTimeout").await;
    assert_eq!(
        message(&endless),
        "evaluation exceeded 8s (runbook: https://jaas.projects.metio.wtf/runbooks/evaluationtimeout/)"
    );
    let greedy = field.judged("greedy", "EvaluationFailed").await;
    assert!(message(&greedy).contains("160 MiB"), "{}", message(&greedy));
    field.judged("deep", "EvaluationFailed").await;
    assert_eq!(field.operator.process().pid(), process);
    assert!(field.operator.process().exit().is_none());

    field.patch("endless", json!({"spec": {"files": {"main.jsonnet": "'good'"}}})).await;
    field.synced("endless").await;
    assert_eq!(field.fetch("endless").await, one_file("rendered.json", "\"good\"\n"));
}
