//! The admission webhook.

use super::{Entry, change, look};
use crate::code::Area::Webhook;
use crate::code::Severity::{Error, Warning};

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

pub(crate) const WEBHOOK_WOULD_REFUSE: Entry = Entry::new(Warning, Webhook, "snippets break the rules of the webhook")
    .means("These snippets are there although the webhook holds every change to the rules that they break. They are not rendered, what they published stays, and a change of their files, sources, libraries, variables or output may be refused until it mends that. A condition tells the reason and not whether it is one of the webhook's own rules; the metric counts those. Suspending, annotating and deleting pass.")
    .because("They were made before the webhook was installed, while nobody could be asked, or where it does not look; or a setting of the operator changed, such as `--ext-var`.")
    .type_in(&[
        look("kubectl jaas explain NAME -n NAMESPACE", "shows the field, the rule and what would do"),
        change("kubectl edit jsonnetsnippet NAME -n NAMESPACE", "mends it; a change that mends it passes"),
    ])
    .metrics(&["jaas_webhook_refusable_objects"]);
