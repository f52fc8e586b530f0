//! What comes to an end by itself, or does not: a socket, a reconcile at the shutdown, a reconcile whose snippet has changed.

use std::fs;
use std::net::TcpListener;

use http::{Method, StatusCode};
use jaas_tests::apiproxy::Moment;
use jaas_tests::controlplane::Options;
use jaas_tests::http::get;
use jaas_tests::supervisor::Exit;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use serde_json::json;

use crate::bed::Bed;

/// Has the socket that a process listens with on this port listen no more, as somebody with every right on the node can.
fn end_listening(process: i32, port: u16) {
    let owner = pidfd_open(Pid::from_raw(process).unwrap(), PidfdFlags::empty()).unwrap();
    let names = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
    let sockets = numbers.filter_map(|number| pidfd_getfd(&owner, number, PidfdGetfdFlags::empty()).ok());
    let listens = |socket: &TcpListener| {
        let is_there = socket.local_addr().is_ok_and(|address| address.port() == port);
        is_there && rustix::net::sockopt::socket_acceptconn(socket).unwrap_or_default()
    };
    let found = sockets.map(TcpListener::from).find(listens).expect("nothing listens there");
    rustix::net::shutdown(found, rustix::net::Shutdown::Both).unwrap();
}

#[tokio::test]
async fn a_socket_that_listens_no_more_ends_the_process_and_the_next_one_serves() {
    let mut bed = Bed::with(Options::default(), &["--shutdown-delay=0s"]).await;
    bed.create("web", "1").await;
    let url = bed.published("web", "1\n").await;
    let port = url.split(['/', ':']).nth(4).unwrap().parse().unwrap();
    end_listening(bed.operator.process().pid(), port);
    bed.logged("The socket does not listen any more").await;
    bed.logged("Server error, shutting down").await;
    let exit = bed.operator.process().wait().await.unwrap();
    assert_eq!(exit, Exit::Code(1));
    bed.operator.restart().await.unwrap();
    bed.operator.wait_ready().await.unwrap();
    assert_eq!(get(&url).await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_write_that_is_never_answered_does_not_keep_a_process_that_is_to_end() {
    let mut bed = Bed::with(Options::default(), &["--shutdown-delay=0s"]).await;
    bed.create("web", "1").await;
    bed.published("web", "1\n").await;
    let mut arrivals = bed.proxy.stop_nth(1, Moment::BeforeAnswering, |call| {
        call.method == Method::PATCH && call.path.contains("/externalartifacts/web/status")
    });
    bed.edit("web", "2").await;
    let _held = arrivals.next().await.unwrap();
    let (exit, took) = bed.operator.terminate().await.unwrap();
    assert_eq!(exit, Exit::Code(0), "{took:?}\n{}", bed.tail());
    bed.logged("the API server did not answer within 15s").await;
    bed.proxy.no_rule();
    bed.operator.restart().await.unwrap();
    bed.published("web", "2\n").await;
}

#[tokio::test]
async fn an_evaluation_without_end_does_not_keep_a_process_that_is_to_end() {
    let mut bed = Bed::with(Options::default(), &["--shutdown-delay=0s", "--evaluation-timeout=10m"]).await;
    bed.create("web", "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)").await;
    bed.has("jaas_eval_in_flight 1").await;
    let (exit, took) = bed.operator.terminate().await.unwrap();
    assert_eq!(exit, Exit::Code(1), "{took:?}\n{}", bed.tail());
    bed.logged("Goroutine did not stop before shutdown deadline").await;
    bed.operator.restart().await.unwrap();
    bed.edit("web", "2").await;
    bed.published("web", "2\n").await;
}

#[tokio::test]
async fn a_snippet_that_changes_while_it_is_worked_on_is_published_as_it_is_now() {
    let bed = Bed::new().await;
    // The token is the first thing that is asked for.
    let mut arrivals = bed.proxy.stop_nth(1, Moment::BeforeSending, |call| {
        call.method == Method::POST && call.path.contains("/serviceaccounts/slow/token")
    });
    let slow = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "slow", "namespace": bed.namespace.name}});
    let mut binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "slow", "namespace": bed.namespace.name}});
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "jaas-tenant"});
    binding["subjects"] = json!([{"kind": "ServiceAccount", "name": "slow", "namespace": bed.namespace.name}]);
    let snippet = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": "web", "namespace": bed.namespace.name},
        "spec": {"serviceAccountName": "slow", "files": {"main.jsonnet": "1"}, "history": 5}});
    bed.plane.apply_objects(&[slow, binding, snippet]).await.unwrap();
    let held = arrivals.next().await.unwrap();
    bed.edit("web", "2").await;
    // What is published meanwhile was made after the change, so that the operator has heard of that as well.
    bed.create("other", "1").await;
    bed.published("other", "1\n").await;
    held.release();
    bed.published("web", "2\n").await;
    bed.logged("Publish deferred: spec moved since reconcile started").await;
    let snippet = bed.snippets().await.get("web").await.unwrap();
    let history = snippet.status.unwrap().history;
    assert_eq!(history.len(), 1, "the old one was never published: {history:?}");
}
