//! Flags that say how the store is reached. Pure.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

/// How the store is reached.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Road to the store")]
pub(crate) struct RoadArgs {
    /// The way to the store; `auto` takes the first that leads there.
    #[arg(long, value_name = "ROUTE", value_enum, default_value_t)]
    pub(crate) route: Route,
    /// Address of the operator's admin endpoint, where it is reached from here, such as http://127.0.0.1:8085.
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) admin_address: Option<String>,
    /// ServiceAccount whose token the admin endpoint is shown; jaas-oncall in the operator's namespace otherwise.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = account, hide_short_help = true)]
    pub(crate) admin_account: Option<Account>,
    /// With the route s3: where the object store is reached from here, if that is not where the operator reaches it.
    #[arg(long, value_name = "HOST:PORT", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub(crate) s3_endpoint: Option<String>,
    /// The folder of the store, mounted here; reads only.
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    pub(crate) path: Option<PathBuf>,
}

/// The way to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Route {
    /// The first of the others that leads there.
    #[default]
    Auto,
    /// The operator's admin endpoint, through its Pod.
    Admin,
    /// The storage server, through a Pod.
    PortForward,
    /// The storage server, through the API server and the Service.
    ServiceProxy,
    /// The storage server, by the announced address, from here.
    Direct,
    /// The bucket, with your own keys, as the AWS tools find them.
    S3,
    /// The folder, mounted here: --path.
    Path,
}

impl Route {
    /// The word in documents.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Admin => "admin",
            Self::PortForward => "port-forward",
            Self::ServiceProxy => "service-proxy",
            Self::Direct => "direct",
            Self::S3 => "s3",
            Self::Path => "path",
        }
    }
}

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

fn account(text: &str) -> Result<Account, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Account { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("write it as NAMESPACE/NAME".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_a_namespace_and_a_name() {
        let read = account("jaas-system/jaas-oncall");
        assert_eq!(read, Ok(Account { namespace: "jaas-system".to_owned(), name: "jaas-oncall".to_owned() }));
        for wrong in ["jaas-oncall", "/x", "x/", "a/b/c"] {
            assert!(account(wrong).is_err(), "{wrong}");
        }
    }
}
