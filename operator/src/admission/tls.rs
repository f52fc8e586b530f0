//! The certificate that is shown now, and connections that begin with it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::Served;
use crate::http::listener::{Begin, Moving};
use crate::telemetry::metrics::Metrics;

/// Longest that a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The certificate that is shown now. Clones share it.
#[derive(Clone)]
pub struct Current {
    served: Arc<RwLock<Option<Served>>>,
    metrics: Metrics,
}

impl fmt::Debug for Current {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Current").finish_non_exhaustive()
    }
}

impl Current {
    /// None yet: connections are refused until there is one.
    pub fn new(metrics: Metrics) -> Self {
        Self { served: Arc::default(), metrics }
    }

    /// Shows another one from the next connection on. Answers whether it is another.
    pub fn show(&self, next: Served) -> bool {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        if served.as_ref().is_some_and(|shown| shown.key.cert == next.key.cert) {
            return false;
        }
        self.metrics.webhook().shows(next.expires);
        *served = Some(next);
        true
    }

    /// The one that is shown.
    pub fn served(&self) -> Option<Served> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What connections begin with.
    ///
    /// # Errors
    /// Where the library lacks what it is asked for.
    pub fn tls(&self) -> Result<Tls, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.served().map(|served| served.key)
    }
}

/// Connections that begin with TLS.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Begin for Tls {
    type Stream = TlsStream<Moving>;

    async fn begin(&self, stream: Moving) -> Option<Self::Stream> {
        match tokio::time::timeout(HANDSHAKE, self.0.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            // Whoever does not trust the certificate says so, and the API server tells it in its own answer.
            Ok(Err(error)) => {
                tracing::debug!(%error, "A handshake with the webhook failed");
                None
            }
            Err(_) => None,
        }
    }
}
