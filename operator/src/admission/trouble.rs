//! What is wrong with the webhook now, as the probe tells it. It is no reason not to be ready: artifacts are served all the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::tls::Current;

/// What is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Whether a certificate is shown: without one the API server gets no answer.
    pub answers: bool,
    /// What is wrong.
    pub message: String,
    /// For how many seconds.
    pub seconds: u64,
}

/// How the webhook is. Clones share it.
#[derive(Clone)]
pub struct Condition {
    current: Current,
    begun: Instant,
    failing: Arc<Mutex<Option<(Instant, String)>>>,
}

impl Condition {
    /// Of a webhook that shows this.
    pub fn new(current: Current) -> Self {
        Self { current, begun: Instant::now(), failing: Arc::default() }
    }

    /// The certificate is as it should be, and so is who trusts it.
    pub fn well(&self) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// It is not.
    pub fn failed(&self, message: String) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let since = failing.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        *failing = Some((since, message));
    }

    /// What is wrong; `None` where nothing is.
    pub fn trouble(&self) -> Option<Trouble> {
        let served = self.current.served();
        let answers = served.is_some();
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (since, message) = match failing {
            Some((since, message)) => (since.elapsed(), message),
            None => match served {
                Some(served) => {
                    let expired = Timestamp::now().duration_since(served.expires).try_into().ok()?;
                    let message =
                        format!("the certificate expired at {}, so the API server refuses it", served.expires);
                    (self.begun.elapsed().min(expired), message)
                }
                None => (self.begun.elapsed(), "there is no certificate yet".to_owned()),
            },
        };
        Some(Trouble { answers, message, seconds: since.as_secs() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use jiff::Timestamp;

    use super::super::certificate::Material;
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn without_a_certificate_and_with_one_that_cannot_be_renewed_there_is_trouble() {
        let current = Current::new(Metrics::default());
        let begun = Instant::now() - Duration::from_hours(9);
        let condition = Condition { begun, ..Condition::new(current.clone()) };
        let told = || condition.trouble().map(|trouble| (trouble.answers, trouble.message));
        assert_eq!(told(), Some((false, "there is no certificate yet".to_owned())));
        condition.failed("no Secret".to_owned());
        assert_eq!(told(), Some((false, "no Secret".to_owned())));
        let name = "a.b.svc".to_owned();
        let made = Material::make(std::slice::from_ref(&name), Duration::from_secs(3600), Timestamp::now()).unwrap();
        current.show(made.check(&name, Timestamp::now()).unwrap());
        assert_eq!(told(), Some((true, "no Secret".to_owned())));
        condition.well();
        assert_eq!(told(), None);
        let long_ago = Timestamp::now() - jiff::SignedDuration::from_hours(2);
        let made = Material::make(std::slice::from_ref(&name), Duration::from_secs(3600), long_ago).unwrap();
        current.show(made.check(&name, long_ago).unwrap());
        let (answers, message) = told().unwrap();
        assert!(answers && message.starts_with("the certificate expired at "), "{message}");
        let seconds = condition.trouble().unwrap().seconds;
        assert!((3600..3700).contains(&seconds), "expired for an hour, and not since the beginning: {seconds}");
    }
}
