//! The controller's queue and its reconciles, under the names that every controller-runtime program has.

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Name of the controller and of its queue.
const CONTROLLER: &str = "jsonnetsnippet";
const OF_QUEUE: [(&str, &str); 2] = [("name", CONTROLLER), ("controller", CONTROLLER)];
const OF_CONTROLLER: [(&str, &str); 1] = [("controller", CONTROLLER)];

/// Upper bounds that controller-runtime gives the time of a reconcile, in seconds.
const RECONCILE_BUCKETS: [f64; 40] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5,
    1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0,
];

type QueueLabels = [(&'static str, &'static str); 2];
type ControllerLabels = [(&'static str, &'static str); 1];
type ResultLabels = [(&'static str, &'static str); 2];

/// How a reconcile ended, in the words of controller-runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is to be done until something changes.
    Success,
    /// It is looked at again after a time.
    RequeueAfter,
    /// It failed and is tried again.
    Error,
    /// It panicked and is tried again.
    Panic,
}

impl Ending {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Error | Self::Panic => "error",
        }
    }
}

/// The metrics. Clones share the values.
#[derive(Clone)]
pub struct Queue {
    depth: Gauge,
    adds: Counter,
    retries: Counter,
    waited: Histogram,
    worked: Histogram,
    reconciles: Family<ResultLabels, Counter>,
    errors: Counter,
    panics: Counter,
    took: Histogram,
    active: Gauge,
    at_once: Gauge,
}

impl Queue {
    /// All at zero.
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let of_queue = |name: &str, help: &str, registry: &mut Registry| {
            let family = Family::<QueueLabels, Counter>::default();
            registry.register(name, help, family.clone());
            family.get_or_create_owned(&OF_QUEUE)
        };
        let adds = of_queue("workqueue_adds", "Snippets that were queued", registry);
        let retries = of_queue("workqueue_retries", "Snippets that were queued again after a failure", registry);
        let depth = Family::<QueueLabels, Gauge>::default();
        registry.register("workqueue_depth", "Snippets that wait for their turn", depth.clone());
        // From 10 ns to 1000 s, as every work queue has them.
        let times = || {
            Family::<QueueLabels, Histogram>::new_with_constructor(|| {
                Histogram::new(exponential_buckets(10e-9, 10.0, 12))
            })
        };
        let (waited, worked) = (times(), times());
        registry.register(
            "workqueue_queue_duration_seconds",
            "Time that a snippet waited for its turn",
            waited.clone(),
        );
        registry.register("workqueue_work_duration_seconds", "Time that a snippet's turn took", worked.clone());

        let reconciles = Family::<ResultLabels, Counter>::default();
        registry.register("controller_runtime_reconcile", "Reconciles by their result", reconciles.clone());
        let of_controller = |name: &str, help: &str, registry: &mut Registry| {
            let family = Family::<ControllerLabels, Counter>::default();
            registry.register(name, help, family.clone());
            family.get_or_create_owned(&OF_CONTROLLER)
        };
        let errors = of_controller("controller_runtime_reconcile_errors", "Reconciles that failed", registry);
        let panics = of_controller("controller_runtime_reconcile_panics", "Reconciles that panicked", registry);
        let took = Family::<ControllerLabels, Histogram>::new_with_constructor(|| Histogram::new(RECONCILE_BUCKETS));
        registry.register("controller_runtime_reconcile_time_seconds", "Time that a reconcile took", took.clone());
        let gauge = |name: &str, help: &str, registry: &mut Registry| {
            let family = Family::<ControllerLabels, Gauge>::default();
            registry.register(name, help, family.clone());
            family.get_or_create_owned(&OF_CONTROLLER)
        };
        let active = gauge("controller_runtime_active_workers", "Reconciles that run now", registry);
        let at_once =
            gauge("controller_runtime_max_concurrent_reconciles", "Reconciles that may run at once", registry);
        Self {
            depth: depth.get_or_create_owned(&OF_QUEUE),
            adds,
            retries,
            waited: waited.get_or_create_owned(&OF_QUEUE),
            worked: worked.get_or_create_owned(&OF_QUEUE),
            reconciles,
            errors,
            panics,
            took: took.get_or_create_owned(&OF_CONTROLLER),
            active,
            at_once,
        }
    }

    /// Reconciles may run this many at once.
    pub fn limit(&self, limit: usize) {
        self.at_once.set(i64::try_from(limit).unwrap_or(i64::MAX));
    }

    /// A snippet waits for its turn for as long as the returned value lives.
    pub fn waits(&self) -> Waiting {
        self.adds.inc();
        self.depth.inc();
        Waiting { queue: self.clone(), since: Instant::now() }
    }

    fn ended(&self, ending: Ending, took: Duration) {
        self.reconciles.get_or_create(&[OF_CONTROLLER[0], ("result", ending.word())]).inc();
        self.took.observe(took.as_secs_f64());
        if matches!(ending, Ending::Error | Ending::Panic) {
            self.errors.inc();
            self.retries.inc();
        }
        if ending == Ending::Panic {
            self.panics.inc();
        }
    }
}

/// A snippet that waits for its turn.
pub struct Waiting {
    queue: Queue,
    since: Instant,
}

impl Waiting {
    /// It is its turn.
    pub fn begins(self) -> Working {
        self.queue.waited.observe(self.since.elapsed().as_secs_f64());
        self.queue.active.inc();
        Working { queue: self.queue.clone(), since: Instant::now() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.depth.dec();
    }
}

/// A snippet whose turn it is, for as long as this lives.
pub struct Working {
    queue: Queue,
    since: Instant,
}

impl Working {
    /// Its turn ended like this.
    pub fn ends(self, ending: Ending) {
        self.queue.ended(ending, self.since.elapsed());
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.queue.active.dec();
        self.queue.worked.observe(self.since.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn a_turn_is_counted_from_waiting_to_its_end() {
        let mut registry = Registry::default();
        let queue = Queue::registered(&mut registry);
        queue.limit(16);
        let waiting = queue.waits();
        let has = |line: &str| {
            let text = text(&registry);
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        };
        has("workqueue_depth{name=\"jsonnetsnippet\",controller=\"jsonnetsnippet\"} 1");
        has("workqueue_adds_total{name=\"jsonnetsnippet\",controller=\"jsonnetsnippet\"} 1");
        let working = waiting.begins();
        has("workqueue_depth{name=\"jsonnetsnippet\",controller=\"jsonnetsnippet\"} 0");
        has("controller_runtime_active_workers{controller=\"jsonnetsnippet\"} 1");
        has("controller_runtime_max_concurrent_reconciles{controller=\"jsonnetsnippet\"} 16");
        working.ends(Ending::Panic);
        queue.waits().begins().ends(Ending::Success);
        for line in [
            "controller_runtime_active_workers{controller=\"jsonnetsnippet\"} 0",
            "controller_runtime_reconcile_total{controller=\"jsonnetsnippet\",result=\"error\"} 1",
            "controller_runtime_reconcile_total{controller=\"jsonnetsnippet\",result=\"success\"} 1",
            "controller_runtime_reconcile_errors_total{controller=\"jsonnetsnippet\"} 1",
            "controller_runtime_reconcile_panics_total{controller=\"jsonnetsnippet\"} 1",
            "controller_runtime_reconcile_time_seconds_count{controller=\"jsonnetsnippet\"} 2",
            "controller_runtime_reconcile_time_seconds_bucket{le=\"60.0\",controller=\"jsonnetsnippet\"} 2",
            "workqueue_retries_total{name=\"jsonnetsnippet\",controller=\"jsonnetsnippet\"} 1",
            "workqueue_queue_duration_seconds_count{name=\"jsonnetsnippet\",controller=\"jsonnetsnippet\"} 2",
            "workqueue_work_duration_seconds_count{name=\"jsonnetsnippet\",controller=\"jsonnetsnippet\"} 2",
        ] {
            has(line);
        }
    }

    #[test]
    fn who_gives_up_waiting_waits_no_more() {
        let mut registry = Registry::default();
        let queue = Queue::registered(&mut registry);
        drop(queue.waits());
        assert!(text(&registry).contains("workqueue_depth{name=\"jsonnetsnippet\",controller=\"jsonnetsnippet\"} 0"));
    }
}
