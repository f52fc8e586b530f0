//! Notes what every answer tells beside what was asked: the time of the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

/// No answer had a date.
const UNKNOWN: i64 = i64::MIN;

/// What was noted last.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    ahead: Arc<AtomicI64>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { ahead: Arc::new(AtomicI64::new(UNKNOWN)) }
    }
}

impl Watch {
    /// Seconds by which the service's clock is ahead of ours.
    pub(super) fn clock_ahead(&self) -> Option<i64> {
        Some(self.ahead.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)
    }

    /// The time as the service counts it, in seconds since 1970.
    pub(super) fn service_now(&self) -> i64 {
        now() + self.clock_ahead().unwrap_or_default()
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        if let Some(date) = date {
            self.ahead.store(date.secs() - now(), Ordering::Relaxed);
        }
        Ok(())
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
