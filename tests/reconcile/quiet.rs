//! Nothing is written when nothing changed: counted at etcd, whose revision grows with every write.

use std::time::Duration;

use jaas_api::RECONCILE_REQUEST;
use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::namespace::Namespace;
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::wait::eventually;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::field::PATIENCE;

/// Snippets of each test here.
const COUNT: usize = 30;

/// A control plane of its own, since others' writes would be counted too.
struct Quiet {
    plane: ControlPlane,
    namespace: Namespace,
    operator: Operator,
    snippets: Api<jaas_api::JsonnetSnippet>,
}

impl Quiet {
    async fn new() -> Self {
        let plane = ControlPlane::start(Options::default()).await.unwrap();
        let namespace = plane.namespace("quiet").await.unwrap();
        let operator = Operator::ready(&plane, OperatorOptions::default()).await.unwrap();
        let snippets = Api::namespaced(plane.admin().await.unwrap(), &namespace.name);
        let quiet = Self { plane, namespace, operator, snippets };
        for n in 0..COUNT {
            let object = json!({
                "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
                "metadata": {"name": format!("s{n}"), "namespace": quiet.namespace.name},
                "spec": {"serviceAccountName": "tenant", "interval": "30s", "files": {"main.jsonnet": format!("{{ n: {n} }}")}},
            });
            quiet.snippets.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        }
        quiet.all(|status| status.ready().is_some_and(|ready| ready.status == "True")).await;
        quiet
    }

    /// Waits until every snippet's status is as it should be.
    async fn all(&self, condition: impl Fn(&jaas_api::status::SyncStatus) -> bool) {
        eventually("all snippets", PATIENCE, async || {
            let list = self.snippets.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let good = list.items.iter().filter(|it| it.status.as_ref().is_some_and(&condition)).count();
            if good == COUNT { Ok(()) } else { Err(format!("{good} of {COUNT}")) }
        })
        .await
        .unwrap();
    }

    /// Writes in a span of time beyond those that the API server makes by itself, which are measured right after.
    async fn writes_of(&self, span: Duration, work: impl AsyncFnOnce()) -> i64 {
        let before = self.revision().await;
        let begun = std::time::Instant::now();
        work().await;
        tokio::time::sleep(span.saturating_sub(begun.elapsed())).await;
        self.revision().await - before
    }

    async fn revision(&self) -> i64 {
        i64::try_from(self.plane.etcd_revision().await.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn idleness_intervals_and_restarts_write_nothing_and_a_request_costs_two() {
    let mut quiet = Quiet::new().await;
    // The events of the first publishes are written behind the status.
    eventually("the end of the writes of the first publishes", PATIENCE, async || {
        let grown = quiet.writes_of(Duration::from_millis(700), async || ()).await;
        if grown <= 2 { Ok(()) } else { Err(grown) }
    })
    .await
    .unwrap();

    // Longer than the interval: every snippet is looked at again meanwhile.
    let idle = Duration::from_secs(36);
    let alone = {
        quiet.operator.terminate().await.unwrap();
        quiet.writes_of(idle, async || ()).await
    };
    quiet.operator.restart().await.unwrap();
    quiet.operator.wait_ready().await.unwrap();
    let with_operator = quiet.writes_of(idle, async || ()).await;
    let log = quiet.operator.log();
    let looks = log.lines().filter(|line| line.contains("\"outcome\":\"unchanged\"")).count();
    assert!(looks >= 2 * COUNT, "{looks} looks: one after the start and one after the interval");
    assert!((with_operator - alone).abs() <= 3, "{with_operator} with the operator, {alone} without");

    let asked = quiet
        .writes_of(Duration::ZERO, async || {
            for n in 0..COUNT {
                let patch = Patch::Merge(json!({"metadata": {"annotations": {RECONCILE_REQUEST: "again"}}}));
                quiet.snippets.patch(&format!("s{n}"), &PatchParams::default(), &patch).await.unwrap();
            }
            quiet.all(|status| status.last_handled_reconcile_at.as_deref() == Some("again")).await;
        })
        .await;
    let expected = i64::try_from(2 * COUNT).unwrap();
    assert!((expected..=expected + 3).contains(&asked), "{asked} writes for {COUNT} requests");
}
