//! Connection flags, spelled as in kubectl. Pure.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::duration;

/// Time for one call when `--request-timeout` says nothing: long enough for a slow list page, short enough for a person.
const REQUEST_TIMEOUT: &str = "30s";

/// How the API server is reached, and as whom.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection (as in kubectl)")]
pub(crate) struct Connection {
    /// Namespace of the snippets.
    #[arg(short, long, global = true, value_name = "NAMESPACE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) namespace: Option<String>,
    /// Context of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) context: Option<String>,
    /// Kubeconfig to read; otherwise KUBECONFIG, then ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Cluster of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) cluster: Option<String>,
    /// User of the kubeconfig to use.
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) user: Option<String>,
    /// User to act as.
    #[arg(long = "as", global = true, value_name = "USER", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) impersonate: Option<String>,
    /// Group to act as; may be repeated.
    #[arg(long = "as-group", global = true, value_name = "GROUP", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) impersonate_groups: Vec<String>,
    /// UID to act as.
    #[arg(long = "as-uid", global = true, value_name = "UID", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) impersonate_uid: Option<String>,
    /// Further attribute to act with; may be repeated.
    #[arg(long = "as-user-extra", global = true, value_name = "KEY=VALUE", value_parser = extra, hide_short_help = true)]
    pub(crate) impersonate_extra: Vec<(String, String)>,
    /// Address of the API server; without a scheme, https is meant.
    #[arg(short, long, global = true, value_name = "URL", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) server: Option<String>,
    /// Bearer token.
    #[arg(long, global = true, value_name = "TOKEN", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) token: Option<String>,
    /// User name, where the server takes one.
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "token", hide_short_help = true)]
    pub(crate) username: Option<String>,
    /// Password that goes with it.
    #[arg(long, global = true, value_name = "PASSWORD", conflicts_with = "token", hide_short_help = true)]
    pub(crate) password: Option<String>,
    /// Name that the server's certificate must carry.
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) tls_server_name: Option<String>,
    /// Do not verify the server's certificate.
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        hide_short_help = true
    )]
    pub(crate) insecure_skip_tls_verify: Option<bool>,
    /// File with the certificates that the server's is verified against.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) certificate_authority: Option<PathBuf>,
    /// File with the client certificate.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) client_certificate: Option<PathBuf>,
    /// File with the key of the client certificate.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) client_key: Option<PathBuf>,
    /// Longest time for one call to the API server; 0 means no limit.
    #[arg(long, global = true, value_name = "TIME", value_parser = duration, default_value = REQUEST_TIMEOUT, hide_short_help = true)]
    pub(crate) request_timeout: Duration,
    /// Taken from lines that were written for kubectl; nothing is cached here.
    #[allow(dead_code, reason = "there is nothing to do")]
    #[arg(long, global = true, value_name = "DIR", hide = true)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Taken from lines that were written for kubectl; what is compressed is the server's choice here.
    #[allow(dead_code, reason = "there is nothing to do")]
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(crate) disable_compression: Option<bool>,
}

/// `KEY=VALUE`, as kubectl takes it.
fn extra(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is needed, such as scopes=view".to_owned()),
    }
}

impl Connection {
    /// Longest time for one call; `None` for no limit.
    pub(crate) fn call_limit(&self) -> Option<Duration> {
        (!self.request_timeout.is_zero()).then_some(self.request_timeout)
    }
}
