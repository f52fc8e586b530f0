//! What is done while the API server or the store is in trouble, and while others are at work.

use http::StatusCode;
use jaas_api::admin::{self as wire, AUDIENCE, Action, ActionOutcome};
use jaas_storage::{Key, Revision};
use jaas_tests::apiproxy::{Act, Moment, Proxy};
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::bench::{Bench, PATIENCE, STILL, problem, token};

/// A bench whose operator reaches the API server through a proxy.
async fn watched(prefix: &str) -> (Bench, Proxy) {
    let plane = ControlPlane::shared().await.unwrap();
    let proxy = Proxy::to_api_server(plane).await.unwrap();
    let namespace = plane.namespace(prefix).await.unwrap();
    let options = OperatorOptions {
        watch_namespaces: vec![namespace.name.clone()],
        args: STILL.iter().map(|arg| (*arg).to_owned()).collect(),
        admin: true,
        api_url: Some(proxy.url()),
        ..OperatorOptions::default()
    };
    let operator = Operator::ready(plane, options).await.unwrap();
    (Bench::of(plane, namespace, operator).await, proxy)
}

#[tokio::test]
async fn whoever_cannot_be_asked_about_is_not_answered() {
    let (bench, proxy) = watched("asked").await;
    bench.owned().await;
    let known = bench.token.clone();
    let new = token(bench.plane, &bench.namespace, "on-call", AUDIENCE).await;
    for (group, token, what) in
        [("authentication.k8s.io", &new, "TokenReview"), ("authorization.k8s.io", &known, "SubjectAccessReview")]
    {
        for (status, advice) in
            [(StatusCode::INTERNAL_SERVER_ERROR, ""), (StatusCode::FORBIDDEN, "jaas-operator-admin")]
        {
            proxy.rule(move |call| if call.path.contains(group) { Act::Refuse(status) } else { Act::Pass });
            let answer = bench.get(token, wire::STATS).await;
            assert_eq!(answer.status, 503, "{}", answer.text());
            let message = problem(&answer).message;
            assert!(message.contains(what) && message.contains(advice), "{message}");
        }
    }
    proxy.no_rule();
    assert_eq!(bench.get(&new, wire::STATS).await.status, 200);
}

#[tokio::test]
async fn what_the_api_server_does_not_answer_is_not_removed() {
    let (bench, proxy) = watched("silent").await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let paths: Vec<String> = (0..5).map(|n| bench.plant("web", &format!("left {n}"))).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    for part in ["/jsonnetsnippets/web", "/externalartifacts/web", "/api/v1/namespaces/silent"] {
        proxy.rule(move |call| {
            let asked = call.path.contains(part) && call.method == "GET";
            if asked { Act::Refuse(StatusCode::SERVICE_UNAVAILABLE) } else { Act::Pass }
        });
        let (done, end) = bench.act(Action::PruneExpired, &paths, false).await;
        assert!(done.iter().all(|done| done.outcome == ActionOutcome::Failed), "{part}: {done:?}");
        assert_eq!((done.len(), end.removed), (3, 0), "after three in a row it is not worth more");
        assert!(end.stopped.is_some_and(|why| why.contains("in a row")));
        // A path that the server does not know is no word on the object.
        proxy.rule(move |call| {
            let asked = call.path.contains(part) && call.method == "GET";
            if asked { Act::Refuse(StatusCode::NOT_FOUND) } else { Act::Pass }
        });
        let (done, _) = bench.act(Action::DeleteOrphans, &paths[..1], false).await;
        assert_eq!(done[0].outcome, ActionOutcome::Failed, "{part}: {done:?}");
        assert!(paths.iter().all(|path| bench.file(path).exists()));
    }
    proxy.no_rule();
    assert_eq!(bench.act(Action::PruneExpired, &paths, false).await.1.removed, 5);
}

#[tokio::test]
async fn a_snippet_that_is_being_rendered_keeps_its_files() {
    let (bench, proxy) = watched("busy").await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let first = bench.announced("web").await;
    // The file of the next revision is there already, as left by a crash, and its artifact is about to be announced.
    let next = Revision::of_document(b"2\n");
    let content = jaas_storage::Content::document("rendered.json", b"2\n".to_vec());
    assert_eq!(content.revision(), &next);
    let path = Key::new(&bench.namespace.name, "web").unwrap().path(&next);
    bench.write(&path, &content.packed().unwrap());
    let part = format!("/namespaces/{}/externalartifacts/web", bench.namespace.name);
    let mut arrivals = proxy.stop_nth(1, Moment::BeforeSending, move |call| call.writes_in(&part));
    let patch = Patch::Merge(json!({"spec": {"files": {"main.jsonnet": "2"}}}));
    bench.snippets.patch("web", &PatchParams::default(), &patch).await.unwrap();
    let held = arrivals.next().await.unwrap();
    for action in [Action::PruneExpired, Action::PruneBeyondKeep, Action::DeleteOrphans] {
        let done = bench.act_at_once(action, &[&path], false).await.0.remove(0);
        assert_eq!(done.outcome, ActionOutcome::Kept, "{done:?}");
        assert!(done.why.contains("being rendered"), "{done:?}");
    }
    held.release();
    bench.synced("web").await;
    assert!(bench.file(&path).exists() && bench.announced("web").await == path);
    let done = bench.act_on(Action::PruneBeyondKeep, &first).await;
    assert_eq!(done.outcome, ActionOutcome::Removed, "{done:?}");
}

#[tokio::test]
async fn a_reconcile_that_begins_after_the_question_saves_the_file() {
    let (bench, proxy) = watched("race").await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let content = jaas_storage::Content::document("rendered.json", b"2\n".to_vec());
    let path = Key::new(&bench.namespace.name, "web").unwrap().path(content.revision());
    bench.write(&path, &content.packed().unwrap());
    bench.act(Action::PruneExpired, &[&path], true).await;
    // The answer says that nothing names the file; then the snippet comes to name it.
    let part = format!("/namespaces/{}/externalartifacts/web", bench.namespace.name);
    let mut arrivals =
        proxy.stop_nth(1, Moment::BeforeAnswering, move |call| call.method == "GET" && call.path.ends_with(&part));
    let paths = [path.as_str()];
    let acting = bench.act_at_once(Action::PruneExpired, &paths, false);
    let changing = async {
        let held = arrivals.next().await.unwrap();
        bench.change("web", json!({"files": {"main.jsonnet": "2"}})).await;
        held.release();
    };
    let ((done, _), ()) = tokio::join!(acting, changing);
    assert_eq!(done[0].outcome, ActionOutcome::Kept, "{done:?}");
    assert!(bench.file(&path).exists());
}

#[tokio::test]
async fn one_is_at_it_at_a_time_and_the_next_one_is_told_when_to_come() {
    let (bench, proxy) = watched("turns").await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let path = bench.announced("web").await;
    let items = json!({"items": [path]});
    let prune = json!({"action": "prune-expired", "dryRun": true, "items": [{"path": path, "version": "x"}]});
    for (call, body) in [(wire::INVENTORY, None), (wire::VERIFY, Some(items)), (wire::ACTIONS, Some(prune))] {
        let ask = async || match &body {
            None => bench.get(&bench.token, call).await,
            Some(body) => bench.post(&bench.token, call, body.clone()).await,
        };
        let mut arrivals =
            proxy.stop_nth(1, Moment::BeforeSending, |call| call.path.ends_with("/subjectaccessreviews"));
        let second = async {
            let held = arrivals.next().await.unwrap();
            let refused = ask().await;
            held.release();
            refused
        };
        let (first, second) = tokio::join!(ask(), second);
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 429), "{call}: {}", second.text());
        assert_eq!(second.headers["retry-after"], "5");
        problem(&second);
        proxy.no_rule();
        jaas_tests::wait::eventually("the turn to be free", PATIENCE, async || {
            let answer = ask().await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn nothing_is_removed_from_a_store_that_became_another_installations() {
    let bench = Bench::new("taken", &[]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let left = bench.plant("web", "left by a crash");
    let mark = bench.file(".jaas-owner.json");
    let ours = std::fs::read(&mark).unwrap();
    let mut foreign: serde_json::Value = serde_json::from_slice(&ours).unwrap();
    foreign["cluster"] = json!("another");
    std::fs::write(&mark, foreign.to_string()).unwrap();
    let sweep = || wire::ActionRequest {
        action: Action::Sweep,
        items: vec![],
        older_than: None,
        dry_run: false,
        reason: String::new(),
    };
    for words in ["another", "owner mark"] {
        let (done, end) = bench.act(Action::PruneExpired, &[&left], false).await;
        assert!(done.is_empty() && end.stopped.as_ref().is_some_and(|why| why.contains(words)), "{end:?}");
        assert!(bench.ask(sweep()).await.1.stopped.is_some());
        // And then there is none at all.
        let _ = std::fs::remove_file(&mark);
    }
    assert!(bench.file(&left).exists());
    std::fs::write(&mark, &ours).unwrap();
    assert_eq!(bench.act_on(Action::PruneExpired, &left).await.outcome, ActionOutcome::Removed);
}

#[tokio::test]
async fn what_somebody_moved_away_is_missing_and_not_an_error() {
    let bench = Bench::new("unlisted", &[]).await;
    bench.create("web", "1", 1).await;
    bench.owned().await;
    let path = bench.announced("web").await;
    // By hand, and back again.
    let folder = bench.file(&bench.namespace.name);
    let aside = folder.with_file_name("aside");
    std::fs::rename(&folder, &aside).unwrap();
    let (files, end) = bench.inventory(&bench.token, "").await;
    assert!(end.complete && !files.iter().any(|file| file.path == path), "{files:?}");
    let done = bench.act_on(Action::PruneExpired, &path).await;
    assert_eq!(done.outcome, ActionOutcome::Missing, "{done:?}");
    std::fs::rename(&aside, &folder).unwrap();
    assert_eq!(bench.listed(&path).await.path, path);
}
