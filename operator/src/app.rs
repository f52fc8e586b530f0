//! Builds everything once and runs it to its end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use jaas_api::{ExternalArtifact, JsonnetLibrary, JsonnetSnippet};
use jaas_render::worker::{Limits, Pool};
use jaas_storage::{LocalStore, Store};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::artifacts::catalog::Catalog;
use crate::artifacts::{heal, sweep};
use crate::cluster::events::Events;
use crate::cluster::tenant::Tenants;
use crate::cluster::watch::{Watched, watch};
use crate::cluster::{Authority, connect};
use crate::config::{Args, Command, Config, Listener};
use crate::controller::{self, Changes};
use crate::generate::generate;
use crate::http::listener::{self, Timeouts};
use crate::http::probe::Health;
use crate::http::{artifact, metrics, probe};
use crate::shutdown::{RECONCILES, RESPONSES, Signals, Stops};
use crate::snippet::World;
use crate::snippet::memory::Memory;
use crate::snippet::outcome::chain;
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;

/// A mistake in the invocation.
const USAGE: u8 = 2;
/// Anything that went wrong later.
const FAILURE: u8 = 1;

/// The program: parses, and runs what was asked for.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help goes to standard output and is no mistake; the rest is.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if args.run.version {
        say(&format!("version: {}\ncommit: {}", env!("CARGO_PKG_VERSION"), commit()));
        return ExitCode::SUCCESS;
    }
    if let Some(Command::Generate { what }) = args.command {
        return match generate(what) {
            Ok(text) => {
                say(text.trim_end());
                ExitCode::SUCCESS
            }
            Err(error) => complain(&chain(&error), FAILURE),
        };
    }
    match Config::new(args.run, std::env::vars()) {
        Ok(config) => run(config),
        Err(mistakes) => complain(&mistakes.to_string(), USAGE),
    }
}

/// The commit that the program was built from, where the build was told.
fn commit() -> &'static str {
    option_env!("JAAS_COMMIT").unwrap_or("unknown")
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn complain(text: &str, code: u8) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(code)
}

fn run(config: Config) -> ExitCode {
    log::start(config.log);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), commit = commit(), "Starting JaaS");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("starting the runtime: {error}"), FAILURE),
    };
    match runtime.block_on(operate(config)) {
        Ok(()) => {
            tracing::info!("JaaS service has shut down");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "JaaS ends");
            ExitCode::from(FAILURE)
        }
    }
}

/// Sockets that are bound before anything else is tried, so that a taken port ends the process at once.
struct Sockets {
    management: TcpListener,
    storage: TcpListener,
    metrics: Option<TcpListener>,
}

impl Sockets {
    async fn bind(config: &Config) -> Result<Self, listener::BindError> {
        let bind = async |name, settings: &Listener| listener::bind(name, &settings.host, settings.port).await;
        Ok(Self {
            management: bind("management", &config.management).await?,
            storage: bind("storage", &config.storage.listener).await?,
            metrics: match config.metrics {
                Some(address) => Some(listener::bind_address("metrics", address).await?),
                None => None,
            },
        })
    }
}

async fn operate(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(&config.storage.path)?);
    let kube = connect::load(config.cluster.kubeconfig.as_deref()).await?;
    let sockets = Sockets::bind(&config).await?;
    let client = Client::try_from(kube.clone())?;

    let metrics = Metrics::new();
    metrics.evaluation_limit(config.evaluation.max_concurrent);
    let authority = Authority::sole_writer();
    let namespaces = &config.cluster.watch_namespaces;
    let snippets: Watched<JsonnetSnippet> = watch(&client, namespaces);
    let libraries: Watched<JsonnetLibrary> = watch(&client, namespaces);
    let artifacts: Watched<ExternalArtifact> = watch(&client, namespaces);
    let first_lists = [snippets.listed, artifacts.listed];
    let changes = Changes { snippets: snippets.changes, libraries: libraries.changes, artifacts: artifacts.changes };
    let world = Arc::new(World {
        base_url: config.storage.base_url.clone(),
        max_stack: config.evaluation.max_stack,
        tenants: Tenants::new(client.clone(), &kube, metrics.clone())?,
        events: Events::new(client.clone(), authority.clone()),
        client,
        authority: authority.clone(),
        store: Arc::clone(&store),
        workers: workers(&config),
        turns: Semaphore::new(config.evaluation.max_concurrent),
        snippets: snippets.store,
        libraries: libraries.store,
        artifacts: artifacts.store,
        memory: Memory::default(),
        metrics: metrics.clone(),
        settings: config.snippets.clone(),
    });
    tracing::info!(
        defaultServiceAccount = config.snippets.default_service_account,
        noCrossNamespaceRefs = config.snippets.no_cross_namespace_refs,
        extVarCount = config.snippets.external_variables.len(),
        "Operator manager ready"
    );

    let stops = Stops::default();
    let health = Health::default();
    let listed = CancellationToken::new();
    let catalog = Catalog::new(Arc::clone(&world), listed.clone());
    let (alarm, missing) = heal::Alarm::new();

    let mut servers = JoinSet::new();
    let artifact_routes = artifact::routes(artifact::Artifacts {
        store: Arc::clone(&store),
        catalog: catalog.clone(),
        alarm: alarm.clone(),
    });
    serve(&mut servers, sockets.storage, warp::service(artifact_routes), &config.storage.listener, &stops);
    serve(&mut servers, sockets.management, warp::service(probe::routes(health.clone())), &config.management, &stops);
    if let Some(socket) = sockets.metrics {
        serve(&mut servers, socket, warp::service(metrics::routes(metrics.clone())), &config.management, &stops);
    }
    health.started();

    let mut work = JoinSet::new();
    work.spawn(announce_lists(Arc::clone(&world), first_lists, listed, stops.work.clone()));
    work.spawn(heal::run(alarm, catalog, Arc::clone(&store), stops.work.clone()));
    let (interval, age) = (config.storage.sweep_interval, config.storage.sweep_max_tmp_age);
    work.spawn(sweep::run(store, authority, metrics, interval, age, stops.work.clone()));
    let controller = tokio::spawn(controller::run(Arc::clone(&world), changes, missing, stops.work.clone()));

    let signal = signals.next().await;
    tracing::info!(signal, "Received signal, shutting down");
    health.draining();
    stops.work.cancel();
    tokio::join!(finish_work(&world, controller, work), drain(config.shutdown_delay, &mut signals));
    stops.serving.cancel();
    while servers.join_next().await.is_some() {}
    Ok(())
}

fn workers(config: &Config) -> Pool {
    let limits = Limits {
        timeout: config.evaluation.timeout,
        memory_bytes: config.evaluation.memory_bytes,
        max_workers: config.evaluation.max_concurrent,
    };
    Pool::new("/proc/self/exe".into(), limits)
}

fn serve<S, B>(servers: &mut JoinSet<()>, socket: TcpListener, service: S, settings: &Listener, stops: &Stops)
where
    S: tower::Service<
            ::http::Request<hyper::body::Incoming>,
            Response = ::http::Response<B>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let timeouts = Timeouts { read: settings.read_timeout, write: settings.write_timeout };
    servers.spawn(listener::serve(socket, service, timeouts, stops.serving.clone(), RESPONSES));
}

/// Lets the catalog judge once the first lists of snippets and artifacts are in.
async fn announce_lists(
    world: Arc<World>,
    first_lists: [CancellationToken; 2],
    listed: CancellationToken,
    stop: CancellationToken,
) {
    let [snippets, artifacts] = first_lists;
    tokio::select! {
        () = stop.cancelled() => {}
        _ = async { tokio::join!(snippets.cancelled(), artifacts.cancelled()) } => {
            listed.cancel();
            tracing::info!(snippets = world.snippets.len(), artifacts = world.artifacts.len(), "First lists are in");
        }
    }
}

/// Waits for what has started.
async fn finish_work(world: &World, controller: tokio::task::JoinHandle<()>, mut work: JoinSet<()>) {
    let finished = async {
        if let Err(error) = controller.await {
            tracing::error!(%error, "The controller ended with an error");
        }
        while work.join_next().await.is_some() {}
        world.events.drain().await;
    };
    if tokio::time::timeout(RECONCILES, finished).await.is_err() {
        tracing::error!(goroutine = "reconcile", "Goroutine did not stop before shutdown deadline");
    }
}

/// Stays reachable until whoever routes to us has seen that we are not ready any more.
async fn drain(delay: Duration, signals: &mut Signals) {
    if delay.is_zero() {
        return;
    }
    tracing::info!(delay = %kube::core::Duration::from(delay), "Draining: waiting for readiness to propagate before shutdown");
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        _ = signals.next() => tracing::info!("Second signal received; cutting drain short"),
    }
}
