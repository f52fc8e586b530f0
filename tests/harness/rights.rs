//! RBAC is on, and identities are who they claim to be.

use jaas_tests::controlplane::Identity;
use jaas_tests::manifests;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::plane;

fn is_forbidden<T: std::fmt::Debug>(answer: Result<T, kube::Error>) -> bool {
    match answer {
        Err(kube::Error::Api(status)) => status.code == 403,
        other => panic!("expected 403, got {other:?}"),
    }
}

fn artifacts(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let group = "source.toolkit.fluxcd.io";
    manifests::custom(client, namespace, group, "v1", "ExternalArtifact")
}

fn artifact(name: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "ExternalArtifact",
        "metadata": { "name": name },
    }))
    .unwrap()
}

#[tokio::test]
async fn a_tenant_may_not_list_secrets() {
    let plane = plane().await;
    let namespace = plane.namespace("rights").await.unwrap();
    let client = plane.client(&namespace.tenant()).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, &namespace.name);
    assert!(is_forbidden(secrets.list(&ListParams::default()).await));
}

#[tokio::test]
async fn a_tenant_may_write_artifacts_at_home_only() {
    let plane = plane().await;
    let home = plane.namespace("home").await.unwrap();
    let abroad = plane.namespace("abroad").await.unwrap();
    let client = plane.client(&home.tenant()).await.unwrap();
    let params = PostParams::default();
    artifacts(&client, &home.name).create(&params, &artifact("mine")).await.unwrap();
    let elsewhere = artifacts(&client, &abroad.name);
    assert!(is_forbidden(elsewhere.create(&params, &artifact("theirs")).await));
}

#[tokio::test]
async fn a_user_is_known_by_name_and_groups() {
    let plane = plane().await;
    let identity = Identity::User { name: "ada".to_owned(), groups: vec!["writers".to_owned(), "readers".to_owned()] };
    let client = plane.client(&identity).await.unwrap();
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header("content-type", "application/json")
        .body(br#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#.to_vec())
        .unwrap();
    let review: serde_json::Value = client.request(request).await.unwrap();
    let user = &review["status"]["userInfo"];
    assert_eq!(user["username"], "ada");
    assert_eq!(user["groups"], json!(["writers", "readers", "system:authenticated"]));
}

#[tokio::test]
async fn every_write_grows_the_revision() {
    let plane = plane().await;
    let namespace = plane.empty_namespace("revision").await.unwrap();
    let before = plane.etcd_revision().await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.admin().await.unwrap(), &namespace.name);
    let map = ConfigMap {
        metadata: ObjectMeta { name: Some("written".to_owned()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &map).await.unwrap();
    assert!(plane.etcd_revision().await.unwrap() > before);
}
