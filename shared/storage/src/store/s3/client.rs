//! Sends requests: who signs them, where they go, how long they may take and how often they are repeated.

use std::future::Future;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::credentials::FileCredentials;
use super::error::{Failure, Meaning, classify};
use super::limiter::{Answer, Limiter};
use super::options::{S3Credentials, S3Options};
use super::watch::Watch;
use crate::store::{ErrorKind, StoreError};

/// Tries of one operation.
const ATTEMPTS: u32 = 4;
/// Wait before the second try, at most; doubled before each further one. What is waited is a random part of it.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Rate in bytes per second below which a transfer counts as stuck.
const SLOWEST: u64 = 64 << 10;
/// Where a bucket is looked for until the service tells where it is.
const FIRST_REGION: &str = "us-east-1";

/// The way to the service.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) options: S3Options,
    pub(super) watch: Watch,
    http: SharedHttpClient,
    credentials: Option<SharedCredentialsProvider>,
    limiter: Limiter,
    current: RwLock<(Client, String)>,
}

impl Connection {
    /// Prepares everything; sends nothing.
    pub(super) async fn open(options: S3Options) -> Result<Self, StoreError> {
        let http = http_client(&options)?;
        let environment = || ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
        let region = options.region.clone().or_else(environment).filter(|region| !region.is_empty());
        let region = region.unwrap_or_else(|| FIRST_REGION.to_owned());
        let credentials = credentials(&options, &region).await;
        let watch = Watch::default();
        let client = client(&options, &http, credentials.as_ref(), &region, &watch);
        let limiter = Limiter::new(options.concurrency);
        Ok(Self { options, watch, http, credentials, limiter, current: RwLock::new((client, region)) })
    }

    /// The region that requests are signed for.
    pub(super) fn region(&self) -> String {
        self.current.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Sends one request, again where that may help. `bytes` is what the request carries.
    pub(super) async fn call<T, E, F, Fut>(&self, bytes: u64, send: F) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let timeouts = self.options.timeouts;
        let transfer = Duration::from_secs(bytes / SLOWEST);
        let deadline = Instant::now() + timeouts.operation + transfer;
        let late = || Failure::trouble(ErrorKind::TimedOut, "no answer in time");
        let (mut refreshed, mut learned) = (false, false);
        let mut attempt = 0;
        loop {
            let turn = timeout_at(deadline, self.limiter.turn()).await.map_err(|_| late())?;
            let client = self.current.read().unwrap_or_else(PoisonError::into_inner).0.clone();
            let until = deadline.min(Instant::now() + timeouts.connect + timeouts.first_byte + transfer);
            let failure = match timeout_at(until, send(client)).await {
                Ok(Ok(answer)) => {
                    self.limiter.answered(turn, Answer::Fine);
                    return Ok(answer);
                }
                Ok(Err(error)) => classify(&error),
                Err(_) => late(),
            };
            self.limiter.answered(turn, weight(&failure));
            if failure.meaning == Meaning::Expired && !refreshed {
                refreshed = true;
                self.renew(&self.region());
                continue;
            }
            if let Some(region) = self.region_to_learn(&failure).filter(|_| !learned) {
                learned = true;
                tracing::info!(%region, "the S3 service told the bucket's region");
                self.renew(&region);
                continue;
            }
            let wait = (FIRST_WAIT * 2_u32.pow(attempt)).mul_f64(rand::random::<f64>());
            attempt += 1;
            let over = attempt == ATTEMPTS || Instant::now() + wait >= deadline;
            if over || !failure.is_worth_repeating() || !self.limiter.may_repeat() {
                return Err(failure);
            }
            sleep(wait).await;
        }
    }

    /// Waits for the next bytes of an answer.
    pub(super) async fn within_stall<T>(&self, next: impl Future<Output = T>) -> Option<T> {
        timeout(self.options.timeouts.stall, next).await.ok()
    }

    fn region_to_learn(&self, failure: &Failure) -> Option<String> {
        let wrong = failure.kind() == ErrorKind::WrongRegion || matches!(failure.status, Some(301 | 400));
        failure.region.clone().filter(|region| wrong && *region != self.region())
    }

    /// A new client has no remembered credentials, so they are asked for anew.
    fn renew(&self, region: &str) {
        let client = client(&self.options, &self.http, self.credentials.as_ref(), region, &self.watch);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (client, region.to_owned());
    }
}

fn weight(failure: &Failure) -> Answer {
    match failure.kind() {
        ErrorKind::Throttled => Answer::Throttled,
        _ if failure.is_worth_repeating() => Answer::Failed,
        _ => Answer::Fine,
    }
}

async fn credentials(options: &S3Options, region: &str) -> Option<SharedCredentialsProvider> {
    match &options.credentials {
        S3Credentials::Anonymous => None,
        S3Credentials::Static { access_key, secret_key, session_token } => {
            let keys = Credentials::new(access_key, secret_key, session_token.clone(), None, "options");
            Some(SharedCredentialsProvider::new(keys))
        }
        S3Credentials::File(path) => Some(SharedCredentialsProvider::new(FileCredentials::new(path.clone()))),
        S3Credentials::Chain => {
            let chain = DefaultCredentialsChain::builder().region(Region::new(region.to_owned())).build().await;
            Some(SharedCredentialsProvider::new(chain))
        }
    }
}

fn client(
    options: &S3Options,
    http: &SharedHttpClient,
    credentials: Option<&SharedCredentialsProvider>,
    region: &str,
    watch: &Watch,
) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(options.timeouts.connect).build();
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts)
        // Repeating is decided in one place, which also knows of budget, region and credentials.
        .retry_config(RetryConfig::disabled())
        // It cannot tell a slow service from a slow consumer.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        // Whatever is read is compared with its own digest.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .disable_s3_express_session_auth(true)
        .interceptor(watch.clone());
    config = match credentials {
        None => config.allow_no_auth(),
        // The files are looked at for each request, so nothing may be remembered in front of them.
        Some(provider) if matches!(options.credentials, S3Credentials::File(_)) => {
            config.credentials_provider(provider.clone()).identity_cache(IdentityCache::no_cache())
        }
        Some(provider) => config.credentials_provider(provider.clone()).identity_cache(IdentityCache::lazy().build()),
    };
    if !options.is_aws() {
        let scheme = if options.use_ssl { "https" } else { "http" };
        config = config.endpoint_url(format!("{scheme}://{}", options.endpoint)).force_path_style(true);
    }
    Client::from_conf(config.build())
}

fn http_client(options: &S3Options) -> Result<SharedHttpClient, StoreError> {
    let builder = aws_smithy_http_client::Builder::new();
    if !options.use_ssl {
        return Ok(builder.build_http());
    }
    let failed = |error: String| StoreError::remote(ErrorKind::Unreachable, "reading", "the S3 certificates", error);
    let trust = match &options.ca {
        None => TrustStore::default(),
        Some(pem) => {
            check_certificates(pem).map_err(failed)?;
            TrustStore::empty().with_pem_certificate(pem.clone())
        }
    };
    let context = TlsContext::builder().with_trust_store(trust).build();
    let context = context.map_err(|error| failed(error.to_string()))?;
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    Ok(builder.tls_provider(provider).tls_context(context).build_https())
}

/// The TLS library takes certificates that it cannot read for a mistake of the program and panics.
fn check_certificates(pem: &[u8]) -> Result<(), String> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(()) }
}
