//! One tenant's trouble and another's peace.

use std::time::{Duration, Instant};

use jaas_api::JsonnetSnippet;
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::upstream::{Archives, Reply, Source};
use jaas_tests::wait;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::field::{Field, PATIENCE, status};

/// Changes of the quiet tenant that are timed, with the noise and without.
const CHANGES: usize = 20;

fn snippet(namespace: &str, name: &str, spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["serviceAccountName"] = json!("tenant");
    json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

/// The slowest of some changes, from the write to the status that answers it.
async fn slowest_change(snippets: &Api<JsonnetSnippet>, first: usize) -> Duration {
    let mut slowest = Duration::ZERO;
    for n in first..first + CHANGES {
        let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": format!("{n}")}}}));
        let begun = Instant::now();
        let changed = snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
        wait::object(snippets, "web", "follows", PATIENCE, |snippet| {
            let told = status(snippet);
            told.observed_generation == changed.metadata.generation
                && told.ready().is_some_and(|it| it.status == "True")
        })
        .await
        .unwrap();
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

#[tokio::test]
async fn who_hangs_fails_or_never_ends_keeps_nobody_else_waiting() {
    let plane = ControlPlane::shared().await.unwrap();
    let archives = Archives::start().await.unwrap();
    let (quiet, noisy) = (plane.namespace("quiet").await.unwrap(), plane.namespace("noisy").await.unwrap());
    let mut options = OperatorOptions::watching([quiet.name.as_str(), noisy.name.as_str()]);
    options.args = vec![archives.flag(), "--evaluation-timeout=20s".to_owned()];
    let operator = Operator::ready(plane, options).await.unwrap();
    let client = plane.admin().await.unwrap();
    let snippets: Api<JsonnetSnippet> = Api::namespaced(client.clone(), &quiet.name);
    let calm = json!({"files": {"main.jsonnet": "0"}});
    plane.apply_objects(&[snippet(&quiet.name, "web", &calm)]).await.unwrap();
    wait::object(&snippets, "web", "is ready", PATIENCE, |snippet| status(snippet).revision.is_some()).await.unwrap();
    let undisturbed = slowest_change(&snippets, 1).await;

    let mut noise = Vec::new();
    for n in 0..20 {
        let name = format!("stalled{n}");
        let source = Source::create(&client, "GitRepository", &noisy.name, &name).await.unwrap();
        let path = format!("/{n}");
        archives.set(&path, Reply::Stalled(b"never".to_vec()));
        source.announces(&archives.url(&path), &format!("sha256:{}", "0".repeat(64)), "1").await.unwrap();
        noise.push(snippet(&noisy.name, &name, &json!({"sourceRef": {"kind": "GitRepository", "name": name}})));
        let endless =
            json!({"files": {"main.jsonnet": "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)"}});
        noise.push(snippet(&noisy.name, &format!("endless{n}"), &endless));
        noise.push(snippet(&noisy.name, &format!("fails{n}"), &json!({"files": {"main.jsonnet": "error 'no'"}})));
    }
    plane.apply_objects(&noise).await.unwrap();
    // All that the noisy tenant may hold is held.
    let stalled = async || {
        let asked = (0..20).filter(|n| archives.asked(&format!("/{n}")) > 0).count();
        if asked >= 6 { Ok(()) } else { Err(format!("{asked} downloads hang")) }
    };
    wait::eventually("downloads that hang", PATIENCE, stalled).await.unwrap();
    let disturbed = slowest_change(&snippets, 100).await;
    eprintln!("slowest of {CHANGES} changes: {undisturbed:?} alone, {disturbed:?} beside the noise");
    // Not as long as the shortest of the culprits, which is twenty seconds of evaluation: nobody waited for one to end.
    assert!(
        disturbed < Duration::from_secs(20),
        "{disturbed:?}; alone {undisturbed:?}\n{}",
        crate::field::tail(&operator.log())
    );
}

#[tokio::test]
async fn a_snippet_that_changes_all_the_time_is_rendered_at_its_rate() {
    let field = Field::with("rate", &["--rerender-rate=1/hour", "--rerender-burst=2"]).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "2"}}})).await;
    let second = field.synced("web").await;
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "3"}}})).await;
    let limited = async || {
        let metrics = field.operator.metrics().await?;
        let line = format!("jaas_snippet_rate_limited_total{{namespace=\"{}\",name=\"web\"}} 1", field.namespace.name);
        anyhow::ensure!(metrics.contains(&line), "not limited");
        Ok(())
    };
    wait::eventually("the limit", PATIENCE, limited).await.unwrap();
    let now = field.snippets.get("web").await.unwrap();
    assert_eq!(status(&now), status(&second), "its status says what it said");
    // Another object of that name is another matter.
    field.delete("web").await;
    wait::gone(&field.snippets, "web", PATIENCE).await.unwrap();
    field.create_file("web", "4").await;
    field.synced("web").await;
}
