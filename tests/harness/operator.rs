//! How an operator is run, shown with a script in its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use jaas_tests::operator::{Operator, OperatorOptions};
use jaas_tests::rbac::allowed;
use jaas_tests::supervisor::Exit;
use jaas_tests::wait::eventually;

use crate::plane;

/// Prints roles, or its arguments, and ends on SIGTERM with 5.
const SCRIPT: &str = r#"#!/bin/sh
if [ "$1" = generate ]; then
    cat <<END
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: script-namespaced
rules:
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: script-cluster
rules:
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: script-own
rules:
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [update]
END
    exit
fi
trap 'exit 5' TERM
echo "$@"
while :; do sleep 0.05; done
"#;

fn script() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("operator");
    fs::write(&path, SCRIPT).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, path)
}

#[tokio::test]
async fn an_operator_has_the_printed_rights_and_no_others() {
    let plane = plane().await;
    let (_directory, program) = script();
    let watched = plane.empty_namespace("watched").await.unwrap().name;
    let operator = Operator::start(
        plane,
        OperatorOptions { program: Some(program.clone()), ..OperatorOptions::watching([watched.as_str()]) },
    )
    .await
    .unwrap();
    let everywhere =
        Operator::start(plane, OperatorOptions { program: Some(program), ..OperatorOptions::default() }).await.unwrap();

    let admin = plane.admin().await.unwrap();
    let may = async |operator: &Operator, namespace, verb, what| {
        allowed(&admin, operator.identity(), namespace, verb, what).await.unwrap()
    };
    let maps = ("", "configmaps");
    let definitions = ("apiextensions.k8s.io", "customresourcedefinitions");
    assert!(may(&operator, Some(&*watched), "list", maps).await);
    assert!(!may(&operator, Some(&*watched), "delete", maps).await);
    assert!(!may(&operator, Some("default"), "list", maps).await);
    assert!(may(&operator, None, "get", definitions).await);
    assert!(may(&everywhere, None, "list", maps).await);
    assert!(!may(&everywhere, None, "delete", maps).await);
}

#[tokio::test]
async fn an_operator_keeps_its_address_over_restarts() {
    let plane = plane().await;
    let (_directory, program) = script();
    let mut operator = Operator::start(
        plane,
        OperatorOptions { program: Some(program), args: vec!["--marker".to_owned()], ..OperatorOptions::default() },
    )
    .await
    .unwrap();
    let line = format!("--storage-base-url={}", operator.base_url());
    let starts = async |operator: &Operator, expected: usize| {
        let what = format!("{expected} starts");
        eventually(what, Duration::from_secs(5), async || {
            let log = operator.log();
            let lines = log.lines().filter(|text| text.contains(&line));
            match lines.filter(|text| text.ends_with("--marker")).count() {
                count if count == expected => Ok(()),
                _ => Err(log),
            }
        })
        .await
        .unwrap();
    };
    starts(&operator, 1).await;
    operator.kill().await.unwrap();
    assert_eq!(operator.process().exit(), Some(Exit::Signal(9)));
    operator.restart().await.unwrap();
    starts(&operator, 2).await;
    let (exit, _) = operator.terminate().await.unwrap();
    assert_eq!(exit, Exit::Code(5));
}
