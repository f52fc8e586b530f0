//! When the store is full, if it goes on as of late. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use jaas_storage::store::Usage;

/// How far back measurements count.
const WINDOW: Duration = Duration::from_hours(6);
/// Time between two that count. A store in trouble is measured more often, which must not outweigh the hours before.
const PAUSE: Duration = Duration::from_mins(4);
/// Fewest of them that tell anything.
const FEWEST: usize = 7;
/// Growth so slow that the store is full later than this is none.
const FARTHEST: Duration = Duration::from_hours(365 * 24);

/// Measurements of late, the oldest first. A restart forgets them.
#[derive(Debug, Default)]
pub struct Forecast {
    samples: VecDeque<Sample>,
    latest: Usage,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    usage: Usage,
}

impl Forecast {
    /// The store was measured, this long after some beginning.
    pub fn measured(&mut self, at: Duration, usage: &Usage) {
        self.latest = *usage;
        if self.samples.back().is_none_or(|last| at.saturating_sub(last.at) >= PAUSE) {
            self.samples.push_back(Sample { at, usage: *usage });
        }
        while self.samples.front().is_some_and(|first| at.saturating_sub(first.at) > WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Time until the volume or the quota is used up, whichever is first; zero where one is. `None` where neither fills, and while there
    /// are too few measurements to say.
    pub fn full_in(&self) -> Option<Duration> {
        let volume = self.until(self.latest.free_bytes, |usage| usage.free_bytes.map(|free| -float(free)));
        let quota = self.latest.quota.filter(|quota| *quota > 0);
        let left = quota.map(|quota| quota.saturating_sub(self.latest.bytes));
        let quota = self.until(left, |usage| Some(float(usage.bytes)));
        volume.into_iter().chain(quota).min()
    }

    /// Time until what is `left` is used up, at the growth of `taken`.
    fn until(&self, left: Option<u64>, taken: impl Fn(&Usage) -> Option<f64>) -> Option<Duration> {
        let left = left?;
        if left == 0 {
            return Some(Duration::ZERO);
        }
        let points: Vec<_> =
            self.samples.iter().filter_map(|it| Some((it.at.as_secs_f64(), taken(&it.usage)?))).collect();
        let growth = slope(&points).filter(|growth| *growth > 0.0)?;
        // Too large a number of seconds is no duration.
        Duration::try_from_secs_f64(float(left) / growth).ok().filter(|time| *time <= FARTHEST)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a forecast is no more exact than that")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

/// The median of the slopes between all pairs of points (Theil and Sen), which neither a large snippet that comes once nor a sweep moves
/// far. `None` for too few points.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < FEWEST {
        return None;
    }
    let after = |(at, point): (usize, &(f64, f64))| (at + 1, *point);
    let pairs = points.iter().enumerate().map(after).flat_map(|(next, (time, bytes))| {
        let later = points.get(next..).unwrap_or_default();
        later.iter().map(move |(later_time, later_bytes)| (later_bytes - bytes) / (later_time - time))
    });
    let mut slopes: Vec<_> = pairs.filter(|slope| slope.is_finite()).collect();
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    /// A forecast after these uses of a store of 1,000 bytes, five minutes apart.
    fn after(bytes: impl IntoIterator<Item = u64>) -> Option<u64> {
        full_in(bytes.into_iter().map(|bytes| Usage { bytes, quota: Some(1000), ..Usage::default() }))
    }

    fn full_in(usages: impl IntoIterator<Item = Usage>) -> Option<u64> {
        let mut forecast = Forecast::default();
        for (at, usage) in (0_u64..).zip(usages) {
            forecast.measured(Duration::from_secs(at * 5 * MINUTE), &usage);
        }
        forecast.full_in().map(|time| time.as_secs())
    }

    #[test]
    fn steady_growth_is_continued_until_nothing_is_left() {
        // Ten bytes in five minutes, and 910 are left after the tenth.
        assert_eq!(after((0..10).map(|at| at * 10)), Some(91 * 5 * MINUTE));
    }

    #[test]
    fn nothing_is_told_of_too_few_measurements_or_where_nothing_grows() {
        assert_eq!(after((0..6).map(|at| at * 10)), None);
        assert_eq!(after(std::iter::repeat_n(500, 50)), None);
        assert_eq!(after((0..50).map(|at| 900 - at * 10)), None);
        // A byte a week.
        let slow = (0..70).map(|at| Usage { bytes: at, quota: Some(1 << 40), ..Usage::default() });
        assert_eq!(full_in(slow), None);
        assert_eq!(full_in(std::iter::repeat_n(Usage { bytes: 5, quota: Some(0), ..Usage::default() }, 9)), None);
    }

    #[test]
    fn what_happens_once_is_no_growth() {
        // In the very middle it is, for the few minutes that it is there: half of all pairs are on its two sides.
        for step in (1..17).chain(24..40) {
            assert_eq!(after((0..40).map(|at| if at < step { 100 } else { 600 })), None, "{step}");
        }
        // A sweep in the middle of steady growth hides less than half of it.
        let swept = after((0..60).map(|at| 300 + at * 5 - if at < 30 { 0 } else { 150 }));
        assert!(swept.is_some_and(|time| time < 24 * 60 * MINUTE), "{swept:?}");
    }

    #[test]
    fn growth_in_steps_is_growth() {
        // Sixty bytes an hour, of 1,000: 640 are left.
        let steps = after((0..73).map(|at| at / 12 * 60));
        assert!(steps.is_some_and(|time| (9 * 60 * MINUTE..13 * 60 * MINUTE).contains(&time)), "{steps:?}");
    }

    #[test]
    fn the_first_limit_counts_and_one_that_is_reached_is_now() {
        let both = |at: u64| Usage {
            bytes: at * 10,
            quota: Some(10_000),
            // Somebody else fills the volume, too.
            free_bytes: Some(5_000 - at * 50),
            ..Usage::default()
        };
        assert_eq!(full_in((0..11).map(both)), Some(90 * 5 * MINUTE));
        assert_eq!(after([1000]), Some(0));
        assert_eq!(full_in([Usage { free_bytes: Some(0), ..Usage::default() }]), Some(0));
    }

    #[test]
    fn only_the_last_hours_count_and_haste_does_not() {
        // It grew for a day, and has been as it is for seven hours.
        assert_eq!(after((0..300).chain(std::iter::repeat_n(300, 84))), None);
        let mut forecast = Forecast::default();
        for at in 0..500 {
            let usage = Usage { bytes: at, quota: Some(1000), ..Usage::default() };
            forecast.measured(Duration::from_secs(at), &usage);
        }
        assert_eq!(forecast.full_in(), None, "eight minutes, however often they are measured");
        assert!(forecast.samples.len() < 4, "{forecast:?}");
    }
}
