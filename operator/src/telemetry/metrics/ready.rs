//! How the snippets are, read from the cache at each scrape: what a restart would forget is in their status.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use jaas_api::JsonnetSnippet;
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads the cache, once there is one.
#[derive(Clone, Default)]
pub(super) struct Readiness(Arc<OnceLock<Store<JsonnetSnippet>>>);

impl fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Readiness")
    }
}

impl Readiness {
    pub(super) fn of(&self, snippets: Store<JsonnetSnippet>) {
        // The cache is built once; a second one would be another process's.
        let _ = self.0.set(snippets);
    }
}

/// Ready status and reason; a snippet that nobody has judged is pending.
fn told(snippet: &JsonnetSnippet) -> (String, String) {
    let status = snippet.status.clone().unwrap_or_default();
    match status.ready() {
        Some(ready) => (ready.status.clone(), ready.reason.clone()),
        None => ("Unknown".to_owned(), "Pending".to_owned()),
    }
}

impl Collector for Readiness {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(snippets) = self.0.get() else { return Ok(()) };
        let snippets = snippets.state();
        let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
        let help = "Whether a snippet is ready, with the reason of its Ready condition";
        let mut each = encoder.encode_descriptor("jaas_snippet_ready", help, None, MetricType::Gauge)?;
        let mut seen = HashSet::new();
        for snippet in &snippets {
            let (namespace, name) = (snippet.namespace().unwrap_or_default(), snippet.name_any());
            let (status, reason) = told(snippet);
            *counts.entry((status.clone(), reason.clone())).or_default() += 1;
            // A series that comes twice would make the whole scrape useless.
            if !seen.insert((namespace.clone(), name.clone())) {
                continue;
            }
            let labels = [("namespace", namespace), ("name", name), ("reason", reason)];
            ConstGauge::new(i64::from(status == "True")).encode(each.encode_family(&labels)?)?;
        }
        let help = "Snippets by Ready status and reason";
        let mut all = encoder.encode_descriptor("jaas_snippets", help, None, MetricType::Gauge)?;
        for ((status, reason), count) in counts {
            let labels = [("status", status), ("reason", reason)];
            ConstGauge::new(count).encode(all.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jaas_api::snippet::SnippetSpec;
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::watcher::Event;
    use prometheus_client::registry::Registry;
    use serde_json::json;

    #[test]
    fn each_snippet_is_told_as_its_status_is() {
        let mut writer = Writer::default();
        let readiness = Readiness::default();
        readiness.of(writer.as_reader());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(readiness));
        let mut bad = JsonnetSnippet::new("a", "bad", SnippetSpec::default());
        bad.status = serde_json::from_value(json!({"conditions": [{
            "type": "Ready", "status": "False", "reason": "InvalidSpec", "message": "", "lastTransitionTime": "1970-01-01T00:00:00Z",
        }]}))
        .unwrap();
        for snippet in [bad, JsonnetSnippet::new("a", "new", SnippetSpec::default())] {
            writer.apply_watcher_event(&Event::Apply(snippet));
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "jaas_snippet_ready{namespace=\"a\",name=\"bad\",reason=\"InvalidSpec\"} 0",
            "jaas_snippet_ready{namespace=\"a\",name=\"new\",reason=\"Pending\"} 0",
            "jaas_snippets{status=\"False\",reason=\"InvalidSpec\"} 1",
            "jaas_snippets{status=\"Unknown\",reason=\"Pending\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
