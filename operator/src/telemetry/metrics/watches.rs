//! Whether the API server tells what changes, kind by kind, and what that means for reconciling.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type KindLabels = [(&'static str, &'static str); 1];
type FailureLabels = [(&'static str, &'static str); 2];
type EngagementLabels = [(&'static str, String); 1];

/// The metrics. Clones share the values.
#[derive(Clone, Default)]
pub struct Watches {
    up: Family<KindLabels, Gauge>,
    failures: Family<FailureLabels, Counter>,
    engagement_failures: Family<EngagementLabels, Counter>,
    ready: Gauge,
}

impl Watches {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let watches = Self::default();
        registry.register(
            "jaas_watch_up",
            "Whether the kind is watched in every watched namespace",
            watches.up.clone(),
        );
        registry.register(
            "jaas_watch_failures",
            "Lists and watches that did not come about, by cause",
            watches.failures.clone(),
        );
        registry.register(
            "jaas_crd_watch_engagement_failures",
            "Attempts to watch an installed Flux source kind that the API server refused",
            watches.engagement_failures.clone(),
        );
        registry.register(
            "jaas_ready_to_reconcile",
            "Whether every kind that a reconcile needs is watched",
            watches.ready.clone(),
        );
        watches
    }

    /// A kind is watched, or not.
    pub fn up(&self, kind: &'static str, up: bool) {
        self.up.get_or_create(&[("kind", kind)]).set(i64::from(up));
    }

    /// An attempt failed.
    pub fn failed(&self, kind: &'static str, cause: &'static str) {
        self.failures.get_or_create(&[("kind", kind), ("cause", cause)]).inc();
    }

    /// The API server will not let a Flux source kind be watched.
    pub fn refused(&self, gvk: &str) {
        self.engagement_failures.get_or_create(&[("gvk", gvk.to_owned())]).inc();
    }

    /// Whether reconciles have all that they need.
    pub fn ready_to_reconcile(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }
}
