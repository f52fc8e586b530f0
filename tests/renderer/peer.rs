//! The arguments that the Go implementation's chart renders, letter by letter: `charts/jaas` of github.com/metio/helm-charts, template
//! `deployment-jaas.yaml`, with its own values and with those of a bucket.

use std::collections::BTreeMap;
use std::time::Duration;

use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::renderer::Renderer;
use jaas_tests::s3::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server, Software};
use jaas_tests::supervisor::{Exit, Launcher};
use jaas_tests::wait::{self, eventually};
use jaas_tests::{cluster, environment, http, manifests};
use kube::api::PostParams;
use serde_json::json;

use super::raw::get;

const PATIENCE: Duration = Duration::from_secs(90);

/// What every Pod of that chart has.
const ALWAYS: [&str; 16] = [
    "--listen-address=::",
    "--port=8080",
    "--read-timeout=10s",
    "--write-timeout=10s",
    "--management-listen-address=::",
    "--management-port=8081",
    "--management-read-timeout=10s",
    "--management-write-timeout=10s",
    "--log-level=info",
    "--log-format=json",
    "--jsonnet-endpoint-path=jsonnet",
    "--evaluation-timeout=5s",
    "--max-stack=500",
    "--max-concurrent-evals=32",
    "--shutdown-delay=5s",
    "--snippet-directory=/srv/snippets",
];

/// The operator with a bucket, as `jaas` in this namespace.
fn bucket(endpoint: &str, namespace: &str) -> Vec<String> {
    let backend = [
        "--enable-flux-integration".to_owned(),
        "--storage-backend=s3".to_owned(),
        format!("--s3-endpoint={endpoint}"),
        format!("--s3-bucket={BUCKET}"),
        "--s3-prefix=jaas".to_owned(),
        format!("--s3-region={REGION}"),
        "--s3-use-ssl=false".to_owned(),
        "--s3-anonymous=false".to_owned(),
        "--storage-listen-address=::".to_owned(),
        "--storage-port=8082".to_owned(),
        "--storage-read-timeout=30s".to_owned(),
        "--storage-write-timeout=5m".to_owned(),
        format!("--storage-base-url=http://jaas-storage.{namespace}.svc.cluster.local:8082"),
    ];
    let rest = [
        "--no-cross-namespace-refs=true",
        "--rerender-rate=60/min",
        "--rerender-burst=120",
        "--max-artifact-bytes=0",
        "--artifact-gc-grace=5m",
        "--max-withdraw-wait=1h",
        "--storage-sweep-interval=10m",
        "--storage-sweep-max-tmp-age=30m",
        "--leader-election=true",
        "--leader-election-id=jaas-operator",
    ];
    let last = [format!("--leader-election-namespace={namespace}"), "--metrics-bind-address=:8083".to_owned()];
    ALWAYS.iter().map(ToString::to_string).chain(backend).chain(rest.map(str::to_owned)).chain(last).collect()
}

/// One after the other: both listen on the ports of that chart, in a network of their own.
#[tokio::test]
async fn the_go_implementations_arguments_start_this_program() {
    let plane = cluster::plane_in_network().await.unwrap();
    let program = environment::path(environment::OPERATOR).unwrap();

    let args = ALWAYS.map(str::to_owned).to_vec();
    let ports = [8080, 8081, 8083];
    let launcher = Launcher::from_env().unwrap();
    let renderer = Renderer::exactly(&launcher, &program, args, &[], |_| Ok(()), ports).await.unwrap();
    renderer.wait_ready().await.unwrap();
    assert_eq!(get(8080, "/jsonnet/nothing").await.code(), "snippet_not_found");
    for path in ["/start", "/ready", "/live"] {
        assert_eq!(get(8081, path).await.json(), json!({"status": "ok"}), "{path}");
    }
    let (exit, took) = renderer.terminate().await.unwrap();
    assert_eq!(exit, Exit::Code(0));
    assert!(took >= Duration::from_secs(5), "--shutdown-delay: {took:?}");

    let server = Server::start(Software::Versitygw).await.unwrap();
    let namespace = plane.namespace("peer").await.unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    let options = OperatorOptions {
        // As the chart gives them: from a Secret, by envFrom.
        env: keys.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>(),
        namespace: Some(namespace.name.clone()),
        ..OperatorOptions::default()
    };
    let mut operator = Operator::ready(plane, options).await.unwrap();
    operator.terminate().await.unwrap();
    *operator.args_mut() = bucket(&server.endpoint(), &namespace.name);
    operator.restart().await.unwrap();
    eventually("the operator is ready", PATIENCE, async || {
        let answer = http::get("http://127.0.0.1:8081/ready").await?;
        anyhow::ensure!(answer.status.is_success(), "{answer:?}\n{}", operator.process().log_tail());
        anyhow::Ok(())
    })
    .await
    .unwrap();
    let snippets =
        manifests::custom(&plane.admin().await.unwrap(), &namespace.name, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    let snippet = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace.name},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "{}"}},
    });
    snippets.create(&PostParams::default(), &serde_json::from_value(snippet).unwrap()).await.unwrap();
    let published = wait::object(&snippets, "web", "is published", PATIENCE, |snippet| {
        snippet.data["status"]["artifactURL"].is_string()
    });
    let url = published.await.unwrap().data["status"]["artifactURL"].as_str().unwrap().to_owned();
    let (host, path) = url.split_once(":8082").unwrap();
    assert_eq!(host, format!("http://jaas-storage.{}.svc.cluster.local", namespace.name));
    let answer = http::get(&format!("http://127.0.0.1:8082{path}")).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.status);
    assert!(server.bucket_directory().join("jaas").join(&namespace.name).join("web").exists());
    assert_eq!(get(8080, "/jsonnet/nothing").await.code(), "snippet_not_found");
    assert!(http::get("http://127.0.0.1:8083/metrics").await.unwrap().text().contains("leader_election_master_status"));
    let (exit, _) = operator.terminate().await.unwrap();
    assert_eq!(exit, Exit::Code(0), "{}", operator.process().log_tail());
}
