//! Notes what every answer tells beside what was asked: the time of the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_smithy_async::time::TimeSource;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

/// No answer had a date.
const UNKNOWN: i64 = i64::MIN;

/// Clocks that differ by less, in seconds, agree as far as an answer's date can tell, which has no fractions.
const AGREE: u64 = 2;

/// When a request was sent, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Sent(i64);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

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

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent(now()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        if let Some(date) = date {
            let now = now();
            let meanwhile = config.load::<Sent>().map_or(0, |sent| now - sent.0);
            // Nobody knows how much of the time went by on the way there and how much on the way back, so that an answer that took
            // long tells only of clocks that are farther apart than that.
            let ahead = date.secs() - (now - meanwhile / 2);
            if meanwhile < i64::try_from(AGREE).unwrap_or_default() || ahead.abs() > meanwhile {
                self.ahead.store(ahead, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// Counts time as the service does.
impl TimeSource for Watch {
    fn now(&self) -> SystemTime {
        let ahead = self.clock_ahead().filter(|ahead| ahead.unsigned_abs() >= AGREE).unwrap_or_default();
        let apart = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let there = if ahead < 0 { now.checked_sub(apart) } else { now.checked_add(apart) };
        there.unwrap_or(now)
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_as_the_service_counts_it_where_clocks_differ() {
        for (ahead, counted) in [(UNKNOWN, 0), (1, 0), (-1, 0), (60, 60), (-3, -3)] {
            let watch = Watch::default();
            watch.ahead.store(ahead, Ordering::Relaxed);
            let apart = |of: SystemTime| {
                let counted = Duration::from_secs(i64::unsigned_abs(counted));
                if ahead < 0 { of - counted } else { of + counted }
            };
            let before = apart(SystemTime::now());
            let there = TimeSource::now(&watch);
            assert!((before..=apart(SystemTime::now())).contains(&there), "{ahead}");
        }
    }
}
