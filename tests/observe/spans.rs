//! Spans of real reconciles, as a collector gets them.

use jaas_tests::s3::faults::{Call, Fault, FaultServer};
use jaas_tests::wait::eventually;
use serde_json::json;

use crate::bench::{Bench, PATIENCE};
use crate::collector::{Collector, Span};

/// Waits for a span that is as wanted.
async fn span(collector: &Collector, name: &str, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
    eventually(format!("{name} {what}"), PATIENCE, async || {
        let found = collector.spans(name);
        found.iter().find(|span| wanted(span)).cloned().ok_or_else(|| format!("{found:#?}"))
    })
    .await
    .unwrap()
}

fn is(span: &Span, key: &str, value: &str) -> bool {
    span.attributes.get(key).is_some_and(|found| found == value)
}

#[tokio::test]
async fn a_collector_gets_the_steps_of_a_reconcile_and_what_failed_in_them() {
    let collector = Collector::start().await;
    let server = FaultServer::start().await.unwrap();
    let (endpoint, tracing) =
        (format!("--s3-endpoint={}", server.endpoint()), format!("--tracing-endpoint={}", collector.address));
    let bench = Bench::new(
        "spans",
        &[
            "--storage-backend=s3",
            &endpoint,
            "--s3-bucket=artifacts",
            "--s3-region=any",
            "--s3-use-ssl=false",
            "--s3-access-key=any",
            "--s3-secret-key=any",
            &tracing,
            "--tracing-insecure",
            "--tracing-sample-ratio=1.0",
        ],
    )
    .await;
    bench.create("web", "{a: 1}").await;
    bench.judged("web", "Synced").await;
    let whole = span(&collector, "JsonnetSnippet.Reconcile", "of web", |span| is(span, "jaas.name", "web")).await;
    assert_eq!(whole.attributes["jaas.namespace"], bench.namespace.name);
    assert_eq!(whole.attributes["jaas.generation"], "1");
    assert_eq!((whole.scope.as_str(), whole.error.as_deref()), ("github.com/metio/jaas", None));
    assert_eq!(whole.resource["service.name"], "jaas");
    assert_eq!(whole.resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert!(whole.parent.is_empty());
    let of_web = |span: &Span| span.parent == whole.id;

    let source = span(&collector, "snippet.resolveSource", "of web", of_web).await;
    assert!(is(&source, "jaas.source.mode", "inline") && is(&source, "jaas.source.fileCount", "1"), "{source:?}");
    let libraries = span(&collector, "snippet.resolveLibraries", "of web", of_web).await;
    assert!(is(&libraries, "jaas.library.count", "0"), "{libraries:?}");
    let evaluated = span(&collector, "snippet.evaluate", "of web", of_web).await;
    assert!(is(&evaluated, "jaas.source.fileCount", "1") && is(&evaluated, "jaas.library.count", "0"), "{evaluated:?}");
    let size = &evaluated.attributes["jaas.eval.renderedBytes"];
    let published = span(&collector, "snippet.publish", "of web", of_web).await;
    assert_eq!(&published.attributes["jaas.eval.renderedBytes"], size);
    assert!(is(&published, "jaas.publish.enabled", "true") && is(&published, "jaas.publish.retainCount", "0"));
    let revision = bench.snippets.get("web").await.unwrap().status.unwrap().revision.unwrap();
    assert_eq!(published.attributes["jaas.publish.revision"], revision);
    for step in [&source, &libraries, &evaluated, &published] {
        assert_eq!(step.error, None, "{step:?}");
    }

    // A program that fails is its author's business and no error of the operator's.
    bench.create("wrong", "error 'mine'").await;
    let failed =
        span(&collector, "snippet.evaluate", "that failed", |span| is(span, "jaas.reason", "EvaluationFailed")).await;
    assert_eq!(failed.error, None);
    bench.create_spec("sourced", json!({"sourceRef": {"kind": "GitRepository", "name": "none"}})).await;
    let missing =
        span(&collector, "snippet.resolveSource", "of a source", |span| is(span, "jaas.source.mode", "sourceRef"))
            .await;
    assert!(missing.attributes.contains_key("jaas.reason") && is(&missing, "jaas.transient", "false"), "{missing:?}");

    server.choose(|asked| if asked.call == Call::Put { Fault::Refuse(403, "AccessDenied") } else { Fault::None });
    bench.create("refused", "2").await;
    let refused =
        span(&collector, "snippet.publish", "that was refused", |span| is(span, "jaas.reason", "StorageDenied")).await;
    assert!(refused.error.as_ref().is_some_and(|message| !message.is_empty()), "{refused:?}");

    // What the last reconciles were is sent before the process ends.
    server.heal();
    bench.create("last", "3").await;
    bench.judged("last", "Synced").await;
    let (exit, _) = bench.operator.terminate().await.unwrap();
    assert!(exit.success(), "{exit:?}");
    let last = collector.spans("JsonnetSnippet.Reconcile");
    assert!(last.iter().any(|span| is(span, "jaas.name", "last")), "{last:#?}");
}

#[tokio::test]
async fn a_collector_that_is_away_delays_neither_a_publish_nor_the_end() {
    // A port that nobody listens at.
    let port = jaas_tests::ports::free().unwrap();
    let bench = Bench::new("away", &[&format!("--tracing-endpoint=127.0.0.1:{port}"), "--tracing-insecure"]).await;
    bench.create("web", "1").await;
    bench.judged("web", "Synced").await;
    let (exit, _) = bench.operator.terminate().await.unwrap();
    assert!(exit.success(), "{exit:?}");
}
