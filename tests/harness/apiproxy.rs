//! The proxy passes everything, and stops what it is told to.

use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use http::{Method, StatusCode};
use jaas_tests::apiproxy::{Act, Moment, Proxy, Verb};
use jaas_tests::rbac::allowed;
use jaas_tests::wait::{self, eventually};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::json;

use crate::plane;
use jaas_tests::controlplane::Identity;

const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for anything that is to come through on loopback.
const MOMENT: Duration = Duration::from_millis(300);

/// A proxy, a namespace, and its ConfigMaps as seen by the admin and through the proxy.
struct Bench {
    proxy: Proxy,
    part: String,
    direct: Api<ConfigMap>,
    proxied: Api<ConfigMap>,
}

impl Bench {
    async fn new() -> Self {
        let plane = plane().await;
        let namespace = plane.empty_namespace("proxied").await.unwrap().name;
        let somebody = json!({"name": "somebody", "namespace": namespace});
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
        plane
            .apply_objects(&[
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": somebody}),
                json!({
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": somebody, "roleRef": role,
                    "subjects": [{"kind": "ServiceAccount", "name": "somebody", "namespace": namespace}],
                }),
            ])
            .await
            .unwrap();
        let admin = plane.admin().await.unwrap();
        let identity = Identity::service_account(&namespace, "somebody");
        eventually("the rights to be in force", PATIENCE, async || {
            let granted = allowed(&admin, &identity, Some(&namespace), "create", ("", "configmaps")).await.unwrap();
            granted.then_some(())
        })
        .await
        .unwrap();

        let proxy = Proxy::to_api_server(plane).await.unwrap();
        let path = plane.kubeconfig_at(&proxy.url(), &namespace, "somebody").await.unwrap();
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(path).unwrap(), &options).await.unwrap();
        // What a refused or an unanswered request leads to is to be seen, not repaired.
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        Self {
            part: format!("/namespaces/{namespace}/"),
            direct: Api::namespaced(admin, &namespace),
            proxied: Api::namespaced(client, &namespace),
            proxy,
        }
    }

    /// Stops the next write.
    fn stop(&self, moment: Moment) -> jaas_tests::apiproxy::Arrivals {
        let part = self.part.clone();
        self.proxy.stop_nth(1, moment, move |call| call.writes_in(&part))
    }

    /// Sends a write through the proxy, from a task that may be ended.
    fn create(&self, name: &'static str) -> tokio::task::JoinHandle<kube::Result<ConfigMap>> {
        let proxied = self.proxied.clone();
        tokio::spawn(async move { proxied.create(&PostParams::default(), &map(name)).await })
    }

    async fn exists(&self, name: &str) -> bool {
        self.direct.get_opt(name).await.unwrap().is_some()
    }

    /// The names of maps as they come to be, through the proxy.
    async fn additions(&self) -> impl Stream<Item = String> + use<> {
        let watched = self.proxied.watch(&WatchParams::default(), "0").await.unwrap();
        let names = watched.try_filter_map(async |event| match event {
            WatchEvent::Added(map) => Ok(Some(map.name_any())),
            _ => Ok(None),
        });
        names.map(Result::unwrap).boxed()
    }
}

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

/// Waits until the watch tells of this one.
async fn told(additions: &mut (impl Stream<Item = String> + Unpin), name: &str) {
    let seen = async { while additions.next().await.unwrap() != name {} };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
}

#[tokio::test]
async fn a_proxy_passes_requests_and_watches_and_tells_what_it_saw() {
    let bench = Bench::new().await;
    let mut additions = bench.additions().await;
    bench.create("one").await.unwrap().unwrap();
    told(&mut additions, "one").await;
    assert_eq!(bench.proxied.get("one").await.unwrap().name_any(), "one");
    let missing = bench.proxied.get("none").await.unwrap_err();
    assert!(matches!(missing, kube::Error::Api(status) if status.code == 404));

    let calls = bench.proxy.calls();
    let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let seen: Vec<_> =
        calls.iter().map(|call| (&call.method, call.verb, last(&call.path), call.status.unwrap().as_u16())).collect();
    let expected = [
        (&Method::GET, Verb::Read, "configmaps".to_owned(), 200),
        (&Method::POST, Verb::Write, "configmaps".to_owned(), 201),
        (&Method::GET, Verb::Read, "one".to_owned(), 200),
        (&Method::GET, Verb::Read, "none".to_owned(), 404),
    ];
    assert_eq!(seen, expected);
    assert!(calls[0].query.contains("watch=true") && calls[1].writes_in(&bench.part));
    bench.proxy.forget_calls();
    assert_eq!(bench.proxy.calls(), Vec::new());
}

#[tokio::test]
async fn a_write_that_is_stopped_before_it_is_sent_comes_late_or_never() {
    let bench = Bench::new().await;
    for (name, delivered) in [("late", true), ("never", false)] {
        let mut arrivals = bench.stop(Moment::BeforeSending);
        let client = bench.create(name);
        let held = arrivals.next().await.unwrap();
        assert_eq!((&held.call.method, held.call.status), (&Method::POST, None));
        assert!(!client.is_finished() && !bench.exists(name).await);
        if delivered {
            // A client that is gone takes back nothing of what it had sent.
            client.abort();
            assert!(client.await.unwrap_err().is_cancelled());
            held.release();
            wait::object(&bench.direct, name, "to arrive", PATIENCE, |_| true).await.unwrap();
        } else {
            drop(held);
            assert!(client.await.unwrap().is_err());
            // The next one passes: only one was to be stopped.
            bench.create("next").await.unwrap().unwrap();
            assert!(!bench.exists(name).await);
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_stopped_or_lost_changes_nothing_at_the_server() {
    let bench = Bench::new().await;
    for (name, answered) in [("slow", true), ("lost", false)] {
        let mut arrivals = bench.stop(Moment::BeforeAnswering);
        let client = bench.create(name);
        let held = arrivals.next().await.unwrap();
        assert_eq!(held.call.status, Some(StatusCode::CREATED));
        assert!(!client.is_finished() && bench.exists(name).await);
        if answered {
            held.release()
        } else {
            drop(held)
        }
        assert_eq!(client.await.unwrap().is_ok(), answered);
    }
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_server() {
    let bench = Bench::new().await;
    bench.proxy.rule(|call| match call.verb {
        Verb::Write => Act::Refuse(StatusCode::SERVICE_UNAVAILABLE),
        _ => Act::Pass,
    });
    let refused = bench.create("one").await.unwrap().unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 503), "{refused}");
    assert!(bench.proxied.get_opt("one").await.unwrap().is_none());
    bench.proxy.no_rule();
    bench.create("one").await.unwrap().unwrap();
}

#[tokio::test]
async fn nothing_passes_a_cut_and_everything_comes_once_it_is_healed() {
    let bench = Bench::new().await;
    let mut additions = bench.additions().await;
    bench.create("before").await.unwrap().unwrap();
    told(&mut additions, "before").await;

    bench.proxy.cut();
    bench.direct.create(&PostParams::default(), &map("beyond")).await.unwrap();
    let client = bench.create("waiting");
    assert!(tokio::time::timeout(MOMENT, additions.next()).await.is_err());
    assert!(!client.is_finished() && !bench.exists("waiting").await);
    bench.proxy.heal();
    client.await.unwrap().unwrap();
    told(&mut additions, "beyond").await;
    told(&mut additions, "waiting").await;
}

#[tokio::test]
async fn an_answer_that_is_muted_says_no_more_while_others_go_on() {
    let bench = Bench::new().await;
    let mut old = bench.additions().await;
    bench.create("before").await.unwrap().unwrap();
    told(&mut old, "before").await;

    bench.proxy.mute();
    bench.create("after").await.unwrap().unwrap();
    told(&mut bench.additions().await, "after").await;
    assert!(tokio::time::timeout(MOMENT, old.next()).await.is_err());
}
