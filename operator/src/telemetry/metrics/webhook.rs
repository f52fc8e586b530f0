//! The admission webhook: what it answered, and its certificate.

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::NoLabels;

/// The metrics. Clones share the values.
#[derive(Clone, Default)]
pub struct Webhook {
    requests: Family<[(&'static str, &'static str); 2], Counter>,
    renewal_failures: Counter,
    expires: Family<NoLabels, Gauge>,
    would_refuse: Family<[(&'static str, &'static str); 1], Gauge>,
}

impl Webhook {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let webhook = Self::default();
        registry.register(
            "jaas_webhook_requests",
            "Objects that the admission webhook judged, by kind and verdict",
            webhook.requests.clone(),
        );
        registry.register(
            "jaas_webhook_cert_renewal_failures",
            "Attempts to make, to share, to announce or to read the certificate of the admission webhook that failed",
            webhook.renewal_failures.clone(),
        );
        registry.register(
            "jaas_webhook_cert_expiration_timestamp_seconds",
            "When the certificate expires that the admission webhook shows, in Unix time",
            webhook.expires.clone(),
        );
        registry.register(
            "jaas_webhook_refusable_objects",
            "Objects that are there already although the admission webhook would refuse them, by kind",
            webhook.would_refuse.clone(),
        );
        webhook
    }

    /// An object was judged.
    pub fn judged(&self, kind: &'static str, verdict: &'static str) {
        self.requests.get_or_create(&[("kind", kind), ("verdict", verdict)]).inc();
    }

    /// There is no new certificate although there should be one.
    pub fn renewal_failed(&self) {
        self.renewal_failures.inc();
    }

    /// So many objects of a kind are there that would be refused.
    pub fn would_refuse(&self, kind: &'static str, count: i64) {
        self.would_refuse.get_or_create(&[("kind", kind)]).set(count);
    }

    /// Another certificate is shown.
    pub fn shows(&self, expires: Timestamp) {
        self.expires.get_or_create(&[]).set(expires.as_second());
    }
}
