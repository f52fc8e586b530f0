//! Figures that the operator's metrics tell, where a Service names their port.

use std::time::Duration;

use jaas_findings::facts::{Facts, Health, HealthState, Metrics, Pod, Usage};
use jaas_findings::known::Obstacle;
use jaas_findings::{Known, Why};

use super::network::Target;
use super::tell;
use crate::session::{Call, Session};

/// Longest wait for an answer: figures are worth something beside all else, and nothing is held up for them.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was read.
pub(super) struct Read(Known<String>);

/// Reads the metrics through the service proxy. With several Pods nobody can tell whose figures a Service gives.
pub(super) async fn read(
    session: &Session,
    namespace: &str,
    service: Option<&Target>,
    pods: Option<&Vec<Pod>>,
) -> Read {
    let not_offered = |what: &str| Read(Known::No(Why::new(Obstacle::NotOffered, what)));
    let Some(Target { name, port }) = service else { return not_offered("metrics, which no Service leads to") };
    if pods.is_none_or(|pods| pods.iter().filter(|pod| pod.is_live()).count() != 1) {
        return not_offered("the leader's metrics, where a Service leads to any of several Pods");
    }
    let path = format!("/api/v1/namespaces/{namespace}/services/http:{name}:{port}/proxy/metrics");
    let Ok(request) = http::Request::get(path).body(Vec::new()) else { return not_offered("a path to the metrics") };
    let call = Call::new("get", "", "services/proxy", &["get"]).within(Some(namespace)).named(name);
    // Of a Pod that does not answer, one refusal says enough.
    let client = match session.once() {
        Ok(client) => client,
        Err(error) => return Read(Known::No(tell::why(&error))),
    };
    match tokio::time::timeout(PATIENCE, session.call(&call, client.request_text(request))).await {
        Ok(Ok(text)) => Read(Known::Yes(text)),
        Ok(Err(error)) => Read(Known::No(tell::why(&error))),
        Err(_) => Read(Known::No(Why::new(Obstacle::TimedOut, "the metrics, through their Service"))),
    }
}

impl Read {
    /// Notes what the figures say.
    pub(super) fn note(self, facts: &mut Facts) {
        let text = match self.0 {
            Known::Yes(text) => text,
            Known::No(why) => {
                facts.signals.metrics = Known::No(why);
                return;
            }
        };
        let figure = |name: &str| value(&text, name);
        let known = |name: &str| match figure(name) {
            Some(figure) => Known::Yes(figure),
            None => Known::No(Why::new(Obstacle::NotOffered, format!("the metric {name}"))),
        };
        facts.signals.metrics = Known::Yes(Metrics {
            queue_depth: known("workqueue_depth"),
            reconcile_p99_seconds: Known::No(Why::new(Obstacle::NotOffered, "how long reconciles take")),
            evaluations: known("jaas_eval_in_flight"),
            evaluations_limit: known("jaas_eval_max_concurrent"),
            evaluations_abandoned: known("jaas_eval_outstanding_timed_out"),
            sweep_failures: known("jaas_storage_sweep_failures_total"),
        });
        if let (Known::Yes(Some(webhook)), Some(expires)) =
            (&mut facts.signals.webhook, figure("jaas_webhook_cert_expiration_timestamp_seconds"))
            && let Ok(expires) = jiff::Timestamp::from_second(i64::try_from(whole(expires)).unwrap_or(i64::MAX))
        {
            webhook.expires = Known::Yes(expires);
        }
        // Of a store that is down the metrics do not tell why, so nothing is said then.
        if figure("jaas_storage_up") == Some(1.0) {
            let (detail, fine) = ("jaas_storage_up is 1".to_owned(), HealthState::Fine);
            let health = Health { state: fine, detail, clock_ahead_seconds: None, missing_is_told: None };
            facts.store.health = Known::Yes(health);
        }
        if let (Some(bytes), Some(files)) = (figure("jaas_storage_bytes"), figure("jaas_storage_files")) {
            let count = |name: &str| match figure(name) {
                Some(figure) => Known::Yes(whole(figure)),
                None => Known::No(Why::new(Obstacle::NotOffered, format!("the metric {name}"))),
            };
            facts.store.usage = Known::Yes(Usage {
                bytes: whole(bytes),
                files: whole(files),
                free_bytes: count("jaas_storage_free_bytes"),
                total_bytes: count("jaas_storage_total_bytes"),
                free_inodes: match figure("jaas_storage_free_inodes") {
                    Some(figure) => Known::Yes(Some(whole(figure))),
                    None => Known::No(Why::new(Obstacle::NotOffered, "the metric jaas_storage_free_inodes")),
                },
                quota: figure("jaas_storage_quota_bytes").map(whole).filter(|quota| *quota > 0),
            });
        }
    }
}

/// Counts are far below the numbers that a metric cannot hold exactly.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn whole(figure: f64) -> u64 {
    figure.max(0.0) as u64
}

/// The sum of all series of a metric; `None` where there is none.
fn value(text: &str, name: &str) -> Option<f64> {
    let figures = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let figure = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        figure.split_whitespace().next()?.parse::<f64>().ok()
    });
    figures.fold(None, |sum, figure| Some(sum.unwrap_or(0.0) + figure))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn figures_are_summed_over_their_series_and_never_invented() {
        let text = "# HELP a x\na{b=\"1}\"} 2\na{b=\"2\"} 3 1700000000\nab 7\njaas_storage_up 1\n";
        assert_eq!((value(text, "a"), value(text, "ab"), value(text, "c")), (Some(5.0), Some(7.0), None));
        let mut facts = Facts::empty(Timestamp::UNIX_EPOCH);
        Read(Known::Yes(text.to_owned())).note(&mut facts);
        assert_eq!(facts.store.health.ok().map(|health| health.state), Some(HealthState::Fine));
        assert!(facts.store.usage.ok().is_none());
        let metrics = facts.signals.metrics.ok().cloned().unwrap_or_default();
        assert_eq!(metrics.queue_depth.why().map(|why| why.why), Some(Obstacle::NotOffered));
        let mut down = Facts::empty(Timestamp::UNIX_EPOCH);
        Read(Known::Yes("jaas_storage_up 0\n".to_owned())).note(&mut down);
        assert!(down.store.health.ok().is_none());
    }
}
