//! Why a session or a call failed: a closed list, each with exit code and next step. Pure.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::time::Duration;

use kube::core::Status;

use super::call::{Call, rule};
use crate::exit::Exit;

/// A failure to open a session or to make a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A name that the kubeconfig does not have.
    #[error("the kubeconfig has no {what} `{name}`")]
    Unknown { what: &'static str, name: String, known: Vec<String> },
    /// No flag and no `current-context` chooses one.
    #[error("the kubeconfig chooses no context")]
    NoContext { known: Vec<String> },
    /// There is no file to read.
    #[error("no kubeconfig found; looked at {}", list(.looked))]
    NoKubeconfig { looked: Vec<PathBuf> },
    /// The kubeconfig or a file that it names cannot be used.
    #[error("cannot use the kubeconfig: {cause}")]
    Kubeconfig { cause: String },
    /// A flag or variable holds something that is no address.
    #[error("`{value}` is no address, in {place}")]
    Address { place: &'static str, value: String },
    /// A token file, an exec plugin or an identity provider gave nothing.
    #[error("cannot sign in to {server}: {cause}")]
    Credentials { server: String, cause: String },
    /// The server does not know who calls.
    #[error("cannot {call}: {server} does not accept the credentials (401)")]
    Unauthorized { call: Box<Call>, server: String },
    /// The caller lacks a right.
    #[error("cannot {call}: {message}")]
    Forbidden { call: Box<Call>, message: String, rule: String },
    /// The object does not exist.
    #[error("cannot {call}: it does not exist")]
    NotFound { call: Box<Call> },
    /// The server does not know the kind at all.
    #[error("cannot {call}: the cluster does not know the resource {}", .call.kind())]
    NoKind { call: Box<Call> },
    /// The server refused the request as wrong.
    #[error("cannot {call}: {message}")]
    Invalid { call: Box<Call>, message: String },
    /// Somebody else wrote it first.
    #[error("cannot {call}: it changed in between: {message}")]
    Conflict { call: Box<Call>, message: String },
    /// The server did not answer, or is not able to.
    #[error("cannot {call}: no answer from {server}: {cause}")]
    Unreachable { call: Box<Call>, server: String, cause: String },
    /// The answer took too long.
    #[error("cannot {call}: no answer within {after:?}")]
    TimedOut { call: Box<Call>, after: Duration },
    /// Anything else.
    #[error("cannot {call}: {cause}")]
    Unexpected { call: Box<Call>, cause: String },
    /// The client could not be put together.
    #[error("cannot prepare the connection to {server}: {cause}")]
    Client { server: String, cause: String },
}

impl Error {
    /// The exit code of a run that ends with this error.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. }
            | Self::NoContext { .. }
            | Self::NoKubeconfig { .. }
            | Self::Kubeconfig { .. }
            | Self::Address { .. }
            | Self::Invalid { .. }
            | Self::Client { .. } => Exit::Usage,
            Self::Credentials { .. } | Self::Unauthorized { .. } | Self::Forbidden { .. } => Exit::Forbidden,
            Self::NotFound { .. } | Self::NoKind { .. } => Exit::NotFound,
            Self::Conflict { .. } => Exit::Changed,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::TimedOut { .. } => Exit::TimedOut,
            Self::Unexpected { .. } => Exit::Unexpected,
        }
    }

    /// One word for the kind of failure, for the reason of a single target.
    pub(crate) fn word(&self) -> &'static str {
        match self.exit() {
            Exit::Forbidden => "Forbidden",
            Exit::NotFound => "NotFound",
            Exit::Unreachable => "Unreachable",
            Exit::TimedOut => "RequestTimeout",
            Exit::Changed => "Conflict",
            Exit::Usage => "Invalid",
            _ => "Unexpected",
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Unknown { what, known, .. } => choose(what, known),
            Self::NoContext { known } => choose("context", known),
            Self::NoKubeconfig { .. } => "name one with --kubeconfig or KUBECONFIG".to_owned(),
            Self::Kubeconfig { .. } => "see what kubectl reads: kubectl config view".to_owned(),
            Self::Address { .. } => "an address looks like https://10.0.0.1:6443".to_owned(),
            Self::Credentials { .. } | Self::Unauthorized { .. } => {
                "sign in again, then check with: kubectl auth whoami".to_owned()
            }
            Self::Forbidden { rule, .. } => rule.clone(),
            Self::NotFound { call } => format!("see what is there: kubectl get {} -A", call.kind()),
            Self::NoKind { call } if call.group() == jaas_api::artifact::FLUX_SOURCE_GROUP => {
                "install Flux's custom resource definitions, of which ExternalArtifact came with Flux 2.7".to_owned()
            }
            Self::NoKind { .. } => "install JaaS's custom resource definitions, or choose another --context".to_owned(),
            Self::Invalid { .. } => "compare flags and names with the help of the command: --help".to_owned(),
            Self::Conflict { .. } => "look again, then repeat the command".to_owned(),
            Self::Unreachable { cause, .. } if cause.contains("certificate") => {
                "the certificate does not match: check certificate-authority and tls-server-name of the kubeconfig"
                    .to_owned()
            }
            Self::Unreachable { .. } => "check network, VPN and --context, then: kubectl get --raw /readyz".to_owned(),
            Self::TimedOut { .. } => "raise --request-timeout, or check: kubectl get --raw /readyz".to_owned(),
            Self::Unexpected { .. } => "try again; if it stays, report it with this message".to_owned(),
            Self::Client { .. } => "check certificates, keys and proxy of the kubeconfig".to_owned(),
        }
    }

    /// Gives the failure of a call its name.
    pub(crate) fn classify(call: &Call, error: kube::Error, server: &str) -> Self {
        let (call, server) = (Box::new(call.clone()), server.to_owned());
        match error {
            kube::Error::Api(status) => Self::from_status(call, &status, server),
            kube::Error::Auth(error) => Self::Credentials { server, cause: first_line(&error.to_string()) },
            kube::Error::Service(error) => match error.downcast::<kube::client::AuthError>() {
                Ok(error) => Self::Credentials { server, cause: first_line(&error.to_string()) },
                Err(error) => Self::Unreachable { call, server, cause: root(error.as_ref()) },
            },
            kube::Error::HyperError(error) => Self::Unreachable { call, server, cause: root(&error) },
            kube::Error::ReadEvents(error) => Self::Unreachable { call, server, cause: root(&error) },
            other => Self::Unexpected { call, cause: first_line(&other.to_string()) },
        }
    }

    fn from_status(call: Box<Call>, status: &Status, server: String) -> Self {
        let message = first_line(&status.message);
        match status.code {
            400 | 422 => Self::Invalid { call, message },
            401 => Self::Unauthorized { call, server },
            403 => Self::Forbidden { rule: missing_rule(&call, status), call, message },
            409 => Self::Conflict { call, message },
            404 if names_an_object(status) => Self::NotFound { call },
            404 => Self::NoKind { call },
            429 | 502..=504 => Self::Unreachable { call, server, cause: message },
            _ => Self::Unexpected { call, cause: message },
        }
    }

    /// Gives the failure to build a client its name.
    pub(super) fn from_client(error: kube::Error, server: &str) -> Self {
        let server = server.to_owned();
        match error {
            kube::Error::Auth(error) => Self::Credentials { server, cause: first_line(&error.to_string()) },
            other => Self::Client { server, cause: first_line(&other.to_string()) },
        }
    }
}

/// A 404 about an object carries its name; one about an unknown kind carries none.
fn names_an_object(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| !details.name.is_empty())
}

/// Impersonation is a right of its own, on other resources than those of the call. A server that also knows rights to
/// impersonate for single operations complains of the call's resource, but the plain right is enough for it too.
fn missing_rule(call: &Call, status: &Status) -> String {
    let place = "a ClusterRole";
    match &status.details {
        Some(details) if status.message.contains("cannot impersonate resource") => {
            rule(place, &details.group, &details.kind, &["impersonate"])
        }
        _ if status.message.contains("cannot impersonate") => rule(place, "", "users", &["impersonate"]),
        _ => call.missing_rule(),
    }
}

/// The innermost cause, which is the one that a person can act on.
fn root(error: &(dyn StdError + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source()).last();
    innermost.map(|error| first_line(&error.to_string())).unwrap_or_default()
}

/// Causes of parsers quote the file, and a kubeconfig holds secrets; their first line does not.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn choose(what: &str, known: &[String]) -> String {
    match known {
        [] => format!("the kubeconfig has no {what} at all; see: kubectl config view"),
        known => format!("choose one with --{what}: {}", known.join(", ")),
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
