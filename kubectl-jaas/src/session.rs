//! The session with one cluster: the only file that opens a client.
//!
//! Knows which context, namespace and time limits hold, and turns every failure of a call into an [`Error`] that
//! names object, operation and cause.

mod call;
mod error;
mod kubeconfig;
mod proxy;
mod readonly;

use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use k8s_openapi::api::core::v1::Namespace;
use kube::client::ClientBuilder;
use kube::{Api, Client, Config};

pub(crate) use call::Call;
pub(crate) use error::Error;
pub(crate) use readonly::Writes;

use crate::cli::Connection;
use crate::run::Run;

/// Name under which what we write stands in `managedFields` and events.
pub(crate) const FIELD_MANAGER: &str = "kubectl-jaas";
/// Whose UID stands for the cluster: this namespace is made with the cluster and goes with it.
const CLUSTER_NAMESPACE: &str = "kube-system";
/// A server that is well answers sooner than this, also behind a slow road.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Longest time to reach a server that is not the API server.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A client for a server that is not the API server, and that nobody signs in to. It carries no credentials.
///
/// # Errors
/// `base` is no address.
pub(crate) fn plain(base: &str) -> Result<Client, Error> {
    let address = || Error::Address { place: "the address of the storage server", value: base.to_owned() };
    let mut config = Config::new(base.parse().map_err(|_| address())?);
    config.connect_timeout = Some(CONNECT_LIMIT);
    once(config, base)
}

fn once(mut config: Config, server: &str) -> Result<Client, Error> {
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config).map_err(|error| Error::from_client(error, server))?;
    Ok(builder.with_layer(&readonly::Gate::new(Writes::Refused)).build())
}

/// Where a session leads, for messages and documents. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Context of the kubeconfig; empty when there is none.
    pub(crate) context: String,
    /// Address of the API server.
    pub(crate) server: String,
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.context.as_str() {
            "" => write!(f, "{}", self.server),
            context => write!(f, "context `{context}`, {}", self.server),
        }
    }
}

/// An open session.
pub(crate) struct Session {
    /// Sends requests; refuses writes that the run must not make.
    pub(crate) client: Client,
    /// Namespace of snippets that are named without one.
    pub(crate) namespace: String,
    /// Where it leads.
    pub(crate) destination: Destination,
    call_limit: Option<Duration>,
    config: Config,
}

impl Session {
    /// Reads the kubeconfig, applies the flags, and signs in; sends nothing to the API server yet.
    ///
    /// # Errors
    /// What is wrong with the kubeconfig or the flags, or that the credentials cannot be had.
    pub(crate) async fn open(connection: &Connection, run: &Run, writes: Writes) -> Result<Self, Error> {
        let (mut config, destination) = kubeconfig::load(connection).await?;
        let call_limit = connection.call_limit();
        if let (Some(limit), Some(connect)) = (call_limit, config.connect_timeout) {
            config.connect_timeout = Some(connect.min(limit));
        }
        if let Ok(agent) = HeaderValue::try_from(run.user_agent()) {
            config.headers.push((USER_AGENT, agent));
        }
        let namespace = config.default_namespace.clone();
        let builder =
            ClientBuilder::try_from(config.clone()).map_err(|error| Error::from_client(error, &destination.server))?;
        let client = builder.with_layer(&readonly::Gate::new(writes)).build();
        Ok(Self { client, namespace, destination, call_limit, config })
    }

    /// A client that hands on every answer as it comes, where the other one tries again what it takes for a stumble: of a server behind
    /// the API server, a refusal is what is asked for. It writes nothing.
    ///
    /// # Errors
    /// The credentials cannot be had once more.
    pub(crate) fn once(&self) -> Result<Client, Error> {
        once(self.config.clone(), &self.destination.server)
    }

    /// Waits for one call within its limit.
    ///
    /// # Errors
    /// The classified failure of the call.
    pub(crate) async fn call<T>(
        &self,
        call: &Call,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        let result = match self.call_limit {
            None => answer.await,
            Some(limit) => match tokio::time::timeout(limit, answer).await {
                Ok(result) => result,
                Err(_) => return Err(Error::TimedOut { call: Box::new(call.clone()), after: limit }),
            },
        };
        result.map_err(|error| self.classify(call, error))
    }

    /// Longest time for one call; `None` for no limit.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.call_limit
    }

    /// Longest time until a server behind the API server shows that it is there at all: a part of the limit for a call, so that a frozen
    /// process holds nobody up for long, and never so little that a slow road looks like one.
    pub(crate) fn first_answer(&self) -> Option<Duration> {
        self.call_limit.map(|limit| limit.min((limit / 3).max(FIRST_ANSWER)))
    }

    /// Gives the failure of a call its name.
    pub(crate) fn classify(&self, call: &Call, error: kube::Error) -> Error {
        Error::classify(call, error, &self.destination.server)
    }

    /// UID of the cluster, if it can be read.
    pub(crate) async fn cluster_uid(&self) -> Option<String> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let call = Call::new("get", "", "namespaces", &["get"]).named(CLUSTER_NAMESPACE);
        self.call(&call, namespaces.get_metadata(CLUSTER_NAMESPACE)).await.ok()?.metadata.uid
    }
}
