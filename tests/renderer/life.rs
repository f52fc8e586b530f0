//! Start, probes and end of a renderer that has no cluster.

use std::time::Duration;

use jaas_tests::supervisor::{Exit, Signal};
use jaas_tests::wait::eventually;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::raw::{ask, get, read, send};
use super::renderer;

const PATIENCE: Duration = Duration::from_secs(60);

/// Takes about a second, more or less, on any machine.
const SLOW: &str = "std.foldl(function(sum, n) sum + n % 7, std.range(1, 400000), 0)";

#[tokio::test]
async fn probes_are_answered_apart_from_snippets() {
    let renderer = renderer(&[("snippets/start/main.jsonnet", "1")], &[], &[]).await;
    let management = renderer.management_port();
    for path in ["/start", "/ready", "/live"] {
        let answer = get(management, path).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})), "{path}");
        for method in ["POST", "OPTIONS", "DELETE"] {
            let answer = ask(management, method, path).await;
            assert_eq!((answer.status, answer.field("allow")), (405, "GET"), "{method} {path}");
            assert_eq!(answer.json(), json!({"status": "method_not_allowed"}), "{method} {path}");
        }
        let head = ask(management, "HEAD", path).await;
        assert_eq!((head.status, head.body.as_str()), (405, ""), "{path}");
    }
    let none = get(management, "/ready/reconcile").await;
    assert_eq!((none.status, none.json()), (404, json!({"status": "no_operator"})));
    assert_eq!(get(management, "/jsonnet/start").await.status, 404);
    assert_eq!(get(renderer.port(), "/jsonnet/start").await.body, "1\n");
}

#[tokio::test]
async fn a_signal_ends_it_in_order_and_a_second_one_sooner() {
    let args = ["--shutdown-delay=1h", "--evaluation-timeout=0"];
    let renderer = renderer(&[("snippets/slow/main.jsonnet", SLOW)], &args, &[]).await;
    renderer.process().signal(Signal::Terminate).unwrap();
    let management = renderer.management_port();
    eventually("readiness is off", PATIENCE, async || {
        let answer = get(management, "/ready").await;
        if answer.status == 503 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .unwrap();
    assert_eq!(get(management, "/ready").await.json(), json!({"status": "not_ready"}));
    assert_eq!(get(management, "/live").await.status, 200);
    let mut running = send(renderer.port(), "GET", "/jsonnet/slow").await;
    eventually("it is evaluated", PATIENCE, async || {
        let text = jaas_tests::http::get(&renderer.metrics_url()).await.map_err(|error| error.to_string())?.text();
        let begun = text.lines().any(|line| line == "jaas_eval_in_flight 1" || line.contains("result=\"rendered\""));
        if begun { Ok(()) } else { Err(text) }
    })
    .await
    .unwrap();
    renderer.process().signal(Signal::Interrupt).unwrap();
    let mut bytes = Vec::new();
    running.read_to_end(&mut bytes).await.unwrap();
    let answer = read(&bytes);
    assert_eq!(answer.status, 200, "what has started is finished: {answer:?}");
    assert_eq!(renderer.process().wait().await.unwrap(), Exit::Code(0));
    let log = renderer.process().log();
    for line in
        ["Received signal, shutting down", "Draining: waiting for readiness", "cutting drain short", "has shut down"]
    {
        assert!(log.contains(line), "{line:?} is not in\n{log}");
    }
}
