//! An operator sees the namespaces that it watches, and those only.

use jaas_tests::controlplane::ControlPlane;
use jaas_tests::operator::{Operator, OperatorOptions};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::field::PATIENCE;

#[tokio::test]
async fn several_namespaces_are_watched_and_others_are_not() {
    let plane = ControlPlane::shared().await.unwrap();
    let mut namespaces = Vec::new();
    for prefix in ["one", "two", "three"] {
        namespaces.push(plane.namespace(prefix).await.unwrap().name);
    }
    let options = OperatorOptions::watching(namespaces[..2].iter().map(String::as_str));
    let _operator = Operator::ready(plane, options).await.unwrap();
    let client = plane.admin().await.unwrap();
    let api = |namespace: &str| Api::<jaas_api::JsonnetSnippet>::namespaced(client.clone(), namespace);
    for namespace in &namespaces {
        let object = json!({
            "apiVersion": "jaas.metio.wtf/v1", "kind": "JsonnetSnippet", "metadata": {"name": "web", "namespace": namespace},
            "spec": {"serviceAccountName": "tenant", "files": {"main.jsonnet": "1"}},
        });
        api(namespace).create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    for namespace in &namespaces[..2] {
        jaas_tests::wait::object(&api(namespace), "web", "is synced", PATIENCE, |snippet| {
            snippet.status.as_ref().is_some_and(|status| status.ready().is_some_and(|ready| ready.status == "True"))
        })
        .await
        .unwrap();
    }
    let third = api(&namespaces[2]).get("web").await.unwrap();
    assert_eq!((third.status, third.metadata.finalizers), (None, None));
}
