//! Clients that act as a snippet's ServiceAccount.
//!
//! A token is asked for once for each account and used until a part of its life is over. All clients share one pool of
//! connections, whose connector presents no client certificate: the API server looks at a certificate before it looks at a token,
//! and every tenant would act as the operator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Api, Client, Config};
use moka::Expiry;
use moka::future::Cache;

use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{RequestError, request};
use crate::telemetry::metrics::Metrics;

/// Life of a token that is asked for.
const TOKEN_SECONDS: i64 = 3600;
/// A token is renewed this long before its end, or at two thirds of its life where that is earlier.
const MARGIN: Duration = Duration::from_secs(300);
/// Accounts whose clients are remembered.
const REMEMBERED: u64 = 10_000;

type Hyper = HyperClient<hyper_rustls::HttpsConnector<HttpConnector>, Body>;

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Hands out clients for accounts.
#[derive(Clone)]
pub struct Tenants {
    operator: Client,
    config: Arc<Config>,
    pool: Hyper,
    clients: Cache<Account, Entry>,
    metrics: Metrics,
}

#[derive(Clone)]
struct Entry {
    client: Client,
    usable: Duration,
}

struct UsableTime;

impl Expiry<Account, Entry> for UsableTime {
    fn expire_after_create(&self, _: &Account, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.usable)
    }
}

impl Tenants {
    /// Uses `operator` to ask for tokens, and nothing of its credentials besides.
    ///
    /// # Errors
    /// Where the CA of the API server cannot be used.
    pub fn new(operator: Client, config: &Config, metrics: Metrics) -> Result<Self, kube::Error> {
        let mut anonymous = Config::new(config.cluster_url.clone());
        anonymous.root_cert.clone_from(&config.root_cert);
        anonymous.root_cert_file.clone_from(&config.root_cert_file);
        anonymous.tls_server_name.clone_from(&config.tls_server_name);
        anonymous.connect_timeout = config.connect_timeout;
        let pool = HyperClient::builder(TokioExecutor::new()).build(anonymous.rustls_https_connector()?);
        let clients = Cache::builder().max_capacity(REMEMBERED).expire_after(UsableTime).build();
        Ok(Self { operator, config: Arc::new(anonymous), pool, clients, metrics })
    }

    /// A client that acts as the account. Callers that ask at once share one token.
    ///
    /// # Errors
    /// What the API server answers to the request for a token; a missing account is a `NotFound`.
    pub async fn client(&self, account: &Account) -> Result<Client, Arc<RequestError>> {
        let entry = self.clients.try_get_with(account.clone(), self.mint(account)).await?;
        Ok(entry.client)
    }

    /// Forgets the account's token, because the API server no longer accepts it.
    pub async fn forget(&self, account: &Account) {
        self.clients.invalidate(account).await;
    }

    async fn mint(&self, account: &Account) -> Result<Entry, RequestError> {
        let minted = self.request_token(account).await;
        if minted.is_err() {
            self.metrics.token_mint_failed(account);
        }
        minted
    }

    async fn request_token(&self, account: &Account) -> Result<Entry, RequestError> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.operator.clone(), &account.namespace);
        let asked = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let answer = request(accounts.create_token_request(&account.name, &PostParams::default(), &asked)).await?;
        let status = answer.status.unwrap_or_default();
        let life = status.expiration_timestamp.map_or(Duration::ZERO, |end| {
            Duration::try_from(end.0.duration_since(jiff::Timestamp::now())).unwrap_or_default()
        });
        let client = self.build(status.token.unwrap_or_default())?;
        Ok(Entry { client, usable: life.saturating_sub(MARGIN.min(life / 3)) })
    }

    fn build(&self, token: String) -> Result<Client, RequestError> {
        let mut config = Config::clone(&self.config);
        config.auth_info.token = Some(token.into());
        let service = tower::ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer()?)
            .map_err(tower::BoxError::from)
            .service(self.pool.clone());
        Ok(ClientBuilder::new(service, "default").build())
    }
}
