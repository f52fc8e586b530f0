//! Builds everything once and runs it to its end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use futures::{Stream, StreamExt};
use jaas_api::{ExternalArtifact, JsonnetLibrary, JsonnetSnippet};
use jaas_render::worker::{Limits, Pool};
use jaas_storage::store::metered::Ledger;
use jaas_storage::{Cached, Deadlines, LocalOptions, LocalStore, Metered, S3Options, S3Store, Store, Timed};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::admission::tls::Current;
use crate::admission::{self, rotate, trouble};
use crate::artifacts::catalog::Catalog;
use crate::artifacts::condition::{self, Condition};
use crate::artifacts::custody::{self, Custody};
use crate::artifacts::orphans::forced::Forced;
use crate::artifacts::room::Room;
use crate::artifacts::{heal, orphans, scrub, sweep};
use crate::capacity;
use crate::cleanup;
use crate::cluster::connect;
use crate::cluster::events::Events;
use crate::cluster::health::Watches;
use crate::cluster::tenant::Tenants;
use crate::cluster::watch::{Scope, Watched, follow, watch, watch_selected};
use crate::config::{self, Args, Backend, Certificate, Command, Config, Listener};
use crate::controller::{self, Changes};
use crate::fair::Slots;
use crate::generate::generate;
use crate::graph::Graph;
use crate::http::listener::{self, Timeouts};
use crate::http::probe::Health;
use crate::http::{artifact, metrics, probe};
use crate::leadership::clock::Machine;
use crate::leadership::{self, Authority, Election, State};
use crate::mounted::{self, Mounted};
use crate::quota::{self, Quotas};
use crate::renderer::{self, Gate, Renderer};
use crate::shutdown::{RECONCILES, RESPONSES, Signals, Stops};
use crate::snippet::World;
use crate::snippet::evaluate::MOST_WRITTEN;
use crate::snippet::memory::Memory;
use crate::snippet::outcome::chain;
use crate::snippet::outside;
use crate::snippet::pace::Paces;
use crate::snippet::suspects::Suspects;
use crate::source::fetch::Fetcher;
use crate::source::{self, Shelf};
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::trace::Tracer;
use crate::{library, look};

/// A mistake in the invocation.
const USAGE: u8 = 2;
/// Anything that went wrong later.
const FAILURE: u8 = 1;

/// How often the store is measured while nothing is wrong with it.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// Evaluation workers that are started ahead. A further one takes some milliseconds.
const SPARE_WORKERS: usize = 1;

/// Longest that work on a store that hangs is waited for once everything else has ended.
const LEFT_BEHIND: Duration = Duration::from_secs(2);

/// The program: parses, and runs what was asked for.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "mcp") {
        return complain("jaas-operator mcp: there is no MCP server", USAGE);
    }
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
    match args.command {
        Some(Command::Generate { what }) => {
            return match generate(what) {
                Ok(text) => {
                    say(text.trim_end());
                    ExitCode::SUCCESS
                }
                Err(error) => complain(&chain(&error), FAILURE),
            };
        }
        Some(Command::Storage(asked)) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let looked = runtime.context("starting the runtime");
            return match looked.and_then(|runtime| runtime.block_on(look::look(&asked, environment()))) {
                Ok(code) => ExitCode::from(code),
                Err(error) => complain(&format!("error: {error:#}"), FAILURE),
            };
        }
        Some(Command::Cleanup(settings)) => return clean_up(&settings),
        None => {}
    }
    match Config::new(args.run, environment()) {
        Ok(mut config) => match capacity::settle(&mut config, capacity::limit()) {
            Ok(()) => run(config),
            Err(little) => complain(&little.to_string(), USAGE),
        },
        Err(mistakes) => complain(&mistakes.to_string(), USAGE),
    }
}

/// Deletes every snippet before an uninstall.
fn clean_up(settings: &config::Cleanup) -> ExitCode {
    let patience = match config::duration(&settings.timeout) {
        Ok(patience) => patience,
        Err(why) => return complain(&format!("--timeout: {why}, got `{}`", settings.timeout), USAGE),
    };
    let selector = match jaas_api::selector::parse(&settings.label_selector) {
        Ok(selector) => selector,
        Err(why) => return complain(&format!("--label-selector: {why}"), USAGE),
    };
    let namespaces: Vec<_> =
        settings.namespaces.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("starting the runtime: {error}"), FAILURE),
    };
    let cleaned = runtime.block_on(async {
        let client =
            Client::try_from(connect::load(settings.kubeconfig.as_deref()).await?).context("making a client")?;
        let failed = "deleting the snippets; look at them with: kubectl get jsonnetsnippets -A";
        cleanup::cleanup(&client, &namespaces, &selector, patience).await.context(failed)
    });
    match cleaned {
        Ok(done) => {
            say(&format!("{} snippets were deleted", done.deleted));
            if done.let_go > 0 {
                let told = "were let go without the operator: their files stay in the store";
                say(&format!("{} of them {told}", done.let_go));
            }
            ExitCode::SUCCESS
        }
        Err(error) => complain(&format!("{error:#}"), FAILURE),
    }
}

/// Variables that are text. What is none cannot be one of ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("starting the runtime: {error}"), FAILURE),
    };
    let tracer = {
        let _inside = runtime.enter();
        match config.tracing.as_ref().map(Tracer::new).transpose() {
            Ok(tracer) => tracer,
            Err(error) => return complain(&chain(&error), USAGE),
        }
    };
    log::start(config.log, tracer.as_ref().map(Tracer::layer));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), commit = commit(), "Starting JaaS");
    tracing::info!("CLI flags parsed");
    tracing::info!(count = config.snippets.external_variables.len(), "External variables loaded");
    let ended = runtime
        .block_on(async { if config.operator { operate(config).await } else { renderer::alone::run(config).await } });
    if let Some(tracer) = tracer {
        tracer.end();
    }
    // A disk that hangs must not keep the process.
    runtime.shutdown_timeout(LEFT_BEHIND);
    match ended {
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
    jsonnet: TcpListener,
    storage: TcpListener,
    metrics: Option<TcpListener>,
    admin: Option<TcpListener>,
    webhook: Option<TcpListener>,
}

impl Sockets {
    async fn bind(config: &Config) -> Result<Self, listener::BindError> {
        let bind = async |name, settings: &Listener| listener::bind(name, &settings.host, settings.port).await;
        Ok(Self {
            management: bind("management", &config.management).await?,
            jsonnet: bind("jsonnet", &config.renderer.listener).await?,
            storage: bind("storage", &config.storage.listener).await?,
            metrics: match config.metrics {
                Some(address) => Some(listener::bind_address("metrics", address).await?),
                None => None,
            },
            admin: match config.admin {
                Some(address) => Some(listener::bind_address("admin", address).await?),
                None => None,
            },
            webhook: match &config.webhook {
                Some(webhook) => Some(listener::bind("webhook", &webhook.host, webhook.port).await?),
                None => None,
            },
        })
    }
}

async fn operate(config: Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let (store, ledger) = open_store(&config.storage).await?;
    let kube = connect::load(config.cluster.kubeconfig.as_deref()).await?;
    let sockets = Sockets::bind(&config).await?;
    let client = Client::try_from(kube.clone())?;

    let metrics = Metrics::new(config.snippet_sizes);
    metrics.evaluation_limit(config.evaluation.max_concurrent);
    let lease_namespace = lease_namespace(&config, &kube);
    let identity = config.election.as_ref().map_or_else(String::new, |_| leadership::identity());
    let candidate = |election| candidate(election, &config.release, &lease_namespace, &client, &identity, &metrics);
    let election = config.election.as_ref().map(candidate);
    let authority = election.as_ref().map_or_else(Authority::sole_writer, Election::authority);
    let new_terms = || Box::pin(terms(election.as_ref().map(Election::states)));
    let (terms, custody_terms, quota_terms) = (new_terms(), new_terms(), new_terms());
    let webhook_terms = new_terms();
    if election.is_none() {
        metrics.leadership().sole(&config.release);
    }
    let watches = Watches::new(metrics.clone());
    let namespaces = &config.cluster.watch_namespaces;
    let scope = Scope {
        client: client.clone(),
        namespaces: namespaces.clone(),
        timeout: config.cluster.watch_timeout,
        watches: watches.clone(),
    };
    let selector = &config.cluster.label_selector;
    let snippets: Watched<JsonnetSnippet> = watch_selected(&scope, selector, true);
    let libraries: Watched<JsonnetLibrary> = watch_selected(&scope, selector, true);
    let artifacts: Watched<ExternalArtifact> = watch(&scope, true);
    let graph = Arc::new(Graph::default());
    let (sources, source_wakes) = source::watch::watch(&scope, &graph);
    metrics.tell_of(snippets.store.clone());
    // What was decided while a kind was not installed may be wrong by now.
    let terms = futures::stream::select(terms, returns(watches.returned()));
    let first_lists = [snippets.listed.clone(), artifacts.listed.clone()];
    let mounted = Mounted::new(config.sources.library_paths.clone());
    let judged_by = vec![snippets.listed.clone(), libraries.listed.clone(), mounted.listed()];
    let listed = vec![snippets.listed, artifacts.listed, libraries.listed, mounted.listed()];
    let changes = Changes {
        snippets: snippets.changes,
        libraries: libraries.changes,
        artifacts: artifacts.changes,
        sources: source_wakes,
        listed,
    };
    let (alarm, missing) = heal::Alarm::new();
    let world = Arc::new(World {
        alarm: alarm.clone(),
        base_url: config.storage.base_url.clone(),
        max_stack: config.evaluation.max_stack,
        tenants: Tenants::new(client.clone(), &kube, metrics.clone())?,
        events: Events::new(client.clone(), authority.clone(), (&lease_namespace, &config.release)),
        client,
        authority: authority.clone(),
        store: Arc::clone(&store),
        custody: Custody::default(),
        forced: Forced::default(),
        condition: Condition::new(metrics.clone()),
        room: Room::default(),
        quotas: Quotas::new(config.storage.namespace_quota, ledger),
        workers: Arc::new(workers(&config)),
        turns: Slots::new(config.evaluation.max_concurrent),
        suspects: Suspects::open(&std::env::temp_dir(), &place(&config.storage.backend)),
        snippets: snippets.store,
        libraries: libraries.store,
        artifacts: artifacts.store,
        paces: Paces::new(config.snippets.rate),
        graph,
        sources,
        mounted: mounted.clone(),
        shelf: Shelf::new(
            Fetcher::new(config.sources.hosts.clone())?.counted(metrics.clone()),
            config.sources.cache_bytes,
        ),
        memory: Memory::default(),
        metrics: metrics.clone(),
        settings: config.snippets.clone(),
    });
    tracing::info!(
        defaultServiceAccount = config.snippets.default_service_account,
        noCrossNamespaceRefs = config.snippets.no_cross_namespace_refs,
        rerenderRatePerSec = config.snippets.rate.map_or(0.0, |rate| 1.0 / rate.period.as_secs_f64()),
        rerenderBurst = config.snippets.rate.map_or(0, |rate| rate.burst.get()),
        extVarCount = config.snippets.external_variables.len(),
        "Operator manager ready"
    );

    prepare_workers(&world.workers, &metrics).await;
    let stops = Stops::default();
    let health = Health::new(world.condition.clone(), watches.clone(), authority.clone(), mounted);
    let current = Current::new(metrics.clone());
    let webhook_condition = trouble::Condition::new(current.clone());
    let health = if config.webhook.is_some() { health.with_webhook(webhook_condition.clone()) } else { health };
    let listed = CancellationToken::new();
    let catalog = Catalog::new(Arc::clone(&world), listed.clone());

    let mut servers = JoinSet::new();
    let artifact_routes = artifact::routes(artifact::Artifacts {
        store: Arc::clone(&store),
        catalog: catalog.clone(),
        alarm: alarm.clone(),
        metrics: metrics.clone(),
    });
    serve(&mut servers, sockets.storage, warp::service(artifact_routes), &config.storage.listener, &stops);
    serve(&mut servers, sockets.management, warp::service(probe::routes(health.clone())), &config.management, &stops);
    let gate = Gate::shared(world.turns.clone());
    let renderer = Renderer::new(&config, Arc::clone(&world.workers), gate, metrics.clone());
    let rendering = &config.renderer.listener;
    serve(&mut servers, sockets.jsonnet, warp::service(renderer::routes(renderer)), rendering, &stops);
    if let Some(socket) = sockets.metrics {
        serve(&mut servers, socket, warp::service(metrics::routes(metrics.clone())), &config.management, &stops);
    }
    if let Some(socket) = sockets.admin {
        let routes = admin::routes(admin::Setup {
            world: Arc::clone(&world),
            alarm: alarm.clone(),
            settings: settings_told(&config),
            backend: if matches!(config.storage.backend, Backend::Local { .. }) { "local" } else { "s3" },
            place: place(&config.storage.backend),
            replica: identity.clone(),
            states: election.as_ref().map(Election::states),
            stop: stops.work.clone(),
        });
        let address = config.admin.map(|address| address.to_string());
        servers.spawn(listener::serve(
            socket,
            warp::service(routes),
            admin::TIMEOUTS,
            stops.serving.clone(),
            RESPONSES,
        ));
        tracing::info!(address, "The admin endpoint is on");
    }
    if let Some(socket) = sockets.webhook {
        let cluster = &config.cluster;
        let (namespaces, selector) = (cluster.watch_namespaces.clone(), cluster.label_selector.clone());
        let desk = admission::serve::Desk::new(Arc::clone(&world), namespaces, selector, judged_by.clone());
        let service = tower::service_fn(move |request| {
            let desk = desk.clone();
            async move { Ok::<_, std::convert::Infallible>(desk.answer(request).await) }
        });
        let (stop, timeouts) = (stops.serving.clone(), admission::serve::TIMEOUTS);
        servers.spawn(listener::serve_over(socket, current.tls()?, service, timeouts, stop, RESPONSES));
    }
    health.started();

    let mut work = JoinSet::new();
    if !config.cluster.label_selector.selects_all() {
        let (selector, everything) = (config.cluster.label_selector.clone(), follow(&world.client, namespaces));
        work.spawn(outside::run(Arc::clone(&world), selector, everything, listed.clone(), stops.work.clone()));
    }
    work.spawn(announce_lists(Arc::clone(&world), first_lists, listed, stops.work.clone()));
    if let Some(webhook) = &config.webhook {
        work.spawn(admission::audit::run(Arc::clone(&world), judged_by, stops.work.clone()));
        let (metrics, condition) = (metrics.clone(), webhook_condition);
        match &webhook.certificate {
            Certificate::Mounted(directory) => {
                work.spawn(admission::mounted::run(directory.clone(), current, condition, metrics, stops.work.clone()));
            }
            Certificate::SelfSigned { service, namespace, secret, configuration, validity } => {
                let namespace = if namespace.is_empty() { &lease_namespace } else { namespace };
                let settings = rotate::Settings {
                    client: world.client.clone(),
                    authority: authority.clone(),
                    metrics,
                    namespace: namespace.clone(),
                    secret: secret.clone(),
                    names: ["svc", "svc.cluster.local"].map(|end| format!("{service}.{namespace}.{end}")).to_vec(),
                    configuration: configuration.clone(),
                    validity: *validity,
                };
                work.spawn(rotate::run(settings, current, condition, webhook_terms, stops.work.clone()));
            }
        }
    }
    let storage = &config.storage;
    let interval = storage.check_interval;
    work.spawn(heal::run(Arc::clone(&world), alarm.clone(), catalog.clone(), interval, stops.work.clone()));
    work.spawn(condition::run(Arc::clone(&world), alarm.clone(), MEASURE_INTERVAL, stops.work.clone()));
    work.spawn(mounted::run(Arc::clone(&world), alarm.clone(), stops.work.clone()));
    work.spawn(quota::run(Arc::clone(&world), alarm.clone(), quota_terms, stops.work.clone()));
    work.spawn(scrub::run(Arc::clone(&world), alarm, catalog, storage.scrub, stops.work.clone()));
    let custody = custody::Settings {
        store: Arc::clone(&store),
        client: world.client.clone(),
        authority,
        metrics,
        namespace: lease_namespace,
        release: config.release.clone(),
        scope: config.cluster.watch_namespaces.clone(),
        selector: config.cluster.label_selector.clone(),
        elects: election.is_some(),
        take_over: storage.take_over,
    };
    work.spawn(custody::run(world.custody.clone(), custody, custody_terms, stops.work.clone()));
    work.spawn(orphans::run(
        Arc::clone(&world),
        config.cluster.watch_namespaces.clone(),
        storage.orphan_age,
        storage.orphan_interval,
        stops.work.clone(),
    ));
    work.spawn(library::run(Arc::clone(&world), stops.work.clone()));
    work.spawn(watches.remind(stops.work.clone()));
    work.spawn(sweep::run(Arc::clone(&world), storage.sweep_interval, storage.sweep_max_tmp_age, stops.work.clone()));
    let elected = election.map(|election| tokio::spawn(election.run(stops.leadership.clone())));
    let mut controller = tokio::spawn(controller::run(Arc::clone(&world), changes, missing, terms, stops.work.clone()));

    let died = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "Received signal, shutting down");
            None
        }
        ended = &mut controller => Some(format!("the controller ended: {ended:?}")),
        Some(ended) = servers.join_next() => Some(format!("a server ended: {ended:?}")),
    };
    if let Some(what) = &died {
        tracing::error!(error = what, "Server error, shutting down");
    }
    health.draining();
    stops.work.cancel();
    let finished = async {
        let finished = finish_work(&world, controller, work).await;
        // Only now: whoever leads next must not meet our last writes.
        stops.leadership.cancel();
        if let Some(elected) = elected {
            let _ = elected.await;
            tracing::info!("Leadership is released");
        }
        finished
    };
    let (finished, ()) = tokio::join!(finished, drain(config.shutdown_delay, &mut signals));
    stops.serving.cancel();
    while servers.join_next().await.is_some() {}
    if let Some(what) = died {
        anyhow::bail!(what);
    }
    anyhow::ensure!(finished, "reconciles did not end within the shutdown's deadline");
    Ok(())
}

/// The store, with verified artifacts kept in memory before it, and the count of what each namespace takes.
async fn open_store(settings: &config::Storage) -> anyhow::Result<(Arc<dyn Store>, Arc<Ledger>)> {
    let block = match &settings.backend {
        Backend::Local { .. } => LocalStore::BLOCK,
        Backend::S3 { .. } => 1,
    };
    // A volume that hangs must not keep what is cached from being served, so the deadlines are inside.
    let cached = Cached::new(open_backend(settings).await?, settings.cache_bytes);
    let metered = Metered::new(Arc::new(cached), block);
    let ledger = metered.ledger();
    Ok((Arc::new(metered), ledger))
}

/// The store itself, with deadlines and without a memory before it.
///
/// # Errors
/// When it cannot be opened.
pub(crate) async fn open_backend(settings: &config::Storage) -> anyhow::Result<Arc<dyn Store>> {
    let store: Arc<dyn Store> = match &settings.backend {
        Backend::Local { path, quota } => Arc::new(LocalStore::open_with(path, LocalOptions { quota: *quota })?),
        Backend::S3 { options, ca_file } => {
            let mut options = S3Options::clone(options);
            if let Some(file) = ca_file {
                let read = std::fs::read(file);
                options.ca = Some(read.with_context(|| format!("reading {}; check --s3-ca-file", file.display()))?);
            }
            Arc::new(S3Store::open(options).await?)
        }
    };
    Ok(Arc::new(Timed::new(store, Deadlines::default())))
}

/// Namespace of the Lease, which is that of the installation.
fn lease_namespace(config: &Config, kube: &kube::Config) -> String {
    let named = config.election.as_ref().map(|election| election.namespace.clone());
    named.filter(|namespace| !namespace.is_empty()).unwrap_or_else(|| kube.default_namespace.clone())
}

/// This process in the election.
fn candidate(
    settings: &config::Election,
    lease: &str,
    namespace: &str,
    client: &Client,
    identity: &str,
    metrics: &Metrics,
) -> Election {
    Election::new(leadership::Settings {
        client: client.clone(),
        namespace: namespace.to_owned(),
        lease: lease.to_owned(),
        identity: identity.to_owned(),
        timing: settings.timing,
        clock: Arc::new(Machine),
        hooks: Arc::new(metrics.leadership().of(lease)),
    })
}

/// An item for each term that begins. It never ends: whoever waits for the next one beside other things would spin, or panic.
fn terms(states: Option<watch::Receiver<State>>) -> impl Stream<Item = ()> + Send {
    let begun = futures::stream::unfold(states, |states| async move {
        let mut states = states?;
        loop {
            states.changed().await.ok()?;
            let is_leader = matches!(*states.borrow_and_update(), State::Leader { .. });
            if is_leader {
                return Some(((), Some(states)));
            }
        }
    });
    begun.chain(futures::stream::pending())
}

/// An item whenever a kind is there again that was not installed.
fn returns(returned: watch::Receiver<u64>) -> impl Stream<Item = ()> + Send {
    futures::stream::unfold(returned, |mut returned| async move {
        returned.changed().await.ok()?;
        Some(((), returned))
    })
}

/// The workers that the settings ask for, none of which has started.
pub(crate) fn workers(config: &Config) -> Pool {
    let limits = Limits {
        timeout: config.evaluation.timeout,
        memory_bytes: config.evaluation.memory_bytes,
        output_bytes: MOST_WRITTEN,
        max_workers: config.evaluation.max_concurrent,
        spare_workers: SPARE_WORKERS,
    };
    Pool::new("/proc/self/exe".into(), limits)
}

/// Starts the first workers, and tells what the kernel does not enforce on them.
pub(crate) async fn prepare_workers(workers: &Pool, metrics: &Metrics) {
    match workers.prepare().await {
        Ok(isolation) => {
            metrics.evaluations_isolated(isolation.landlock.is_empty(), isolation.seccomp.is_empty());
            if isolation.is_whole() {
                tracing::info!(%isolation, "Evaluation workers are isolated");
            } else {
                tracing::warn!(%isolation, "Evaluation workers are not fully isolated: limits of time and memory hold, but this kernel or its container runtime does not enforce the rest");
            }
        }
        // Each evaluation tries again, and is told of in its snippet.
        Err(error) => tracing::error!(%error, "No evaluation worker can be started"),
    }
}

/// Serves with the settings' time-outs until the process ends.
pub(crate) fn serve<S, B>(
    servers: &mut JoinSet<()>,
    socket: TcpListener,
    service: S,
    settings: &Listener,
    stops: &Stops,
) where
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

/// Settings that decide about files, as the admin endpoint tells them.
fn settings_told(config: &Config) -> jaas_api::admin::Settings {
    jaas_api::admin::Settings {
        artifact_gc_grace: config.snippets.artifact_gc_grace.as_secs(),
        max_withdraw_wait: config.snippets.max_withdraw_wait.as_secs(),
        orphan_age: config.storage.orphan_age.as_secs(),
        sweep_max_tmp_age: config.storage.sweep_max_tmp_age.as_secs(),
        watch_namespaces: config.cluster.watch_namespaces.clone(),
        label_selector: config.cluster.label_selector.to_string(),
    }
}

/// Where the store is, by the settings.
fn place(backend: &Backend) -> String {
    match backend {
        Backend::Local { path, .. } => path.display().to_string(),
        Backend::S3 { options, .. } => {
            format!("s3://{}/{} at {}", options.bucket, options.prefix.trim_matches('/'), options.endpoint)
        }
    }
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

/// Waits for what has started, and answers whether it ended in time.
async fn finish_work(world: &World, controller: tokio::task::JoinHandle<()>, mut work: JoinSet<()>) -> bool {
    let finished = async {
        if !controller.is_finished() {
            let _ = controller.await;
        }
        while work.join_next().await.is_some() {}
        world.events.drain().await;
    };
    let in_time = tokio::time::timeout(RECONCILES, finished).await.is_ok();
    if !in_time {
        tracing::error!(goroutine = "reconcile", "Goroutine did not stop before shutdown deadline");
    }
    in_time
}

/// Stays reachable until whoever routes to us has seen that we are not ready any more.
pub(crate) async fn drain(delay: Duration, signals: &mut Signals) {
    if delay.is_zero() {
        return;
    }
    tracing::info!(delay = %kube::core::Duration::from(delay), "Draining: waiting for readiness to propagate before shutdown");
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        _ = signals.next() => tracing::info!("Second signal received; cutting drain short"),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn without_an_election_no_term_begins_however_often_one_asks() {
        let mut terms = Box::pin(terms(None));
        for _ in 0..3 {
            assert_eq!(terms.next().now_or_never(), None, "neither a term nor an end");
        }
    }
}
