//! The admission webhook.

use super::{Entry, change, look};
use crate::code::Area::Webhook;
use crate::code::Severity::Error;

pub(crate) const WEBHOOK_CERTIFICATE: Entry = Entry::new(Error, Webhook, "the webhook's certificate is not good")
    .means("The certificate has expired, expires within two weeks, or is not trusted by the webhook's configuration. Then the API server refuses every change of a snippet.")
    .because("Renewing failed, or the configuration was replaced without its certificate authority.")
    .type_in(&[
        look("kubectl jaas logs", "shows why it was not renewed"),
        change("kubectl jaas restart --wait", "makes a new one at the start"),
    ])
    .alerts(&["JaaSWebhookCertRenewalFailing"])
    .metrics(&["jaas_webhook_cert_renewal_failures_total"]);
