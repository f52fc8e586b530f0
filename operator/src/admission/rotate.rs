//! A certificate that the leader makes and every replica shows.
//!
//! It is in one Secret, so that replicas agree and a restart changes nothing. A new one is announced before it is shown: first the Secret
//! names the authority of the next one beside that of the present one, then the webhook's configuration trusts both, and only then the
//! Secret's certificate is replaced. Each write of the Secret names the state that was read, so of two who try one succeeds. Who is cut off
//! from the API server shows the one before, which stays trusted until the next change.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use super::bundle;
use super::certificate::{CertificateError, Material, Served};
use super::tls::Current;
use super::trouble::Condition;
use crate::cluster::classify::{Meaning, meaning};
use crate::cluster::{RequestError, request, write};
use crate::leadership::{Authority, NotLeader, Permit};
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

/// Time that API servers get to learn whom to trust before a new certificate is shown.
const GUARD: Duration = Duration::from_secs(5);
/// Bounds of the pause between two looks at the Secret; in between it is a sixtieth of the validity.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Longest pause after failures.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Attempts at a configuration that somebody else writes at the same time.
const ATTEMPTS: usize = 4;

/// Keys of the Secret.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";

/// What a shared certificate is about.
pub struct Settings {
    /// Sends the requests.
    pub client: Client,
    /// The right to write.
    pub authority: Authority,
    /// Who counts.
    pub metrics: Metrics,
    /// Namespace of the Secret and of the Service.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// Names of the Service; the first is the one that API servers use.
    pub names: Vec<String>,
    /// Name of the configuration of the webhook.
    pub configuration: String,
    /// How long a certificate is valid.
    pub validity: Duration,
}

/// Why there is no certificate, or no new one.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the Secret {0} does not exist; the chart makes it: helm upgrade")]
    NoSecret(String),
    #[error("selfsigned: VWC {0:?} not found — chart deployed?")]
    NoConfiguration(String),
    #[error("selfsigned: VWC {0:?} has no webhooks; the chart renders two: helm upgrade")]
    NoWebhooks(String),
    #[error("the Secret {secret} holds no certificate that can be used, and another replica makes a new one")]
    Waiting {
        secret: String,
        #[source]
        why: CertificateError,
    },
    #[error("{0}")]
    Request(&'static str, #[source] RequestError),
    #[error("making a certificate")]
    Making(#[from] CertificateError),
    #[error(transparent)]
    NotLeader(#[from] NotLeader),
}

/// Keeps the certificate until the process ends. `terms` has an item whenever leadership changes.
pub async fn run(
    settings: Settings,
    current: Current,
    condition: Condition,
    mut terms: Pin<Box<dyn Stream<Item = ()> + Send>>,
    stop: CancellationToken,
) {
    let pause = (settings.validity / 60).clamp(PAUSES.0, PAUSES.1);
    let mut keeper = Keeper { settings, current, last: None };
    let mut failures = 0_u32;
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            looked = keeper.look() => match looked {
                Ok(()) => {
                    condition.well();
                    failures = 0;
                    pause
                }
                Err(error) => {
                    let is_ours = !matches!(error, Trouble::Waiting { .. } | Trouble::NotLeader(_));
                    if is_ours {
                        keeper.settings.metrics.webhook().renewal_failed();
                    }
                    let error = chain(&error);
                    condition.failed(error.clone());
                    let again = (PAUSES.0 * 2_u32.saturating_pow(failures.min(16))).min(PATIENCE);
                    let again = if is_ours { again } else { PAUSES.0 };
                    failures = failures.saturating_add(1);
                    let retry = kube::core::Duration::from(again).to_string();
                    tracing::warn!(error, retry, "Self-signed webhook cert renewal failed");
                    again
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            _ = terms.next() => {}
            () = tokio::time::sleep(next) => {}
        }
    }
}

struct Keeper {
    settings: Settings,
    current: Current,
    /// The last one that could be shown.
    last: Option<Material>,
}

impl Keeper {
    async fn look(&mut self) -> Result<(), Trouble> {
        let now = Timestamp::now();
        let secret = self.secret().await?;
        let material = material(&secret);
        let found = material.check(self.name(), now);
        if let Ok(served) = &found {
            self.show(material.clone(), served.clone());
        }
        let Ok(permit) = self.settings.authority.permit() else {
            return match found {
                Ok(_) => Ok(()),
                Err(why) => Err(Trouble::Waiting { secret: self.path(), why }),
            };
        };
        match found {
            Ok(served) if now < served.renewal(self.settings.validity) => {
                self.announce(&permit, &material.authorities, now).await
            }
            Ok(_) => self.renew(permit, secret, material, now).await,
            Err(why) => {
                tracing::warn!(secret = self.path(), error = chain(&why), "The Secret's certificate cannot be used");
                match self.last.clone() {
                    // Other replicas may show it for a while yet.
                    Some(last) if last.check(self.name(), now).is_ok() => self.renew(permit, secret, last, now).await,
                    _ => self.begin(&permit, secret, now).await,
                }
            }
        }
    }

    /// The first one: nobody shows any that would have to stay trusted.
    async fn begin(&mut self, permit: &Permit, secret: Secret, now: Timestamp) -> Result<(), Trouble> {
        let new = Material::make(&self.settings.names, self.settings.validity, now)?;
        let served = new.check(self.name(), now)?;
        self.write(permit, secret, &new).await?;
        self.show(new.clone(), served);
        self.announce(permit, &new.authorities, now).await?;
        tracing::info!(secret = self.path(), "Self-signed webhook cert provisioned");
        Ok(())
    }

    /// Another one after that which is shown.
    async fn renew(&mut self, permit: Permit, secret: Secret, shown: Material, now: Timestamp) -> Result<(), Trouble> {
        let new = Material::make(&self.settings.names, self.settings.validity, now)?;
        let served = new.check(self.name(), now)?;
        let before = bundle::first(&shown.authorities);
        let announced = Material { authorities: bundle::follow(&before, &new.authorities, now), ..shown };
        let secret = self.write(&permit, secret, &announced).await?;
        self.announce(&permit, &announced.authorities, now).await?;
        tokio::time::sleep(GUARD).await;
        let new = Material { authorities: bundle::follow(&new.authorities, &before, now), ..new };
        self.write(&permit, secret, &new).await?;
        let expires = served.expires;
        self.show(new, served);
        tracing::info!(secret = self.path(), %expires, "Self-signed webhook cert renewed");
        Ok(())
    }

    fn show(&mut self, material: Material, served: Served) {
        let expires = served.expires;
        if self.current.show(served) {
            tracing::info!(%expires, "The webhook shows a new certificate");
        }
        self.last = Some(material);
    }

    /// Makes the configuration trust these authorities, and writes nothing where it does.
    async fn announce(&self, permit: &Permit, authorities: &str, now: Timestamp) -> Result<(), Trouble> {
        let name = &self.settings.configuration;
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.settings.client.clone());
        let mut attempt = 1;
        loop {
            let found = request(api.get(name)).await;
            let mut configuration = found.map_err(|error| match meaning(&error) {
                Meaning::NotFound => Trouble::NoConfiguration(name.clone()),
                _ => Trouble::Request("reading the webhook's configuration", error),
            })?;
            if !trust(&mut configuration, authorities, now).ok_or_else(|| Trouble::NoWebhooks(name.clone()))? {
                return Ok(());
            }
            match write::replace_webhooks(permit, &self.settings.client, &configuration).await {
                Ok(()) => {
                    tracing::info!(configuration = name, "The webhook's configuration trusts its certificate");
                    return Ok(());
                }
                Err(error) if meaning(&error) == Meaning::Conflict && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(Trouble::Request("writing the webhook's configuration", error)),
            }
        }
    }

    async fn secret(&self) -> Result<Secret, Trouble> {
        let api: Api<Secret> = Api::namespaced(self.settings.client.clone(), &self.settings.namespace);
        request(api.get(&self.settings.secret)).await.map_err(|error| match meaning(&error) {
            Meaning::NotFound => Trouble::NoSecret(self.path()),
            _ => Trouble::Request("reading the Secret of the webhook's certificate", error),
        })
    }

    async fn write(&self, permit: &Permit, mut secret: Secret, material: &Material) -> Result<Secret, Trouble> {
        let parts = [(CERTIFICATE, &material.certificate), (KEY, &material.key), (AUTHORITIES, &material.authorities)];
        let data = secret.data.get_or_insert_with(BTreeMap::new);
        data.extend(parts.map(|(key, text)| (key.to_owned(), ByteString(text.clone().into_bytes()))));
        let written = write::replace_secret(permit, &self.settings.client, &secret).await;
        written.map_err(|error| Trouble::Request("writing the Secret of the webhook's certificate", error))
    }

    fn name(&self) -> &str {
        self.settings.names.first().map_or("", String::as_str)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.settings.namespace, self.settings.secret)
    }
}

/// What a Secret holds; what is missing is empty.
fn material(secret: &Secret) -> Material {
    let part = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()).unwrap_or_default()
    };
    Material { certificate: part(CERTIFICATE), key: part(KEY), authorities: part(AUTHORITIES) }
}

/// Has every webhook trust the authorities; answers whether that changed anything, and `None` where there is no webhook.
fn trust(configuration: &mut ValidatingWebhookConfiguration, authorities: &str, now: Timestamp) -> Option<bool> {
    let webhooks = configuration.webhooks.as_mut().filter(|webhooks| !webhooks.is_empty())?;
    let current = webhooks.first().and_then(|webhook| webhook.client_config.ca_bundle.clone()).unwrap_or_default();
    let wanted = bundle::merge(&String::from_utf8_lossy(&current.0), authorities, now);
    let wanted = ByteString(wanted.into_bytes());
    let mut changed = false;
    for webhook in webhooks {
        let bundle = &mut webhook.client_config.ca_bundle;
        if bundle.as_ref() != Some(&wanted) {
            *bundle = Some(wanted.clone());
            changed = true;
        }
    }
    Some(changed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use k8s_openapi::api::admissionregistration::v1::ValidatingWebhook;

    #[test]
    fn every_webhook_trusts_the_same_and_what_is_right_is_not_written() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let made = Material::make(&["a.b.svc".to_owned()], Duration::from_secs(3600), now).unwrap();
        let mut configuration = ValidatingWebhookConfiguration::default();
        assert_eq!(trust(&mut configuration, &made.authorities, now), None);
        configuration.webhooks = Some(vec![ValidatingWebhook::default(), ValidatingWebhook::default()]);
        assert_eq!(trust(&mut configuration, &made.authorities, now), Some(true));
        assert_eq!(trust(&mut configuration, &made.authorities, now), Some(false));
        let bundles: Vec<_> =
            configuration.webhooks.iter().flatten().map(|webhook| webhook.client_config.ca_bundle.clone()).collect();
        assert_eq!(bundles[0], bundles[1]);
        configuration.webhooks.as_mut().unwrap()[1].client_config.ca_bundle = None;
        assert_eq!(trust(&mut configuration, &made.authorities, now), Some(true));
    }

    #[test]
    fn a_secret_is_read_part_by_part() {
        let mut secret = Secret::default();
        assert!(
            material(&secret)
                == Material { certificate: String::new(), key: String::new(), authorities: String::new() }
        );
        secret.data = Some(BTreeMap::from([(AUTHORITIES.to_owned(), ByteString(b"ca".to_vec()))]));
        assert_eq!(material(&secret).authorities, "ca");
    }
}
