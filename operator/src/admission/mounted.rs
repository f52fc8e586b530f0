//! A certificate in files, as cert-manager and a Secret's volume bring it: read again when it changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::certificate::{self, Served};
use super::tls::Current;
use super::trouble::Condition;
use crate::snippet::outcome::chain;
use crate::telemetry::metrics::Metrics;

/// Pause between two looks at the files.
const PAUSE: Duration = Duration::from_secs(1);

/// Pause between two counts of the same trouble: whoever watches the counter sees that it lasts.
const COUNTED_AGAIN: Duration = Duration::from_secs(300);

/// Names of the files, as a Secret of type `kubernetes.io/tls` has them.
const FILES: [&str; 2] = ["tls.crt", "tls.key"];

/// Shows what the files hold until the process ends. What cannot be used is told, and the last good one stays.
pub async fn run(
    directory: PathBuf,
    current: Current,
    condition: Condition,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let mut told: Option<String> = None;
    let mut counted = Instant::now();
    loop {
        let trouble = look(&directory, &current).await.err();
        match &trouble {
            None => condition.well(),
            Some(error) => condition.failed(error.clone()),
        }
        let is_new = trouble != told;
        if trouble.is_some() && (is_new || counted.elapsed() >= COUNTED_AGAIN) {
            metrics.webhook().renewal_failed();
            counted = Instant::now();
        }
        if is_new {
            if let Some(error) = &trouble {
                let directory = directory.display().to_string();
                tracing::warn!(
                    directory,
                    error,
                    "The webhook's certificate cannot be read; the last good one is used on"
                );
            }
            told = trouble;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn look(directory: &Path, current: &Current) -> Result<(), String> {
    let served = read(directory).await?;
    let expires = served.expires;
    if current.show(served) {
        tracing::info!(%expires, "The webhook's certificate is read");
    }
    Ok(())
}

async fn read(directory: &Path) -> Result<Served, String> {
    let mut parts = Vec::new();
    for name in FILES {
        let path = directory.join(name);
        let read = tokio::fs::read(&path).await;
        parts.push(read.map_err(|error| format!("reading {}: {error}", path.display()))?);
    }
    certificate::read(&parts[0], &parts[1]).map_err(|error| chain(&error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::super::certificate::Material;
    use super::*;

    fn write(directory: &Path, certificate: &str, key: &str) {
        std::fs::write(directory.join(FILES[0]), certificate).unwrap();
        std::fs::write(directory.join(FILES[1]), key).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_lasts_is_counted_again() {
        let folder = tempfile::tempdir().unwrap();
        let (metrics, stop) = (Metrics::default(), CancellationToken::new());
        let current = Current::new(metrics.clone());
        let condition = Condition::new(current.clone());
        let running = tokio::spawn(run(folder.path().to_owned(), current, condition, metrics.clone(), stop.clone()));
        tokio::time::sleep(2 * COUNTED_AGAIN + COUNTED_AGAIN / 2).await;
        let text = metrics.encode().unwrap();
        assert!(text.lines().any(|line| line == "jaas_webhook_cert_renewal_failures_total 3"), "{text}");
        stop.cancel();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_pair_that_does_not_match_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Metrics::default();
        let current = Current::new(metrics.clone());
        assert!(look(folder.path(), &current).await.unwrap_err().starts_with("reading "));
        assert!(current.served().is_none());
        let made = || Material::make(&["a.b.svc".to_owned()], Duration::from_secs(3600), Timestamp::now()).unwrap();
        let (one, other) = (made(), made());
        write(folder.path(), &one.certificate, &one.key);
        look(folder.path(), &current).await.unwrap();
        let first = current.served().unwrap();
        write(folder.path(), &other.certificate, &one.key);
        let told = look(folder.path(), &current).await.unwrap_err();
        assert_eq!(told, "the private key is not that of the certificate");
        assert_eq!(current.served().unwrap().key.cert, first.key.cert);
        write(folder.path(), &other.certificate, &other.key);
        look(folder.path(), &current).await.unwrap();
        assert_ne!(current.served().unwrap().key.cert, first.key.cert);
        assert!(metrics.encode().unwrap().contains("jaas_webhook_cert_expiration_timestamp_seconds"));
    }
}
