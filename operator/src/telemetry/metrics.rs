//! Metrics, under the names that the Go implementation's dashboards and alerts use.

mod flow;
mod leadership;
mod process;
pub mod queue;
mod ready;
mod watches;
mod webhook;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use jaas_api::{JsonnetSnippet, Reason};
use jaas_storage::Key;
use jaas_storage::store::Usage;
use kube::runtime::reflector::Store as Cache;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::cluster::tenant::Account;

pub use flow::Flow;
pub use leadership::Leadership;
pub use queue::Queue;
pub use watches::Watches;
pub use webhook::Webhook;

/// Upper bounds of the size histogram, in bytes.
const SIZE_BUCKETS: [f64; 10] =
    [256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];
/// Upper bounds of the time histograms, in seconds.
const TIME_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SnippetLabels {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    namespace: String,
    name: String,
    status: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountLabels {
    namespace: String,
    #[prometheus(flatten)]
    account: AccountName,
}

/// The contract writes this label in camel case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AccountName(String);

impl EncodeLabelSet for AccountName {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        prometheus_client::encoding::EncodeLabel::encode(&("serviceAccount", self.0.as_str()), encoder.encode_label())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    namespace: String,
    name: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NamespaceLabels {
    namespace: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LayerLabels {
    layer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AdminLabels {
    call: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: Check,
}

/// Steps of a reconcile that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading libraries as the tenant.
    Gather,
    /// Waiting for a worker.
    Queue,
    /// Evaluating.
    Evaluate,
    /// Writing to the store.
    Store,
    /// Writing the artifact.
    Artifact,
    /// Writing the status.
    Status,
}

impl Stage {
    /// All stages in their order.
    pub const ALL: [Self; 6] = [Self::Gather, Self::Queue, Self::Evaluate, Self::Store, Self::Artifact, Self::Status];

    /// The word in labels and log fields.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gather => "gather",
            Self::Queue => "queue",
            Self::Evaluate => "evaluate",
            Self::Store => "store",
            Self::Artifact => "artifact",
            Self::Status => "status",
        }
    }
}

impl EncodeLabelValue for Stage {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}

/// What came of looking for a published file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// It was there and right.
    Intact,
    /// It was gone.
    Missing,
    /// It was not what its name says.
    Damaged,
    /// It was brought back.
    Restored,
}

impl EncodeLabelValue for Check {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self {
            Self::Intact => "intact",
            Self::Missing => "missing",
            Self::Damaged => "damaged",
            Self::Restored => "restored",
        }
        .encode(encoder)
    }
}

/// Handles on every metric. Clones share the values.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    reconcile_total: Family<ReconcileLabels, Counter>,
    /// Which series exist for a snippet, so that they go with it.
    reconcile_series: Mutex<std::collections::HashMap<Key, Vec<ReconcileLabels>>>,
    rendered_bytes: Family<Vec<(&'static str, String)>, Histogram>,
    /// Whether the size is told for each snippet, rather than for all together.
    sizes_by_snippet: bool,
    force_drop_total: Family<DropLabels, Counter>,
    rate_limited_total: Family<SnippetLabels, Counter>,
    snippet_eval_unavailable_total: Family<SnippetLabels, Counter>,
    eval_unavailable_total: Counter,
    eval_in_flight: Gauge,
    eval_waiting: Gauge,
    eval_max_concurrent: Gauge,
    eval_isolated: Family<LayerLabels, Gauge>,
    sweep_failures_total: Counter,
    token_mint_failures_total: Family<AccountLabels, Counter>,
    refused_accounts: Accounts,
    stage_seconds: Family<StageLabels, Histogram>,
    artifacts_checked_total: Family<ResultLabels, Counter>,
    admin_requests_total: Family<AdminLabels, Counter>,
    store: StoreGauges,
    queue: Queue,
    watches: Watches,
    flow: Flow,
    leadership: Leadership,
    webhook: Webhook,
    readiness: ready::Readiness,
}

/// A family without labels is a metric that may have no value.
type NoLabels = [(&'static str, &'static str); 0];

/// Gauges of the store. What is not known has no value rather than a wrong one.
#[derive(Default)]
struct StoreGauges {
    up: Family<ConditionLabels, Gauge>,
    owned: Gauge,
    bytes: Gauge,
    files: Gauge,
    free_bytes: Family<NoLabels, Gauge>,
    total_bytes: Family<NoLabels, Gauge>,
    free_inodes: Family<NoLabels, Gauge>,
    quota_bytes: Family<NoLabels, Gauge>,
    full_in_seconds: Family<NoLabels, Gauge>,
    namespace_bytes: Family<NamespaceLabels, Gauge>,
    /// Which series there are of it.
    namespaces: Mutex<BTreeSet<String>>,
    namespace_quota_bytes: Family<NoLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Metrics {
    /// All metrics, at zero. The histogram of sizes has a series for each snippet, or one for all.
    pub fn new(sizes_by_snippet: bool) -> Self {
        let mut registry = Registry::default();
        let reconcile_total = Family::default();
        registry.register(
            "jaas_snippet_reconcile",
            "Reconciles that judged a snippet, by Ready status and reason",
            reconcile_total.clone(),
        );
        let rendered_bytes: Family<Vec<(&'static str, String)>, Histogram> =
            Family::new_with_constructor(|| Histogram::new(SIZE_BUCKETS));
        registry.register("jaas_snippet_rendered_bytes", "Size of what a snippet rendered", rendered_bytes.clone());
        let force_drop_total = Family::default();
        registry.register(
            "jaas_snippet_force_drop",
            "Finalizers dropped although the store refused",
            force_drop_total.clone(),
        );
        let rate_limited_total = Family::default();
        registry.register(
            "jaas_snippet_rate_limited",
            "Renders put off because the snippet was rendered often enough",
            rate_limited_total.clone(),
        );
        let snippet_eval_unavailable_total = Family::default();
        registry.register(
            "jaas_snippet_eval_unavailable",
            "Renders of a snippet that were put off because no worker could be had",
            snippet_eval_unavailable_total.clone(),
        );
        let eval_unavailable_total = Counter::default();
        registry.register(
            "jaas_eval_unavailable",
            "Renders that were put off, and requests that were refused, because no worker could be had",
            eval_unavailable_total.clone(),
        );
        let eval_in_flight = Gauge::default();
        registry.register("jaas_eval_in_flight", "Evaluations that run now", eval_in_flight.clone());
        let eval_waiting = Gauge::default();
        let help = "Snippets that wait for a slot to be evaluated in";
        registry.register("jaas_eval_waiting", help, eval_waiting.clone());
        let eval_max_concurrent = Gauge::default();
        registry.register("jaas_eval_max_concurrent", "Evaluations that may run at once", eval_max_concurrent.clone());
        let eval_isolated = Family::default();
        registry.register(
            "jaas_eval_isolated",
            "Whether the kernel keeps evaluations from files, networks and other processes, by layer",
            eval_isolated.clone(),
        );
        // An evaluation that is out of time is killed, so none runs on after its caller left.
        registry.register(
            "jaas_eval_outstanding_timed_out",
            "Evaluations that run although their caller left",
            Gauge::<i64>::default(),
        );
        let sweep_failures_total = Counter::default();
        registry.register(
            "jaas_storage_sweep_failures",
            "Sweeps of the store that failed",
            sweep_failures_total.clone(),
        );
        let token_mint_failures_total = Family::default();
        registry.register(
            "jaas_tenant_token_mint_failures",
            "Requests for a ServiceAccount's token that failed",
            token_mint_failures_total.clone(),
        );
        let stage_seconds: Family<StageLabels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(TIME_BUCKETS));
        registry.register(
            "jaas_reconcile_stage_duration_seconds",
            "Time that a step of a reconcile took",
            stage_seconds.clone(),
        );
        let artifacts_checked_total = Family::default();
        registry.register(
            "jaas_storage_artifacts_checked",
            "Published files that were looked for, by what came of it; restored ones were brought back",
            artifacts_checked_total.clone(),
        );
        let admin_requests_total = Family::default();
        registry.register(
            "jaas_admin_requests",
            "Requests to the admin endpoint, by call and HTTP status",
            admin_requests_total.clone(),
        );
        let store = StoreGauges::registered(&mut registry);
        let queue = Queue::registered(&mut registry);
        let watches = Watches::registered(&mut registry);
        let flow = Flow::registered(&mut registry);
        let leadership = Leadership::registered(&mut registry);
        let webhook = Webhook::registered(&mut registry);
        let readiness = ready::Readiness::default();
        registry.register_collector(Box::new(readiness.clone()));
        registry.register_collector(Box::new(process::Process));
        Self(Arc::new(Inner {
            registry,
            reconcile_total,
            reconcile_series: Mutex::default(),
            rendered_bytes,
            sizes_by_snippet,
            force_drop_total,
            rate_limited_total,
            snippet_eval_unavailable_total,
            eval_unavailable_total,
            eval_in_flight,
            eval_waiting,
            eval_max_concurrent,
            eval_isolated,
            sweep_failures_total,
            token_mint_failures_total,
            refused_accounts: Accounts::default(),
            stage_seconds,
            artifacts_checked_total,
            admin_requests_total,
            store,
            queue,
            watches,
            flow,
            leadership,
            webhook,
            readiness,
        }))
    }

    /// Those of the controller's queue.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Those of the watches.
    pub fn watches(&self) -> &Watches {
        &self.0.watches
    }

    /// Those of what goes in and out.
    pub fn flow(&self) -> &Flow {
        &self.0.flow
    }

    /// Those of the election.
    pub fn leadership(&self) -> &Leadership {
        &self.0.leadership
    }

    /// Those of the admission webhook.
    pub fn webhook(&self) -> &Webhook {
        &self.0.webhook
    }

    /// From now on a scrape tells how these snippets are.
    pub fn tell_of(&self, snippets: Cache<JsonnetSnippet>) {
        self.0.readiness.of(snippets);
    }

    /// The text that a scrape gets (OpenMetrics 1.0).
    ///
    /// # Errors
    /// Only if a label could not be written, which none of ours does.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// A snippet was judged.
    pub fn judged(&self, key: &Key, ready: bool, reason: Reason) {
        let labels = ReconcileLabels {
            namespace: key.namespace().to_owned(),
            name: key.name().to_owned(),
            status: if ready { "True" } else { "False" },
            reason: reason.as_str(),
        };
        self.0.reconcile_total.get_or_create(&labels).inc();
        let mut series = self.0.reconcile_series.lock().unwrap_or_else(PoisonError::into_inner);
        let known = series.entry(key.clone()).or_default();
        if !known.contains(&labels) {
            known.push(labels);
        }
    }

    /// A snippet rendered to this many bytes.
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub fn rendered(&self, key: &Key, bytes: usize) {
        let labels = if self.0.sizes_by_snippet { size_labels(key) } else { Vec::new() };
        self.0.rendered_bytes.get_or_create(&labels).observe(bytes as f64);
    }

    /// A snippet is gone; its series go with it, but for the count of forced drops.
    pub fn forget(&self, key: &Key) {
        let series = self.0.reconcile_series.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        for labels in series.unwrap_or_default() {
            self.0.reconcile_total.remove(&labels);
        }
        self.0.rendered_bytes.remove(&size_labels(key));
        self.0.rate_limited_total.remove(&snippet_labels(key));
        self.0.snippet_eval_unavailable_total.remove(&snippet_labels(key));
    }

    /// A finalizer was dropped although the store refused.
    pub fn force_dropped(&self, key: &Key, reason: &'static str) {
        let labels = DropLabels { namespace: key.namespace().to_owned(), name: key.name().to_owned(), reason };
        self.0.force_drop_total.get_or_create(&labels).inc();
    }

    /// Evaluations may run this many at once.
    pub fn evaluation_limit(&self, limit: usize) {
        self.0.eval_max_concurrent.set(i64::try_from(limit).unwrap_or(i64::MAX));
    }

    /// What keeps evaluations apart from everything else.
    pub fn evaluations_isolated(&self, landlock: bool, seccomp: bool) {
        for (layer, holds) in [("landlock", landlock), ("seccomp", seccomp)] {
            self.0.eval_isolated.get_or_create(&LayerLabels { layer }).set(i64::from(holds));
        }
    }

    /// An evaluation runs for as long as the returned value lives.
    pub fn evaluation_started(&self) -> Running {
        self.0.eval_in_flight.inc();
        Running(self.0.eval_in_flight.clone())
    }

    /// A snippet waits for its turn for as long as the returned value lives.
    pub fn evaluation_waits(&self) -> Running {
        self.0.eval_waiting.inc();
        Running(self.0.eval_waiting.clone())
    }

    /// A sweep of the store failed.
    pub fn sweep_failed(&self) {
        self.0.sweep_failures_total.inc();
    }

    /// A request for a token failed.
    pub fn token_mint_failed(&self, account: &Account) {
        let name = self.0.refused_accounts.name(account);
        let labels = AccountLabels { namespace: account.namespace.clone(), account: AccountName(name) };
        self.0.token_mint_failures_total.get_or_create(&labels).inc();
    }

    /// A step of a reconcile took this long.
    pub fn stage(&self, stage: Stage, took: std::time::Duration) {
        self.0.stage_seconds.get_or_create(&StageLabels { stage }).observe(took.as_secs_f64());
    }

    /// The store is well, or in trouble for a reason.
    pub fn store_condition(&self, reason: Option<&'static str>) {
        let up = &self.0.store.up;
        up.clear();
        up.get_or_create(&ConditionLabels { reason: reason.unwrap_or_default() }).set(i64::from(reason.is_none()));
    }

    /// Whether the store is known to be ours.
    pub fn store_owned(&self, ours: bool) {
        self.0.store.owned.set(i64::from(ours));
    }

    /// The store was measured.
    pub fn store_usage(&self, usage: &Usage) {
        let gauges = &self.0.store;
        gauges.bytes.set(level(usage.bytes));
        gauges.files.set(level(usage.files));
        for (family, value) in [
            (&gauges.free_bytes, usage.free_bytes),
            (&gauges.total_bytes, usage.total_bytes),
            (&gauges.free_inodes, usage.free_inodes),
            (&gauges.quota_bytes, usage.quota),
        ] {
            match value {
                Some(value) => {
                    family.get_or_create(&[]).set(level(value));
                }
                None => family.clear(),
            }
        }
    }

    /// When the store is full, where it fills.
    pub fn store_full_in(&self, time: Option<std::time::Duration>) {
        let family = &self.0.store.full_in_seconds;
        match time {
            Some(time) => {
                family.get_or_create(&[]).set(level(time.as_secs()));
            }
            None => family.clear(),
        }
    }

    /// What the artifacts of each namespace take, and what those of one may, where that is limited. A namespace without artifacts has no
    /// series.
    pub fn store_namespaces(&self, bytes: &BTreeMap<String, u64>, quota: Option<u64>) {
        let gauges = &self.0.store;
        let labels = |namespace: &String| NamespaceLabels { namespace: namespace.clone() };
        let mut told = gauges.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in told.iter().filter(|namespace| !bytes.contains_key(*namespace)) {
            gauges.namespace_bytes.remove(&labels(gone));
        }
        for (namespace, bytes) in bytes {
            gauges.namespace_bytes.get_or_create(&labels(namespace)).set(level(*bytes));
        }
        *told = bytes.keys().cloned().collect();
        if let Some(quota) = quota {
            gauges.namespace_quota_bytes.get_or_create(&[]).set(level(quota));
        }
    }

    /// A request to the admin endpoint was answered.
    pub fn admin_answered(&self, call: &'static str, code: u16) {
        self.0.admin_requests_total.get_or_create(&AdminLabels { call, code }).inc();
    }

    /// A render was put off.
    pub fn rate_limited(&self, key: &Key) {
        self.0.rate_limited_total.get_or_create(&snippet_labels(key)).inc();
    }

    /// A render was put off because no worker could be had.
    pub fn eval_unavailable(&self, key: &Key) {
        self.0.eval_unavailable_total.inc();
        self.0.snippet_eval_unavailable_total.get_or_create(&snippet_labels(key)).inc();
    }

    /// A request was refused because as many evaluations ran as may.
    pub fn eval_rejected(&self) {
        self.0.eval_unavailable_total.inc();
    }

    /// A published file was looked for.
    pub fn checked(&self, result: Check) {
        self.0.artifacts_checked_total.get_or_create(&ResultLabels { result }).inc();
    }
}

impl StoreGauges {
    fn registered(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let mut gauge = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("jaas_storage_owned", "Whether the store is known to be this installation's", &gauges.owned);
        gauge("jaas_storage_bytes", "Bytes that the store takes", &gauges.bytes);
        gauge("jaas_storage_files", "Files or objects in the store", &gauges.files);
        for (name, help, family) in [
            ("jaas_storage_free_bytes", "Bytes that are free on the store's volume", &gauges.free_bytes),
            ("jaas_storage_total_bytes", "Bytes of the store's volume", &gauges.total_bytes),
            ("jaas_storage_free_inodes", "Inodes that are free on the store's volume", &gauges.free_inodes),
            ("jaas_storage_quota_bytes", "Bytes that the store may take", &gauges.quota_bytes),
            (
                "jaas_storage_full_in_seconds",
                "Time until the store's volume or quota is used up, going by the last hours",
                &gauges.full_in_seconds,
            ),
            (
                "jaas_storage_namespace_quota_bytes",
                "Bytes that the artifacts of one namespace may take",
                &gauges.namespace_quota_bytes,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        let help = "Bytes that the artifacts of a namespace take";
        registry.register("jaas_storage_namespace_bytes", help, gauges.namespace_bytes.clone());
        let help = "Whether the store answers; 0 with the reason where it does not";
        registry.register("jaas_storage_up", help, gauges.up.clone());
        gauges
    }
}

/// A number as a gauge holds it.
fn level(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Accounts of one namespace that are told by name. Whoever writes a snippet names its account, and a series stays.
const ACCOUNTS: usize = 100;

/// Accounts that are told by name, by namespace.
#[derive(Default)]
struct Accounts(Mutex<HashMap<String, HashSet<String>>>);

impl Accounts {
    /// The account's name, or what stands for further ones of its namespace, which no account can be called.
    fn name(&self, account: &Account) -> String {
        let mut namespaces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = namespaces.entry(account.namespace.clone()).or_default();
        if known.contains(&account.name) || known.len() < ACCOUNTS {
            known.insert(account.name.clone());
            account.name.clone()
        } else {
            "(others)".to_owned()
        }
    }
}

/// An evaluation that runs.
pub struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn snippet_labels(key: &Key) -> SnippetLabels {
    SnippetLabels { namespace: key.namespace().to_owned(), name: key.name().to_owned() }
}

fn size_labels(key: &Key) -> Vec<(&'static str, String)> {
    vec![("namespace", key.namespace().to_owned()), ("name", key.name().to_owned())]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_scrape_carries_the_names_and_labels_of_the_contract() {
        let metrics = Metrics::default();
        let key = Key::new("a", "b").unwrap();
        metrics.judged(&key, false, Reason::InvalidSpec);
        metrics.rendered(&key, 300);
        metrics.force_dropped(&key, "withdraw_timed_out");
        metrics.token_mint_failed(&Account { namespace: "a".to_owned(), name: "t".to_owned() });
        metrics.sweep_failed();
        metrics.eval_unavailable(&key);
        let running = metrics.evaluation_started();
        metrics.evaluation_limit(4);
        let text = metrics.encode().unwrap();
        for line in [
            "jaas_snippet_reconcile_total{namespace=\"a\",name=\"b\",status=\"False\",reason=\"InvalidSpec\"} 1",
            "jaas_snippet_rendered_bytes_bucket{le=\"1024.0\",namespace=\"a\",name=\"b\"} 1",
            "jaas_snippet_force_drop_total{namespace=\"a\",name=\"b\",reason=\"withdraw_timed_out\"} 1",
            "jaas_tenant_token_mint_failures_total{namespace=\"a\",serviceAccount=\"t\"} 1",
            "jaas_storage_sweep_failures_total 1",
            "jaas_snippet_eval_unavailable_total{namespace=\"a\",name=\"b\"} 1",
            "jaas_eval_unavailable_total 1",
            "jaas_eval_in_flight 1",
            "jaas_eval_max_concurrent 4",
            "jaas_eval_outstanding_timed_out 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        metrics.store_usage(&Usage { bytes: 7, files: 1, quota: Some(9), ..Usage::default() });
        metrics.store_condition(Some("StorageFull"));
        metrics.checked(Check::Intact);
        metrics.admin_answered("stats", 403);
        let measured = metrics.encode().unwrap();
        for line in [
            "jaas_storage_bytes 7",
            "jaas_storage_files 1",
            "jaas_storage_quota_bytes{} 9",
            "jaas_storage_owned 0",
            "jaas_storage_up{reason=\"StorageFull\"} 0",
            "jaas_storage_artifacts_checked_total{result=\"intact\"} 1",
            "jaas_admin_requests_total{call=\"stats\",code=\"403\"} 1",
        ] {
            assert!(measured.lines().any(|found| found == line), "{line} is missing in\n{measured}");
        }
        assert!(!measured.contains("jaas_storage_free_bytes{"), "what is not known has no value");
        assert!(!measured.contains("jaas_storage_namespace_quota_bytes{"));
        metrics.store_namespaces(&BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 4)]), Some(9));
        metrics.store_namespaces(&BTreeMap::from([("b".to_owned(), 5)]), Some(9));
        let shares = metrics.encode().unwrap();
        assert!(shares.contains("jaas_storage_namespace_bytes{namespace=\"b\"} 5"), "{shares}");
        assert!(shares.contains("jaas_storage_namespace_quota_bytes{} 9"), "{shares}");
        assert!(!shares.contains("namespace=\"a\"} 3"), "a namespace without artifacts has no series");
        drop(running);
        metrics.forget(&key);
        let text = metrics.encode().unwrap();
        assert!(!text.contains("jaas_snippet_reconcile_total{"));
        assert!(text.contains("jaas_snippet_force_drop_total{"));
        assert!(text.contains("jaas_eval_in_flight 0"));
        assert!(!text.contains("jaas_snippet_rendered_bytes_bucket{"));
    }

    #[test]
    fn sizes_can_be_told_without_names() {
        let metrics = Metrics::new(false);
        for name in ["b", "c"] {
            metrics.rendered(&Key::new("a", name).unwrap(), 300);
        }
        let text = metrics.encode().unwrap();
        assert!(text.contains("jaas_snippet_rendered_bytes_bucket{le=\"1024.0\"} 2"), "{text}");
        assert!(!text.contains("name=\"b\""), "{text}");
    }

    #[test]
    fn accounts_that_tenants_invent_end_in_one_series() {
        let metrics = Metrics::default();
        let failed = |namespace: &str, name: &str| {
            metrics.token_mint_failed(&Account { namespace: namespace.to_owned(), name: name.to_owned() });
        };
        for number in 0..ACCOUNTS + 50 {
            failed("a", &format!("t{number}"));
        }
        failed("a", "t0");
        failed("b", "t");
        let text = metrics.encode().unwrap();
        let series = |labels: &str| {
            let start = format!("jaas_tenant_token_mint_failures_total{{{labels}");
            text.lines().filter(|line| line.starts_with(&start)).collect::<Vec<_>>()
        };
        assert_eq!(series("namespace=\"a\"").len(), ACCOUNTS + 1);
        for (account, times) in [("(others)", 50), ("t0", 2), ("t99", 1)] {
            let found = series(&format!("namespace=\"a\",serviceAccount=\"{account}\""));
            assert!(found.len() == 1 && found.iter().all(|line| line.ends_with(&format!(" {times}"))), "{found:?}");
        }
        assert_eq!(series("namespace=\"b\",serviceAccount=\"t\"").len(), 1, "each namespace has its own");
    }
}
