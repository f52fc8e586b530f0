//! The servers, as a consumer and a kubelet see them.

use std::time::Duration;

use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::http::{client, read};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::eventually;

use crate::field::{Field, PATIENCE};

#[tokio::test]
async fn an_artifact_is_served_with_everything_a_cache_needs() {
    let field = Field::new("serving").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let artifact = field.artifact("web").await;
    let published = artifact.published().unwrap().clone();
    let tag = format!("\"{}\"", published.digest.clone().unwrap());

    let got = field.get(&published.url).await;
    let header = |name: &str| got.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(got.status, 200);
    assert_eq!(header("etag"), Some(tag.clone()));
    assert_eq!(header("cache-control").as_deref(), Some("public, max-age=31536000, immutable"));
    assert_eq!(header("content-type").as_deref(), Some("application/x-gzip"));
    assert_eq!(header("content-length"), Some(published.size.unwrap().to_string()));
    assert_eq!(header("content-encoding"), None);
    assert_eq!(header("accept-ranges").as_deref(), Some("bytes"));

    let client = client().unwrap();
    let head = read(client.head(&published.url)).await.unwrap();
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], published.size.unwrap().to_string().as_str());
    let known = read(client.get(&published.url).header("if-none-match", &tag)).await.unwrap();
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    assert_eq!(known.headers["etag"].to_str().unwrap(), tag);
    assert_eq!(known.headers["cache-control"], got.headers["cache-control"]);
    assert_eq!((known.headers.get("content-length"), known.headers.get("content-type")), (None, None));
    let compressed = read(client.get(&published.url).header("accept-encoding", "gzip")).await.unwrap();
    assert_eq!((compressed.body, compressed.headers.get("content-encoding")), (got.body.clone(), None));
    for method in [http::Method::POST, http::Method::PUT, http::Method::DELETE, http::Method::OPTIONS] {
        let answer = read(client.request(method, &published.url)).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()), (405, "GET, HEAD"));
    }
}

#[tokio::test]
async fn probes_tell_what_they_should() {
    let field = Field::new("probes").await;
    for probe in ["/start", "/ready", "/live"] {
        let answer = field.get(&field.operator.management_url(probe)).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "{\"status\":\"ok\"}".to_owned()), "{probe}");
        let posted = read(client().unwrap().post(field.operator.management_url(probe))).await.unwrap();
        assert_eq!((posted.status.as_u16(), posted.headers["allow"].to_str().unwrap()), (405, "GET"));
    }
    assert_eq!(field.get(&field.operator.management_url("/metrics")).await.status, 404);
    field.create_file("web", "1").await;
    field.synced("web").await;
    let expected = format!(
        "jaas_snippet_reconcile_total{{namespace=\"{}\",name=\"web\",status=\"True\",reason=\"Synced\"}}",
        field.namespace.name
    );
    let metrics = field.operator.metrics().await.unwrap();
    assert!(metrics.contains(&expected), "{metrics}");
    field.delete("web").await;
    jaas_tests::wait::gone(&field.snippets, "web", PATIENCE).await.unwrap();
    eventually("the series to go", PATIENCE, async || {
        let metrics = field.operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains(&expected) { Err(metrics) } else { Ok(()) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn without_its_api_server_it_serves_what_it_has_and_asks_for_patience_about_the_rest() {
    let mut plane = ControlPlane::start(Options::default()).await.unwrap();
    let namespace = plane.namespace("alone").await.unwrap();
    let mut operator = Operator::ready(&plane, OperatorOptions::default()).await.unwrap();
    let client = plane.admin().await.unwrap();
    let snippets: kube::Api<jaas_api::JsonnetSnippet> = kube::Api::namespaced(client, &namespace.name);
    let object = serde_json::json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace.name},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "1"}},
    });
    snippets.create(&kube::api::PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    let synced = jaas_tests::wait::object(&snippets, "web", "is synced", PATIENCE, |snippet| {
        snippet.status.as_ref().is_some_and(|status| status.ready().is_some())
    })
    .await
    .unwrap();
    let url = synced.status.unwrap().artifact_url.unwrap();

    plane.stop_api_server().await.unwrap();
    operator.kill().await.unwrap();
    operator.restart().await.unwrap();
    operator.wait_ready().await.unwrap();
    assert_eq!(jaas_tests::http::get(&url).await.unwrap().status, 200);
    let unknown = url.replace("/web/", "/other/");
    let answer = jaas_tests::http::get(&unknown).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (503, "3"));
    plane.start_api_server().await.unwrap();
    eventually("a verdict", Duration::from_secs(60), async || {
        let answer = jaas_tests::http::get(&unknown).await.map_err(|error| error.to_string())?;
        if answer.status == 404 { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_orderly_end_turns_readiness_off_and_serves_to_the_last() {
    let field = Field::with("drain", &["--shutdown-delay=2s"]).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    let ending = field.operator.terminate();
    let watching = async {
        eventually("readiness to go", PATIENCE, async || {
            let answer = field.get(&field.operator.management_url("/ready")).await;
            if answer.status == 503 { Ok(()) } else { Err(answer.status) }
        })
        .await
        .unwrap();
        assert_eq!(field.get(&url).await.status, 200);
    };
    let (ended, ()) = tokio::join!(ending, watching);
    let (exit, took) = ended.unwrap();
    assert!(exit.success(), "{exit:?}");
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(10), "{took:?}");
    assert!(field.operator.log().contains("JaaS service has shut down"));
}
