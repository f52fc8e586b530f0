//! Whom the API server sees, and what is said where it does not accept that.

use http::StatusCode;
use jaas_api::ExternalArtifact;
use jaas_tests::apiproxy::{Act, Proxy};
use jaas_tests::controlplane::{ControlPlane, Identity};
use jaas_tests::operator::OperatorOptions;
use jaas_tests::wait::{eventually, gone};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::field::{Field, PATIENCE, message, one_file, status};

fn account(namespace: &str, name: &str) -> ServiceAccount {
    let object =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}});
    serde_json::from_value(object).unwrap()
}

#[tokio::test]
async fn a_tenants_request_shows_no_certificate_of_the_operator() {
    let plane = ControlPlane::shared().await.unwrap();
    // An operator that may do everything, by a client certificate. The API server looks at a certificate before it looks at a token.
    let kubeconfig = plane.kubeconfig(&Identity::Admin).unwrap();
    assert!(std::fs::read_to_string(&kubeconfig).unwrap().contains("client-certificate"));
    let options = OperatorOptions {
        env: [("KUBECONFIG".to_owned(), kubeconfig.display().to_string())].into(),
        ..OperatorOptions::default()
    };
    let field = Field::started("certificate", options).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(field.client.clone(), &field.namespace.name);
    accounts.create(&PostParams::default(), &account(&field.namespace.name, "bare")).await.unwrap();
    field.create("bare", json!({"files": {"main.jsonnet": "1"}, "serviceAccountName": "bare"})).await;
    let refused = message(&field.judged("bare", "RBACDenied").await);
    let seen = format!("User \"system:serviceaccount:{}:bare\" cannot create resource", field.namespace.name);
    assert!(refused.contains(&seen), "{refused}");
    assert!(field.artifacts.get_opt("bare").await.unwrap().is_none());

    // The other way round: what a tenant reads is refused as the tenant, too.
    let library = json!({"kind": "JsonnetLibrary", "name": "lib"});
    field.create_library("lib", json!({"main.libsonnet": "1"})).await;
    field
        .create(
            "reads",
            json!({"files": {"main.jsonnet": "import 'lib'"}, "serviceAccountName": "bare", "libraries": [library]}),
        )
        .await;
    let refused = message(&field.judged("reads", "RBACDenied").await);
    let seen = format!("User \"system:serviceaccount:{}:bare\" cannot get resource", field.namespace.name);
    assert!(refused.contains(&seen), "{refused}");
    field.create_file("web", "1").await;
    field.synced("web").await;
}

#[tokio::test]
async fn an_account_that_goes_later_is_missing_and_works_again_when_it_comes_back() {
    let field = Field::new("account").await;
    field.create_file("web", "0").await;
    field.synced("web").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    let accounts: Api<ServiceAccount> = Api::namespaced(field.client.clone(), &field.namespace.name);
    accounts.delete("tenant", &DeleteParams::default()).await.unwrap();
    gone(&accounts, "tenant", PATIENCE).await.unwrap();
    // The API server remembers for some seconds that the token was good.
    let mut n = 0;
    let missing = eventually("the account to be missed", PATIENCE * 3, async || {
        n += 1;
        let code = format!("'{n}'");
        let patched = field.patch("web", json!({"spec": {"files": {"main.jsonnet": code}}})).await;
        let judged = field
            .until("web", "is judged", |snippet| status(snippet).observed_generation >= patched.metadata.generation)
            .await;
        let reason = status(&judged).ready().map(|ready| ready.reason.clone()).unwrap_or_default();
        match reason.as_str() {
            "Synced" => Err(reason),
            "ServiceAccountMissing" => Ok(judged),
            _ => panic!("{reason}: {}", message(&judged)),
        }
    })
    .await
    .unwrap();
    let expected = format!("ServiceAccount \"tenant\" not found in namespace {:?}; create it", field.namespace.name);
    assert!(message(&missing).starts_with(&expected), "{}", message(&missing));
    let served = field.get(&status(&missing).artifact_url.unwrap_or(url)).await;
    assert_eq!(served.status, 200, "what was published stays");

    accounts.create(&PostParams::default(), &account(&field.namespace.name, "tenant")).await.unwrap();
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "'back'"}}})).await;
    field.synced("web").await;
    assert_eq!(field.fetch("web").await, one_file("rendered.json", "\"back\"\n"));
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_within_the_same_request() {
    let plane = ControlPlane::shared().await.unwrap();
    let proxy = Proxy::to_api_server(plane).await.unwrap();
    let options = OperatorOptions { api_url: Some(proxy.url()), ..OperatorOptions::default() };
    let field = Field::started("reminted", options).await;
    let mut refused = 0;
    proxy.rule(move |call| {
        let creates = call.method == http::Method::POST && call.path.ends_with("/externalartifacts");
        if creates && refused == 0 {
            refused += 1;
            return Act::Refuse(StatusCode::UNAUTHORIZED);
        }
        Act::Pass
    });
    proxy.forget_calls();
    field.create_file("web", "1").await;
    field.synced("web").await;
    field.fetch("web").await;
    let calls = proxy.calls();
    let count = |end: &str| {
        let of = |call: &&jaas_tests::apiproxy::Call| call.method == http::Method::POST && call.path.ends_with(end);
        calls.iter().filter(of).map(|call| call.status.map_or(0, |status| status.as_u16())).collect::<Vec<_>>()
    };
    assert_eq!(count("/serviceaccounts/tenant/token"), [201, 201]);
    assert_eq!(count("/externalartifacts"), [0, 201], "the first of them was refused by the proxy");
    assert!(!field.operator.log().contains("deferred"), "{}", field.operator.log());

    // One that is refused for good is tried twice each time, and told for what it is.
    proxy.rule(|call| {
        let creates = call.method == http::Method::POST && call.path.ends_with("/externalartifacts");
        if creates { Act::Refuse(StatusCode::UNAUTHORIZED) } else { Act::Pass }
    });
    field.create_file("never", "1").await;
    let told = message(&field.judged("never", "ApiUnavailable").await);
    assert!(told.contains("a token that was issued a moment ago is refused"), "{told}");
    proxy.no_rule();
    field.synced("never").await;
}

#[tokio::test]
async fn a_policy_that_denies_is_no_missing_right() {
    let field = Field::new("policy").await;
    let name = format!("deny-{}", field.namespace.name);
    let rules = json!([{
        "apiGroups": ["source.toolkit.fluxcd.io"], "apiVersions": ["*"], "operations": ["CREATE"],
        "resources": ["externalartifacts"],
    }]);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": rules,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": field.namespace.name}},
            },
            "validations": [{"expression": "false", "message": "not on a Friday", "reason": "Forbidden"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    field.plane.apply_objects(&[policy, binding]).await.unwrap();
    let probe: ExternalArtifact = serde_json::from_value(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": {"name": "probe", "namespace": field.namespace.name}, "spec": {},
    }))
    .unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the policy to be in force", PATIENCE * 2, async || match field.artifacts.create(&dry, &probe).await {
        Err(kube::Error::Api(status)) if status.message.contains("not on a Friday") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    field.create_file("web", "1").await;
    let told = message(&field.judged("web", "RBACDenied").await);
    assert!(told.starts_with("an admission policy of the cluster denied publishing the ExternalArtifact"), "{told}");
    assert!(told.contains("not on a Friday") && !told.contains("missing verb"), "{told}");

    let kind = kube::core::ApiResource {
        group: "admissionregistration.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "admissionregistration.k8s.io/v1".to_owned(),
        kind: "ValidatingAdmissionPolicyBinding".to_owned(),
        plural: "validatingadmissionpolicybindings".to_owned(),
    };
    let bindings: Api<kube::core::DynamicObject> = Api::all_with(field.client.clone(), &kind);
    bindings.delete(&name, &DeleteParams::default()).await.unwrap();
    eventually("the policy to be lifted", PATIENCE * 2, async || field.artifacts.create(&dry, &probe).await.map(drop))
        .await
        .unwrap();
    field.patch("web", json!({"spec": {"files": {"main.jsonnet": "2"}}})).await;
    field.synced("web").await;
}
