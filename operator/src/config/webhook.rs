//! Flags of the admission webhook. Pure.

use std::path::PathBuf;
use std::time::Duration;

use super::Run;
use super::check::{Mistakes, port};
use super::value::duration;

/// Least validity: a renewal takes seconds, and comes after a third of it.
const LEAST: Duration = Duration::from_secs(60);

/// The admission webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Host to bind.
    pub host: String,
    /// Port to bind.
    pub port: u16,
    /// Where its certificate comes from.
    pub certificate: Certificate,
}

/// Where the certificate of the webhook comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// From files that somebody else renews.
    Mounted(PathBuf),
    /// From the operator itself.
    SelfSigned {
        /// Name of the Service.
        service: String,
        /// Its namespace, and that of the Secret; that of the Lease when empty.
        namespace: String,
        /// Name of the Secret that replicas share.
        secret: String,
        /// Name of the webhook's configuration.
        configuration: String,
        /// How long a certificate is valid.
        validity: Duration,
    },
}

/// Reads the flags; `None` where the webhook is off.
pub(super) fn read(run: &Run, mistakes: &mut Mistakes) -> Option<Webhook> {
    let port = port("webhook-port", &run.webhook_port, mistakes);
    let validity = mistakes.read("webhook-cert-validity", &run.webhook_cert_validity, |text| match duration(text)? {
        enough if enough >= LEAST => Ok(enough),
        _ => Err("must be at least 1m".to_owned()),
    });
    let certificate = match run.webhook_cert_mode.as_str() {
        "self-signed" => {
            let named = !run.webhook_validating_config_name.is_empty() || !run.enable_webhook;
            let what = "required when --webhook-cert-mode=self-signed";
            mistakes.unless(named, "webhook-validating-config-name", what);
            mistakes.unless(
                !run.webhook_service_name.is_empty(),
                "webhook-service-name",
                "must be the name of a Service",
            );
            mistakes.unless(!run.webhook_secret_name.is_empty(), "webhook-secret-name", "must be the name of a Secret");
            Certificate::SelfSigned {
                service: run.webhook_service_name.clone(),
                namespace: run.webhook_service_namespace.clone(),
                secret: run.webhook_secret_name.clone(),
                configuration: run.webhook_validating_config_name.clone(),
                validity,
            }
        }
        other => {
            if other != "cert-manager" {
                let what = format_args!("must be one of cert-manager, self-signed, got {other:?}");
                mistakes.add("webhook-cert-mode", what);
            }
            Certificate::Mounted(run.webhook_cert_dir.clone())
        }
    };
    if !run.enable_webhook {
        return None;
    }
    mistakes.unless(
        run.enable_flux_integration,
        "enable-webhook",
        "--enable-webhook requires --enable-flux-integration",
    );
    Some(Webhook { host: run.webhook_listen_address.clone(), port, certificate })
}
