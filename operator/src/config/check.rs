//! Turns what was typed into settings, and names everything that is wrong with it. Pure.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroU32;
use std::time::Duration;

use jaas_sources::Hosts;
use jaas_storage::{S3Credentials, S3Options};

use crate::artifacts::scrub::Pace;
use crate::leadership::Timing;
use crate::quota::Share;
use crate::snippet::pace::Rate;

use super::value::{self, duration, whole_number};
use super::webhook;
use super::{
    Backend, Cluster, Config, Election, Evaluation, Listener, Log, Renderer, Run, Snippets, Sources, Storage, Tracing,
};

/// Prefix of environment variables that define external variables.
const EXT_VAR_PREFIX: &str = "JAAS_EXT_VAR_";
/// An evaluation needs 64 MiB for its stack and some for its values.
const LEAST_MEMORY: u64 = 96 << 20;
/// What `--max-withdraw-wait=0` means.
const DEFAULT_WITHDRAW_WAIT: Duration = Duration::from_secs(3600);

/// Everything that is wrong with an invocation, one sentence each.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}", .0.join("\n"))]
pub struct UsageError(pub Vec<String>);

/// Gathers mistakes, so that one run names them all.
#[derive(Default)]
pub(super) struct Mistakes(Vec<String>);

impl Mistakes {
    pub(super) fn add(&mut self, flag: &str, what: impl std::fmt::Display) {
        self.0.push(format!("Invalid --{flag}: {what}"));
    }

    /// Reads the value of a flag; a mistake in it reads as the default of its type.
    pub(super) fn read<T: Default>(&mut self, flag: &str, text: &str, read: fn(&str) -> Result<T, String>) -> T {
        read(text).unwrap_or_else(|what| {
            self.add(flag, format_args!("{what}, got {text:?}"));
            T::default()
        })
    }

    /// Adds the sentence unless the condition holds.
    pub(super) fn unless(&mut self, holds: bool, flag: &str, what: &str) {
        if !holds {
            self.add(flag, what);
        }
    }
}

impl Config {
    /// The settings that the command line and the environment mean.
    ///
    /// # Errors
    /// [`UsageError`] with every mistake.
    pub fn new(run: Run, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, UsageError> {
        let mut mistakes = Mistakes::default();
        refuse_mcp(&run, &mut mistakes);
        let reachable = run.enable_flux_integration || run.admin_bind_address.is_empty();
        mistakes.unless(
            reachable,
            "admin-bind-address",
            "requires --enable-flux-integration: it looks at the operator's store",
        );
        let mut config = Self {
            operator: run.enable_flux_integration,
            renderer: renderer(&run, &mut mistakes),
            cluster: Cluster {
                kubeconfig: (!run.kubeconfig.is_empty()).then(|| run.kubeconfig.clone().into()),
                watch_namespaces: names(&run.watch_namespaces),
                label_selector: mistakes.read("label-selector", &run.label_selector, value::selector),
                watch_timeout: mistakes.read("watch-timeout", &run.watch_timeout, |text| match duration(text)? {
                    enough if enough >= Duration::from_secs(1) => Ok(enough),
                    _ => Err("must be at least 1s".to_owned()),
                }),
            },
            snippets: snippets(&run, environment, &mut mistakes),
            evaluation: evaluation(&run, &mut mistakes),
            sources: sources(&run, &mut mistakes),
            storage: storage(&run, &mut mistakes),
            release: run.leader_election_id.clone(),
            election: election(&run, &mut mistakes),
            management: Listener {
                host: run.management_listen_address.clone(),
                port: port("management-port", &run.management_port, &mut mistakes),
                read_timeout: mistakes.read("management-read-timeout", &run.management_read_timeout, duration),
                write_timeout: mistakes.read("management-write-timeout", &run.management_write_timeout, duration),
            },
            metrics: metrics(&run.metrics_bind_address, &mut mistakes),
            snippet_sizes: run.metrics_snippet_sizes,
            tracing: tracing(&run, &mut mistakes),
            webhook: webhook::read(&run, &mut mistakes),
            admin: admin(&run.admin_bind_address, &mut mistakes),
            shutdown_delay: mistakes.read("shutdown-delay", &run.shutdown_delay, duration),
            log: log(&run, &mut mistakes),
        };
        // A file that a deleted snippet still waits to remove, or that is in its grace, must not be taken for an orphan.
        let least = config.snippets.max_withdraw_wait.saturating_add(config.snippets.artifact_gc_grace);
        config.storage.orphan_age = config.storage.orphan_age.max(least);
        if let (Backend::S3 { options, .. }, Some(election)) = (&mut config.storage.backend, &config.election) {
            options.deletion_life = election.timing.deletion_life();
        }
        if !config.operator {
            // There is no store and there are no sources, so no memory is kept for them.
            (config.storage.cache_bytes, config.sources.cache_bytes) = (0, 0);
        }
        if mistakes.0.is_empty() { Ok(config) } else { Err(UsageError(mistakes.0)) }
    }
}

fn refuse_mcp(run: &Run, mistakes: &mut Mistakes) {
    if run.enable_mcp {
        let all = "--enable-mcp, --mcp-bind-address and --mcp-allow-mutations";
        mistakes.add("enable-mcp", format_args!("there is no MCP server; remove {all}"));
    } else {
        let what = "requires --enable-mcp, and there is no MCP server; remove the flag";
        mistakes.unless(!run.mcp_allow_mutations, "mcp-allow-mutations", what);
    }
}

fn renderer(run: &Run, mistakes: &mut Mistakes) -> Renderer {
    let listener = Listener {
        host: run.listen_address.clone(),
        port: port("port", &run.port, mistakes),
        read_timeout: mistakes.read("read-timeout", &run.read_timeout, duration),
        write_timeout: mistakes.read("write-timeout", &run.write_timeout, duration),
    };
    let endpoint = mistakes.read("jsonnet-endpoint-path", &run.jsonnet_endpoint_path, value::segment);
    Renderer { listener, endpoint, snippets: run.snippet.clone(), directories: run.snippet_directory.clone() }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn snippets(run: &Run, environment: impl IntoIterator<Item = (String, String)>, mistakes: &mut Mistakes) -> Snippets {
    let mut external_variables: BTreeMap<_, _> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(EXT_VAR_PREFIX)?.to_owned(), value)))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    for pair in &run.ext_var {
        match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                external_variables.insert(key.to_owned(), value.to_owned());
            }
            // The text is not repeated: it may be a secret whose name was forgotten.
            _ => mistakes.add("ext-var", "must be KEY=VALUE with a non-empty key"),
        }
    }
    let wait = mistakes.read("max-withdraw-wait", &run.max_withdraw_wait, duration);
    let artifact_bytes = mistakes.read("max-artifact-bytes", &run.max_artifact_bytes, whole_number);
    let reconciles = mistakes.read("max-concurrent-reconciles", &run.max_concurrent_reconciles, |text| {
        match value::whole_number(text)? {
            0 => Err("must be at least 1".to_owned()),
            some => Ok(some),
        }
    });
    mistakes.unless(
        run.runbook_base_url.starts_with("https://") || run.runbook_base_url.starts_with("http://"),
        "runbook-base-url",
        "must be an http or https address",
    );
    Snippets {
        default_service_account: run.default_service_account.clone(),
        no_cross_namespace_refs: run.no_cross_namespace_refs,
        external_variables,
        max_artifact_bytes: (artifact_bytes > 0).then_some(artifact_bytes),
        artifact_gc_grace: mistakes.read("artifact-gc-grace", &run.artifact_gc_grace, duration),
        max_withdraw_wait: if wait.is_zero() { DEFAULT_WITHDRAW_WAIT } else { wait },
        runbook_base_url: format!("{}/", run.runbook_base_url.trim_end_matches('/')),
        rate: rate(run, mistakes),
        max_concurrent_reconciles: usize::try_from(reconciles).unwrap_or(usize::MAX),
    }
}

fn rate(run: &Run, mistakes: &mut Mistakes) -> Option<Rate> {
    if !run.enable_flux_integration {
        mistakes.read("rerender-burst", &run.rerender_burst, value::whole_number);
        return None;
    }
    let period = mistakes.read("rerender-rate", &run.rerender_rate, value::rate);
    let burst = mistakes.read("rerender-burst", &run.rerender_burst, |text| {
        let burst = u32::try_from(value::whole_number(text)?).map_err(|_| "must be at most 4294967295".to_owned())?;
        if burst == 0 { Err("must be at least 1".to_owned()) } else { Ok(burst) }
    });
    Some(Rate { period: period?, burst: NonZeroU32::new(burst)? })
}

fn evaluation(run: &Run, mistakes: &mut Mistakes) -> Evaluation {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let max_concurrent = mistakes.read("max-concurrent-evals", &run.max_concurrent_evals, whole_number);
    Evaluation {
        timeout: mistakes.read("evaluation-timeout", &run.evaluation_timeout, duration),
        max_stack: mistakes.read("max-stack", &run.max_stack, |text| {
            u32::try_from(value::whole_number(text)?).map_err(|_| "must be at most 4294967295".to_owned())
        }),
        max_concurrent: match usize::try_from(max_concurrent).unwrap_or(usize::MAX) {
            // Of three, one namespace may have two: whoever else comes waits for nobody, and a second snippet not for the first.
            0 => processors.max(3),
            number => number,
        },
        is_bounded_by_memory: max_concurrent == 0,
        memory_bytes: mistakes.read("evaluation-memory", &run.evaluation_memory, |text| match value::bytes(text)? {
            enough if enough >= LEAST_MEMORY => Ok(enough),
            _ => Err("must be at least 96Mi: 64Mi are the evaluation's stack".to_owned()),
        }),
    }
}

/// The listed hosts or, where none is listed, the services of Flux's namespace; and the host of our own storage server, for snippets
/// that are made of others.
fn sources(run: &Run, mistakes: &mut Mistakes) -> Sources {
    let listed = run.allowed_source_hosts.as_str();
    let hosts = match listed.trim() {
        "" => Hosts::parse(&services_of(&run.flux_namespace)),
        listed => Hosts::parse(listed),
    };
    let hosts = hosts.unwrap_or_else(|error| {
        mistakes.add(if listed.trim().is_empty() { "flux-namespace" } else { "allowed-source-hosts" }, error);
        Hosts::default()
    });
    Sources {
        hosts: hosts.and(jaas_sources::hosts::of_url(&run.storage_base_url)),
        cache_bytes: mistakes.read("source-cache", &run.source_cache, value::bytes),
        library_paths: run.library_path.clone(),
    }
}

/// Every spelling under which a Pod reaches the services of a namespace.
fn services_of(namespace: &str) -> String {
    ["", ".svc", ".svc.cluster.local"].map(|end| format!("*.{namespace}{end}")).join(",")
}

fn storage(run: &Run, mistakes: &mut Mistakes) -> Storage {
    let backend = match run.storage_backend.as_str() {
        "s3" => s3(run, mistakes),
        other => {
            if other == "local" {
                let given = !run.storage_path.is_empty() || !run.enable_flux_integration;
                mistakes.unless(given, "storage-path", "required when --storage-backend=local");
            } else {
                mistakes.add("storage-backend", format_args!("must be one of local, s3, got {other:?}"));
            }
            let quota = mistakes.read("storage-quota", &run.storage_quota, value::bytes);
            Backend::Local { path: run.storage_path.clone().into(), quota: (quota > 0).then_some(quota) }
        }
    };
    let namespace_quota = mistakes.read("storage-namespace-quota", &run.storage_namespace_quota, value::share);
    mistakes.unless(
        !matches!((&backend, namespace_quota), (Backend::S3 { .. }, Some(Share::Percent(_)))),
        "storage-namespace-quota",
        "a bucket has no size to take a share of; give bytes, such as 1Gi",
    );
    let base_url = run.storage_base_url.trim_end_matches('/').to_owned();
    if base_url.is_empty() {
        let needed = run.enable_flux_integration;
        mistakes.unless(!needed, "storage-base-url", "required when --enable-flux-integration is set");
    } else {
        mistakes.unless(
            base_url.starts_with("http://") || base_url.starts_with("https://"),
            "storage-base-url",
            "must be an http or https address; consumers fetch from it",
        );
    }
    Storage {
        backend,
        namespace_quota,
        cache_bytes: mistakes.read("storage-cache", &run.storage_cache, value::bytes),
        base_url,
        listener: Listener {
            host: run.storage_listen_address.clone(),
            port: port("storage-port", &run.storage_port, mistakes),
            read_timeout: mistakes.read("storage-read-timeout", &run.storage_read_timeout, duration),
            write_timeout: mistakes.read("storage-write-timeout", &run.storage_write_timeout, duration),
        },
        take_over: run.storage_take_over,
        check_interval: mistakes.read("storage-check-interval", &run.storage_check_interval, duration),
        scrub: Pace {
            period: mistakes.read("storage-scrub-period", &run.storage_scrub_period, duration),
            rate: mistakes.read("storage-scrub-rate", &run.storage_scrub_rate, value::bytes),
        },
        orphan_age: mistakes.read("storage-orphan-age", &run.storage_orphan_age, duration),
        orphan_interval: mistakes.read("storage-orphan-interval", &run.storage_orphan_interval, duration),
        sweep_interval: mistakes.read("storage-sweep-interval", &run.storage_sweep_interval, duration),
        sweep_max_tmp_age: mistakes.read("storage-sweep-max-tmp-age", &run.storage_sweep_max_tmp_age, duration),
    }
}

fn s3(run: &Run, mistakes: &mut Mistakes) -> Backend {
    if run.enable_flux_integration && (run.s3_endpoint.is_empty() || run.s3_bucket.is_empty()) {
        mistakes
            .0
            .push("Invalid S3 config: --s3-endpoint and --s3-bucket are required when --storage-backend=s3".to_owned());
    }
    mistakes.unless(
        !run.s3_endpoint.contains("://"),
        "s3-endpoint",
        "must be HOST:PORT; --s3-use-ssl chooses the scheme",
    );
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let credentials = match (&run.s3_credentials_file, some(&run.s3_access_key)) {
        _ if run.s3_anonymous => S3Credentials::Anonymous,
        (Some(path), _) => S3Credentials::File(path.clone()),
        (None, Some(access_key)) => S3Credentials::Static {
            access_key,
            secret_key: run.s3_secret_key.clone(),
            session_token: some(&run.s3_session_token),
        },
        (None, None) => S3Credentials::Chain,
    };
    let options = S3Options {
        use_ssl: run.s3_use_ssl,
        prefix: run.s3_prefix.clone(),
        region: some(&run.s3_region),
        credentials,
        ..S3Options::new(&run.s3_endpoint, &run.s3_bucket)
    };
    Backend::S3 { options: Box::new(options), ca_file: run.s3_ca_file.clone() }
}

fn election(run: &Run, mistakes: &mut Mistakes) -> Option<Election> {
    let lease = mistakes.read("leader-election-lease-duration", &run.leader_election_lease_duration, duration);
    let deadline = mistakes.read("leader-election-renew-deadline", &run.leader_election_renew_deadline, duration);
    let retry = mistakes.read("leader-election-retry-period", &run.leader_election_retry_period, duration);
    mistakes.unless(!run.leader_election_id.is_empty(), "leader-election-id", "must be the name of a Lease");
    let timing = Timing::new(lease, deadline, retry).unwrap_or_else(|error| {
        mistakes.add("leader-election-lease-duration", error);
        Timing::default()
    });
    run.leader_election.then(|| Election { namespace: run.leader_election_namespace.clone(), timing })
}

pub(super) fn port(flag: &str, text: &str, mistakes: &mut Mistakes) -> u16 {
    match text.parse() {
        Ok(port) if port > 0 => port,
        _ => {
            mistakes.add(flag, format_args!("must be an integer in 1..65535, got {text:?}"));
            0
        }
    }
}

fn metrics(address: &str, mistakes: &mut Mistakes) -> Option<SocketAddr> {
    if address == "0" {
        return None;
    }
    // Go's notation for "every address".
    let spelled = address.strip_prefix(':').map_or_else(|| address.to_owned(), |port| format!("[::]:{port}"));
    let resolved = spelled.to_socket_addrs().ok().and_then(|mut found| found.find(|address| address.port() > 0));
    if resolved.is_none() {
        mistakes.add(
            "metrics-bind-address",
            format_args!("must be 0 or HOST:PORT with a port in 1..65535, got {address:?}"),
        );
    }
    resolved
}

fn tracing(run: &Run, mistakes: &mut Mistakes) -> Option<Tracing> {
    let ratio =
        mistakes.read("tracing-sample-ratio", &run.tracing_sample_ratio, |text| match text.trim().parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            _ => Err("must be a number from 0 to 1".to_owned()),
        });
    let endpoint = run.tracing_endpoint.trim();
    if endpoint.is_empty() {
        return None;
    }
    let authority = endpoint.parse::<http::uri::Authority>().ok();
    let complete = authority.is_some_and(|found| found.port_u16().is_some() && !endpoint.contains('@'));
    mistakes.unless(complete, "tracing-endpoint", "must be HOST:PORT; --tracing-insecure chooses the scheme");
    Some(Tracing { endpoint: endpoint.to_owned(), tls: !run.tracing_insecure, ratio })
}

/// The endpoint speaks no TLS, so its tokens must not leave the machine.
fn admin(address: &str, mistakes: &mut Mistakes) -> Option<SocketAddr> {
    if address.is_empty() {
        return None;
    }
    let read = address.parse().ok().filter(|found: &SocketAddr| found.ip().is_loopback() && found.port() > 0);
    if read.is_none() {
        mistakes.add(
            "admin-bind-address",
            format_args!("must be empty or a loopback address with a port, such as 127.0.0.1:8085, got {address:?}"),
        );
    }
    read
}

fn log(run: &Run, mistakes: &mut Mistakes) -> Log {
    let level = match run.log_level.as_str() {
        "debug" => tracing::Level::DEBUG,
        "info" => tracing::Level::INFO,
        "warn" => tracing::Level::WARN,
        "error" => tracing::Level::ERROR,
        other => {
            mistakes.add("log-level", format_args!("must be one of debug, info, warn, error, got {other:?}"));
            tracing::Level::INFO
        }
    };
    mistakes.unless(
        matches!(run.log_format.as_str(), "json" | "text"),
        "log-format",
        &format!("must be one of json, text, got {:?}", run.log_format),
    );
    Log { level, json: run.log_format != "text" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Args;
    use clap::Parser;

    fn config(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Config, UsageError> {
        let args = Args::try_parse_from([&["jaas-operator"], arguments].concat()).unwrap();
        Config::new(args.run, environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    const ENOUGH: [&str; 3] =
        ["--enable-flux-integration", "--storage-path=/data", "--storage-base-url=http://jaas-storage/"];

    #[test]
    fn the_least_that_starts_the_operator() {
        let config = config(&ENOUGH, &[]).unwrap();
        assert_eq!(config.storage.base_url, "http://jaas-storage");
        assert_eq!(config.storage.listener.port, 8082);
        assert_eq!(config.metrics.unwrap().port(), 8083);
        assert_eq!((config.release.as_str(), config.election.is_some()), ("jaas-operator", true));
        assert!(config.snippets.no_cross_namespace_refs);
        assert_eq!(config.evaluation.memory_bytes, 256 << 20);
    }

    #[test]
    fn without_an_operator_nothing_of_it_is_needed() {
        let alone = config(&[], &[]).unwrap();
        assert!(!alone.operator);
        assert_eq!((alone.renderer.listener.host.as_str(), alone.renderer.listener.port), ("127.0.0.1", 8080));
        assert_eq!((alone.renderer.endpoint.as_str(), alone.evaluation.max_stack), ("jsonnet", 500));
        assert_eq!((alone.storage.cache_bytes, alone.sources.cache_bytes), (0, 0));
        assert!(config(&["--storage-backend=s3", "--rerender-burst=0", "--rerender-rate=never"], &[]).is_ok());
        let wrong = [
            "--storage-backend=nfs",
            "--storage-port=0",
            "--rerender-burst=-1",
            "--mcp-allow-mutations",
            "--admin-bind-address=127.0.0.1:8085",
        ];
        let told = config(&wrong, &[]).unwrap_err();
        let flags: Vec<_> = told.0.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(
            flags,
            [
                "--mcp-allow-mutations:",
                "--admin-bind-address:",
                "--rerender-burst:",
                "--storage-backend:",
                "--storage-port:"
            ]
        );
        let renderer = config(&["--snippet=a,b", "--snippet=c", "--snippet-directory=d,e"], &[]).unwrap().renderer;
        assert_eq!(renderer.snippets, ["a,b", "c"], "commas part nothing");
        assert_eq!(renderer.directories, [std::path::PathBuf::from("d,e")]);
    }

    /// Every flag of the Go implementation, with a value that is not its default.
    const KNOWN: [&str; 67] = [
        "--listen-address=::",
        "--port=9080",
        "--jsonnet-endpoint-path=render",
        "--read-timeout=1s",
        "--write-timeout=1s",
        "--management-listen-address=::",
        "--management-port=9081",
        "--management-read-timeout=1s",
        "--management-write-timeout=1s",
        "--snippet=a",
        "--snippet-directory=b",
        "--library-path=c",
        "--ext-var=d=e",
        "--evaluation-timeout=1h30m",
        "--max-stack=7",
        "--max-concurrent-evals=9",
        "--shutdown-delay=0",
        "--enable-flux-integration",
        "--default-service-account=f",
        "--no-cross-namespace-refs=false",
        "--label-selector=g=h",
        "--watch-namespaces=i, j",
        "--rerender-rate=1.5/HR",
        "--rerender-burst=1",
        "--kubeconfig=k",
        "--max-withdraw-wait=2h",
        "--max-artifact-bytes=1024",
        "--artifact-gc-grace=0",
        "--storage-path=l",
        "--storage-base-url=http://m",
        "--storage-backend=s3",
        "--storage-listen-address=::",
        "--storage-port=9082",
        "--storage-read-timeout=1s",
        "--storage-write-timeout=1s",
        "--storage-sweep-interval=0",
        "--storage-sweep-max-tmp-age=1m",
        "--s3-endpoint=n:1",
        "--s3-bucket=o",
        "--s3-prefix=/p/",
        "--s3-region=q",
        "--s3-use-ssl=0",
        "--s3-access-key=r",
        "--s3-secret-key=s",
        "--s3-session-token=t",
        "--s3-anonymous=f",
        "--enable-webhook",
        "--webhook-cert-mode=self-signed",
        "--webhook-cert-dir=/u",
        "--webhook-port=9444",
        "--webhook-service-name=v",
        "--webhook-service-namespace=w",
        "--webhook-validating-config-name=x",
        "--webhook-cert-validity=24h",
        "--leader-election=true",
        "--leader-election-id=y",
        "--leader-election-namespace=z",
        "--metrics-bind-address=127.0.0.1:9083",
        "--enable-mcp=false",
        "--mcp-bind-address=:9084",
        "--mcp-allow-mutations=false",
        "--tracing-endpoint=c:4317",
        "--tracing-insecure",
        "--tracing-sample-ratio=0.5",
        "--log-level=debug",
        "--log-format=text",
        "--version=false",
    ];

    #[test]
    fn every_flag_of_the_go_implementation_is_known() {
        config(&KNOWN, &[]).unwrap();
        // With the value apart too, where it is no switch.
        let apart: Vec<_> = KNOWN
            .iter()
            .filter(|flag| {
                !flag.starts_with("--no-cross")
                    && !matches!(flag.rsplit_once('='), Some((_, "true" | "false" | "0" | "f")))
            })
            .flat_map(|flag| flag.split_once('=').map_or_else(|| vec![*flag], |(name, value)| vec![name, value]))
            .collect();
        config(&apart, &[]).unwrap();
        // Their types are checked, and a mistake names its flag.
        for flag in KNOWN.iter().filter_map(|flag| flag.strip_suffix("=1s").or_else(|| flag.strip_suffix("=24h"))) {
            let told = config(&[&KNOWN[..], &[&format!("{flag}=-1s")]].concat(), &[]).unwrap_err().to_string();
            assert!(told.contains(&format!("Invalid {flag}: ")), "{flag}: {told}");
        }
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let error = config(
            &[
                "--enable-flux-integration",
                "--enable-mcp",
                "--port=65536",
                "--read-timeout=-1s",
                "--jsonnet-endpoint-path=a/b",
                "--storage-port=0",
                "--management-port=x",
                "--storage-backend=nfs",
                "--log-level=loud",
                "--log-format=xml",
                "--watch-timeout=0",
                "--tracing-endpoint=http://collector:4317",
                "--tracing-sample-ratio=2",
                "--metrics-bind-address=nowhere",
                "--admin-bind-address=0.0.0.0:8085",
                "--ext-var=secret",
                "--evaluation-memory=64Mi",
                "--runbook-base-url=ftp://x",
                "--max-concurrent-reconciles=0",
                "--evaluation-timeout=soon",
                "--shutdown-delay=-1s",
                "--max-stack=many",
                "--leader-election-id=",
                "--leader-election-lease-duration=5s",
            ],
            &[],
        )
        .unwrap_err();
        assert_eq!(
            error.0,
            [
                "Invalid --enable-mcp: there is no MCP server; remove --enable-mcp, --mcp-bind-address and --mcp-allow-mutations",
                "Invalid --port: must be an integer in 1..65535, got \"65536\"",
                "Invalid --read-timeout: must not be negative, got \"-1s\"",
                "Invalid --jsonnet-endpoint-path: must be a word of A-Z a-z 0-9 . _ -, got \"a/b\"",
                "Invalid --watch-timeout: must be at least 1s, got \"0\"",
                "Invalid --ext-var: must be KEY=VALUE with a non-empty key",
                "Invalid --max-concurrent-reconciles: must be at least 1, got \"0\"",
                "Invalid --runbook-base-url: must be an http or https address",
                "Invalid --evaluation-timeout: must be a duration like 10s, 5m or 1h30m, got \"soon\"",
                "Invalid --max-stack: must be a whole number, got \"many\"",
                "Invalid --evaluation-memory: must be at least 96Mi: 64Mi are the evaluation's stack, got \"64Mi\"",
                "Invalid --storage-backend: must be one of local, s3, got \"nfs\"",
                "Invalid --storage-base-url: required when --enable-flux-integration is set",
                "Invalid --storage-port: must be an integer in 1..65535, got \"0\"",
                "Invalid --leader-election-id: must be the name of a Lease",
                "Invalid --leader-election-lease-duration: the lease duration 5s must be longer than the renew deadline 10s",
                "Invalid --management-port: must be an integer in 1..65535, got \"x\"",
                "Invalid --metrics-bind-address: must be 0 or HOST:PORT with a port in 1..65535, got \"nowhere\"",
                "Invalid --tracing-sample-ratio: must be a number from 0 to 1, got \"2\"",
                "Invalid --tracing-endpoint: must be HOST:PORT; --tracing-insecure chooses the scheme",
                "Invalid --admin-bind-address: must be empty or a loopback address with a port, such as 127.0.0.1:8085, got \"0.0.0.0:8085\"",
                "Invalid --shutdown-delay: must not be negative, got \"-1s\"",
                "Invalid --log-level: must be one of debug, info, warn, error, got \"loud\"",
                "Invalid --log-format: must be one of json, text, got \"xml\"",
            ]
        );
    }

    #[test]
    fn a_withdrawal_that_may_take_no_time_may_take_an_hour() {
        let wait = |text: &str| {
            let flag = format!("--max-withdraw-wait={text}");
            let more = [flag.as_str(), "--storage-orphan-age=24h"];
            config(&[&ENOUGH[..], &more].concat(), &[]).map(|config| config.snippets.max_withdraw_wait.as_secs())
        };
        assert_eq!([wait("0"), wait("1s"), wait("2h")], [Ok(3600), Ok(1), Ok(7200)]);
        assert!(wait("-1s").is_err());
    }

    #[test]
    fn the_command_line_beats_the_environment() {
        let config = config(
            &[&ENOUGH[..], &["--ext-var=a=b=c", "--ext-var=d=1,2"]].concat(),
            &[("JAAS_EXT_VAR_a", "x"), ("JAAS_EXT_VAR_e", ""), ("OTHER", "y")],
        )
        .unwrap();
        let expected = [("a", "b=c"), ("d", "1,2"), ("e", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(config.snippets.external_variables, BTreeMap::from(expected));
    }

    #[test]
    fn the_admin_endpoint_is_off_or_stays_on_this_machine() {
        let admin = |address: &str| {
            let flag = format!("--admin-bind-address={address}");
            config(&[&ENOUGH[..], &[&flag]].concat(), &[]).map(|config| config.admin)
        };
        assert_eq!(admin(""), Ok(None));
        for right in ["127.0.0.1:8085", "[::1]:8085", "127.8.9.1:1"] {
            assert_eq!(admin(right).unwrap().unwrap().to_string(), right);
        }
        for wrong in [":8085", "0.0.0.0:8085", "[::]:8085", "10.0.0.1:8085", "localhost:8085", "127.0.0.1:0", "8085"] {
            assert!(admin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_namespace_has_a_share_of_a_directory_and_bytes_of_a_bucket() {
        let quota = |more: &[&str]| {
            config(&[&ENOUGH[..], more].concat(), &[])
                .map(|config| config.storage.namespace_quota)
                .map_err(|error| error.to_string())
        };
        let bucket = ["--storage-backend=s3", "--s3-endpoint=s3:9000", "--s3-bucket=a"];
        assert_eq!(quota(&[]), Ok(None));
        assert_eq!(quota(&["--storage-namespace-quota=25%"]), Ok(Some(Share::Percent(25))));
        let with = |flag| quota(&[&bucket[..], &[flag]].concat());
        assert_eq!(with("--storage-namespace-quota=1Gi"), Ok(Some(Share::Bytes(1 << 30))));
        assert_eq!(
            with("--storage-namespace-quota=25%").unwrap_err(),
            "Invalid --storage-namespace-quota: a bucket has no size to take a share of; give bytes, such as 1Gi"
        );
        assert_eq!(
            quota(&["--storage-namespace-quota=half"]).unwrap_err(),
            "Invalid --storage-namespace-quota: must be 0, a percentage from 1% to 100%, or bytes such as 256Mi, got \"half\""
        );
    }

    #[test]
    fn spans_go_nowhere_unless_somebody_takes_them() {
        let tracing = |more: &[&str]| config(&[&ENOUGH[..], more].concat(), &[]).map(|config| config.tracing);
        assert_eq!(tracing(&["--tracing-insecure", "--tracing-sample-ratio=0.5"]), Ok(None));
        let all = Tracing { endpoint: "collector.observe:4317".to_owned(), tls: true, ratio: 1.0 };
        assert_eq!(tracing(&["--tracing-endpoint=collector.observe:4317"]), Ok(Some(all.clone())));
        let some = Tracing { endpoint: "[::1]:4317".to_owned(), tls: false, ratio: 0.25 };
        let flags = ["--tracing-endpoint=[::1]:4317", "--tracing-insecure=true", "--tracing-sample-ratio=2.5e-01"];
        assert_eq!(tracing(&flags), Ok(Some(some)));
        for wrong in ["collector", "a@b:1", "grpc://c:1", "c:1/path", "c:99999"] {
            assert!(tracing(&[&format!("--tracing-endpoint={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_webhook_is_off_or_has_a_certificate() {
        use super::super::{Certificate, Webhook};
        let webhook = |more: &[&str]| config(&[&ENOUGH[..], more].concat(), &[]).map(|config| config.webhook);
        assert_eq!(webhook(&["--webhook-cert-mode=self-signed"]), Ok(None));
        let mounted = Certificate::Mounted("/tmp/k8s-webhook-server/serving-certs".into());
        assert_eq!(
            webhook(&["--enable-webhook"]),
            Ok(Some(Webhook { host: "::".to_owned(), port: 9443, certificate: mounted }))
        );
        let ours = ["--enable-webhook", "--webhook-cert-mode=self-signed", "--webhook-validating-config-name=jaas"];
        let certificate = Certificate::SelfSigned {
            service: "jaas-webhook".to_owned(),
            namespace: String::new(),
            secret: "jaas-webhook-cert".to_owned(),
            configuration: "jaas".to_owned(),
            validity: Duration::from_secs(8760 * 3600),
        };
        assert_eq!(webhook(&ours), Ok(Some(Webhook { host: "::".to_owned(), port: 9443, certificate })));
        let told = |more: &[&str]| webhook(more).unwrap_err().to_string();
        assert_eq!(
            told(&ours[..2]),
            "Invalid --webhook-validating-config-name: required when --webhook-cert-mode=self-signed"
        );
        assert_eq!(
            told(&["--enable-webhook", "--webhook-cert-mode=magic", "--webhook-port=0", "--webhook-cert-validity=-1s"]),
            "Invalid --webhook-port: must be an integer in 1..65535, got \"0\"\n\
             Invalid --webhook-cert-validity: must not be negative, got \"-1s\"\n\
             Invalid --webhook-cert-mode: must be one of cert-manager, self-signed, got \"magic\""
        );
        assert_eq!(
            told(&["--enable-webhook", "--webhook-cert-validity=59s"]),
            "Invalid --webhook-cert-validity: must be at least 1m, got \"59s\""
        );
        assert_eq!(
            config(&["--enable-webhook"], &[]).unwrap_err().to_string(),
            "Invalid --enable-webhook: --enable-webhook requires --enable-flux-integration"
        );
    }

    #[test]
    fn namespaces_are_trimmed_and_empty_ones_dropped() {
        let config = config(&[&ENOUGH[..], &["--watch-namespaces= a, ,b,"]].concat(), &[]).unwrap();
        assert_eq!(config.cluster.watch_namespaces, ["a", "b"]);
    }

    #[test]
    fn a_selector_is_read_and_a_wrong_one_is_named() {
        let selected = |text: &str| {
            let flag = format!("--label-selector={text}");
            config(&[&ENOUGH[..], &[&flag]].concat(), &[]).map(|config| config.cluster.label_selector.to_string())
        };
        assert_eq!(selected(""), Ok(String::new()));
        assert_eq!(selected("team in (b, a),!old"), Ok("team in (a,b),!old".to_owned()));
        let told = selected("team in a").unwrap_err().to_string();
        assert!(told.starts_with("Invalid --label-selector: \"team in a\" is no name of a label"), "{told}");
    }

    #[test]
    fn a_bucket_needs_an_endpoint_and_takes_credentials_in_their_order() {
        let s3 = |more: &[&str]| {
            let config = config(&[&ENOUGH[..], &["--storage-backend=s3"], more].concat(), &[])?;
            match config.storage.backend {
                Backend::S3 { options, .. } => Ok(format!("{:?}", options.credentials)),
                Backend::Local { .. } => Ok("local".to_owned()),
            }
        };
        assert_eq!(
            s3(&[]).map_err(|error: UsageError| error.to_string()),
            Err("Invalid S3 config: --s3-endpoint and --s3-bucket are required when --storage-backend=s3".to_owned())
        );
        let bucket = ["--s3-endpoint=s3:9000", "--s3-bucket=artifacts"];
        let with = |more: &[&str]| s3(&[&bucket[..], more].concat()).map_err(|error: UsageError| error.to_string());
        assert_eq!(with(&[]).as_deref(), Ok("Chain"));
        assert_eq!(with(&["--s3-access-key=a", "--s3-secret-key=b"]).as_deref(), Ok("Static"));
        assert_eq!(with(&["--s3-access-key=a", "--s3-credentials-file=/keys"]).as_deref(), Ok("File(\"/keys\")"));
        assert_eq!(with(&["--s3-access-key=a", "--s3-anonymous"]).as_deref(), Ok("Anonymous"));
        assert!(s3(&["--s3-endpoint=http://s3:9000", "--s3-bucket=a"]).is_err());
    }
}
