//! The HTTP renderer without an operator: no cluster, no store.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Gate, Renderer, routes};
use crate::app::{drain, prepare_workers, serve, workers};
use crate::config::Config;
use crate::fair::Slots;
use crate::http::probe::Health;
use crate::http::{listener, metrics, probe};
use crate::shutdown::{Signals, Stops};
use crate::telemetry::metrics::Metrics;

/// Runs until a signal ends it.
///
/// # Errors
/// When a port is taken, or a server ends by itself.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let management = listener::bind("management", &config.management.host, config.management.port).await?;
    let jsonnet = listener::bind("jsonnet", &config.renderer.listener.host, config.renderer.listener.port).await?;
    let scraped = match config.metrics {
        Some(address) => Some(listener::bind_address("metrics", address).await?),
        None => None,
    };
    let told = Metrics::default();
    told.evaluation_limit(config.evaluation.max_concurrent);
    let workers = Arc::new(workers(&config));
    prepare_workers(&workers, &told).await;

    let (stops, health) = (Stops::default(), Health::alone());
    let mut servers = JoinSet::new();
    serve(&mut servers, management, warp::service(probe::routes(health.clone())), &config.management, &stops);
    let gate = Gate::alone(Slots::new(config.evaluation.max_concurrent));
    let renderer = Renderer::new(&config, workers, gate, told.clone());
    serve(&mut servers, jsonnet, warp::service(routes(renderer)), &config.renderer.listener, &stops);
    if let Some(socket) = scraped {
        serve(&mut servers, socket, warp::service(metrics::routes(told)), &config.management, &stops);
    }
    health.started();
    tracing::info!(
        snippets = config.renderer.snippets.len(),
        directories = ?config.renderer.directories,
        "Rendering over HTTP without an operator"
    );

    let died = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "Received signal, shutting down");
            None
        }
        Some(ended) = servers.join_next() => Some(format!("a server ended: {ended:?}")),
    };
    health.draining();
    match died {
        Some(what) => {
            tracing::error!(error = what, "Server error, shutting down");
            stops.serving.cancel();
            anyhow::bail!(what)
        }
        None => {
            drain(config.shutdown_delay, &mut signals).await;
            stops.serving.cancel();
            while servers.join_next().await.is_some() {}
            Ok(())
        }
    }
}
