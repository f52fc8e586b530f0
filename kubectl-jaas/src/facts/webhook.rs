//! The admission webhook, where the operator's command line switches it on.

use jaas_findings::facts::Flags;
use jaas_findings::facts::signals::Webhook;
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, ValidatingWebhookConfiguration};
use kube::Api;
use kube::api::ListParams;

use super::network;
use super::tell;
use crate::session::{Call, Session};

/// Looks for the configuration that leads to the operator. When the certificate expires only metrics tell.
pub(super) async fn of(session: &Session, namespace: &str, flags: &Flags) -> Known<Option<Webhook>> {
    if !flags.is_on("enable-webhook", false) {
        return Known::Yes(None);
    }
    let all: Api<ValidatingWebhookConfiguration> = Api::all(session.client.clone());
    let call = Call::new("list", "admissionregistration.k8s.io", "validatingwebhookconfigurations", &["get", "list"]);
    let listed = match session.call(&call, all.list(&ListParams::default())).await {
        Ok(listed) => listed.items,
        Err(error) => return Known::No(tell::why(&error)),
    };
    let Some((mut webhook, service)) = listed.iter().find_map(|found| read(found, namespace)) else {
        return Known::Yes(None);
    };
    webhook.ready_endpoints = network::ready(session, namespace, &service).await;
    Known::Yes(Some(webhook))
}

/// What a configuration tells that leads to a Service of that namespace, and the name of the Service.
fn read(found: &ValidatingWebhookConfiguration, namespace: &str) -> Option<(Webhook, String)> {
    let leads = |webhook: &&ValidatingWebhook| {
        let groups = webhook.rules.iter().flatten().flat_map(|rule| rule.api_groups.iter().flatten());
        let service = webhook.client_config.service.as_ref();
        service.is_some_and(|service| service.namespace == namespace)
            && groups.clone().any(|group| group == "jaas.metio.wtf")
    };
    let ours: Vec<_> = found.webhooks.iter().flatten().filter(leads).collect();
    let service = ours.first()?.client_config.service.as_ref()?.name.clone();
    let is_empty =
        |webhook: &&ValidatingWebhook| webhook.client_config.ca_bundle.as_ref().is_none_or(|it| it.0.is_empty());
    let webhook = Webhook {
        name: found.metadata.name.clone().unwrap_or_default(),
        expires: Known::No(Why::new(Obstacle::NotOffered, "when the certificate expires, without metrics")),
        trusted: Known::Yes(!ours.iter().any(is_empty)),
        refuses: Known::Yes(ours.iter().any(|webhook| webhook.failure_policy.as_deref() != Some("Ignore"))),
        ready_endpoints: Known::default(),
    };
    Some((webhook, service))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn configuration(bundle: Value, policy: &str, namespace: &str) -> ValidatingWebhookConfiguration {
        let service = json!({"name": "jaas-webhook", "namespace": namespace});
        serde_json::from_value(json!({"metadata": {"name": "jaas-jsonnetsnippet"}, "webhooks": [{
            "name": "vjsonnetsnippet.jaas.metio.wtf", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"service": service, "caBundle": bundle}, "failurePolicy": policy,
            "rules": [{"apiGroups": ["jaas.metio.wtf"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*"]}],
        }]}))
        .unwrap()
    }

    #[test]
    fn only_a_configuration_that_leads_there_is_ours() {
        let (webhook, service) = read(&configuration(json!("QQ=="), "Fail", "here"), "here").unwrap();
        assert_eq!((webhook.name.as_str(), service.as_str()), ("jaas-jsonnetsnippet", "jaas-webhook"));
        assert_eq!((webhook.trusted.ok(), webhook.refuses.ok()), (Some(&true), Some(&true)));
        let (webhook, _) = read(&configuration(Value::Null, "Ignore", "here"), "here").unwrap();
        assert_eq!((webhook.trusted.ok(), webhook.refuses.ok()), (Some(&false), Some(&false)));
        assert!(read(&configuration(Value::Null, "Fail", "there"), "here").is_none());
    }
}
