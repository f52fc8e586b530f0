//! Pods of an installation are run, restarted, replaced, and reached.

use std::process::{Command, Output};
use std::time::Duration;

use futures::AsyncReadExt as _;
use jaas_tests::cluster::{self, ADMIN, Addressing, Installation, STORAGE, Settings, Store};
use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::http;
use jaas_tests::supervisor::Exit;
use jaas_tests::wait::{self, eventually};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::{EvictParams, LogParams};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::gone;

const PATIENCE: Duration = Duration::from_secs(60);

async fn installed(settings: Settings) -> (&'static ControlPlane, Installation, Api<Pod>) {
    let plane = cluster::plane().await.unwrap();
    let (installation, pods) = installed_on(plane, settings).await;
    (plane, installation, pods)
}

async fn installed_on(plane: &ControlPlane, settings: Settings) -> (Installation, Api<Pod>) {
    let namespace = plane.namespace("cluster").await.unwrap().name;
    let installation = Installation::start(plane, &namespace, settings).await.unwrap();
    (installation, Api::namespaced(plane.admin().await.unwrap(), &namespace))
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

/// How it ended last, and how often it was started again.
fn last(pod: &Pod) -> Option<(i32, String, i32)> {
    let container = container(pod)?;
    let ended = container.last_state.as_ref()?.terminated.as_ref()?;
    Some((ended.exit_code, ended.reason.clone()?, container.restart_count))
}

async fn kubectl(plane: &ControlPlane, namespace: &str, args: &[&str]) -> Output {
    let mut command = Command::new(&plane.programs().kubectl);
    command.args(args).args(["-n", namespace]).env("KUBECONFIG", plane.kubeconfig(&Identity::Admin).unwrap());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn log(plane: &ControlPlane, namespace: &str, args: &[&str]) -> String {
    let output = kubectl(plane, namespace, &[&["logs"], args].concat()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_killed_process_is_started_again_and_its_pod_tells_how_it_ended() {
    let (plane, installation, pods) = installed(Settings::default()).await;
    let pod = installation.pod().unwrap();
    let first = pod.process().unwrap().pid();
    assert_eq!(pod.kill().await.unwrap(), Exit::Signal(9));
    let is_back = |ending: (i32, String, i32)| {
        move |pod: &Pod| last(pod).as_ref() == Some(&ending) && container(pod).is_some_and(|container| container.ready)
    };
    let name = pod.name.as_str();
    let expected = (137, "Error".to_owned(), 1);
    wait::object(&pods, name, "runs again", PATIENCE, is_back(expected)).await.unwrap();
    assert_ne!(pod.process().unwrap().pid(), first);
    gone(first).await;
    pod.kill_for_memory().await.unwrap();
    let expected = (137, "OOMKilled".to_owned(), 2);
    wait::object(&pods, name, "runs once more", PATIENCE, is_back(expected)).await.unwrap();

    // Each run has a log of its own, and the API server hands out the last two.
    let now = log(plane, &installation.namespace, &[name]).await;
    let before = log(plane, &installation.namespace, &[name, "--previous"]).await;
    assert!(!now.is_empty() && !before.is_empty() && now != before, "{now}\n---\n{before}");
    assert_eq!(log(plane, &installation.namespace, &[name, "--tail=1"]).await.lines().count(), 1);
    let recent = log(plane, &installation.namespace, &[name, "--since=1h"]).await;
    assert!(recent.starts_with(&now), "{recent}");
    assert_eq!(log(plane, &installation.namespace, &[name, "--previous", "--since=1s", "--tail=0"]).await, "");
}

#[tokio::test]
async fn an_evicted_pod_is_stopped_in_order_and_replaced_and_its_log_is_followed_to_the_end() {
    let (_, installation, pods) = installed(Settings { replicas: 2, ..Settings::default() }).await;
    let leader = installation.leader().await.unwrap();
    let process = leader.process().unwrap();
    let follow = LogParams { follow: true, ..LogParams::default() };
    let mut followed = pods.log_stream(&leader.name, &follow).await.unwrap();
    // The budget is counted before anybody may be evicted.
    let evicted = async || pods.evict(&leader.name, &EvictParams::default()).await;
    eventually("the eviction", PATIENCE, evicted).await.unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0), "{}", leader.log());
    gone(process.pid()).await;
    wait::gone(&pods, &leader.name, PATIENCE).await.unwrap();
    installation.wait_done().await.unwrap();
    let names: Vec<_> = installation.pods().iter().map(|pod| pod.name.clone()).collect();
    assert!(names.len() == 2 && !names.contains(&leader.name), "{names:?}");
    let mut heard = String::new();
    tokio::time::timeout(PATIENCE, followed.read_to_string(&mut heard)).await.unwrap().unwrap();
    // The last thing that it said.
    assert!(heard.ends_with("}\n") && heard.contains("has shut down"), "{heard}");
}

#[tokio::test]
async fn a_restart_rolls_the_pods_one_after_the_other_and_somebody_always_serves() {
    // Time for the address to notice that a Pod is no longer ready, as in a cluster.
    let args = vec!["--shutdown-delay=2s".to_owned()];
    let (plane, installation, _) = installed(Settings { replicas: 2, args, ..Settings::default() }).await;
    let before: Vec<_> = installation.pods().iter().map(|pod| (pod.name.clone(), pod.process().unwrap())).collect();
    let done = kubectl(plane, &installation.namespace, &["rollout", "restart", "deployment", "jaas"]).await;
    assert!(done.status.success());
    let url = format!("{}/", installation.base_url());
    let served = async {
        loop {
            // Any answer is one of the storage server; a connection that is closed without one is none.
            http::get(&url).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        done = installation.wait_done() => done.unwrap(),
        () = served => {}
    }
    for (name, process) in before {
        assert!(process.exit().is_some(), "{name} still runs");
        assert!(installation.pods().iter().all(|pod| pod.name != name));
    }
}

#[tokio::test]
async fn an_empty_dir_goes_with_its_pod_and_a_claim_stays() {
    let (_, mut installation, pods) = installed(Settings { store: Store::Claim, ..Settings::default() }).await;
    let mark = installation.volume().join("mark");
    std::fs::write(&mark, "1").unwrap();
    installation.upgrade(|settings| settings.args.push("--log-level=debug".to_owned())).await.unwrap();
    assert!(mark.exists());
    let path = async |pods: &Api<Pod>, name: &str| {
        let pod = pods.get(name).await.unwrap();
        serde_json::to_value(&pod.spec.unwrap().volumes).unwrap().to_string()
    };
    let claimed = path(&pods, &installation.pod().unwrap().name).await;
    assert!(claimed.contains("jaas-storage"), "{claimed}");
    installation.upgrade(|settings| settings.store = Store::EmptyDir).await.unwrap();
    let first = installation.pod().unwrap();
    assert!(!path(&pods, &first.name).await.contains("jaas-storage"));
    let folder = first
        .process()
        .unwrap()
        .program()
        .args
        .iter()
        .find_map(|it| it.strip_prefix("--storage-path=").map(str::to_owned));
    let folder = std::path::PathBuf::from(folder.unwrap());
    assert!(folder.is_dir());
    pods.delete(&first.name, &kube::api::DeleteParams::default()).await.unwrap();
    wait::gone(&pods, &first.name, PATIENCE).await.unwrap();
    installation.wait_done().await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_port_is_forwarded_through_the_api_server_and_an_artifact_comes_through() {
    let (plane, installation, pods) = installed(Settings::default()).await;
    publish(plane, &installation).await;
    let path = path(plane, &installation).await;
    let pod = installation.pod().unwrap().name.clone();
    let answer = forwarded(&pods, &pod, STORAGE, &format!("/{path}")).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    assert!(answer.len() > 200);

    // Nobody listens at the admin endpoint's port: the kubelet says so on the channel for errors.
    let mut ports = pods.portforward(&pod, &[ADMIN]).await.unwrap();
    let error = ports.take_error(ADMIN).unwrap();
    let told = tokio::time::timeout(PATIENCE, error).await.unwrap().unwrap();
    assert!(told.contains("error forwarding port 8085 to pod"), "{told}");
}

async fn forwarded(pods: &Api<Pod>, pod: &str, port: u16, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut ports = pods.portforward(pod, &[port]).await?;
    let mut stream = ports.take_stream(port).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer)).await??;
    Ok(answer)
}

async fn publish(plane: &ControlPlane, installation: &Installation) {
    let snippet = json!({"apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet",
        "metadata": {"name": "web", "namespace": installation.namespace},
        "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "1"}}});
    plane.apply_objects(&[snippet]).await.unwrap();
}

/// Path of the artifact, below the base URL.
async fn path(plane: &ControlPlane, installation: &Installation) -> String {
    let client = plane.admin().await.unwrap();
    let artifacts = jaas_tests::manifests::custom(
        &client,
        &installation.namespace,
        "source.toolkit.fluxcd.io",
        "v1",
        "ExternalArtifact",
    );
    let announced = |it: &kube::api::DynamicObject| it.data["status"]["artifact"]["url"].is_string();
    let artifact = wait::object(&artifacts, "web", "is announced", PATIENCE, announced).await.unwrap();
    artifact.data["status"]["artifact"]["path"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn in_a_network_of_its_own_the_service_proxy_leads_to_the_pods() {
    let plane = cluster::plane_in_network().await.unwrap();
    let settings = Settings { addressing: Addressing::Network, ..Settings::default() };
    let (installation, _) = installed_on(plane, settings).await;
    publish(plane, &installation).await;
    let path = path(plane, &installation).await;
    let client = plane.admin().await.unwrap();
    let service = format!("/api/v1/namespaces/{}/services/http:jaas-storage:8082/proxy/{path}", installation.namespace);
    // The addresses behind a Service follow its Pods a moment later.
    let fetched = async || {
        let request = ::http::Request::get(&service).body(kube::client::Body::empty()).unwrap();
        let answer = client.send(request).await.map_err(|error| error.to_string())?;
        if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) }
    };
    eventually("the artifact through the API server", PATIENCE, fetched).await.unwrap();
}
