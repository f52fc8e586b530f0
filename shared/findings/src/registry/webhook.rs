//! The admission webhook.

use super::{Entry, change, look};
use crate::code::Area::Webhook;
use crate::code::Severity::Error;

pub(crate) const WEBHOOK_CERTIFICATE: Entry = Entry::new(Error, Webhook, "the webhook's certificate is not good")
    .means("The certificate has expired, expires within two weeks, or is not trusted by the webhook's configuration. Then the API server refuses every change of a snippet: `failed calling webhook \"vjsonnetsnippet.jaas.metio.wtf\": … x509: …`.")
    .because("Renewing failed, or the configuration was replaced without its certificate authority.")
    .type_in(&[
        look("kubectl jaas logs", "shows why it was not renewed"),
        change("kubectl jaas restart --wait", "makes a new one at the start"),
    ])
    .alerts(&["JaaSWebhookCertRenewalFailing", "JaaSWebhookCertExpiring"])
    .metrics(&["jaas_webhook_cert_renewal_failures_total", "jaas_webhook_cert_expiration_timestamp_seconds"]);

pub(crate) const WEBHOOK_UNANSWERED: Entry = Entry::new(Error, Webhook, "nobody answers for the admission webhook")
    .means("The Service of the webhook leads to no Pod that is ready, so the API server refuses to make or change snippets and libraries: `failed calling webhook \"vjsonnetsnippet.jaas.metio.wtf\"`. Deleting, annotating and suspending pass, and what is published is served on. With `failurePolicy: Ignore` changes pass unchecked instead.")
    .because("No Pod of the operator is ready, or the configuration was left behind by an operator that is gone.")
    .type_in(&[
        look("kubectl jaas doctor pods", "shows why no Pod is ready"),
        look("kubectl get endpointslices -n JAAS_NAMESPACE -l kubernetes.io/service-name=jaas-webhook", "shows the addresses"),
        change("kubectl jaas restart --wait", "starts the operator anew"),
    ])
    .metrics(&["jaas_webhook_requests_total"]);
