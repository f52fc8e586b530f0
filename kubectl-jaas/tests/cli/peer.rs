//! The Go implementation beside us: its Deployment, Services, Lease and statuses, played by a stub from its documented shape.
//!
//! It has no admin endpoint, does not answer a request to step down, and writes no `inputsDigest`, `retired` or owner mark.

use serde_json::{Value, json};

use super::apiserver::{ApiServer, Mood};
use super::plugin::Plugin;

const SPACE: &str = "/api/v1/namespaces/jaas-system";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/jaas-system/leases/jaas-operator";
const REVISION: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// One release `jaas` of its chart, with one snippet that is synced and one that fails.
fn peer() -> (ApiServer, Plugin) {
    let server = ApiServer::start(Mood::Answers, &["team-a/web", "team-a/bad"]);
    let list = |path: &str, items: Value| {
        server.answer_with(path, json!({"metadata": {"resourceVersion": "1"}, "items": items}))
    };
    let labels = json!({"app.kubernetes.io/name": "jaas", "app.kubernetes.io/component": "jaas",
        "app.kubernetes.io/instance": "jaas", "app.kubernetes.io/part-of": "jaas"});
    let args = [
        "--listen-address=::",
        "--port=8080",
        "--management-port=8081",
        "--log-level=info",
        "--evaluation-timeout=5s",
        "--shutdown-delay=5s",
        "--enable-flux-integration",
        "--storage-backend=local",
        "--storage-path=/var/lib/jaas/artifacts",
        "--storage-port=8082",
        "--storage-base-url=http://jaas-storage.jaas-system.svc.cluster.local:8082",
        "--no-cross-namespace-refs",
        "--rerender-rate=1",
        "--rerender-burst=5",
        "--artifact-gc-grace=5m",
        "--max-withdraw-wait=1h",
        "--leader-election=true",
        "--leader-election-id=jaas-operator",
        "--leader-election-namespace=jaas-system",
        "--metrics-bind-address=:8083",
    ];
    let container = json!({"name": "jaas", "image": "ghcr.io/metio/jaas:2026.8.18", "args": args,
        "volumeMounts": [{"name": "storage", "mountPath": "/var/lib/jaas/artifacts"}]});
    let pod = json!({"serviceAccountName": "jaas", "containers": [container],
        "volumes": [{"name": "storage", "emptyDir": {"sizeLimit": "1Gi"}}]});
    let deployment = json!({"metadata": {"namespace": "jaas-system", "name": "jaas", "generation": 1, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}});
    list("/apis/apps/v1/deployments", json!([deployment]));
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    let metadata = json!({"namespace": "jaas-system", "name": "jaas-6f7d9-x2v9q", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"});
    list(&format!("{SPACE}/pods"), json!([{"metadata": metadata, "spec": pod, "status": ready}]));
    let lease = json!({"metadata": {"name": "jaas-operator", "namespace": "jaas-system", "uid": "l", "resourceVersion": "1",
        "managedFields": [{"manager": "jaas", "operation": "Update"}]},
        "spec": {"holderIdentity": "jaas-6f7d9-x2v9q_0a1b2c3d", "leaseDurationSeconds": 15, "leaseTransitions": 3,
        "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2999-01-01T00:00:00.000000Z"}});
    server.answer_with(LEASE, lease);
    let service = |name: &str, port: u16, target: &str| json!({"metadata": {"namespace": "jaas-system", "name": name}, "spec": {"selector": labels, "ports": [{"name": target, "port": port, "targetPort": target}]}});
    list(
        &format!("{SPACE}/services"),
        json!([
            service("jaas", 8080, "http"),
            service("jaas-storage", 8082, "storage"),
            service("jaas-metrics", 8083, "metrics")
        ]),
    );
    let condition = |status: &str, reason: &str, message: &str| json!([{"type": "Ready", "status": status, "reason": reason, "message": message, "observedGeneration": 1, "lastTransitionTime": "2026-01-02T00:00:00Z"}]);
    let snippet = |name: &str, status: Value| {
        json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"namespace": "team-a", "name": name,
            "generation": 1, "finalizers": ["jaas.metio.wtf/finalizer"]}, "spec": {"history": 1}, "status": status})
    };
    let path = format!("team-a/web/{}.tar.gz", REVISION.replace(':', "-"));
    let url = format!("http://jaas-storage.jaas-system.svc.cluster.local:8082/{path}");
    let web = snippet(
        "web",
        json!({"observedGeneration": 1, "conditions": condition("True", "Synced", "Rendered 42 bytes from 1 files"),
        "revision": REVISION, "artifactURL": url, "lastSyncTime": "2026-01-02T00:00:00Z", "history": [{"revision": REVISION, "time": "2026-01-02T00:00:00Z"}]}),
    );
    let bad = snippet(
        "bad",
        json!({"observedGeneration": 1, "conditions": condition("False", "EvaluationFailed",
        "main.jsonnet:1:1: boom (runbook: https://jaas.projects.metio.wtf/runbooks/evaluationfailed/)")}),
    );
    let snippets = "/apis/jaas.metio.wtf/v1/namespaces/team-a/jsonnetsnippets";
    list("/apis/jaas.metio.wtf/v1/jsonnetsnippets", json!([bad, web]));
    server.answer_with(&format!("{snippets}/web"), web);
    let artifact = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"namespace": "team-a", "name": "web"},
        "spec": {"sourceRef": {"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "name": "web"}},
        "status": {"artifact": {"path": path, "url": url, "revision": REVISION, "digest": REVISION, "size": 42, "lastUpdateTime": "2026-01-02T00:00:00Z"}}});
    list("/apis/source.toolkit.fluxcd.io/v1/externalartifacts", json!([artifact]));
    server.answer_with("/apis/source.toolkit.fluxcd.io/v1/namespaces/team-a/externalartifacts/web", artifact);
    let plugin = Plugin::new(server.url());
    (server, plugin)
}

#[test]
fn what_the_api_server_tells_of_it_is_shown() {
    let (_server, plugin) = peer();
    let status = plugin.run("status -o json");
    let document = status.document();
    assert_eq!((status.code, &document["status"]["counts"]), (4, &json!({"failed": 1, "ready": 1})), "{status:?}");
    assert_eq!(document["status"]["operator"]["version"], "2026.8.18");
    assert_eq!(document["status"]["artifacts"], json!({"announced": 1, "wrong": []}));
    let leader = plugin.run("leader");
    assert_eq!((leader.code, leader.stderr.contains("jaas-6f7d9-x2v9q leads")), (0, true), "{leader:?}");
    let history = plugin.run("history web -o json");
    assert_eq!(
        (history.code, history.document()["history"]["revisions"][0]["state"].clone()),
        (0, json!("current")),
        "{history:?}"
    );
    let version = plugin.run("version -o json").document();
    assert!(version["components"].as_array().unwrap().iter().any(|it| it["version"] == "2026.8.18"), "{version:#}");
}

#[test]
fn what_only_the_store_tells_is_unknown_with_the_reason() {
    let (_server, plugin) = peer();
    let ran = plugin.run("doctor -o json");
    let document = ran.document();
    let findings: Vec<_> =
        document["diagnosis"]["findings"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(findings.contains(&"R717"), "{findings:?}");
    let check = |code: &str| {
        document["diagnosis"]["checks"].as_array().unwrap().iter().find(|it| it["code"] == code).cloned().unwrap()
    };
    for code in ["G601", "G604"] {
        let why = check(code)["why"].to_string();
        assert_eq!(check(code)["state"], "unknown", "{code}");
        assert!(why.contains("admin endpoint") && why.contains("--admin-bind-address"), "{code}: {why}");
    }
    let listed = plugin.run("storage ls");
    assert_eq!(listed.code, 3, "{listed:?}");
    assert!(listed.stderr.contains("--admin-bind-address"), "{}", listed.stderr);
    let prune = plugin.run("storage prune --expired --all --yes");
    assert_eq!(prune.code, 3, "{prune:?}");
}

#[test]
fn a_request_is_written_as_to_ours_and_leadership_is_not_asked_for() {
    let (server, plugin) = peer();
    let ran = plugin.run("reconcile web --no-wait -o json");
    assert_eq!((ran.code, ran.document()["targets"][0]["outcome"].clone()), (0, json!("asked")), "{ran:?}");
    let annotations = server.patches()[0]["metadata"]["annotations"].clone();
    assert_eq!(annotations.as_object().unwrap().keys().collect::<Vec<_>>(), ["reconcile.fluxcd.io/requestedAt"]);
    // It does not answer a request to let go, so a Pod would be evicted.
    let dry = plugin.run("force-handover --allow-outage --accept-empty-store --dry-run");
    assert_eq!((dry.code, dry.stdout.contains("would evict")), (0, true), "{dry:?}");
}
