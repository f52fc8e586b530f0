//! What the webhook refuses, and that the reconciler thinks the same of it.

use jaas_tests::wait::{eventually, gone};
use jaas_tests::{http as client, ports};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::bench::{Bench, PATIENCE};

/// A spec with a file and something more.
fn with(more: Value) -> Value {
    let mut spec = json!({"files": {"main.jsonnet": "{}"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn library(alias: &str) -> Value {
    json!({"kind": "JsonnetLibrary", "name": "lib", "importPath": alias})
}

/// Specs, and what is said of each: by the webhook, and as the reason of the reconciler.
fn refused() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    vec![
        (
            "taken",
            with(json!({"externalVariables": [{"name": "free"}, {"name": "taken", "value": "x"}]})),
            "spec.externalVariables conflicts with operator --ext-var: [taken]",
            "ExternalVariableConflict",
        ),
        (
            "shadow",
            with(json!({"libraries": [library("mounted")]})),
            "spec.libraries import alias \"mounted\" shadows OCI-mounted library; rename or drop the LibraryRef",
            "InvalidSpec",
        ),
        (
            "slash",
            with(json!({"libraries": [library("a/b")]})),
            "spec.libraries import alias \"a/b\" must be a single path segment (allowed: one [A-Za-z0-9._-] segment, no slash or traversal)",
            "InvalidSpec",
        ),
        (
            "twice",
            with(json!({"libraries": [library("a"), library("a")]})),
            "spec.libraries import path \"a\" is used by more than one entry; each library must resolve to a distinct import path",
            "InvalidSpec",
        ),
        (
            "hidden",
            json!({"files": {"main.jsonnet": "{}", ".hidden": ""}, "output": "source"}),
            "spec.files key \".hidden\" would be silently dropped by artifact consumers in output=source mode",
            "InvalidSpec",
        ),
        (
            "self",
            json!({"sourceRef": {"kind": "ExternalArtifact", "name": "self"}}),
            "spec.sourceRef chain forms a cycle: $NS/self → $NS/self",
            "DependencyCycle",
        ),
        (
            "second",
            json!({"sourceRef": {"kind": "ExternalArtifact", "name": "first"}}),
            "spec.sourceRef chain forms a cycle: $NS/second → $NS/first → $NS/second",
            "DependencyCycle",
        ),
    ]
}

/// Specs that pass, each with what the reconciler then says of it.
fn accepted() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("plain", with(json!({})), "Synced"),
        ("named", with(json!({"externalVariables": [{"name": "mine", "value": "x"}]})), "Synced"),
        ("rendered-hidden", json!({"files": {"main.jsonnet": "{}", ".hidden": ""}}), "Synced"),
        ("files", json!({"files": {"main.jsonnet": "{}", "a/b.txt": ""}, "output": "source"}), "Synced"),
        // What no rule of the webhook is about is the reconciler's alone.
        ("wrong", json!({"files": {"main.jsonnet": "error 'no'"}}), "EvaluationFailed"),
        ("no-library", with(json!({"libraries": [library("a")]})), "LibraryNotFound"),
    ]
}

#[tokio::test]
async fn webhook_and_reconciler_are_of_one_mind() {
    let (bench, operator) = Bench::started(&[]).await;
    let first = json!({"sourceRef": {"kind": "ExternalArtifact", "name": "second"}});
    for namespace in [&bench.team.name, &bench.free.name] {
        bench.create(namespace, "JsonnetSnippet", "first", first.clone()).await;
        bench.judged(namespace, "first").await;
    }
    for (name, spec, sentence, reason) in refused() {
        let told = bench.dry_run(&bench.team.name, "JsonnetSnippet", name, spec.clone()).await.unwrap_err();
        let expected = format!(
            "admission webhook \"vjsonnetsnippet.jaas.metio.wtf\" denied the request: {}",
            sentence.replace("$NS", &bench.team.name)
        );
        assert!(told.contains(&expected), "{name}: {told}");
        bench.create(&bench.free.name, "JsonnetSnippet", name, spec).await;
        assert_eq!(bench.judged(&bench.free.name, name).await, reason, "{name}");
    }
    for (name, spec, reason) in accepted() {
        bench.create(&bench.team.name, "JsonnetSnippet", name, spec.clone()).await;
        bench.create(&bench.free.name, "JsonnetSnippet", name, spec).await;
        for namespace in [&bench.team.name, &bench.free.name] {
            assert_eq!(bench.judged(namespace, name).await, reason, "{name}");
        }
    }

    // A library that would close a cycle, and one that would not.
    let user = with(json!({"libraries": [{"kind": "JsonnetLibrary", "name": "round"}]}));
    bench.create(&bench.team.name, "JsonnetSnippet", "user", user).await;
    bench.judged(&bench.team.name, "user").await;
    let library = |name: &str| json!({"sourceRef": {"kind": "ExternalArtifact", "name": name}});
    let told = bench.dry_run(&bench.team.name, "JsonnetLibrary", "round", library("user")).await.unwrap_err();
    let team = &bench.team.name;
    let expected = format!(
        "admission webhook \"vjsonnetlibrary.jaas.metio.wtf\" denied the request: spec.sourceRef chain forms a cycle: {team}/user → {team}/user"
    );
    assert!(told.contains(&expected), "{told}");
    bench.dry_run(&bench.team.name, "JsonnetLibrary", "round", library("plain")).await.unwrap();
    bench.dry_run(&bench.team.name, "JsonnetLibrary", "round", json!({"files": {"a": ""}})).await.unwrap();

    let metrics = operator.metrics().await.unwrap();
    for series in [
        "jaas_webhook_requests_total{kind=\"JsonnetSnippet\",verdict=\"allowed\"}",
        "jaas_webhook_requests_total{kind=\"JsonnetSnippet\",verdict=\"denied\"}",
        "jaas_webhook_requests_total{kind=\"JsonnetLibrary\",verdict=\"denied\"}",
    ] {
        assert!(metrics.contains(series), "{series}");
    }
}

#[tokio::test]
async fn what_will_fail_later_is_a_warning_to_whoever_applies_it() {
    let (bench, _operator) = Bench::started(&[]).await;
    let warned = async |spec: Value| {
        let object = crate::bench::object("JsonnetSnippet", "x", spec);
        let path = format!("/apis/jaas.metio.wtf/v1/namespaces/{}/jsonnetsnippets?dryRun=All", bench.team.name);
        let request = http::Request::post(path).header("content-type", "application/json");
        let body = serde_json::to_vec(&object).unwrap();
        let answer = bench.client.send(request.body(body.into()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 201);
        let warnings = answer.headers().get_all("warning").iter().map(|text| text.to_str().unwrap().to_owned());
        warnings.collect::<Vec<_>>().join("\n")
    };
    let entry = warned(with(json!({"entryFile": "other.jsonnet"}))).await;
    assert!(
        entry.contains("is not a key in spec.files (1 files supplied); reconcile will fail with ReasonInvalidSpec"),
        "{entry}"
    );
    let account = warned(with(json!({"serviceAccountName": ""}))).await;
    assert!(account.contains("reconcile will fail with ReasonServiceAccountMissing"), "{account}");
    let abroad = warned(with(json!({"libraries": [{"kind": "JsonnetLibrary", "name": "x", "namespace": "y"}]}))).await;
    assert!(abroad.contains("reconcile will fail with ReasonCrossNamespaceRefRejected"), "{abroad}");
    assert_eq!(warned(with(json!({}))).await, "");
}

#[tokio::test]
async fn an_old_violation_blocks_no_other_change() {
    let bench = Bench::new().await;
    // Before the webhook was there.
    let violation = with(json!({"externalVariables": [{"name": "taken"}]}));
    bench.create(&bench.team.name, "JsonnetSnippet", "old", violation).await;
    bench.install(&[]).await;
    let _operator = bench.operator(bench.port, &[]).await;
    bench.answers().await;
    for patch in [
        json!({"spec": {"suspend": true}}),
        json!({"spec": {"entryFile": "other.jsonnet", "history": 3}}),
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}),
        json!({"spec": {"externalVariables": [{"name": "mine"}]}}),
    ] {
        bench.patch("old", patch.clone()).await.unwrap_or_else(|error| panic!("{patch}: {error}"));
    }
    let told = bench.patch("old", json!({"spec": {"externalVariables": [{"name": "taken"}]}})).await.unwrap_err();
    assert!(told.contains("spec.externalVariables conflicts with operator --ext-var: [taken]"), "{told}");
}

#[tokio::test]
async fn what_is_there_already_and_would_be_refused_is_counted_and_named() {
    let bench = Bench::new().await;
    let team = bench.team.name.as_str();
    let violation = with(json!({"externalVariables": [{"name": "taken"}]}));
    bench.create(team, "JsonnetSnippet", "old", violation).await;
    bench.create(team, "JsonnetSnippet", "fine", with(json!({}))).await;
    let operator = bench.operator(bench.port, &[]).await;
    let counted = async |count: u32| {
        let line = format!("jaas_webhook_refusable_objects{{kind=\"JsonnetSnippet\"}} {count}");
        eventually(&line, PATIENCE, async || {
            let metrics = operator.metrics().await.map_err(|error| format!("{error:#}"))?;
            if metrics.lines().any(|found| found == line) { Ok(metrics) } else { Err(metrics) }
        })
        .await
        .unwrap()
    };
    let metrics = counted(1).await;
    assert!(metrics.contains("jaas_webhook_refusable_objects{kind=\"JsonnetLibrary\"} 0"), "{metrics}");
    let log = operator.log();
    assert!(log.contains("Objects that the webhook would refuse are there already"), "{log}");
    assert!(
        log.contains(&format!("JsonnetSnippet {team}/old")) && !log.contains(&format!("JsonnetSnippet {team}/fine"))
    );
    assert_eq!(bench.judged(team, "old").await, "ExternalVariableConflict");
    bench.patch("old", json!({"spec": {"externalVariables": []}})).await.unwrap();
    counted(0).await;
}

#[tokio::test]
async fn with_the_webhook_down_answering_and_deleting_go_on() {
    let (bench, mut operator) = Bench::started(&[]).await;
    for name in ["asked", "deleted", "left"] {
        bench.create(&bench.team.name, "JsonnetSnippet", name, with(json!({}))).await;
        assert_eq!(bench.judged(&bench.team.name, name).await, "Synced");
    }
    // Nobody listens there.
    bench.lead_to(ports::free().unwrap()).await;
    let change = |n: usize| json!({"spec": {"files": {"main.jsonnet": n.to_string()}}});
    let mut n = 0;
    let told = eventually("a change that nobody can be asked about", PATIENCE, async || {
        n += 1;
        bench.patch("asked", change(n)).await.err().filter(|error| error.contains("failed calling webhook"))
    })
    .await
    .unwrap();
    assert!(told.contains("vjsonnetsnippet.jaas.metio.wtf"), "{told}");
    let created = bench.dry_run(&bench.team.name, "JsonnetSnippet", "new", with(json!({}))).await.unwrap_err();
    assert!(created.contains("failed calling webhook"), "{created}");

    // The operator itself is there: what it writes, and what asks it, passes.
    let asked = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "please"}}});
    bench.patch("asked", asked).await.unwrap();
    let api = bench.api(&bench.team.name, "JsonnetSnippet");
    jaas_tests::wait::object(&api, "asked", "answers", PATIENCE, |object| {
        object.data["status"]["lastHandledReconcileAt"] == "please"
    })
    .await
    .unwrap();
    bench.patch("asked", json!({"spec": {"suspend": true}})).await.unwrap();
    assert_eq!(bench.judged(&bench.team.name, "asked").await, "Suspended");
    api.delete("deleted", &DeleteParams::default()).await.unwrap();
    gone(&api, "deleted", PATIENCE).await.unwrap();

    // And with the operator gone too, an uninstall ends.
    operator.terminate().await.unwrap();
    let cleanup = tokio::process::Command::new(bench.plane.operator_program().unwrap())
        .args(["cleanup", "--timeout=2s", &format!("--namespaces={}", bench.team.name)])
        .env("KUBECONFIG", bench.plane.kubeconfig(&jaas_tests::controlplane::Identity::Admin).unwrap())
        .output()
        .await
        .unwrap();
    assert!(cleanup.status.success(), "{}", String::from_utf8_lossy(&cleanup.stderr));
    for name in ["asked", "left"] {
        gone(&api, name, PATIENCE).await.unwrap();
    }

    // Once it is back, changes pass again.
    operator.restart().await.unwrap();
    operator.wait_ready().await.unwrap();
    bench.lead_to(bench.port).await;
    bench.answers().await;
    bench.dry_run(&bench.team.name, "JsonnetSnippet", "new", with(json!({}))).await.unwrap();
}

#[tokio::test]
async fn what_the_operator_writes_is_not_asked_about() {
    let (bench, operator) = Bench::started(&[]).await;
    // A change that every rule is about, in the operator's name, while nobody can be asked.
    bench.create(&bench.team.name, "JsonnetSnippet", "web", with(json!({}))).await;
    assert_eq!(bench.judged(&bench.team.name, "web").await, "Synced");
    bench.lead_to(ports::free().unwrap()).await;
    eventually("a refusal", PATIENCE, async || {
        bench
            .dry_run(&bench.team.name, "JsonnetSnippet", "new", with(json!({})))
            .await
            .err()
            .filter(|error| error.contains("failed calling"))
    })
    .await
    .unwrap();
    let own = bench.plane.client(operator.identity()).await.unwrap();
    let api = jaas_tests::manifests::custom(&own, &bench.team.name, "jaas.metio.wtf", "v1", "JsonnetSnippet");
    let patch = kube::api::Patch::Merge(json!({"spec": {"files": {"main.jsonnet": "2"}}}));
    api.patch("web", &kube::api::PatchParams::default(), &patch).await.unwrap();
    assert_eq!(bench.judged(&bench.team.name, "web").await, "Synced");
}

#[tokio::test]
async fn whoever_else_asks_learns_nothing_and_breaks_nothing() {
    let (bench, operator) = Bench::started(&[]).await;
    let secret = bench.secret().await;
    let authority = secret.data.unwrap()["ca.crt"].0.clone();
    let client = client_that_trusts(&authority, bench.port, &bench.home);
    let base = format!("https://jaas-webhook.{}.svc:{}", bench.home, bench.port);
    let path = "/validate-jaas-metio-wtf-v1-jsonnetsnippet";
    let post = async |path: &str, body: String| {
        client.post(format!("{base}{path}")).body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(path, "{}".to_owned()).await, 400);
    assert_eq!(post(path, "no JSON".to_owned()).await, 400);
    assert_eq!(post("/metrics", String::new()).await, 404);
    assert_eq!(client.get(format!("{base}{path}")).send().await.unwrap().status().as_u16(), 405);
    assert_eq!(post(path, " ".repeat(9 << 20)).await, 400, "more than an object can be");
    let unread = json!({"request": {"uid": "1", "operation": "CREATE", "object": {"spec": 1}}});
    let answer = client.post(format!("{base}{path}")).body(unread.to_string()).send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("1"), &json!(false)));
    assert_eq!(client::get(&operator.management_url("/ready")).await.unwrap().status, 200);
    bench.answers().await;
}

/// A client that takes the Service's name for this machine, and trusts these authorities alone.
fn client_that_trusts(authority: &[u8], port: u16, namespace: &str) -> reqwest::Client {
    let name = format!("jaas-webhook.{namespace}.svc");
    let roots = reqwest::Certificate::from_pem_bundle(authority).unwrap();
    reqwest::Client::builder()
        .tls_certs_only(roots)
        .resolve(&name, ([127, 0, 0, 1], port).into())
        .no_proxy()
        .build()
        .unwrap()
}
