//! Two processes on one store, the older one so late that its changes arrive in a later term.

use std::time::{Duration, Instant};

use jaas_tests::apiproxy::{Act, Moment, Proxy, gate};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::s3::faults::FaultServer;
use jaas_tests::wait::{eventually, object};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use crate::field::PATIENCE;

/// How late. `JAAS_DELAY_SECONDS=60` makes it a minute.
fn delay() -> Duration {
    let seconds = std::env::var("JAAS_DELAY_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(12))
}

/// Arguments for an operator on a bucket, with short terms. Both announce the addresses of the second one.
fn args(endpoint: &str, namespace: &str, base_url: Option<&str>) -> Vec<String> {
    let mut args = vec![
        "--storage-backend=s3".to_owned(),
        format!("--s3-endpoint={endpoint}"),
        "--s3-bucket=artifacts".to_owned(),
        "--s3-region=any".to_owned(),
        "--s3-use-ssl=false".to_owned(),
        "--s3-access-key=any".to_owned(),
        "--s3-secret-key=any".to_owned(),
        "--artifact-gc-grace=0".to_owned(),
        "--leader-election=true".to_owned(),
        format!("--leader-election-namespace={namespace}"),
        "--leader-election-lease-duration=3s".to_owned(),
        "--leader-election-renew-deadline=2s".to_owned(),
        "--leader-election-retry-period=400ms".to_owned(),
    ];
    args.extend(base_url.map(|url| format!("--storage-base-url={url}")));
    args
}

#[tokio::test]
async fn a_deletion_that_comes_late_costs_a_503_at_most() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("late").await.unwrap();
    let client = plane.admin().await.unwrap();
    let snippets: Api<jaas_api::JsonnetSnippet> = Api::namespaced(client.clone(), &namespace.name);
    let artifacts: Api<jaas_api::ExternalArtifact> = Api::namespaced(client, &namespace.name);
    let bucket = FaultServer::start().await.unwrap();
    let (to_api, to_bucket) =
        (Proxy::to_api_server(plane).await.unwrap(), Proxy::to_http(&bucket.endpoint()).await.unwrap());
    let options = |args, api_url| OperatorOptions {
        watch_namespaces: vec![namespace.name.clone()],
        namespace: Some(namespace.name.clone()),
        args,
        api_url,
        ..OperatorOptions::default()
    };
    let old = args(&to_bucket.endpoint(), &namespace.name, None);
    let older = Operator::ready(plane, options(old, Some(to_api.url()))).await.unwrap();
    let published = async |code: &str| {
        let snippet = object(&snippets, "web", "is published", PATIENCE, |snippet| {
            let status = snippet.status.clone().unwrap_or_default();
            status.observed_generation == snippet.metadata.generation
                && status.ready().is_some_and(|ready| ready.status == "True")
                && snippet
                    .spec
                    .files
                    .as_ref()
                    .and_then(|files| files.get("main.jsonnet"))
                    .is_some_and(|file| file == code)
        });
        snippet.await.unwrap().status.unwrap().revision.unwrap()
    };
    let change = async |code: &str| {
        let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": code}}}));
        snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
    };
    let web = json!({
        "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace.name},
        "spec": {"serviceAccountName": "tenant", "history": 1, "files": {"main.jsonnet": "1"}},
    });
    snippets.create(&PostParams::default(), &serde_json::from_value(web).unwrap()).await.unwrap();
    let first = published("1").await;

    // The older one wants to remove the first revision, which nobody needs, and does not get through to the bucket.
    let (stop, mut held) = gate();
    let mut stop = Some(stop);
    to_bucket.rule(move |call| match call.method.as_str() {
        "DELETE" | "PUT" if call.path.contains("/web/") && call.path.contains("sha256-") => match &stop {
            Some(stop) if call.method == "DELETE" => Act::Stop(Moment::BeforeSending, stop.clone()),
            _ => Act::Pass,
        },
        _ => {
            // Keeps the gate alive for as long as the rule lives.
            let _ = stop.as_mut();
            Act::Pass
        }
    });
    change("2").await;
    published("2").await;
    let deletion = tokio::time::timeout(PATIENCE, held.next()).await.unwrap().unwrap();
    to_api.cut();
    let begun = Instant::now();

    let new = args(&bucket.endpoint(), &namespace.name, Some(&older.base_url()));
    let newer = Operator::ready(plane, options(new, None)).await.unwrap();
    // Exactly what the older one is about to remove is announced again.
    change("1").await;
    assert_eq!(published("1").await, first);
    tokio::time::sleep(delay().saturating_sub(begun.elapsed())).await;
    let url = object(&artifacts, "web", "announces the first revision", PATIENCE, |artifact| {
        artifact.published().is_some_and(|published| published.revision == first)
    })
    .await
    .unwrap();
    let announced = url.published().unwrap().clone();
    let path = announced.url.strip_prefix(&older.base_url()).unwrap().to_owned();
    let get = async |operator: &Operator| {
        let answer = jaas_tests::http::get(&format!("{}{path}", operator.base_url())).await.unwrap();
        assert!(matches!(answer.status.as_u16(), 200 | 503), "{}: {}", answer.status, answer.text());
        if answer.status == 200 {
            let digest = jaas_storage::Digest::of(&answer.body).to_string();
            assert_eq!(Some(digest), announced.digest, "never a wrong byte");
        }
        answer.status
    };
    assert_eq!(get(&newer).await, 200);
    println!("the deletion arrives {:?} late", begun.elapsed());
    deletion.release();
    eventually("the announced file to be served whatever came late", PATIENCE, async || {
        // Twice in a row, so that what was cached before the deletion does not count.
        let both = (get(&newer).await, get(&newer).await);
        let stored = bucket.object(path.trim_start_matches('/')).is_some();
        if both == (http::StatusCode::OK, http::StatusCode::OK) && stored {
            Ok(())
        } else {
            Err(format!("{both:?}, stored: {stored}"))
        }
    })
    .await
    .unwrap();
    // The older one comes back, finds that it does not lead, and both serve the same.
    to_api.heal();
    to_bucket.no_rule();
    eventually("the older one to serve it", PATIENCE, async || {
        let status = get(&older).await;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await
    .unwrap();
}
