//! Who is answered, and how the others are told.

use jaas_api::admin::{self as wire, AUDIENCE, Capabilities, Stats};
use jaas_tests::http;
use jaas_tests::wait::eventually;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::bench::{Bench, PATIENCE, STORAGE, account, problem, token};

const CALLS: [(&str, &str); 6] = [
    ("GET", wire::CAPABILITIES),
    ("GET", wire::STATS),
    ("GET", wire::INVENTORY),
    ("POST", wire::VERIFY),
    ("POST", wire::ACTIONS),
    ("GET", wire::RECONCILES),
];

#[tokio::test]
async fn only_a_token_for_this_audience_is_taken() {
    let bench = Bench::new("tokens", &[]).await;
    let (plane, namespace) = (bench.plane, &bench.namespace);
    account(plane, namespace, "gone", &[]).await;
    let gone = token(plane, namespace, "gone", AUDIENCE).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(bench.client.clone(), &namespace.name);
    accounts.delete("gone", &DeleteParams::default()).await.unwrap();
    let elsewhere = token(plane, namespace, "on-call", "https://kubernetes.default.svc.cluster.local").await;
    let other = token(plane, namespace, "on-call", "vault").await;
    let mut forged = bench.token.clone();
    forged.truncate(forged.len() - 4);
    forged.push_str("AAAA");
    let client = http::client().unwrap();
    for (method, path) in CALLS {
        let url = bench.operator.admin_url(path);
        let ask = || client.request(method.parse().unwrap(), &url);
        let mut wrong = vec![
            ("none", ask()),
            ("basic", ask().basic_auth("on-call", Some("x"))),
            ("empty", ask().header("authorization", "Bearer ")),
        ];
        for (what, token) in [
            ("another audience", &other),
            ("the API server's audience", &elsewhere),
            ("forged", &forged),
            ("of an account that is gone", &gone),
            ("garbage", &"x.y.z".to_owned()),
        ] {
            wrong.push((what, ask().bearer_auth(token)));
            wrong.push((what, ask().header(wire::TOKEN_HEADER, token)));
        }
        for (what, request) in wrong {
            let answer = http::read(request).await.unwrap();
            assert_eq!(answer.status, 401, "{path}, {what}: {}", answer.text());
            assert!(problem(&answer).message.contains(AUDIENCE));
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    let through_a_proxy =
        client.get(bench.operator.admin_url(wire::CAPABILITIES)).header(wire::TOKEN_HEADER, &bench.token);
    let answer = http::read(through_a_proxy).await.unwrap();
    let found: Capabilities = serde_json::from_slice(&answer.body).unwrap();
    let expected = Capabilities {
        api_level: wire::API_LEVEL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        backend: "local".to_owned(),
        replica: String::new(),
        leader: Some(String::new()),
        leads: true,
        caller: format!("system:serviceaccount:{}:on-call", namespace.name),
    };
    assert_eq!(found, expected);
    let metrics = bench.operator.metrics().await.unwrap();
    for line in ["{call=\"stats\",code=\"401\"}", "{call=\"capabilities\",code=\"200\"} 1"] {
        assert!(metrics.contains(&format!("jaas_admin_requests_total{line}")), "{metrics}");
    }
}

#[tokio::test]
async fn each_call_needs_its_right_and_says_which() {
    let bench = Bench::new("rights", &[]).await;
    let (plane, namespace) = (bench.plane, &bench.namespace);
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let path = bench.announced("web").await;
    account(plane, namespace, "nobody", &[]).await;
    let nobody = token(plane, namespace, "nobody", AUDIENCE).await;
    let items = json!({"items": [path]});
    let sweep = json!({"action": "sweep"});
    let prune = json!({"action": "prune-expired", "items": [{"path": path, "version": "x"}]});
    let inside = format!("{}?namespace={}", wire::INVENTORY, namespace.name);
    let questions: [(&str, Option<&Value>, &str, &str); 7] = [
        (wire::STATS, None, "get jsonnetsnippets/storage", "all namespaces"),
        (wire::INVENTORY, None, "list jsonnetsnippets/storage", &namespace.name),
        (&inside, None, "list jsonnetsnippets/storage", &namespace.name),
        (wire::RECONCILES, None, "list jsonnetsnippets", "all namespaces"),
        (wire::VERIFY, Some(&items), "get jsonnetsnippets/storage", &namespace.name),
        (wire::ACTIONS, Some(&prune), "delete jsonnetsnippets/storage", &namespace.name),
        (wire::ACTIONS, Some(&sweep), "delete jsonnetsnippets/storage", "all namespaces"),
    ];
    for (path, body, right, place) in questions {
        let ask = async |token: &str| match body {
            None => bench.get(token, path).await,
            Some(body) => bench.post(token, path, body.clone()).await,
        };
        let refused = ask(&nobody).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text());
        let message = problem(&refused).message;
        assert!(message.contains("nobody") && message.contains(right) && message.contains(place), "{message}");
        let answered = ask(&bench.token).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
    }
    assert_eq!(bench.get(&nobody, wire::CAPABILITIES).await.status, 200);
    assert!(bench.file(&path).exists());

    // Rights in one namespace count there.
    let verbs: &[&str] = &["get", "list", "delete"];
    account(plane, namespace, "tenant-admin", &[(Some(&namespace.name), verbs, STORAGE)]).await;
    let one = token(plane, namespace, "tenant-admin", AUDIENCE).await;
    assert_eq!(bench.get(&one, &inside).await.status, 200);
    assert_eq!(bench.post(&one, wire::ACTIONS, prune.clone()).await.status, 200);
    assert_eq!(bench.post(&one, wire::ACTIONS, sweep).await.status, 403);
    assert_eq!(bench.get(&one, wire::STATS).await.status, 403);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_changes_nothing() {
    let bench = Bench::new("bad", &[]).await;
    bench.create("web", "1", 1).await;
    let path = bench.announced("web").await;
    let many: Vec<Value> = (0..=wire::MAX_ITEMS).map(|n| json!({"path": format!("a/b/{n}"), "version": ""})).collect();
    for (what, call, body) in [
        ("no JSON", wire::ACTIONS, "{".to_owned()),
        ("nothing", wire::ACTIONS, String::new()),
        ("another action", wire::ACTIONS, json!({"action": "burn", "items": []}).to_string()),
        ("no items", wire::ACTIONS, json!({"action": "repair", "items": []}).to_string()),
        ("items of a sweep", wire::ACTIONS, json!({"action": "sweep", "items": [{"path": path}]}).to_string()),
        ("too many items", wire::ACTIONS, json!({"action": "repair", "items": many}).to_string()),
        ("too large", wire::ACTIONS, format!("{{\"action\": \"sweep\", \"reason\": \"{}\"}}", "x".repeat(1 << 20))),
        ("no list", wire::VERIFY, json!({"items": path}).to_string()),
        ("none", wire::VERIFY, json!({}).to_string()),
    ] {
        let request = http::client().unwrap().post(bench.operator.admin_url(call)).bearer_auth(&bench.token);
        let answer = http::read(request.body(body)).await.unwrap();
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        problem(&answer);
    }
    for query in ["?namespace=..%2F", "?namespace=UPPER", "?namespace=a&namespace=b"] {
        let answer = bench.get(&bench.token, &format!("{}{query}", wire::INVENTORY)).await;
        assert_eq!(answer.status, 400, "{query}");
    }
    for path in
        ["/", "/admin/v1", "/metrics", "/admin/v1/storage/stats/", "/admin/v2/capabilities", "//admin/v1/capabilities"]
    {
        let answer = bench.get(&bench.token, path).await;
        assert_eq!(answer.status, 404, "{path}");
        problem(&answer);
    }
    for (method, path) in CALLS {
        let other = if method == "GET" { "POST" } else { "GET" };
        for wrong in [other, "DELETE", "PUT", "OPTIONS"] {
            let url = bench.operator.admin_url(path);
            let request = http::client().unwrap().request(wrong.parse().unwrap(), url).bearer_auth(&bench.token);
            let answer = http::read(request).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()), (405, method), "{path}");
        }
    }
    assert!(bench.file(&path).exists());
    assert_eq!(bench.get(&bench.token, wire::CAPABILITIES).await.status, 200, "it lives on");
}

#[tokio::test]
async fn stats_tell_the_store_its_owner_and_what_decides() {
    let bench =
        Bench::new("stats", &["--storage-quota=1Mi", "--max-withdraw-wait=10m", "--artifact-gc-grace=2m"]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let answer = bench.get(&bench.token, wire::STATS).await;
    let stats: Stats = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(stats.place, bench.operator.storage_path().display().to_string());
    let usage = stats.usage.unwrap();
    assert_eq!((usage.files, usage.quota), (2, Some(1 << 20)));
    assert!(usage.free_bytes.unwrap() > 0 && usage.total_bytes.unwrap() > 0);
    assert_eq!(stats.health.unwrap().state, wire::HealthState::Fine);
    assert!(stats.owner_known && stats.owner.is_some());
    assert_eq!(stats.owner, stats.identity);
    let settings = stats.settings;
    assert_eq!((settings.max_withdraw_wait, settings.artifact_gc_grace, settings.orphan_age), (600, 120, 7200));
    assert_eq!(settings.watch_namespaces.join(","), bench.namespace.name);
}

#[tokio::test]
async fn the_leader_tells_what_it_could_not_achieve() {
    let bench = Bench::new("attempts", &[]).await;
    bench.create("web", "1", 1).await;
    let patch = kube::api::Patch::Merge(json!({"spec": {"files": {"main.jsonnet": "error 'on purpose'"}}}));
    bench.snippets.patch("web", &kube::api::PatchParams::default(), &patch).await.unwrap();
    let query = format!("{}?namespace={}", wire::RECONCILES, bench.namespace.name);
    let ask = async |query: &str| {
        let answer = bench.get(&bench.token, query).await;
        serde_json::from_slice::<wire::Reconciles>(&answer.body).unwrap().attempts
    };
    let failed = eventually("the failure", PATIENCE, async || ask(&query).await.pop()).await.unwrap();
    assert_eq!(failed.snippet, format!("{}/web", bench.namespace.name));
    assert!(failed.failures >= 1 && failed.error.contains("on purpose"), "{failed:?}");
    assert!(failed.next.unwrap() > jiff::Timestamp::now());
    assert_eq!(ask(&format!("{}?namespace=other", wire::RECONCILES)).await, []);
    bench.change("web", json!({"files": {"main.jsonnet": "2"}})).await;
    eventually("the end of the failure", PATIENCE, async || {
        let left = ask(&query).await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
    .unwrap();
}
