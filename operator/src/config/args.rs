//! The command line, flag by flag, with the names and defaults that users of the Go implementation know.
//!
//! Values are taken as text: whoever reads them names every mistake at once, not just the first.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::value::boolean;

/// Renders Jsonnet and publishes the result as Flux ExternalArtifacts.
#[derive(Parser, Debug)]
#[command(
    name = "jaas-operator",
    disable_version_flag = true,
    args_override_self = true,
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    /// What to do; without a command the operator runs.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of the running operator.
    #[command(flatten)]
    pub run: Run,
}

/// Commands besides running.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Prints files that are generated from the code.
    Generate {
        /// Which files.
        #[command(subcommand)]
        what: Generate,
    },
    /// Looks at the store from inside the Pod; changes nothing.
    Storage(Look),
    /// Deletes every snippet and waits until they are gone; what nobody withdraws in time is let go. Run before an uninstall.
    Cleanup(Cleanup),
}

/// A look at the store.
#[derive(ClapArgs, Debug)]
pub struct Look {
    /// What to look at.
    #[arg(value_enum)]
    pub at: LookAt,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: LookFormat,
    /// Flags of the operator that name the store; without any, those of the operator that runs as process 1.
    #[arg(last = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub flags: Vec<String>,
}

/// What of a store can be looked at.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookAt {
    /// Every file, with its size and when it was written.
    Ls,
    /// Reads every artifact and tells whether it is what its name says.
    Verify,
    /// How much is there and how much room there is.
    Df,
}

/// Form of what a look answers.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookFormat {
    /// Columns with a tab between them.
    Text,
    /// A JSON document in each line.
    Ndjson,
}

/// Settings of the clean-up before an uninstall.
#[derive(ClapArgs, Debug, Clone)]
pub struct Cleanup {
    /// How long the operator may take to withdraw what the snippets published.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub timeout: String,
    /// Namespaces whose snippets are deleted, separated by commas; all when empty.
    #[arg(long, default_value = "", value_name = "NAMES")]
    pub namespaces: String,
    /// Only snippets with these labels; all when empty.
    #[arg(long, default_value = "", value_name = "SELECTOR")]
    pub label_selector: String,
    /// Kubeconfig to use; otherwise KUBECONFIG, the default path, the pod's own account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// What can be generated.
#[derive(Subcommand, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generate {
    /// The CustomResourceDefinitions.
    Crds,
    /// The ClusterRole that the operator needs.
    Rbac,
    /// The ClusterRole that a snippet's ServiceAccount needs.
    TenantRbac,
}

/// Settings of the running operator.
#[derive(ClapArgs, Debug)]
pub struct Run {
    /// Prints version and commit.
    #[arg(long, action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", hide_default_value = true, default_missing_value = "true", value_name = "BOOL")]
    pub version: bool,

    /// Host that the HTTP renderer binds.
    #[arg(long, help_heading = "HTTP renderer", default_value = "127.0.0.1", value_name = "HOST")]
    pub listen_address: String,
    /// Port that the HTTP renderer binds.
    #[arg(long, help_heading = "HTTP renderer", default_value = "8080", value_name = "PORT")]
    pub port: String,
    /// The segment of a path before the name of a snippet.
    #[arg(long, help_heading = "HTTP renderer", default_value = "jsonnet", value_name = "WORD")]
    pub jsonnet_endpoint_path: String,
    /// Limit for reading a request.
    #[arg(long, help_heading = "HTTP renderer", default_value = "10s", value_name = "DURATION")]
    pub read_timeout: String,
    /// Limit for writing a response.
    #[arg(long, help_heading = "HTTP renderer", default_value = "10s", value_name = "DURATION")]
    pub write_timeout: String,
    /// File that is rendered under the very name that is given here; may be given more than once.
    #[arg(long, help_heading = "HTTP renderer", value_name = "FILE")]
    pub snippet: Vec<String>,
    /// Folder whose folders are rendered by their names, each from its main.jsonnet; may be given more than once. Of two of one name that of the first folder counts.
    #[arg(long, help_heading = "HTTP renderer", value_name = "DIR")]
    pub snippet_directory: Vec<PathBuf>,

    /// Runs the operator beside the HTTP renderer: watches snippets and publishes their artifacts.
    #[arg(long, help_heading = "Operator", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_name = "BOOL")]
    pub enable_flux_integration: bool,
    /// Kubeconfig to use; otherwise KUBECONFIG, the default path, the pod's own account.
    #[arg(long, help_heading = "Operator", default_value = "", hide_default_value = true, value_name = "FILE")]
    pub kubeconfig: String,
    /// Namespaces to watch, separated by commas; all when empty.
    #[arg(
        long,
        help_heading = "Operator",
        env = "JAAS_WATCH_NAMESPACES",
        default_value = "",
        hide_env_values = true,
        value_name = "NAMES"
    )]
    pub watch_namespaces: String,
    /// Labels of the snippets and libraries to watch, such as `team=web,stage in (test,live)`; all when empty.
    #[arg(long, help_heading = "Operator", default_value = "", hide_default_value = true, value_name = "SELECTOR")]
    pub label_selector: String,
    /// How long a watch may bring nothing before it is begun anew, in whole seconds and at least 1s; a connection that is silently dead is noticed five seconds later.
    #[arg(long, help_heading = "Operator", default_value = "1m", value_name = "DURATION")]
    pub watch_timeout: String,
    /// ServiceAccount of snippets that name none; when empty such snippets are refused.
    #[arg(long, help_heading = "Operator", default_value = "", value_name = "NAME")]
    pub default_service_account: String,
    /// Refuses references into another namespace.
    #[arg(long, help_heading = "Operator", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL")]
    pub no_cross_namespace_refs: bool,
    /// Largest content that is published, in bytes; 0 leaves only the consumers' limits in force.
    #[arg(long, help_heading = "Operator", default_value = "0", value_name = "BYTES")]
    pub max_artifact_bytes: String,
    /// How long a revision stays fetchable after it left the history; 0 removes it at once.
    #[arg(long, help_heading = "Operator", default_value = "5m", value_name = "DURATION")]
    pub artifact_gc_grace: String,
    /// How long a store that refuses may hold a deleted snippet; 0 means 1h.
    #[arg(long, help_heading = "Operator", default_value = "1h", value_name = "DURATION")]
    pub max_withdraw_wait: String,
    /// Reconciles that run at once.
    #[arg(long, help_heading = "Operator", default_value = "16", value_name = "N")]
    pub max_concurrent_reconciles: String,
    /// How often a snippet may be rendered in the long run, as a number, a slash, and sec, min or hour; 0/min sets no limit.
    #[arg(long, help_heading = "Operator", default_value = "60/min", value_name = "N/PERIOD")]
    pub rerender_rate: String,
    /// Renders of a snippet that may come at once after a rest, at least 1.
    #[arg(long, help_heading = "Operator", default_value = "120", value_name = "N")]
    pub rerender_burst: String,
    /// Where the pages of reasons live.
    #[arg(long, help_heading = "Operator", default_value = jaas_api::reason::RUNBOOK_BASE_URL, value_name = "URL")]
    pub runbook_base_url: String,

    /// External variable KEY=VALUE of every snippet; may be given more than once. Overrides the environment variable JAAS_EXT_VAR_KEY.
    #[arg(long = "ext-var", help_heading = "Evaluation", value_name = "KEY=VALUE")]
    pub ext_var: Vec<String>,
    /// Ends an evaluation after this time; 0 means never.
    #[arg(long, help_heading = "Evaluation", default_value = "5s", value_name = "DURATION")]
    pub evaluation_timeout: String,
    /// Depth of the evaluation's stack; 0 means the engine's own.
    #[arg(long, help_heading = "Evaluation", default_value = "500", value_name = "N")]
    pub max_stack: String,
    /// Evaluations that run at once; 0 means as many as the container has processors, at least three, and no more than its memory limit holds.
    #[arg(long, help_heading = "Evaluation", default_value = "0", value_name = "N")]
    pub max_concurrent_evals: String,
    /// Memory of one evaluation, at least 96Mi; 64Mi of it are its stack. The container must have room for all that run at once.
    #[arg(long, help_heading = "Evaluation", default_value = "256Mi", value_name = "BYTES")]
    pub evaluation_memory: String,

    /// Hosts that sources may be fetched from, separated by commas: names, `*.` and the end of a name, addresses, ranges; with `:PORT` if wanted. Loopback, link-local and metadata addresses are refused unless that very address and port are listed. The services of Flux's namespace when empty; our own storage server in any case.
    #[arg(long, help_heading = "Sources", default_value = "", hide_default_value = true, value_name = "HOSTS")]
    pub allowed_source_hosts: String,
    /// Namespace of Flux's source-controller.
    #[arg(long, help_heading = "Sources", default_value = "flux-system", value_name = "NAME")]
    pub flux_namespace: String,
    /// Downloads of sources that are kept in memory, and twice as much of what was unpacked from them.
    #[arg(long, help_heading = "Sources", default_value = "32Mi", value_name = "BYTES")]
    pub source_cache: String,
    /// Folder whose folders are libraries of every snippet, each under its own name, and below which the HTTP renderer looks for imports; may be given more than once. Of two of one name that of the last folder counts.
    #[arg(long, help_heading = "Sources", value_name = "DIR")]
    pub library_path: Vec<PathBuf>,

    /// Kind of store.
    #[arg(long, help_heading = "Storage", default_value = "local", value_name = "KIND")]
    pub storage_backend: String,
    /// Directory of the store.
    #[arg(long, help_heading = "Storage", default_value = "", value_name = "DIR")]
    pub storage_path: String,
    /// Address under which consumers reach the storage server.
    #[arg(long, help_heading = "Storage", default_value = "", value_name = "URL")]
    pub storage_base_url: String,
    /// Bytes that a local store may hold, such as 1Gi; 0 leaves the volume's size as the limit.
    #[arg(long, help_heading = "Storage", default_value = "0", value_name = "BYTES")]
    pub storage_quota: String,
    /// What the artifacts of one namespace may take: a share such as 25% of --storage-quota or else of the volume, or bytes; 0 sets no limit. A bucket needs bytes.
    #[arg(long, help_heading = "Storage", default_value = "0", value_name = "SHARE")]
    pub storage_namespace_quota: String,
    /// Verified artifacts that are kept in memory, so that they are served while the store is away; 0 keeps none.
    #[arg(long, help_heading = "Storage", default_value = "64Mi", value_name = "BYTES")]
    pub storage_cache: String,
    /// Host that the storage server binds.
    #[arg(long, help_heading = "Storage", default_value = "0.0.0.0", value_name = "HOST")]
    pub storage_listen_address: String,
    /// Port that the storage server binds.
    #[arg(long, help_heading = "Storage", default_value = "8082", value_name = "PORT")]
    pub storage_port: String,
    /// Limit for reading a request.
    #[arg(long, help_heading = "Storage", default_value = "30s", value_name = "DURATION")]
    pub storage_read_timeout: String,
    /// Limit for writing a response.
    #[arg(long, help_heading = "Storage", default_value = "5m", value_name = "DURATION")]
    pub storage_write_timeout: String,
    /// Makes a store ours that carries the mark of another installation. Nothing is removed from such a store otherwise.
    #[arg(long, help_heading = "Storage", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_name = "BOOL")]
    pub storage_take_over: bool,
    /// How often every published artifact is looked for; 0 means never.
    #[arg(long, help_heading = "Storage", default_value = "5m", value_name = "DURATION")]
    pub storage_check_interval: String,
    /// Time in which the content of every published artifact is read and verified once; 0 means never.
    #[arg(long, help_heading = "Storage", default_value = "24h", value_name = "DURATION")]
    pub storage_scrub_period: String,
    /// Bytes that this reading takes each second at most.
    #[arg(long, help_heading = "Storage", default_value = "8Mi", value_name = "BYTES")]
    pub storage_scrub_rate: String,
    /// How long a file must be seen that no snippet and no artifact names before it is removed; at least --max-withdraw-wait and --artifact-gc-grace together.
    #[arg(long, help_heading = "Storage", default_value = "2h", value_name = "DURATION")]
    pub storage_orphan_age: String,
    /// How often such files are looked for; 0 means never.
    #[arg(long, help_heading = "Storage", default_value = "10m", value_name = "DURATION")]
    pub storage_orphan_interval: String,
    /// How often left-over temporary files are swept; 0 means never.
    #[arg(long, help_heading = "Storage", default_value = "10m", value_name = "DURATION")]
    pub storage_sweep_interval: String,
    /// Age at which a temporary file counts as left over, where its writer cannot be asked.
    #[arg(long, help_heading = "Storage", default_value = "30m", value_name = "DURATION")]
    pub storage_sweep_max_tmp_age: String,

    /// Host and port of the object store.
    #[arg(long, help_heading = "S3", default_value = "", value_name = "HOST:PORT")]
    pub s3_endpoint: String,
    /// Bucket, which must exist.
    #[arg(long, help_heading = "S3", default_value = "", value_name = "NAME")]
    pub s3_bucket: String,
    /// Where in the bucket; slashes at both ends are ignored.
    #[arg(long, help_heading = "S3", default_value = "", value_name = "PREFIX")]
    pub s3_prefix: String,
    /// Region; learned from the service where it says so.
    #[arg(long, help_heading = "S3", default_value = "", value_name = "REGION")]
    pub s3_region: String,
    /// Speaks TLS.
    #[arg(long, help_heading = "S3", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL")]
    pub s3_use_ssl: bool,
    /// File with certificates in PEM that may sign the endpoint's; the system's otherwise.
    #[arg(long, help_heading = "S3", value_name = "FILE")]
    pub s3_ca_file: Option<PathBuf>,
    /// Access key; otherwise environment, shared files, web identity, container and instance metadata.
    #[arg(long, help_heading = "S3", default_value = "", hide_default_value = true, value_name = "KEY")]
    pub s3_access_key: String,
    /// Secret key.
    #[arg(long, help_heading = "S3", default_value = "", hide_default_value = true, value_name = "KEY")]
    pub s3_secret_key: String,
    /// Session token of temporary keys.
    #[arg(long, help_heading = "S3", default_value = "", hide_default_value = true, value_name = "TOKEN")]
    pub s3_session_token: String,
    /// AWS credentials file, or a directory with files named AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; read again when it changes.
    #[arg(long, help_heading = "S3", value_name = "PATH")]
    pub s3_credentials_file: Option<PathBuf>,
    /// Signs no request.
    #[arg(long, help_heading = "S3", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_name = "BOOL")]
    pub s3_anonymous: bool,

    /// Lets one of several replicas write; the others serve and wait.
    #[arg(long, help_heading = "Leader election", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL")]
    pub leader_election: bool,
    /// Name of the Lease.
    #[arg(long, help_heading = "Leader election", default_value = "jaas-operator", value_name = "NAME")]
    pub leader_election_id: String,
    /// Namespace of the Lease; the pod's own when empty.
    #[arg(long, help_heading = "Leader election", default_value = "", value_name = "NAME")]
    pub leader_election_namespace: String,
    /// How long others wait after the leader was last heard of.
    #[arg(long, help_heading = "Leader election", default_value = "15s", value_name = "DURATION")]
    pub leader_election_lease_duration: String,
    /// How long a leader goes on that cannot renew its Lease.
    #[arg(long, help_heading = "Leader election", default_value = "10s", value_name = "DURATION")]
    pub leader_election_renew_deadline: String,
    /// Time between two renewals, and between two attempts to lead.
    #[arg(long, help_heading = "Leader election", default_value = "2s", value_name = "DURATION")]
    pub leader_election_retry_period: String,

    /// Host that the management server binds.
    #[arg(long, help_heading = "Management", default_value = "127.0.0.1", value_name = "HOST")]
    pub management_listen_address: String,
    /// Port that the management server binds.
    #[arg(long, help_heading = "Management", default_value = "8081", value_name = "PORT")]
    pub management_port: String,
    /// Limit for reading a request.
    #[arg(long, help_heading = "Management", default_value = "10s", value_name = "DURATION")]
    pub management_read_timeout: String,
    /// Limit for writing a response.
    #[arg(long, help_heading = "Management", default_value = "10s", value_name = "DURATION")]
    pub management_write_timeout: String,
    /// Host and port of the metrics server; 0 switches it off.
    #[arg(long, help_heading = "Management", default_value = ":8083", value_name = "HOST:PORT")]
    pub metrics_bind_address: String,
    /// Gives jaas_snippet_rendered_bytes a series for each snippet; otherwise there is one for all together.
    #[arg(long, help_heading = "Management", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL")]
    pub metrics_snippet_sizes: bool,
    /// Host and port of an OpenTelemetry collector that takes spans by OTLP over gRPC; off when empty.
    #[arg(long, help_heading = "Management", default_value = "", value_name = "HOST:PORT")]
    pub tracing_endpoint: String,
    /// Speaks no TLS with the collector.
    #[arg(long, help_heading = "Management", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_name = "BOOL")]
    pub tracing_insecure: bool,
    /// Part of the reconciles that are traced, from 0 to 1.
    #[arg(long, help_heading = "Management", default_value = "1.0", value_name = "RATIO")]
    pub tracing_sample_ratio: String,
    /// Address and port of the admin endpoint, which the plugin uses to look at the store and to repair it; off when empty. Only a
    /// loopback address is taken, such as 127.0.0.1:8085: a port-forward reaches it there.
    #[arg(long, help_heading = "Management", default_value = "", value_name = "IP:PORT")]
    pub admin_bind_address: String,
    /// Runs the admission webhook, which refuses snippets and libraries that a reconcile would refuse.
    #[arg(long, help_heading = "Webhook", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_name = "BOOL")]
    pub enable_webhook: bool,
    /// Where its certificate comes from: cert-manager takes that in --webhook-cert-dir; with self-signed the operator makes and renews one.
    #[arg(long, help_heading = "Webhook", default_value = "cert-manager", value_name = "MODE")]
    pub webhook_cert_mode: String,
    /// Folder with tls.crt and tls.key, read again when they change. Without meaning where the certificate is self-signed.
    #[arg(long, help_heading = "Webhook", default_value = "/tmp/k8s-webhook-server/serving-certs", value_name = "DIR")]
    pub webhook_cert_dir: PathBuf,
    /// Host that the webhook binds.
    #[arg(long, help_heading = "Webhook", default_value = "::", value_name = "HOST")]
    pub webhook_listen_address: String,
    /// Port that the webhook binds.
    #[arg(long, help_heading = "Webhook", default_value = "9443", value_name = "PORT")]
    pub webhook_port: String,
    /// Name of the Service that leads to the webhook.
    #[arg(long, help_heading = "Webhook", default_value = "jaas-webhook", value_name = "NAME")]
    pub webhook_service_name: String,
    /// Namespace of that Service; that of the Lease when empty, else the pod's own.
    #[arg(long, help_heading = "Webhook", default_value = "", value_name = "NAME")]
    pub webhook_service_namespace: String,
    /// Secret in that namespace which holds the self-signed certificate for all replicas. It must exist, and may be empty.
    #[arg(long, help_heading = "Webhook", default_value = "jaas-webhook-cert", value_name = "NAME")]
    pub webhook_secret_name: String,
    /// ValidatingWebhookConfiguration that is to trust the self-signed certificate.
    #[arg(long, help_heading = "Webhook", default_value = "", value_name = "NAME")]
    pub webhook_validating_config_name: String,
    /// How long a self-signed certificate is valid, at least 1m; a new one is made after a third of it.
    #[arg(long, help_heading = "Webhook", default_value = "8760h", value_name = "DURATION")]
    pub webhook_cert_validity: String,
    /// Refused: there is no MCP server.
    #[arg(long, help_heading = "MCP", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_name = "BOOL")]
    pub enable_mcp: bool,
    /// Without meaning, as there is no MCP server.
    #[arg(long, help_heading = "MCP", default_value = ":8084", value_name = "HOST:PORT")]
    pub mcp_bind_address: String,
    /// Refused: there is no MCP server.
    #[arg(long, help_heading = "MCP", action = clap::ArgAction::Set, value_parser = boolean, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_name = "BOOL")]
    pub mcp_allow_mutations: bool,
    /// How long readiness is off before connections are closed; 0 means not at all.
    #[arg(long, help_heading = "Management", default_value = "5s", value_name = "DURATION")]
    pub shutdown_delay: String,
    /// Least severe level that is logged: debug, info, warn or error.
    #[arg(long, help_heading = "Management", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
    /// Form of the log: json or text.
    #[arg(long, help_heading = "Management", default_value = "json", value_name = "FORMAT")]
    pub log_format: String,
}
