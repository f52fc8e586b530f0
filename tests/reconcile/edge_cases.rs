//! The edge cases that a reimplementation would miss: `edge_cases.md` names each, and the test that holds it or why ours differs. Here
//! are those that have no better place, and a check that every named test is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jaas_api::JsonnetSnippet;
use jaas_sources::digest::Algorithm;
use jaas_tests::apiproxy::{Act, Moment, Proxy};
use jaas_tests::controlplane::{ControlPlane, Options};
use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::runner::root;
use jaas_tests::upstream::{Archives, Reply, Source};
use jaas_tests::wait;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::field::{Field, PATIENCE, message, one_file, status, tail};
use crate::meadow::{digest, tarball};

/// Every test of the workspace by its function's name.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                tests(&path, found);
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(path).unwrap();
            // Other attributes may stand between, such as one that lets clippy pass; nothing else may.
            for rest in text.split("#[tokio::test").chain(text.split("#[test]")).skip(1) {
                let before = rest.split_once("fn ").map_or("", |(before, _)| before);
                if before.contains('}') {
                    continue;
                }
                let name = rest.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_edge_case_names_a_test_that_is_there_or_says_why_it_is_not() {
    let mut there = BTreeSet::new();
    tests(root(), &mut there);
    assert!(there.len() > 900, "{} tests found", there.len());
    let page = include_str!("edge_cases.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let rows = rows.iter().filter(|line| !line.starts_with("| ---") && !line.starts_with("| what happens"));
    let (mut cases, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [case, held] = cells[..] else { panic!("{} cells: {row}", cells.len()) };
        assert!(cases.insert(case), "twice: {case}");
        let named: Vec<_> = held.split('`').skip(1).step_by(2).filter(|word| word.contains('_')).collect();
        wrong.extend(named.iter().filter(|name| !there.contains(**name)).map(|name| format!("{name}: {case}")));
        let (_, why) = held.split_once("Differs: ").unwrap_or_default();
        if named.is_empty() && why.len() < 20 {
            wrong.push(format!("neither a test nor a reason: {case}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 160, "{}", cases.len());
}

#[tokio::test]
async fn code_in_a_variable_that_is_none_fails_the_evaluation_and_not_the_spec() {
    let field = Field::new("no-code").await;
    for (name, list) in [("argument", "tlas"), ("external", "externalVariables")] {
        let code = "function(x = std.extVar('x')) x";
        let mut spec = json!({"files": {"main.jsonnet": code}});
        spec[list] = json!([{"name": "x", "value": "1 +", "code": true}]);
        field.create(name, spec).await;
        field.judged(name, "EvaluationFailed").await;
        let both = json!({"spec": {(list): [{"name": "x", "value": "1 + 1", "code": true}]}});
        field.patch(name, both).await;
        field.synced(name).await;
        assert_eq!(field.fetch(name).await, one_file("rendered.json", "2\n"));
    }
}

#[tokio::test]
async fn an_evaluation_that_the_end_of_the_operator_cuts_short_is_no_failure() {
    let mut field = Field::with("cut-short", &["--evaluation-timeout=60s", "--shutdown-delay=0"]).await;
    field.create_file("web", "local f(n) = if n == 0 then 0 else f(n - 1) + f(n - 1); f(60)").await;
    wait::eventually("the evaluation to begin", PATIENCE, async || {
        let metrics = field.operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains("jaas_eval_in_flight 1") { Ok(()) } else { Err("none runs".to_owned()) }
    })
    .await
    .unwrap();
    field.operator.terminate().await.unwrap();
    let told = status(&field.snippets.get("web").await.unwrap());
    assert!(told.ready().is_none(), "{told:?}");
    // Whoever comes next has nothing to clear away.
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "1"}}})).await;
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    field.synced("web").await;
}

/// An operator that reaches the API server by a proxy.
async fn by_proxy(prefix: &str) -> (Proxy, Api<JsonnetSnippet>, String, Operator) {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace(prefix).await.unwrap().name;
    let proxy = Proxy::to_api_server(plane).await.unwrap();
    let mut options = OperatorOptions::watching([namespace.as_str()]);
    options.api_url = Some(proxy.url());
    let operator = Operator::ready(plane, options).await.unwrap();
    let snippets = Api::namespaced(plane.admin().await.unwrap(), &namespace);
    (proxy, snippets, namespace, operator)
}

fn snippet(namespace: &str, name: &str, code: &str) -> JsonnetSnippet {
    let object = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"serviceAccountName": "tenant", "history": 5, "files": {"main.jsonnet": code}}});
    serde_json::from_value(object).unwrap()
}

async fn settled(snippets: &Api<JsonnetSnippet>, name: &str) -> JsonnetSnippet {
    let settled = wait::object(snippets, name, "is synced", 2 * PATIENCE, |snippet| {
        let told = status(snippet);
        told.observed_generation == snippet.metadata.generation && told.ready().is_some_and(|it| it.status == "True")
    });
    settled.await.unwrap()
}

#[tokio::test]
async fn a_spec_that_changes_while_it_is_rendered_is_never_published_as_it_was() {
    let (proxy, snippets, namespace, operator) = by_proxy("moves").await;
    let of_snippet = format!("/namespaces/{namespace}/jsonnetsnippets/web");
    // The finalizer: rendering goes on beside it, and publishing waits for it.
    let mut arrivals = proxy.stop_nth(1, Moment::BeforeAnswering, move |call| call.writes_in(&of_snippet));
    snippets.create(&PostParams::default(), &snippet(&namespace, "web", "'before'")).await.unwrap();
    let held = arrivals.next().await.unwrap();
    let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": "'after'"}}}));
    let changed = snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
    // Another snippet that is synced proves nothing of this one's cache, but its own next version does: the watch has passed on
    // everything before.
    let mark = snippet(&namespace, "mark", "1");
    proxy.no_rule();
    snippets.create(&PostParams::default(), &mark).await.unwrap();
    settled(&snippets, "mark").await;
    held.release();
    let after = settled(&snippets, "web").await;
    assert_eq!(after.metadata.generation, changed.metadata.generation);
    let told = status(&after);
    assert_eq!(told.history.len(), 1, "{told:?}");
    let expected = jaas_storage::Revision::of_document(b"\"after\"\n").to_string();
    assert_eq!(told.revision, Some(expected));
    let folder = operator.storage_path().join(&namespace).join("web");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing of before was stored");
}

#[tokio::test]
async fn snippets_of_one_account_share_a_token_and_a_refused_one_is_replaced() {
    let (proxy, snippets, namespace, _operator) = by_proxy("tokens").await;
    let names: Vec<_> = (0..20).map(|n| format!("s{n}")).collect();
    let objects: Vec<_> = names.iter().map(|name| snippet(&namespace, name, "1")).collect();
    let create = objects.iter().map(|object| async { snippets.create(&PostParams::default(), object).await.unwrap() });
    futures::future::join_all(create).await;
    for name in &names {
        settled(&snippets, name).await;
    }
    let minted = || proxy.calls().iter().filter(|call| call.path.ends_with("/serviceaccounts/tenant/token")).count();
    assert_eq!(minted(), 1);

    // A token that is not taken any more, such as after the keys of the API server have changed.
    let artifacts = format!("/namespaces/{namespace}/externalartifacts");
    let mut refused = 0;
    proxy.rule(move |call| {
        if refused == 0 && call.writes_in(&artifacts) {
            refused += 1;
            return Act::Refuse(http::StatusCode::UNAUTHORIZED);
        }
        Act::Pass
    });
    let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": "2"}}}));
    snippets.patch("s0", &PatchParams::default(), &patch).await.unwrap();
    let told = settled(&snippets, "s0").await;
    assert_eq!(status(&told).history.len(), 2, "{}", message(&told));
    assert_eq!(minted(), 2);
}

#[tokio::test]
async fn an_account_that_appears_is_used() {
    let field = Field::new("appears").await;
    let spec = json!({"files": {"main.jsonnet": "1"}, "serviceAccountName": "late"});
    field.create("web", spec).await;
    field.judged("web", "ServiceAccountMissing").await;
    let namespace = &field.namespace.name;
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "late", "namespace": namespace}});
    field.plane.apply_objects(&[account]).await.unwrap();
    // It is there, and may nothing; nobody has to wait until it is noticed.
    field.ask("web", "now").await;
    let told = message(&field.judged("web", "RBACDenied").await);
    assert!(told.contains(&format!("system:serviceaccount:{namespace}:late")), "{told}");
}

#[tokio::test]
async fn a_kind_of_source_that_is_installed_later_is_followed() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let client = plane.admin().await.unwrap();
    let namespace = plane.namespace("later").await.unwrap().name;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = "buckets.source.toolkit.fluxcd.io";
    let mut definition = definitions.get(name).await.unwrap();
    definitions.delete(name, &DeleteParams::default()).await.unwrap();
    wait::gone(&definitions, name, PATIENCE).await.unwrap();

    let archives = Archives::start().await.unwrap();
    let options = OperatorOptions { args: vec![archives.flag()], ..OperatorOptions::default() };
    let operator = Operator::ready(&plane, options).await.unwrap();
    let snippets: Api<JsonnetSnippet> = Api::namespaced(client.clone(), &namespace);
    let mut early = snippet(&namespace, "web", "1");
    early.spec.files = None;
    early.spec.source_ref = serde_json::from_value(json!({"kind": "Bucket", "name": "store"})).unwrap();
    snippets.create(&PostParams::default(), &early).await.unwrap();
    let told = wait::object(&snippets, "web", "is judged", 2 * PATIENCE, |snippet| status(snippet).ready().is_some());
    let told = message(&told.await.unwrap());
    assert!(told.contains("install the corresponding CRD"), "{told}");
    // The others are not held up by it.
    snippets.create(&PostParams::default(), &snippet(&namespace, "inline", "1")).await.unwrap();
    settled(&snippets, "inline").await;

    definition.metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    definition.status = None;
    definitions.create(&PostParams::default(), &definition).await.unwrap();
    let made = async || Source::create(&client, "Bucket", &namespace, "store").await;
    let source = wait::eventually("the kind", PATIENCE, made).await.unwrap();
    let announce = async |text: &str| {
        let bytes = tarball(&[("main.jsonnet", text)]);
        let path = format!("/{text}");
        archives.set(&path, Reply::Bytes(bytes.clone()));
        source.announces(&archives.url(&path), &digest(Algorithm::Sha256, &bytes), text).await.unwrap();
    };
    // The first by the next look or by the watch, whichever comes first; the next one by the watch, which is long before a look.
    for text in ["1", "2", "3"] {
        announce(text).await;
        let revision = jaas_storage::Revision::of_document(format!("{text}\n").as_bytes()).to_string();
        let followed = wait::object(&snippets, "web", text, 4 * PATIENCE, |snippet| {
            status(snippet).revision.as_ref() == Some(&revision)
        });
        followed.await.unwrap_or_else(|error| panic!("{error:#}\n{}", tail(&operator.log())));
    }
    assert!(operator.log().contains("Engaged dynamic watch on newly-installed Flux source kind"));
}

#[tokio::test]
async fn many_of_the_same_names_in_two_namespaces_are_deleted_at_once_and_leave_nothing() {
    let plane = ControlPlane::shared().await.unwrap();
    let (one, two) = (plane.namespace("bulk").await.unwrap().name, plane.namespace("bulk").await.unwrap().name);
    let operator = Operator::ready(plane, OperatorOptions::watching([one.as_str(), two.as_str()])).await.unwrap();
    let client = plane.admin().await.unwrap();
    let both = [(&one, "'one'"), (&two, "'two'")]
        .map(|(namespace, code)| (Api::namespaced(client.clone(), namespace), namespace, code));
    for (snippets, namespace, code) in &both {
        for n in 0..15 {
            snippets.create(&PostParams::default(), &snippet(namespace, &format!("s{n}"), code)).await.unwrap();
        }
    }
    for (snippets, _, code) in &both {
        let revision =
            jaas_storage::Revision::of_document(format!("{}\n", code.replace('\'', "\"")).as_bytes()).to_string();
        for n in 0..15 {
            let told = settled(snippets, &format!("s{n}")).await;
            assert_eq!(status(&told).revision.as_ref(), Some(&revision));
        }
        snippets.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    }
    for (snippets, _, _) in &both {
        for n in 0..15 {
            wait::gone(snippets, &format!("s{n}"), 2 * PATIENCE).await.unwrap();
        }
    }
    let left: Vec<_> = fs::read_dir(operator.storage_path()).unwrap().map(|it| it.unwrap().path()).collect();
    let left: Vec<_> = left.iter().filter(|path| path.is_dir()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_address_of_both_families_serves_both() {
    let field = Field::with("families", &["--storage-listen-address=::"]).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    for host in ["127.0.0.1", "[::1]"] {
        let answer = field.get(&url.replace("127.0.0.1", host)).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn who_has_only_somebody_elses_finalizer_is_left_alone() {
    let mut field = Field::new("foreign-finalizer").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    field.operator.terminate().await.unwrap();
    field.patch("web", json!({"metadata": {"finalizers": ["example.com/mine"]}})).await;
    field.delete("web").await;
    let before = field.snippets.get("web").await.unwrap();
    assert!(before.metadata.deletion_timestamp.is_some());
    field.operator.restart().await.unwrap();
    field.operator.wait_ready().await.unwrap();
    // What is looked at after it has been published by then.
    field.create_file("mark", "1").await;
    field.synced("mark").await;
    field.logged("\"name\":\"web\"").await;
    assert_eq!(field.snippets.get("web").await.unwrap(), before);
    field.patch("web", json!({"metadata": {"finalizers": []}})).await;
    wait::gone(&field.snippets, "web", PATIENCE).await.unwrap();
}
