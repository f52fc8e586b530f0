//! Sweeps what interrupted writers left in the store.

use std::sync::Arc;
use std::time::Duration;

use jaas_storage::Store;
use tokio_util::sync::CancellationToken;

use crate::leadership::Authority;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

/// Sweeps at once and then at every interval while the process leads; an interval of zero sweeps never.
pub async fn run(
    store: Arc<dyn Store>,
    authority: Authority,
    metrics: Metrics,
    interval: Duration,
    max_age: Duration,
    stop: CancellationToken,
) {
    if interval.is_zero() {
        return;
    }
    loop {
        if let Ok(_permit) = authority.permit() {
            sweep(&*store, &metrics, max_age).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

async fn sweep(store: &dyn Store, metrics: &Metrics, max_age: Duration) {
    match store.sweep(max_age).await {
        Ok(swept) if swept.removed > 0 => {
            tracing::info!(count = swept.removed, "Storage sweep removed orphaned .tmp files");
        }
        Ok(_) => {}
        Err(error) => {
            metrics.sweep_failed();
            tracing::warn!(error = chain(&error), "Storage sweep failed");
        }
    }
}
