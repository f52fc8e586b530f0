//! Every metric that dashboards, alerts and runbooks go by, with its labels, after what makes it move.

use std::os::unix::fs::PermissionsExt;

use jaas_tests::apiproxy::Proxy;
use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::OperatorOptions;
use jaas_tests::s3::faults::{Call, Fault, FaultServer};
use jaas_tests::upstream::{Archives, Reply, Source, archive};
use jaas_tests::wait::gone;
use kube::api::DeleteParams;
use serde_json::json;

use crate::bench::{Bench, ENDLESS, PATIENCE};

fn some(value: f64) -> bool {
    value >= 1.0
}

#[tokio::test]
async fn publishing_moves_the_metrics_of_snippets_queue_and_controller() {
    let archives = Archives::start().await.unwrap();
    let bench =
        Bench::new("metrics", &["--rerender-rate=1/hour", "--rerender-burst=3", &archives.flag(), "--ext-var=a=b"])
            .await;
    let web = [("namespace", "$NS"), ("name", "web")];
    bench.create("web", "1").await;
    bench.judged("web", "Synced").await;
    let told = |status, reason| [web[0], web[1], ("status", status), ("reason", reason)];
    bench.series("jaas_snippet_reconcile_total", &told("True", "Synced"), some).await;
    bench.series("jaas_snippet_rendered_bytes_bucket", &web, some).await;
    bench.series("jaas_snippet_rendered_bytes_count", &web, some).await;
    bench.series("jaas_snippet_ready", &[web[0], web[1], ("reason", "Synced")], |value| value == 1.0).await;
    bench.series("jaas_snippets", &[("status", "True"), ("reason", "Synced")], |value| value == 1.0).await;
    bench.code("web", "error 'no'").await;
    bench.judged("web", "EvaluationFailed").await;
    bench.series("jaas_snippet_reconcile_total", &told("False", "EvaluationFailed"), some).await;
    bench.series("jaas_snippet_ready", &[web[0], web[1], ("reason", "EvaluationFailed")], |value| value == 0.0).await;
    bench.code("web", "2").await;
    bench.judged("web", "Synced").await;
    bench.code("web", "3").await;
    bench.series("jaas_snippet_rate_limited_total", &web, some).await;

    for result in ["rendered", "failed"] {
        bench.series("jaas_eval_duration_seconds_count", &[("result", result)], some).await;
    }
    for stage in ["gather", "queue", "evaluate", "store", "artifact", "status"] {
        bench.series("jaas_reconcile_stage_duration_seconds_bucket", &[("stage", stage)], some).await;
    }
    let controller = ("controller", "jsonnetsnippet");
    bench.series("controller_runtime_reconcile_total", &[controller, ("result", "requeue_after")], some).await;
    bench.series("controller_runtime_reconcile_time_seconds_bucket", &[controller], some).await;
    bench.series("controller_runtime_reconcile_time_seconds_count", &[controller], some).await;
    bench.series("controller_runtime_max_concurrent_reconciles", &[controller], |value| value == 16.0).await;
    let queue = [("name", "jsonnetsnippet"), controller];
    bench.series("workqueue_adds_total", &queue, some).await;
    bench.series("workqueue_queue_duration_seconds_count", &queue, some).await;
    bench.series("workqueue_work_duration_seconds_count", &queue, some).await;
    let nothing = jaas_tests::http::get(&format!("{}/no/such/path", bench.operator.base_url())).await.unwrap();
    assert_eq!(nothing.status, 404);
    bench.series("jaas_storage_http_requests_total", &[("method", "GET"), ("code", "404")], some).await;

    let source = Source::create(&bench.client, "GitRepository", &bench.namespace.name, "repo").await.unwrap();
    let bytes = archive(&[("main.jsonnet", "1")].into_iter().collect()).unwrap();
    let digest = jaas_storage::Digest::of(&bytes).to_string();
    archives.set("/1", Reply::Bytes(bytes));
    source.announces(&archives.url("/1"), &digest, "main@sha1:01").await.unwrap();
    bench.create_spec("fetched", json!({"sourceRef": {"kind": "GitRepository", "name": "repo"}})).await;
    bench.judged("fetched", "Synced").await;
    bench.series("jaas_source_fetches_total", &[("result", "fetched")], some).await;
    bench.series("jaas_source_fetch_bytes_total", &[], some).await;
    bench.series("jaas_source_fetch_duration_seconds_count", &[], some).await;
    // The same digest would be the same input, which is not fetched again.
    let other = jaas_storage::Digest::of(b"other").to_string();
    archives.set("/2", Reply::Status(404, String::new()));
    source.announces(&archives.url("/2"), &other, "main@sha1:02").await.unwrap();
    bench.series("jaas_source_fetches_total", &[("result", "not_found")], some).await;

    bench.series("leader_election_master_status", &[("name", "jaas-operator")], |value| value == 1.0).await;
    bench.series("jaas_ready_to_reconcile", &[], |value| value == 1.0).await;
    for kind in ["JsonnetSnippet", "JsonnetLibrary", "ExternalArtifact", "GitRepository", "OCIRepository", "Bucket"] {
        bench.series("jaas_watch_up", &[("kind", kind)], |value| value == 1.0).await;
    }
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
        "process_open_fds",
        "process_max_fds",
    ] {
        bench.series(name, &[], |value| value > 0.0).await;
    }
}

#[tokio::test]
async fn evaluations_that_wait_run_and_cannot_start_are_told() {
    let plane = ControlPlane::shared().await.unwrap();
    // A program of its own, which is then not executable for a while: no worker can be started, and what runs goes on.
    let program = plane.work().join("operator-of-evaluations");
    std::fs::copy(plane.operator_program().unwrap(), &program).unwrap();
    let executable = |yes: bool| {
        let mode = if yes { 0o755 } else { 0o644 };
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let args = ["--max-concurrent-evals=1", "--max-concurrent-reconciles=4", "--evaluation-timeout=6s"];
    let options = OperatorOptions {
        args: args.map(ToOwned::to_owned).to_vec(),
        program: Some(program.clone()),
        ..OperatorOptions::default()
    };
    let bench = Bench::with("evals", options).await;
    executable(false);
    // Those that were started ahead go with what they evaluate.
    for n in 0..4 {
        bench.create(&format!("greedy{n}"), "std.makeArray(1000000000, function(n) [n])").await;
    }
    bench.series("jaas_eval_unavailable_total", &[], some).await;
    bench.create("stuck", "1").await;
    let stuck = [("namespace", "$NS"), ("name", "stuck")];
    bench.series("jaas_snippet_eval_unavailable_total", &stuck, some).await;
    bench.series("jaas_eval_unavailable_total", &[], some).await;
    bench.series("jaas_eval_duration_seconds_count", &[("result", "unavailable")], some).await;
    let controller = ("controller", "jsonnetsnippet");
    bench.series("controller_runtime_reconcile_errors_total", &[controller], some).await;
    bench.series("controller_runtime_reconcile_total", &[controller, ("result", "error")], some).await;
    bench.series("workqueue_retries_total", &[("name", "jsonnetsnippet"), controller], some).await;
    executable(true);
    bench.judged("stuck", "Synced").await;

    for n in 0..4 {
        bench.create(&format!("endless{n}"), ENDLESS).await;
    }
    bench.series("jaas_eval_in_flight", &[], |value| value == 1.0).await;
    // Of four reconciles one namespace has three, of which one is evaluated.
    bench.series("jaas_eval_waiting", &[], |value| value == 2.0).await;
    bench.series("jaas_eval_max_concurrent", &[], |value| value == 1.0).await;
    bench.series("jaas_eval_outstanding_timed_out", &[], |value| value == 0.0).await;
    bench.series("controller_runtime_active_workers", &[controller], |value| value == 3.0).await;
    bench.series("workqueue_depth", &[("name", "jsonnetsnippet"), controller], some).await;
    bench.series("jaas_eval_duration_seconds_count", &[("result", "timeout")], some).await;
}

#[tokio::test]
async fn a_store_and_a_tenant_that_refuse_are_told() {
    let server = FaultServer::start().await.unwrap();
    let endpoint = format!("--s3-endpoint={}", server.endpoint());
    let bench = Bench::new(
        "refusals",
        &[
            "--storage-backend=s3",
            &endpoint,
            "--s3-bucket=artifacts",
            "--s3-region=any",
            "--s3-use-ssl=false",
            "--s3-access-key=any",
            "--s3-secret-key=any",
            "--max-withdraw-wait=2s",
            "--artifact-gc-grace=0",
            "--storage-sweep-interval=1s",
        ],
    )
    .await;
    bench.create("web", "1").await;
    bench.judged("web", "Synced").await;
    server.choose(|asked| match asked.call {
        Call::Delete | Call::Uploads => Fault::Refuse(403, "AccessDenied"),
        _ => Fault::None,
    });
    bench.series("jaas_storage_sweep_failures_total", &[], some).await;
    bench.logged("Storage sweep failed").await;
    bench.snippets.delete("web", &DeleteParams::default()).await.unwrap();
    gone(&bench.snippets, "web", PATIENCE).await.unwrap();
    let dropped = [("namespace", "$NS"), ("name", "web"), ("reason", "withdraw_timed_out")];
    bench.series("jaas_snippet_force_drop_total", &dropped, some).await;

    server.choose(|asked| match asked.call {
        Call::Put => Fault::Refuse(403, "AccessDenied"),
        _ => Fault::None,
    });
    bench.create("refused", "2").await;
    bench.judged("refused", "StorageDenied").await;
    bench.series("jaas_publish_failures_total", &[("cause", "StorageDenied")], some).await;
    bench.series("jaas_storage_up", &[("reason", "StorageDenied")], |value| value == 0.0).await;
    server.heal();
    bench.judged("refused", "Synced").await;

    let spec = json!({"files": {"main.jsonnet": "1"}, "serviceAccountName": "nobody"});
    bench.create_spec("nobody", spec).await;
    bench.judged("nobody", "ServiceAccountMissing").await;
    let account = [("namespace", "$NS"), ("serviceAccount", "nobody")];
    bench.series("jaas_tenant_token_mint_failures_total", &account, some).await;
}

#[tokio::test]
async fn a_store_of_which_nothing_is_left_is_full_now() {
    // The owner mark takes all there is.
    let bench = Bench::new("full", &["--storage-quota=4096"]).await;
    bench.create("web", "1").await;
    bench.judged("web", "StorageFull").await;
    bench.series("jaas_storage_full_in_seconds", &[], |value| value == 0.0).await;
    for gauge in ["bytes", "free_bytes", "total_bytes", "free_inodes"] {
        bench.series(&format!("jaas_storage_{gauge}"), &[], some).await;
    }
    bench.series("jaas_storage_quota_bytes", &[], |value| value == 4096.0).await;
}

#[tokio::test]
async fn sizes_are_told_without_names_where_that_is_wanted() {
    let bench = Bench::new("nameless", &["--metrics-snippet-sizes=false"]).await;
    bench.create("web", "1").await;
    bench.judged("web", "Synced").await;
    bench.series("jaas_snippet_rendered_bytes_count", &[], some).await;
    let metrics = bench.operator.metrics().await.unwrap();
    assert!(!metrics.contains("jaas_snippet_rendered_bytes_count{namespace"), "{metrics}");
}

#[tokio::test]
async fn whoever_leads_says_so_and_so_does_who_does_not_any_more() {
    let plane = ControlPlane::shared().await.unwrap();
    let home = plane.empty_namespace("jaas-system").await.unwrap().name;
    let proxy = Proxy::to_api_server(plane).await.unwrap();
    let args = vec![
        "--leader-election=true".to_owned(),
        format!("--leader-election-namespace={home}"),
        "--leader-election-lease-duration=3s".to_owned(),
        "--leader-election-renew-deadline=2s".to_owned(),
        "--leader-election-retry-period=400ms".to_owned(),
    ];
    let options =
        OperatorOptions { args, namespace: Some(home), api_url: Some(proxy.url()), ..OperatorOptions::default() };
    let bench = Bench::with("leads", options).await;
    let lease = [("name", "jaas-operator")];
    bench.series("leader_election_master_status", &lease, |value| value == 1.0).await;
    bench.series("jaas_lease_requests_total", &[("result", "answered")], some).await;
    proxy.cut();
    bench.series("leader_election_master_status", &lease, |value| value == 0.0).await;
    bench.series("jaas_lease_requests_total", &[("result", "failed")], some).await;
    proxy.heal();
    bench.series("leader_election_master_status", &lease, |value| value == 1.0).await;
    bench.series("jaas_leadership_changes_total", &[], |value| value >= 3.0).await;
}
