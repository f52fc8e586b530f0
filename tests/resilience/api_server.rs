//! The API server is away: at the start, for a while, and back with an etcd that has forgotten.

use std::time::Instant;

use http::StatusCode;
use jaas_tests::apiproxy::Act;
use jaas_tests::controlplane::Options;
use jaas_tests::http::get;
use jaas_tests::supervisor::Signal;
use jaas_tests::wait::{eventually, gone};
use kube::api::DeleteParams;
use serde_json::json;

use crate::bed::{Bed, PATIENCE, outage};

#[tokio::test]
async fn without_an_api_server_it_starts_serves_what_it_has_and_judges_nothing_else() {
    let mut bed = Bed::new().await;
    bed.create("web", "1").await;
    let url = bed.published("web", "1\n").await;
    bed.plane.stop_api_server().await.unwrap();
    bed.operator.restart().await.unwrap();
    bed.operator.wait_ready().await.unwrap();
    // Nothing has begun that would have to be waited for, so it ends in order.
    let (exit, took) = bed.operator.terminate().await.unwrap();
    assert!(exit.success(), "{exit:?} after {took:?}");
    bed.operator.restart().await.unwrap();
    bed.operator.wait_ready().await.unwrap();

    assert!(!bed.is_told("JsonnetSnippet", "unreachable").await);
    bed.has("jaas_ready_to_reconcile 0").await;
    bed.logged("Failed to watch").await;
    let ready = bed.probe("/ready").await;
    assert!(ready.status == StatusCode::OK && ready.text().contains("unreachable"), "{}", ready.text());
    let begun = Instant::now();
    let unknown = url.replace("/web/", "/other/");
    loop {
        let known = get(&url).await.unwrap();
        assert_eq!(known.status, StatusCode::OK, "after {:?}: {}", begun.elapsed(), known.text());
        let other = get(&unknown).await.unwrap();
        assert_eq!(other.status, StatusCode::SERVICE_UNAVAILABLE, "it may be announced, for all that is known");
        assert!(other.headers.contains_key("retry-after"));
        if begun.elapsed() > outage() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    bed.plane.start_api_server().await.unwrap();
    let back = Instant::now();
    bed.is_well().await;
    println!("everything was watched {:?} after the API server was back", back.elapsed());
    bed.logged("all watched resources are now installed and permitted; reconciliation can proceed").await;
    bed.edit("web", "2").await;
    bed.published("web", "2\n").await;
    eventually("what is known not to be announced to be a 404", PATIENCE, async || {
        let status = get(&unknown).await.unwrap().status;
        if status == StatusCode::NOT_FOUND { Ok(()) } else { Err(status) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_api_server_that_comes_back_with_a_compacted_etcd_is_listed_anew() {
    let mut bed = Bed::new().await;
    bed.create("web", "1").await;
    bed.create("doomed", "1").await;
    let url = bed.published("web", "1\n").await;
    let doomed = bed.published("doomed", "1\n").await;

    // The operator sees nothing of what happens meanwhile.
    bed.proxy.rule(|_| Act::Refuse(StatusCode::BAD_GATEWAY));
    bed.plane.stop_api_server().await.unwrap();
    bed.plane.start_api_server().await.unwrap();
    bed.edit("web", "2").await;
    bed.snippets().await.delete("doomed", &DeleteParams::default()).await.unwrap();
    bed.create("new", "3").await;
    assert!(!bed.is_told("JsonnetSnippet", "refused").await);
    let begun = Instant::now();
    while begun.elapsed() < outage() {
        for url in [&url, &doomed] {
            let answer = get(url).await.unwrap();
            assert_eq!(answer.status, StatusCode::OK, "{url} after {:?}: {}", begun.elapsed(), answer.text());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bed.plane.stop_api_server().await.unwrap();
    bed.plane.compact_etcd().await.unwrap();
    bed.plane.start_api_server().await.unwrap();
    bed.proxy.forget_calls();
    bed.proxy.no_rule();
    let back = Instant::now();
    bed.published("web", "2\n").await;
    println!("a change was published {:?} after the API server was back", back.elapsed());
    bed.published("new", "3\n").await;
    gone(&bed.snippets().await, "doomed", PATIENCE).await.unwrap();
    bed.is_well().await;
    let listed = bed.proxy.calls().iter().any(|call| {
        call.path.ends_with("/jsonnetsnippets") && call.method == http::Method::GET && !call.query.contains("watch=")
    });
    assert!(listed, "what was missed can only be known from a list");
    let metrics = bed.operator.metrics().await.unwrap();
    assert!(metrics.contains("jaas_watch_failures_total{kind=\"JsonnetSnippet\",cause=\"expired\"}"), "{metrics}");
}

#[tokio::test]
async fn too_many_requests_are_waited_out() {
    let bed = Bed::new().await;
    bed.create("web", "1").await;
    bed.published("web", "1\n").await;
    bed.proxy.rule(|_| Act::Refuse(StatusCode::TOO_MANY_REQUESTS));
    bed.edit("web", "2").await;
    // Watches that stand go on; each is begun anew before long, and then refused.
    assert!(!bed.is_told("JsonnetSnippet", "throttled").await);
    bed.proxy.forget_calls();
    tokio::time::sleep(outage()).await;
    let calls = bed.proxy.calls().len();
    let most = usize::try_from(outage().as_secs()).unwrap() * 60;
    assert!(calls < most, "{calls} requests to a server that has too many, in {:?}", outage());
    bed.proxy.no_rule();
    bed.published("web", "2\n").await;
    bed.is_well().await;
}

#[tokio::test]
async fn a_storm_of_conflicts_ends_in_the_right_state_and_spares_the_server() {
    let bed = Bed::new().await;
    bed.create("web", "1").await;
    bed.published("web", "1\n").await;
    bed.proxy.forget_calls();
    bed.proxy.rule(|call| {
        let writes = call.method == http::Method::PATCH && call.path.contains("/jsonnetsnippets/web");
        if writes { Act::Refuse(StatusCode::CONFLICT) } else { Act::Pass }
    });
    bed.edit("web", "2").await;
    bed.create("other", "1").await;
    // Whoever is not in the storm is published as ever.
    bed.published("other", "1\n").await;
    tokio::time::sleep(outage()).await;
    let storm = bed.proxy.calls().iter().filter(|call| call.writes_in("/jsonnetsnippets/web")).count();
    let most = usize::try_from(outage().as_secs()).unwrap() * 25 + 50;
    assert!((2..most).contains(&storm), "{storm} attempts");
    bed.proxy.no_rule();
    bed.published("web", "2\n").await;
}

#[tokio::test]
async fn a_step_that_the_api_server_fails_leaves_its_line_and_is_done_later() {
    let bed = Bed::with(Options::default(), &["--shutdown-delay=5m"]).await;
    let fail = |method: http::Method, part: &'static str| {
        bed.proxy.rule(move |call| {
            let is_it = call.method == method && call.path.contains(part);
            if is_it { Act::Refuse(StatusCode::INTERNAL_SERVER_ERROR) } else { Act::Pass }
        });
    };
    fail(http::Method::POST, "/serviceaccounts/tenant/token");
    bed.create("web", "1").await;
    bed.logged("Cannot build impersonation client").await;
    bed.proxy.no_rule();
    bed.published("web", "1\n").await;

    fail(http::Method::GET, "/jsonnetlibraries/lib");
    let libraries = json!([{"kind": "JsonnetLibrary", "name": "lib"}]);
    bed.create_spec("user", json!({"files": {"main.jsonnet": "import 'lib/a'"}, "libraries": libraries})).await;
    let library = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetLibrary",
        "metadata": {"name": "lib", "namespace": bed.namespace.name}, "spec": {"files": {"a": "2"}}});
    bed.plane.apply_objects(&[library]).await.unwrap();
    bed.logged("Library resolution errored").await;
    bed.proxy.no_rule();
    bed.published("user", "2\n").await;

    fail(http::Method::PATCH, "/externalartifacts/web");
    bed.edit("web", "3").await;
    bed.logged("Publish errored").await;
    bed.proxy.no_rule();
    bed.published("web", "3\n").await;

    // Whoever says it twice means now.
    let process = bed.operator.process();
    process.signal(Signal::Terminate).unwrap();
    bed.logged("Draining: waiting for readiness to propagate before shutdown").await;
    process.signal(Signal::Terminate).unwrap();
    bed.logged("Second signal received; cutting drain short").await;
    bed.logged("JaaS service has shut down").await;
}
