//! The renderer beside an operator.

use std::time::Duration;

use jaas_tests::cluster;
use jaas_tests::manifests::custom;
use jaas_tests::namespace::TENANT;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::{self, eventually};
use kube::api::PostParams;
use serde_json::json;

use super::raw::{get, send};
use super::{ENDLESS, write};

const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn requests_never_take_the_last_slot_from_reconciles() {
    let plane = cluster::plane_in_network().await.unwrap();
    let namespace = plane.namespace("beside").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "endless/main.jsonnet", ENDLESS).unwrap();
    write(folder.path(), "empty/main.jsonnet", "{ region: std.extVar('region') }").unwrap();
    let mut options = OperatorOptions::watching([namespace.name.as_str()]);
    options.args = [
        format!("--snippet-directory={}", folder.path().display()),
        "--max-concurrent-evals=2".to_owned(),
        "--evaluation-timeout=0".to_owned(),
        "--ext-var=region=eu".to_owned(),
    ]
    .into();
    let operator = Operator::ready(plane, options).await.unwrap();
    let port: u16 = operator.renderer_url("").rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(get(port, "/jsonnet/empty").await.json(), json!({"region": "eu"}));

    let running = send(port, "GET", "/jsonnet/endless").await;
    // Who asks before it runs would take its slot.
    eventually("it is evaluated", PATIENCE, async || {
        let text = operator.metrics().await.map_err(|error| error.to_string())?;
        if text.lines().any(|line| line == "jaas_eval_in_flight 1") { Ok(()) } else { Err(text) }
    })
    .await
    .unwrap();
    let refused = get(port, "/jsonnet/empty").await;
    assert_eq!((refused.code().as_str(), refused.field("retry-after")), ("evaluation_unavailable", "1"));

    // The other slot is a reconcile's, whatever is asked meanwhile.
    let snippets = custom(&plane.admin().await.unwrap(), &namespace.name, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    let snippet = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace.name},
        "spec": {"serviceAccountName": TENANT, "files": {"main.jsonnet": "{}"}},
    });
    snippets.create(&PostParams::default(), &serde_json::from_value(snippet).unwrap()).await.unwrap();
    wait::object(&snippets, "web", "is published", PATIENCE, |snippet| {
        snippet.data["status"]["artifactURL"].is_string()
    })
    .await
    .unwrap();
    assert_eq!(get(port, "/jsonnet/empty").await.status, 503, "the one that was asked first still runs");
    drop(running);
    eventually("requests are answered again", PATIENCE, async || {
        let answer = get(port, "/jsonnet/empty").await;
        if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .unwrap();
}
