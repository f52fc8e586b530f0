//! Clients that act as a snippet's ServiceAccount.
//!
//! A token is asked for once for each account and used until a part of its life is over, or until the API server no longer accepts
//! it: then a request is sent once more with a fresh one. All clients share one pool of connections, whose connector presents no client certificate: the API server looks at a certificate before it looks at a token,
//! and every tenant would act as the operator.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
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

use super::classify::{Meaning, meaning};
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

/// Why nothing can be done as an account.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AccountError {
    /// It does not exist.
    #[error("ServiceAccount {:?} not found in namespace {:?}; create it or name another in spec.serviceAccountName", .0.name, .0.namespace)]
    Missing(Account),
    /// Its token was refused, and no other could be had.
    #[error("asking for a new token of ServiceAccount {}/{}, since the API server refuses the one at hand", .0.namespace, .0.name)]
    NoToken(Account, #[source] Arc<RequestError>),
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
    /// The header that shows the token.
    token: HeaderValue,
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
    /// What the API server answers to the request for a token; for a missing account, [`AccountError::Missing`].
    pub async fn client(&self, account: &Account) -> Result<Client, Arc<RequestError>> {
        Ok(self.entry(account).await?.client)
    }

    async fn entry(&self, account: &Account) -> Result<Entry, Arc<RequestError>> {
        self.clients.try_get_with(account.clone(), self.mint(account)).await
    }

    /// The header of a token other than the refused one. Callers that ask at once share it.
    async fn renewed(&self, account: &Account, refused: &HeaderValue) -> Result<HeaderValue, AccountError> {
        self.forget(account, refused).await;
        match self.entry(account).await {
            Ok(entry) => Ok(entry.token),
            Err(error) if meaning(&error) == Meaning::AccountMissing => Err(AccountError::Missing(account.clone())),
            Err(error) => Err(AccountError::NoToken(account.clone(), error)),
        }
    }

    /// Forgets a token that is not accepted, unless another one has taken its place.
    async fn forget(&self, account: &Account, refused: &HeaderValue) {
        if self.clients.get(account).await.is_some_and(|entry| entry.token == *refused) {
            self.clients.invalidate(account).await;
        }
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
        let answer = request(accounts.create_token_request(&account.name, &PostParams::default(), &asked)).await;
        let answer = answer.map_err(|error| match meaning(&error) {
            Meaning::NotFound => RequestError::Account(Box::new(AccountError::Missing(account.clone()))),
            _ => error,
        })?;
        let status = answer.status.unwrap_or_default();
        let life = status.expiration_timestamp.map_or(Duration::ZERO, |end| {
            Duration::try_from(end.0.duration_since(jiff::Timestamp::now())).unwrap_or_default()
        });
        let token = format!("Bearer {}", status.token.unwrap_or_default());
        let mut token = HeaderValue::try_from(token).map_err(|error| kube::Error::HttpError(error.into()))?;
        token.set_sensitive(true);
        let client = self.build(account, token.clone());
        Ok(Entry { client, token, usable: usable(life) })
    }

    fn build(&self, account: &Account, token: HeaderValue) -> Client {
        let service = tower::ServiceBuilder::new().layer(self.config.base_uri_layer()).service(AsAccount {
            tenants: self.clone(),
            account: account.clone(),
            token,
        });
        ClientBuilder::new(service, "default").build()
    }
}

/// Sends requests with the token of an account, once more with a fresh one where that is refused.
#[derive(Clone)]
struct AsAccount {
    tenants: Tenants,
    account: Account,
    token: HeaderValue,
}

impl AsAccount {
    async fn send(self, mut first: Request<Body>) -> Result<Response<Incoming>, tower::BoxError> {
        let Self { tenants, account, token } = self;
        let again = copy(&first);
        first.headers_mut().insert(AUTHORIZATION, token.clone());
        let answer = tenants.pool.request(first).await?;
        let Some(mut again) = again.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(answer);
        };
        let fresh = tenants.renewed(&account, &token).await?;
        again.headers_mut().insert(AUTHORIZATION, fresh.clone());
        let answer = tenants.pool.request(again).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            tenants.forget(&account, &fresh).await;
        }
        Ok(answer)
    }
}

impl tower::Service<Request<Body>> for AsAccount {
    type Response = Response<Incoming>;
    type Error = tower::BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.clone().send(request).boxed()
    }
}

/// The same request; `None` for a body that can be sent once only, which ours never are.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// How long a token of this life is used.
fn usable(life: Duration) -> Duration {
    life.saturating_sub(MARGIN.min(life / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_token_is_used_for_two_thirds_of_its_life() {
        let used = |seconds| usable(Duration::from_secs(seconds)).as_secs();
        assert_eq!([used(0), used(120), used(900), used(3600)], [0, 80, 600, 3300]);
    }
}
