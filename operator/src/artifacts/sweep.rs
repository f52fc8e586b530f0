//! Sweeps what interrupted writers left in the store.

use std::sync::Arc;
use std::time::Duration;

use jaas_storage::Store;
use tokio_util::sync::CancellationToken;

use crate::cluster::Authority;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

/// Sweeps at once and then at every interval; an interval of zero sweeps never.
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
        let _permit = authority.permit();
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
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}
