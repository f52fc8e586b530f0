//! Control planes come up beside each other, survive an outage, and leave nothing behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jaas_tests::controlplane::{ControlPlane, Identity, Options};
use jaas_tests::environment;
use jaas_tests::supervisor::{AtEnd, Launcher, Program, Supervisor};
use jaas_tests::wait::{self, eventually};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use tokio::process::Command;

use crate::{gone, options, plane};

#[tokio::test]
async fn a_second_control_plane_is_another_one_and_ends_with_its_handle() {
    let (first, second) = tokio::join!(plane(), ControlPlane::start(bare()));
    let mut second = second.unwrap();
    let namespace = first.empty_namespace("only-here").await.unwrap().name;
    let elsewhere: Api<Namespace> = Api::all(second.admin().await.unwrap());
    assert!(elsewhere.get_opt(&namespace).await.unwrap().is_none());

    let kept = second.empty_namespace("kept").await.unwrap().name;
    second.stop_api_server().await.unwrap();
    assert!(elsewhere.get(&kept).await.is_err());
    second.start_api_server().await.unwrap();
    let again: Api<Namespace> = Api::all(second.admin().await.unwrap());
    again.get(&kept).await.unwrap();

    let pids: Vec<i32> = second.processes().map(|process| process.pid()).collect();
    let work = second.work().to_owned();
    drop(second);
    for pid in pids {
        gone(pid).await;
    }
    assert!(!work.exists());
}

/// The least that is a control plane.
fn bare() -> Options {
    Options { controller_manager: false, flux_crds: false, ..options() }
}

#[tokio::test]
async fn a_control_plane_ends_with_an_owner_that_was_killed() {
    let supervisor = Supervisor::start(&Launcher::from_env().unwrap()).unwrap();
    let programs = environment::value(environment::PROGRAMS).unwrap();
    let owner = supervisor
        .run(Program {
            name: "owner".to_owned(),
            executable: env!("CARGO_BIN_EXE_controlplane").into(),
            args: vec!["up".to_owned()],
            env: BTreeMap::from([(environment::PROGRAMS.to_owned(), programs)]),
            directory: supervisor.work().to_owned(),
            log: supervisor.work().join("owner.log"),
            at_end: AtEnd::Terminate,
        })
        .await
        .unwrap();
    let ready = async || match owner.log() {
        log if log.contains("KUBECONFIG") => Ok(log),
        log => Err(log),
    };
    let log = eventually("a control plane", Duration::from_secs(30), ready).await.unwrap();
    let pids: BTreeMap<&str, i32> = log
        .lines()
        .filter_map(|line| line.split_once(" pid "))
        .map(|(name, pid)| (name, pid.parse().unwrap()))
        .collect();
    let names: Vec<&str> = pids.keys().copied().collect();
    assert_eq!(names, ["etcd", "kube-apiserver", "kube-controller-manager", "supervisor"]);
    let work = log.lines().find_map(|line| line.strip_prefix("work ")).unwrap();

    owner.kill().await.unwrap();
    for pid in pids.into_values() {
        gone(pid).await;
    }
    assert!(!Path::new(work).exists());
}

#[tokio::test]
async fn a_deleted_namespace_ends() {
    let plane = plane().await;
    let namespace = plane.namespace("short-lived").await.unwrap();
    plane.delete_namespace(&namespace).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(plane.admin().await.unwrap());
    wait::gone(&namespaces, &namespace.name, Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn kubectl_speaks_to_the_api_server() {
    let plane = plane().await;
    let output = Command::new(&plane.programs().kubectl)
        .args(["get", "--raw", "/version", "--kubeconfig"])
        .arg(plane.kubeconfig(&Identity::Admin).unwrap())
        .output()
        .await
        .unwrap();
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(version["gitVersion"], "v1.36.3");
}

#[tokio::test]
async fn a_program_that_ends_early_is_reported_with_its_log() {
    let refused = ControlPlane::start(Options { api_server_args: vec!["--no-such-flag".to_owned()], ..bare() });
    let error = format!("{:#}", refused.await.err().unwrap());
    assert!(error.contains("kube-apiserver ended by itself") && error.contains("no-such-flag"), "{error}");
}
