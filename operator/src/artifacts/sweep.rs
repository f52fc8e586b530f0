//! Sweeps what interrupted writers left in the store.

use std::sync::Arc;
use std::time::Duration;

use jaas_storage::Store;
use tokio_util::sync::CancellationToken;

use crate::snippet::World;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

/// Longest pause while nothing may be removed: a process leads, and knows whose store it is, only some time after its start.
const LOOK: Duration = Duration::from_secs(2);

/// Sweeps a store of ours as soon as the process leads and then at every interval; an interval of zero sweeps never.
pub async fn run(world: Arc<World>, interval: Duration, max_age: Duration, stop: CancellationToken) {
    if interval.is_zero() {
        return;
    }
    loop {
        let leads = world.authority.permit().is_ok();
        let mut pause = interval.min(LOOK);
        // Asked anew after the wait.
        if leads
            && world.custody.may_remove().await.is_ok()
            && let Ok(permit) = world.authority.permit()
            && permit.during(sweep(&*world.store, &world.metrics, max_age)).await.is_ok()
        {
            pause = interval;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
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
